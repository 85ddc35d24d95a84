package record

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kmsg"
)

var codecs = []Codec{None, Gzip, Snappy, LZ4, Zstd}

// some makes n records of every shape, repeatable by seed.
func some(seed uint64, n int) []Record {
	rng := rand.New(rand.NewPCG(seed, 0))
	text := func(most int) []byte {
		switch rng.IntN(6) {
		case 0:
			return nil
		case 1:
			return []byte{}
		}
		return bytes.Repeat([]byte{byte('a' + rng.IntN(3))}, rng.IntN(most))
	}
	out := make([]Record, n)
	for i := range out {
		out[i] = Record{
			Offset: int64(i), Timestamp: 1_700_000_000_000 + rng.Int64N(200) - 100,
			Key: text(100), Value: text(300),
		}
		for range rng.IntN(3) {
			out[i].Headers = append(out[i].Headers, Header{append([]byte("h"), text(100)...), text(100)})
		}
	}
	return out
}

func build(t testing.TB, s Spec, records ...Record) Batch {
	t.Helper()
	b, err := Build(s, records...)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// read copies what Each gives.
func read(t testing.TB, b Batch) []Record {
	t.Helper()
	var out []Record
	err := b.Each(Limits{}, func(r Record) error {
		out = append(out, clone(r))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// same compares, null and empty apart; cmp is for the message only, it is slow.
func same(t testing.TB, got, want []Record) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Fatal(cmp.Diff(want, got))
	}
}

func clone(r Record) Record {
	c := Record{Offset: r.Offset, Timestamp: r.Timestamp, Key: bytes.Clone(r.Key), Value: bytes.Clone(r.Value)}
	for _, h := range r.Headers {
		c.Headers = append(c.Headers, Header{bytes.Clone(h.Key), bytes.Clone(h.Value)})
	}
	return c
}

func TestBuildVerifyRead(t *testing.T) {
	for _, c := range codecs {
		t.Run(c.String(), func(t *testing.T) {
			for seed := range uint64(50) {
				want := some(seed, 1+int(seed)*3)
				b := build(t, Spec{Codec: c, Producer: &Producer{7, 3, 11}}, want...)
				if err := b.VerifyInner(Limits{}); err != nil {
					t.Fatal(err)
				}
				if err := b.VerifyStored(); err != nil {
					t.Fatal(err)
				}
				same(t, read(t, b), want)
			}
		})
	}
}

func TestHeaderFields(t *testing.T) {
	b := build(t, Spec{BaseOffset: 100, LeaderEpoch: 5, Codec: Zstd, Producer: &Producer{9, 2, 40}, Transactional: true},
		Record{Timestamp: 50}, Record{Timestamp: 40}, Record{Timestamp: 60})
	got := fmt.Sprint(b.BaseOffset(), b.LastOffset(), b.NextOffset(), b.LeaderEpoch(), b.Magic(), b.Codec(),
		b.BaseTimestamp(), b.MaxTimestamp(), b.ProducerID(), b.ProducerEpoch(), b.BaseSequence(), b.Count(),
		b.Transactional(), b.Control(), b.LogAppendTime(), b.HasDeleteHorizon(), int(b.Length())+12 == len(b))
	if want := "100 102 103 5 2 zstd 50 60 9 2 40 3 true false false false true"; got != want {
		t.Fatalf("got  %s\nwant %s", got, want)
	}
}

// kmsg is a second opinion on the layout.
func TestKmsgAgrees(t *testing.T) {
	want := some(3, 20)
	b := build(t, Spec{BaseOffset: 70, LeaderEpoch: 4, Producer: &Producer{7, 3, 11}}, want...)
	var k kmsg.RecordBatch
	if err := k.ReadFrom(b); err != nil {
		t.Fatal(err)
	}
	if k.FirstOffset != 70 || k.PartitionLeaderEpoch != 4 || k.NumRecords != 20 || k.LastOffsetDelta != 19 ||
		k.FirstTimestamp != want[0].Timestamp || k.ProducerID != 7 || k.ProducerEpoch != 3 || k.FirstSequence != 11 ||
		uint32(k.CRC) != b.CRC() || k.MaxTimestamp != b.MaxTimestamp() || k.Magic != 2 {
		t.Fatalf("%+v", k)
	}
	p := k.Records
	for i, w := range want {
		length, n := binary.Varint(p)
		var r kmsg.Record
		if err := r.ReadFrom(p[:n+int(length)]); err != nil {
			t.Fatal(err)
		}
		p = p[n+int(length):]
		if r.OffsetDelta != int32(i) || k.FirstTimestamp+r.TimestampDelta64 != w.Timestamp ||
			!bytes.Equal(r.Key, w.Key) || !bytes.Equal(r.Value, w.Value) || len(r.Headers) != len(w.Headers) {
			t.Fatalf("record %d: %+v, want %+v", i, r, w)
		}
	}
	if len(p) != 0 {
		t.Fatalf("%d bytes left", len(p))
	}
}

func TestNext(t *testing.T) {
	b := build(t, Spec{}, Record{Value: []byte("x")})
	two := slices.Concat(b, b)
	first, rest, err := Next(two)
	if err != nil || !bytes.Equal(first, b) || !bytes.Equal(rest, b) {
		t.Fatal("two batches do not split", err)
	}
	for n := range len(b) {
		if _, rest, err := Next(b[:n]); !errors.Is(err, ErrIncomplete) || len(rest) != n {
			t.Fatalf("%d bytes: %v", n, err)
		}
	}
	for _, c := range []struct {
		name   string
		length int32
		magic  byte
		want   error
	}{
		{"negative length", -1, 2, ErrCorrupt},
		{"zero length", 0, 0, ErrCorrupt},
		{"length below a header", 48, 2, ErrCorrupt},
		{"magic 1", 20, 1, ErrMagic},
		{"magic 3", 100, 3, ErrMagic},
		{"magic is corruption", 100, 3, ErrCorrupt},
		{"longest", math.MaxInt32, 2, ErrIncomplete},
	} {
		bad := slices.Clone(b)
		binary.BigEndian.PutUint32(bad[offLength:], uint32(c.length))
		bad[offMagic] = c.magic
		if _, _, err := Next(bad); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
	}
}

func TestFlippedBits(t *testing.T) {
	for _, c := range codecs {
		b := build(t, Spec{Codec: c}, some(1, 5)...)
		for i := offCRC; i < len(b); i++ {
			b[i] ^= 1 << (i % 8)
			if b.Verify() == nil || b.VerifyStored() == nil {
				t.Fatalf("%s: a flipped bit in byte %d went unnoticed", c, i)
			}
			b[i] ^= 1 << (i % 8)
		}
		if err := b.Verify(); err != nil {
			t.Fatal(err)
		}
	}
}
