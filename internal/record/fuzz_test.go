package record

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"testing"

	"github.com/brokerd/brokerd/test/captured"
)

// fuzzLimits is small, so that a fuzzer finds the cap.
var fuzzLimits = Limits{MaxBytes: 1 << 20}

// addBatches seeds a target with what Kafka and we wrote.
func addBatches(f *testing.F, add func(p []byte)) {
	for rest := testdata(f, "kafka/small.log"); len(rest) > 0; {
		b, next, err := Next(rest)
		if err != nil {
			f.Fatal(err)
		}
		add(b)
		rest = next
	}
	for _, c := range codecs {
		add(build(f, Spec{Codec: c, Producer: &Producer{1, 2, 3}}, some(uint64(c), 4)...))
		add(build(f, Spec{Codec: c}))
	}
}

// FuzzBatch: arbitrary bytes as a log. Nothing panics, and what the light checks
// accept the readers can read or refuse with one of our errors.
func FuzzBatch(f *testing.F) {
	addBatches(f, func(p []byte) { f.Add(p) })
	f.Add(testdata(f, "kafka/small.log"))
	for _, p := range captured.Records() {
		f.Add(p)
	}
	odd := build(f, Spec{}, oddRecords()...)
	f.Add([]byte(odd))
	small := build(f, Spec{Producer: &Producer{1, 2, 3}, Transactional: true}, oddRecords()[:1]...)
	marker := must(BuildMarker(nil, 7, 0, 0, Marker{}))
	for _, b := range []Batch{small, marker} {
		for _, p := range slices.Concat(captured.Spoiled(b[:HeaderSize+1]), sealed(captured.Spoiled(b))) {
			f.Add(p)
		}
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		for {
			b, rest, err := Next(p)
			if err != nil {
				known(t, err)
				if !bytes.Equal(rest, p) {
					t.Fatal("a failed Next moved on")
				}
				return
			}
			if len(b)+len(rest) != len(p) || len(b) < HeaderSize {
				t.Fatal("Next lost bytes")
			}
			known(t, b.Verify())
			known(t, b.VerifyStored())
			known(t, b.VerifyInner(fuzzLimits))
			for _, s := range []DumpSpec{{Contents: true}, {Records: true, SkipMetadata: true}, {Contents: true, Decode: halves}} {
				s.Limits = fuzzLimits
				known(t, Dump(io.Discard, b, s))
				known(t, DumpJSON(io.Discard, "log", b, s))
			}
			p = rest
		}
	})
}

// halves shows of a record what a decoder might: JSON, a sentence, nothing, an error.
func halves(r Record) (key, value []byte, err error) {
	if len(r.Key) > 60 {
		return nil, []byte("no key of ours"), ErrInvalid
	}
	return r.Key, r.Value, nil
}

// FuzzRecords: arbitrary bytes behind a good header and CRC. Verify and Each
// agree, and what they accept comes back from the builder with the same records.
func FuzzRecords(f *testing.F) {
	addBatches(f, func(p []byte) {
		f.Add(Batch(p).Attributes(), Batch(p).Count(), Batch(p).LastOffsetDelta(), p[HeaderSize:])
	})
	odd := oddRecords()
	for _, b := range []Batch{build(f, Spec{}, odd[:1]...), build(f, Spec{}, odd[1:3]...), must(BuildMarker(nil, 7, 0, 0, Marker{}))} {
		for _, p := range captured.Spoiled(b[HeaderSize:]) {
			f.Add(b.Attributes(), b.Count(), b.LastOffsetDelta(), p)
		}
	}
	for _, c := range []Codec{Gzip, Snappy, LZ4, Zstd, 7} {
		f.Add(int16(c), int32(1), int32(0), []byte("no codec made this"))
	}
	f.Add(int16(attrControl), int32(0), int32(0), []byte{})
	f.Fuzz(func(t *testing.T, attributes int16, count, delta int32, records []byte) {
		b := batchOf(t, 1, records...)
		b.setAttributes(attributes)
		binary.BigEndian.PutUint32(b[offCount:], uint32(count))
		binary.BigEndian.PutUint32(b[offLastDelta:], uint32(delta))
		b.seal()
		inner, stored := b.VerifyInner(fuzzLimits), b.VerifyStored()
		known(t, inner)
		known(t, stored)
		var got []Record
		readErr := b.Each(fuzzLimits, func(r Record) error {
			got = append(got, clone(r))
			return nil
		})
		known(t, readErr)
		_, markerErr := b.Marker()
		known(t, markerErr)
		if inner != nil {
			return
		}
		if stored != nil || readErr != nil || len(got) != int(count) {
			t.Fatalf("Verify accepts, VerifyStored says %v, Each %v after %d of %d", stored, readErr, len(got), count)
		}
		again := build(t, Spec{Codec: b.Codec(), BaseOffset: b.BaseOffset()}, got...)
		if err := again.VerifyInner(Limits{}); err != nil {
			t.Fatal(err)
		}
		if b.LogAppendTime() {
			again.SetLogAppendTime(b.MaxTimestamp())
		}
		same(t, read(t, again), got)
	})
}

// FuzzWalk: the quick path never takes what the whole one refuses.
func FuzzWalk(f *testing.F) {
	f.Add([]byte(build(f, Spec{}, some(1, 3)...)[HeaderSize:]), int64(0))
	f.Add([]byte{2 * 8, 0, 0, 2, 1, 2 * 2, 'v', 'w', 0, 0, 0, 0, 0, 0, 0, 0}, int64(1))
	odd := build(f, Spec{}, oddRecords()...)[HeaderSize:]
	for at, i := 0, int64(0); i < 3; i++ {
		for _, p := range captured.Spoiled(odd[at:min(at+90, len(odd))]) {
			f.Add(p, i)
		}
		length, next := varint(odd, at)
		at = next + int(length)
	}
	f.Fuzz(func(t *testing.T, p []byte, want int64) {
		quick, fast := walkQuick(p, 0, want)
		full, slow, err := walkRecord(p, 0, want)
		if quick >= 0 && (err != nil || quick != full || fast != slow) {
			t.Fatalf("quick %d time %d, whole %d time %d %v", quick, fast, full, slow, err)
		}
		known(t, err)
	})
}

// FuzzBuild: records made of arbitrary bytes go through a batch of every codec,
// and a flipped bit is noticed.
func FuzzBuild(f *testing.F) {
	f.Add([]byte("\x05hello\x00\x03abc"), int64(1_700_000_000_000), uint8(0), uint32(70))
	f.Add([]byte("\xff\xff\xff\x01"), int64(-1), uint8(4), uint32(17))
	f.Fuzz(func(t *testing.T, p []byte, stamp int64, codec uint8, flip uint32) {
		want := recordsOf(p, stamp)
		if len(want) == 0 {
			return
		}
		b := build(t, Spec{Codec: codecs[codec%5]}, want...)
		if err := b.VerifyInner(Limits{}); err != nil {
			t.Fatal(err)
		}
		same(t, read(t, b), want)
		bit := uint64(flip) % uint64(8*(len(b)-offCRC))
		b[offCRC+bit/8] ^= 1 << (bit % 8)
		if b.Verify() == nil || b.VerifyStored() == nil {
			t.Fatalf("bit %d flipped unnoticed", bit)
		}
	})
}

// recordsOf cuts bytes into records: a length byte each, 0xff for null.
func recordsOf(p []byte, stamp int64) (out []Record) {
	next := func() (v []byte) {
		if len(p) == 0 || p[0] == 0xff {
			p = p[min(1, len(p)):]
			return nil
		}
		n := min(int(p[0]), len(p)-1)
		v, p = slices.Clone(p[1:1+n]), p[1+n:]
		return append([]byte{}, v...)
	}
	for len(p) > 0 {
		r := Record{Offset: int64(len(out)), Timestamp: stamp + int64(len(p)), Key: next(), Value: next()}
		for range len(r.Key) % 3 {
			r.Headers = append(r.Headers, Header{append([]byte{}, next()...), next()})
		}
		out = append(out, r)
	}
	return out
}

// fuzzCodec: arbitrary bytes decompress to no more than the cap, or to an error
// of ours.
func fuzzCodec(f *testing.F, c Codec) {
	codecFiles(f, func(_ string, of Codec, packed []byte) {
		if of == c {
			f.Add(packed, uint16(4000))
		}
	})
	for _, text := range []string{"", "x", "some text that is text that is some text", string(make([]byte, 3000))} {
		f.Add(must(Compress(nil, c, 0, []byte(text))), uint16(len(text)))
	}
	text := []byte("some text that is text that is some text")
	for _, p := range captured.Spoiled(must(Compress(nil, c, 0, text))) {
		f.Add(p, uint16(4000))
	}
	f.Add(must(Compress(nil, c, 0, text)), uint16(10))
	f.Add(append(must(Compress(nil, c, 0, text)), must(Compress(nil, c, 0, text))...), uint16(len(text)))
	f.Fuzz(func(t *testing.T, p []byte, most uint16) {
		l := Limits{MaxBytes: int64(most) + 1, MaxRatio: 100}
		got, err := Decompress([]byte("head"), c, p, l)
		known(t, err)
		if string(got[:4]) != "head" || int64(len(got)-4) > l.MaxBytes {
			t.Fatalf("%d bytes of %d allowed", len(got)-4, l.MaxBytes)
		}
		if err == nil {
			more, err := Decompress(nil, c, p, Limits{})
			if err != nil || !bytes.Equal(more, got[4:]) {
				t.Fatal("more room gave another result", err)
			}
		}
	})
}

// FuzzCompress: every text comes back from every codec at every level.
func FuzzCompress(f *testing.F) {
	f.Add([]byte("some text that is text that is some text"), uint8(4), int8(0))
	f.Add([]byte{}, uint8(2), int8(-1))
	f.Add([]byte("as it is"), uint8(0), int8(0))
	f.Add(make([]byte, 70_000), uint8(3), int8(17))
	f.Fuzz(func(t *testing.T, p []byte, codec uint8, level int8) {
		c := codecs[codec%5]
		packed, err := Compress(nil, c, int(level), p)
		if err != nil {
			t.Fatal(err)
		}
		back, err := Decompress(nil, c, packed, Limits{})
		if err != nil || !bytes.Equal(back, p) {
			t.Fatal("a text did not come back", err)
		}
	})
}

func FuzzNone(f *testing.F)   { fuzzCodec(f, None) }
func FuzzGzip(f *testing.F)   { fuzzCodec(f, Gzip) }
func FuzzSnappy(f *testing.F) { fuzzCodec(f, Snappy) }
func FuzzLZ4(f *testing.F)    { fuzzCodec(f, LZ4) }
func FuzzZstd(f *testing.F)   { fuzzCodec(f, Zstd) }

// FuzzMarker: arbitrary control records.
func FuzzMarker(f *testing.F) {
	key, value := []byte("\x00\x00\x00\x01"), []byte("\x00\x00\x00\x00\x00\x07")
	f.Add(key, value)
	for _, p := range captured.Spoiled(key) {
		f.Add(p, value)
	}
	for _, p := range captured.Spoiled(value) {
		f.Add(key, p)
	}
	f.Fuzz(func(t *testing.T, key, value []byte) {
		m, err := ParseMarker(Record{Key: key, Value: value})
		known(t, err)
		if err != nil {
			return
		}
		b, err := BuildMarker(nil, 1, 0, 0, m)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := b.Marker(); back != m || err != nil {
			t.Fatal(back, err)
		}
	})
}

// known fails on an error that callers could not tell apart.
func known(t *testing.T, err error) {
	t.Helper()
	for _, k := range []error{nil, ErrIncomplete, ErrCorrupt, ErrInvalid, ErrCodec, ErrTooLarge} {
		if errors.Is(err, k) {
			return
		}
	}
	t.Fatalf("an error of no kind: %v", err)
}
