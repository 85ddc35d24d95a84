package record

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/brokerd/brokerd/test/captured"
)

var oldCodecs = []Codec{None, Gzip, Snappy, LZ4}

// oldMessage writes a message from the layout alone, without the code under test.
func oldMessage(magic int8, offset, stamp int64, attributes byte, key, value []byte) []byte {
	field := func(p, v []byte) []byte {
		if v == nil {
			return append(p, be32(-1)...)
		}
		return append(append(p, be32(int32(len(v)))...), v...)
	}
	body := []byte{byte(magic), attributes}
	if magic == 1 {
		body = append(body, be64(stamp)...)
	}
	body = field(field(body, key), value)
	p := append(be64(offset), be32(int32(len(body)+4))...)
	p = binary.BigEndian.AppendUint32(p, crc32.ChecksumIEEE(body))
	return append(p, body...)
}

// oldSet writes records as a client of old would: plain, or in one wrapper.
func oldSet(t testing.TB, magic int8, c Codec, records []Record) []byte {
	t.Helper()
	var set []byte
	for i, r := range records {
		set = append(set, oldMessage(magic, int64(i), r.Timestamp, 0, r.Key, r.Value)...)
	}
	if c == None {
		return set
	}
	packed := must(Compress(nil, c, 0, set))
	if c == LZ4 && magic == 0 {
		breakLZ4(packed)
	}
	last := records[len(records)-1]
	return oldMessage(magic, int64(len(records)-1), last.Timestamp, byte(c), nil, packed)
}

// readSet reads a set as a consumer of old does: absolute offsets, wrappers
// opened, a message that is cut off at the end left out.
func readSet(t testing.TB, magic int8, set []byte) (out []Record) {
	t.Helper()
	for len(set) > 0 {
		m, rest, err := nextMessage(set)
		if errors.Is(err, ErrIncomplete) {
			return out
		}
		if err != nil || m.magic != magic {
			t.Fatalf("%+v: %v", m, err)
		}
		set = rest
		if m.codec() == None {
			out = append(out, clone(Record{Offset: m.offset, Timestamp: m.timestamp, Key: m.key, Value: m.value}))
			continue
		}
		if m.codec() == LZ4 && magic == 0 {
			if _, err := Decompress(nil, LZ4, m.value, Limits{}); err == nil {
				t.Fatal("the header checksum of lz4 is right, which clients of format 0 refuse")
			}
			mendLZ4(m.value)
		}
		inner := readSet(t, magic, must(Decompress(nil, m.codec(), m.value, Limits{})))
		if magic == 1 {
			base := m.offset - inner[len(inner)-1].Offset
			for i := range inner {
				inner[i].Offset += base
			}
		}
		if inner[len(inner)-1].Offset != m.offset {
			t.Fatalf("a wrapper at %d ends at %d", m.offset, inner[len(inner)-1].Offset)
		}
		out = append(out, inner...)
	}
	return out
}

// old is what is left of a record in an older format.
func old(magic int8, records []Record) []Record {
	out := slices.Clone(records)
	for i := range out {
		out[i].Headers = nil
		if magic == 0 {
			out[i].Timestamp = -1
		}
	}
	return out
}

func eachOld(t *testing.T, f func(t *testing.T, magic int8, c Codec)) {
	for magic := range int8(2) {
		for _, c := range oldCodecs {
			t.Run(fmt.Sprintf("format %d %s", magic, c), func(t *testing.T) { f(t, magic, c) })
		}
	}
}

func TestUpgrade(t *testing.T) {
	eachOld(t, func(t *testing.T, magic int8, c Codec) {
		for seed := range uint64(30) {
			want := old(magic, some(seed, 1+int(seed)*3))
			b, err := Upgrade([]byte("before"), oldSet(t, magic, c, want), Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if err := b.VerifyInner(Limits{}); err != nil || b.Codec() != c || b.ProducerID() != -1 {
				t.Fatalf("%s: %v", b.Codec(), err)
			}
			same(t, read(t, b), want)
		}
	})
}

// TestDowngrade writes batches of all kinds with gaps, markers and headers, and
// reads them as an old consumer does.
func TestDowngrade(t *testing.T) {
	eachOld(t, func(t *testing.T, magic int8, c Codec) {
		for seed := range uint64(30) {
			rng := rand.New(rand.NewPCG(seed, 1))
			var log []byte
			var all []Record
			next := int64(100)
			for range 1 + rng.IntN(4) {
				records := some(rng.Uint64(), 1+rng.IntN(20))
				b := build(t, Spec{BaseOffset: next, Codec: c}, records...)
				log = append(log, b...)
				all = append(all, read(t, b)...)
				next = b.NextOffset()
				if rng.IntN(2) == 0 {
					marker, err := BuildMarker(nil, 7, 0, 0, Marker{})
					if err != nil {
						t.Fatal(err)
					}
					marker.SetBaseOffset(next)
					log = append(log, marker...)
					next++
				}
			}
			from := 100 + rng.Int64N(next-100)
			d := Downgrade{Magic: magic, From: from, MaxBytes: 1 << 20, Cut: rng.IntN(2) == 0}
			out, end, err := d.Append([]byte("before"), slices.Clone(log))
			if err != nil || end != next || !bytes.HasPrefix(out, []byte("before")) {
				t.Fatalf("next %d of %d, %v", end, next, err)
			}
			got := readSet(t, magic, out[6:])
			got = slices.DeleteFunc(got, func(r Record) bool { return c != None && r.Offset < from })
			want := slices.DeleteFunc(old(magic, all), func(r Record) bool { return r.Offset < from })
			if len(got)+len(want) > 0 {
				same(t, got, want)
			}
		}
	})
}

func TestDowngradeLogAppendTime(t *testing.T) {
	for _, c := range oldCodecs {
		b := build(t, Spec{Codec: c}, some(1, 3)...)
		b.SetLogAppendTime(5)
		out, _, err := Downgrade{Magic: 1, MaxBytes: 1 << 20}.Append(nil, b)
		if err != nil {
			t.Fatal(err)
		}
		m, _, err := nextMessage(out)
		if err != nil || m.timestamp != 5 || m.attributes != attrLogAppendTime|byte(c) {
			t.Errorf("%s: %+v, %v", c, m, err)
		}
	}
}

// TestDowngradeLimits: every limit there is on a set of five messages.
func TestDowngradeLimits(t *testing.T) {
	records := some(3, 5)
	for _, c := range oldCodecs {
		b := build(t, Spec{Codec: c}, records...)
		two := append(slices.Clone(b), b...)
		Batch(two[len(b):]).SetBaseOffset(5)
		all, _, err := Downgrade{Magic: 1, MaxBytes: 1 << 20}.Append(nil, two)
		if err != nil {
			t.Fatal(err)
		}
		for n := range len(all) + 2 {
			cut, _, _ := Downgrade{Magic: 1, MaxBytes: n, Cut: true}.Append(nil, two)
			if !bytes.Equal(cut, all[:min(n, len(all))]) {
				t.Fatalf("%s: cut at %d gives %d bytes", c, n, len(cut))
			}
			whole, _, _ := Downgrade{Magic: 1, MaxBytes: n}.Append(nil, two)
			if len(whole) > n || !bytes.HasPrefix(all, whole) || len(readSet(t, 1, all[:min(n, len(all))])) != len(readSet(t, 1, whole)) {
				t.Fatalf("%s: within %d: %d bytes", c, n, len(whole))
			}
			first, _, _ := Downgrade{Magic: 1, MaxBytes: n, FirstWhole: true}.Append(nil, two)
			if len(readSet(t, 1, first)) == 0 || len(whole) > 0 && !bytes.Equal(first, whole) {
				t.Fatalf("%s: first whole within %d: %d bytes", c, n, len(first))
			}
		}
	}
}

// TestDowngradeSplits: a batch that becomes much makes several wrappers.
func TestDowngradeSplits(t *testing.T) {
	var records []Record
	for i := range 3000 {
		records = append(records, Record{Offset: int64(i), Timestamp: int64(i), Value: bytes.Repeat([]byte{'x'}, 1000)})
	}
	b := build(t, Spec{Codec: Gzip}, records...)
	for magic := range int8(2) {
		out, next, err := Downgrade{Magic: magic, MaxBytes: 1 << 20, From: 1500}.Append(nil, b)
		if err != nil || next != 3000 {
			t.Fatal(next, err)
		}
		first, _, err := nextMessage(out)
		if err != nil || first.offset < 1500 || first.offset == 2999 {
			t.Fatalf("first wrapper ends at %d, %v", first.offset, err)
		}
		got := readSet(t, magic, out)
		same(t, got, old(magic, records[got[0].Offset:]))
		if got[0].Offset > 1500 {
			t.Fatalf("starts at %d", got[0].Offset)
		}
	}
}

// TestDowngradeZstd: an error where it comes first, else the end of what comes.
func TestDowngradeZstd(t *testing.T) {
	plain, zstd := build(t, Spec{}, some(1, 2)...), build(t, Spec{Codec: Zstd, BaseOffset: 2}, some(2, 2)...)
	out, next, err := Downgrade{MaxBytes: 1 << 20}.Append(nil, append(slices.Clone(plain), zstd...))
	if err != nil || next != 2 || len(readSet(t, 0, out)) != 2 {
		t.Errorf("%d bytes, next %d, %v", len(out), next, err)
	}
	if out, _, err = (Downgrade{MaxBytes: 1 << 20}).Append(nil, zstd); !errors.Is(err, ErrCodec) || len(out) != 0 {
		t.Errorf("%d bytes, %v", len(out), err)
	}
}

func TestUpgradeRefuses(t *testing.T) {
	one := oldMessage(1, 0, 5, 0, []byte("k"), []byte("v"))
	zero := oldMessage(0, 0, 0, 0, []byte("k"), []byte("v"))
	wrapper := func(magic int8, c Codec, set []byte) []byte {
		return oldMessage(magic, 0, 0, byte(c), nil, must(Compress(nil, c, 0, set)))
	}
	flipped := slices.Clone(one)
	flipped[len(flipped)-1] ^= 1
	small := slices.Clone(zero)
	copy(small[offLength:], be32(13))
	for _, c := range []struct {
		name string
		set  []byte
		want error
	}{
		{"flipped bit", flipped, ErrCorrupt},
		{"flipped bit inside", wrapper(1, Gzip, flipped), ErrCorrupt},
		{"too small", small, ErrCorrupt},
		{"no whole message", one[:len(one)-1], ErrIncomplete},
		{"only an offset", one[:9], ErrIncomplete},
		{"two formats", append(slices.Clone(zero), one...), ErrInvalid},
		{"another format inside", wrapper(1, Gzip, zero), ErrInvalid},
		{"a batch behind", append(slices.Clone(one), build(t, Spec{}, some(1, 1)...)...), ErrInvalid},
		{"wrapper among others", append(slices.Clone(one), wrapper(1, Gzip, one)...), ErrInvalid},
		{"two wrappers", append(wrapper(1, Gzip, one), wrapper(1, Gzip, one)...), ErrInvalid},
		{"wrapper in a wrapper", wrapper(1, Gzip, wrapper(1, Gzip, one)), ErrInvalid},
		{"empty wrapper", wrapper(1, Gzip, nil), ErrInvalid},
		{"wrapper without a value", oldMessage(1, 0, 0, byte(Gzip), nil, nil), ErrInvalid},
		{"cut off inside", wrapper(0, Snappy, zero[:len(zero)-1]), ErrInvalid},
		{"not compressed", oldMessage(1, 0, 0, byte(LZ4), nil, one), ErrInvalid},
		{"broken frame of format 0", oldMessage(0, 0, 0, byte(LZ4), nil, []byte("\x04\x22\x4d\x18\x68")), ErrInvalid},
		{"lz4 checksum of format 0 in format 1", func() []byte {
			p := must(Compress(nil, LZ4, 0, one))
			breakLZ4(p)
			return oldMessage(1, 0, 0, byte(LZ4), nil, p)
		}(), ErrInvalid},
		{"zstd", wrapper(1, Zstd, one), ErrInvalid},
		{"codec 5", oldMessage(1, 0, 0, 5, nil, one), ErrCodec},
		{"bomb", wrapper(0, Gzip, oldMessage(0, 0, 0, 0, nil, make([]byte, 20<<20))), ErrTooLarge},
	} {
		if _, err := Upgrade(nil, c.set, LimitsFor(1<<20)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	if b, err := Upgrade(nil, nil, Limits{}); b != nil || err != nil {
		t.Errorf("an empty set: %v, %v", b, err)
	}
	for cut := range one {
		b, err := Upgrade(nil, append(slices.Clone(one), one[:cut]...), Limits{})
		if err != nil || b.Count() != 1 {
			t.Errorf("a message and %d bytes: %v", cut, err)
		}
	}
}

// TestMendLZ4 accepts both checksums in format 0: clients that know better write
// the right one.
func TestMendLZ4(t *testing.T) {
	set := oldMessage(0, 0, 0, 0, nil, bytes.Repeat([]byte("x"), 500))
	frame := must(Compress(nil, LZ4, 0, set))
	good := slices.Clone(frame)
	breakLZ4(frame)
	if bytes.Equal(frame, good) {
		t.Fatal("nothing is broken")
	}
	for _, p := range [][]byte{good, frame} {
		if b, err := Upgrade(nil, oldMessage(0, 0, 0, byte(LZ4), nil, p), Limits{}); err != nil || b.Count() != 1 {
			t.Error(err)
		}
	}
	mendLZ4(frame)
	if !bytes.Equal(frame, good) {
		t.Errorf("%x, want %x", frame, good)
	}
	codecFiles(t, func(name string, c Codec, packed []byte) { // other frames keep their own checksum
		if c == LZ4 {
			p := slices.Clone(packed)
			breakLZ4(p)
			if mendLZ4(p); !bytes.Equal(p, packed) {
				t.Errorf("%s: header %x, was %x", name, p[:20], packed[:20])
			}
		}
	})
}

// FuzzUpgrade: arbitrary bytes as a produced set, as it is, with the right CRC, or
// inside a wrapper. What is taken is a good batch, and the same messages come out
// of it again.
func FuzzUpgrade(f *testing.F) {
	sets(f, func(_ string, _ int8, _ Codec, set []byte) { f.Add(set, byte(0)) })
	for magic := range int8(2) {
		for _, c := range oldCodecs {
			f.Add(oldSet(f, magic, c, some(uint64(c), 4)), byte(0))
			f.Add(oldSet(f, magic, None, some(uint64(c), 1)), byte(c)<<2|byte(magic)<<1|1)
		}
		one := oldMessage(magic, 0, 5, 0, []byte("k"), []byte("v"))
		for _, p := range captured.Spoiled(one) {
			f.Add(p, byte(0))
			f.Add(p, byte(1))
			f.Add(slices.Concat(one, p), byte(0))
			f.Add(slices.Concat(one, p), byte(Gzip)<<2|byte(magic)<<1)
		}
		for c := Gzip; c <= Zstd+1; c++ { // a wrapper of nothing, of what it cannot be, and not alone
			for _, value := range [][]byte{nil, {}, []byte("no codec made this"), must(Compress(nil, LZ4, 0, nil))} {
				wrapper := oldMessage(magic, 0, 0, byte(c), nil, value)
				f.Add(wrapper, byte(0))
				f.Add(slices.Concat(wrapper, one), byte(0))
				f.Add(slices.Concat(one, wrapper), byte(0))
			}
		}
	}
	f.Fuzz(func(t *testing.T, set []byte, how byte) {
		if how&1 != 0 {
			seal(set)
		}
		if c := Codec(how >> 2 & 3); c != None {
			set = oldMessage(int8(how>>1&1), 0, 0, byte(c), nil, must(Compress(nil, c, 0, set)))
		}
		b, err := Upgrade(nil, set, fuzzLimits)
		if b == nil {
			known(t, err)
			return
		}
		if err := b.VerifyInner(Limits{}); err != nil {
			t.Fatal(err)
		}
		magic := int8(set[messageMagic])
		out, next, err := Downgrade{Magic: magic, MaxBytes: 64 << 20}.Append(nil, b)
		if err != nil || next != int64(b.Count()) {
			t.Fatal(next, err)
		}
		same(t, readSet(t, magic, out), read(t, b))
	})
}

// seal gives the first message of a set its CRC.
func seal(set []byte) {
	if len(set) < messageBody {
		return
	}
	if size := binary.BigEndian.Uint32(set[offLength:]); size >= leastMessage0 && uint64(size) <= uint64(len(set)-messageOverhead) {
		sealMessage(set[:messageOverhead+size])
	}
}

// FuzzDowngrade: arbitrary bytes as a piece of a log.
func FuzzDowngrade(f *testing.F) {
	addBatches(f, func(p []byte) { f.Add(p, int64(1), 100, byte(3)) })
	f.Add(testdata(f, "kafka/small.log"), int64(0), 1<<20, byte(4))
	f.Fuzz(func(t *testing.T, p []byte, from int64, most int, how byte) {
		d := Downgrade{Magic: int8(how & 1), From: from, MaxBytes: most, Cut: how&2 != 0, FirstWhole: how&4 != 0, Limits: fuzzLimits}
		out, _, err := d.Append(nil, p)
		known(t, err)
		if len(out) > max(most, 0) && !d.FirstWhole {
			t.Fatalf("%d bytes of %d", len(out), most)
		}
		if err != nil && len(out) > 0 {
			t.Fatal("an error, and data")
		}
		readSet(t, d.Magic, out)
	})
}
