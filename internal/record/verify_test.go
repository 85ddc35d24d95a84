package record

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"testing"
)

// put patches a copy of a batch and gives it the right CRC again.
func put(b Batch, off int, value ...byte) Batch {
	b = slices.Clone(b)
	copy(b[off:], value)
	b.seal()
	return b
}

func be64(v int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(v)) }
func be32(v int32) []byte { return binary.BigEndian.AppendUint32(nil, uint32(v)) }
func be16(v int16) []byte { return binary.BigEndian.AppendUint16(nil, uint16(v)) }

func TestVerifyHeader(t *testing.T) {
	plain := build(t, Spec{}, Record{Value: []byte("a")}, Record{Value: []byte("b")}, Record{Value: []byte("c")})
	idempotent := build(t, Spec{Producer: &Producer{1, 0, 0}}, Record{Value: []byte("a")})
	for _, c := range []struct {
		name             string
		b                Batch
		produced, stored error
	}{
		{"plain", plain, nil, nil},
		{"idempotent", idempotent, nil, nil},
		{"negative base offset", put(plain, offBaseOffset, be64(-1)...), nil, ErrInvalid},
		{"largest base offset", put(plain, offBaseOffset, be64(math.MaxInt64-3)...), nil, nil},
		{"base offset overflows", put(plain, offBaseOffset, be64(math.MaxInt64-2)...), nil, ErrInvalid},
		{"no records", put(plain, offCount, be32(0)...), ErrInvalid, nil},
		{"negative count", put(plain, offCount, be32(-1)...), ErrInvalid, ErrInvalid},
		{"count too large", put(plain, offCount, be32(4)...), ErrInvalid, ErrInvalid},
		{"count largest", put(plain, offCount, be32(math.MaxInt32)...), ErrInvalid, ErrInvalid},
		{"offset delta too large", put(plain, offLastDelta, be32(3)...), ErrInvalid, nil},
		{"offset delta too small", put(plain, offLastDelta, be32(1)...), ErrInvalid, ErrInvalid},
		{"negative offset delta", put(plain, offLastDelta, be32(-1)...), ErrInvalid, ErrInvalid},
		{"count and delta lie together", put(put(plain, offLastDelta, be32(3)...), offCount, be32(4)...), ErrInvalid, nil},
		{"count and delta hide one", put(put(plain, offLastDelta, be32(1)...), offCount, be32(2)...), ErrInvalid, nil},
		{"codec 5", put(plain, offAttributes, be16(5)...), ErrCodec, ErrCodec},
		{"codec 7", put(plain, offAttributes, be16(7)...), ErrCodec, ErrCodec},
		{"producer id -2", put(plain, offProducerID, be64(-2)...), ErrInvalid, nil},
		{"producer id without epoch", put(plain, offProducerID, be64(1)...), ErrInvalid, nil},
		{"producer id without sequence", put(idempotent, offBaseSequence, be32(-1)...), ErrInvalid, nil},
		{"negative producer epoch", put(idempotent, offProducerEpoch, be16(-2)...), ErrInvalid, nil},
		{"negative sequence", put(idempotent, offBaseSequence, be32(-2)...), ErrInvalid, nil},
		{"transactional without producer id", put(plain, offAttributes, be16(attrTransactional)...), ErrInvalid, nil},
		{"magic 1", put(plain, offMagic, 1), ErrMagic, ErrMagic},
		{"length too long", put(plain, offLength, be32(int32(len(plain)))...), ErrIncomplete, ErrIncomplete},
		{"length too short", put(plain, offLength, be32(int32(len(plain)-13))...), ErrIncomplete, ErrIncomplete},
		{"empty", Batch{}, ErrIncomplete, ErrIncomplete},
		{"header cut", plain[:60], ErrIncomplete, ErrIncomplete},
	} {
		if err := c.b.Verify(); !errors.Is(err, c.produced) {
			t.Errorf("%s: Verify: %v, want %v", c.name, err, c.produced)
		}
		if err := c.b.VerifyStored(); !errors.Is(err, c.stored) {
			t.Errorf("%s: VerifyStored: %v, want %v", c.name, err, c.stored)
		}
	}
	bad := slices.Clone(plain)
	bad[len(bad)-1]++
	if err := bad.Verify(); !errors.Is(err, ErrCorrupt) {
		t.Error(err)
	}
}

// batchOf makes a batch around raw record bytes.
func batchOf(t testing.TB, count int32, records ...byte) Batch {
	t.Helper()
	b := slices.Concat(make([]byte, HeaderSize), records)
	h := Batch(b)
	h[offMagic] = 2
	copy(h[offLastDelta:], be32(count-1))
	copy(h[offProducerID:], be64(-1))
	copy(h[offProducerEpoch:], be16(-1))
	copy(h[offBaseSequence:], be32(-1))
	copy(h[offCount:], be32(count))
	out, err := finish(h)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestVerifyRecords(t *testing.T) {
	// zigzag: 2n is n, 2n-1 is -n
	good := []byte{2 * 8, 0, 0, 0, 1, 2 * 2, 'v', 'w', 0}
	for _, c := range []struct {
		name  string
		count int32
		raw   []byte
		ok    bool
	}{
		{"good", 1, good, true},
		{"two good", 2, slices.Concat(good, []byte{2 * 6, 0, 0, 2, 1, 1, 0}), true},
		{"attributes are free", 1, []byte{2 * 6, 0xff, 0, 0, 1, 1, 0}, true},
		{"negative timestamp delta", 1, []byte{2 * 6, 0, 1, 0, 1, 1, 0}, true},
		{"ten-byte timestamp delta", 1, []byte{2 * 15, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0, 1, 1, 0}, true},
		{"eleven-byte timestamp delta", 1, []byte{2 * 16, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0, 1, 1, 0}, false},
		{"overlong length", 1, []byte{0x80 | 2*6, 0, 0, 0, 0, 1, 1, 0}, true},
		{"five-byte length", 1, []byte{0x80 | 2*6, 0x80, 0x80, 0x80, 0, 0, 0, 0, 1, 1, 0}, true},
		{"six-byte length", 1, []byte{0x80 | 2*6, 0x80, 0x80, 0x80, 0x80, 0, 0, 0, 0, 1, 1, 0}, false},
		{"headers", 1, []byte{2 * 13, 0, 0, 0, 1, 1, 2 * 2, 2, 'k', 2, 'v', 0, 1}, false},
		{"headers that fit", 1, []byte{2 * 12, 0, 0, 0, 1, 1, 2 * 2, 2, 'k', 2, 'v', 0, 1}, true},
		{"header without a key", 1, []byte{2 * 8, 0, 0, 0, 1, 1, 2 * 1, 1, 1}, false},
		{"header with value of -2", 1, []byte{2 * 8, 0, 0, 0, 1, 1, 2 * 1, 0, 3}, false},
		{"header count -1", 1, []byte{2 * 6, 0, 0, 0, 1, 1, 1}, false},
		{"header count largest", 1, []byte{2 * 10, 0, 0, 0, 1, 1, 0xfe, 0xff, 0xff, 0xff, 0x0f}, false},
		{"header key largest", 1, []byte{2 * 12, 0, 0, 0, 1, 1, 2, 0xfe, 0xff, 0xff, 0xff, 0x0f, 0}, false},
		{"length 0", 1, []byte{0}, false},
		{"length -1", 1, []byte{1, 0, 0, 0, 1, 1, 0}, false},
		{"length too short", 1, []byte{2 * 7, 0, 0, 0, 1, 2 * 2, 'v', 'w', 0}, false},
		{"length too long", 1, []byte{2 * 9, 0, 0, 0, 1, 2 * 2, 'v', 'w', 0}, false},
		{"bytes behind", 1, append(slices.Clone(good), 0), false},
		{"offset delta 1 first", 1, []byte{2 * 6, 0, 0, 2, 1, 1, 0}, false},
		{"offset delta -1", 1, []byte{2 * 6, 0, 0, 1, 1, 1, 0}, false},
		{"offset delta twice", 2, slices.Concat(good, good), false},
		{"offset delta gap", 2, slices.Concat(good, []byte{2 * 6, 0, 0, 4, 1, 1, 0}), false},
		{"key of -2", 1, []byte{2 * 6, 0, 0, 0, 3, 1, 0}, false},
		{"key too long", 1, []byte{2 * 6, 0, 0, 0, 2 * 9, 1, 0}, false},
		{"key largest", 1, []byte{2 * 10, 0, 0, 0, 0xfe, 0xff, 0xff, 0xff, 0x0f, 1, 0}, false},
		{"value of -2", 1, []byte{2 * 6, 0, 0, 0, 1, 3, 0}, false},
		{"value too long", 1, []byte{2 * 6, 0, 0, 0, 1, 2 * 9, 0}, false},
		{"value reaches into the next record", 2, slices.Concat([]byte{2 * 6, 0, 0, 0, 1, 2 * 3, 0}, []byte{2 * 6, 0, 0, 2, 1, 1, 0}), false},
		{"varint without an end", 1, []byte{2 * 6, 0, 0, 0, 1, 0xff, 0xff}, false},
		{"nothing", 1, nil, false},
	} {
		b := batchOf(t, c.count, c.raw...)
		err := b.Verify()
		if (err == nil) != c.ok || err != nil && !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: Verify: %v", c.name, err)
		}
		gap := c.name == "offset delta gap" || c.name == "offset delta 1 first"
		n := 0
		err = b.Each(Limits{}, func(Record) error { n++; return nil })
		if !gap && (err == nil) != c.ok || err != nil && !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: Each: %v", c.name, err)
		}
		packed, err := Recompress(nil, b, LZ4, 0, Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if err := packed.Verify(); err != nil {
			t.Errorf("%s: Verify looked into a compressed batch: %v", c.name, err)
		}
		if err := packed.VerifyInner(Limits{}); (err == nil) != c.ok {
			t.Errorf("%s: VerifyInner: %v", c.name, err)
		}
	}
}

// TestWalkQuickAgrees: the quick path takes only what the whole one takes.
func TestWalkQuickAgrees(t *testing.T) {
	for _, delta := range []int64{0, 1, 63, 64, 8191, 8192} {
		for _, stamp := range []int64{0, -1, 63, -64, 64, 8191, -8192, 8192, math.MaxInt64} {
			for _, key := range []int{-1, 0, 1, 63, 64, 200} {
				for _, value := range []int{-1, 0, 1, 63, 64, 8191, 8192} {
					r := Record{Key: sized(key), Value: sized(value)}
					p := appendRecord(nil, bodySize(delta, stamp, r), delta, stamp, r)
					full, slow, err := walkRecord(p, 0, delta)
					if err != nil || full != len(p) || slow != stamp {
						t.Fatalf("%d %d %d %d: %d, %v", delta, stamp, key, value, slow, err)
					}
					quick, fast := walkQuick(p, 0, delta)
					if quick >= 0 && fast != stamp {
						t.Errorf("%d %d %d %d: quick says time %d", delta, stamp, key, value, fast)
					}
					short := delta < 8192 && stamp >= -8192 && stamp < 8192 && key < 64 && value < 8191-100 && len(p) >= 16
					if quick >= 0 && quick != full || short && quick < 0 && value >= 3 {
						t.Errorf("%d %d %d %d: quick says %d of %d", delta, stamp, key, value, quick, full)
					}
					if next, _ := walkQuick(p, 0, delta+1); next >= 0 {
						t.Errorf("%d %d %d %d: quick took the wrong delta", delta, stamp, key, value)
					}
				}
			}
		}
	}
}

func sized(n int) []byte {
	if n < 0 {
		return nil
	}
	return make([]byte, n)
}

func TestNothingIsAllocated(t *testing.T) {
	b := build(t, Spec{}, some(1, 200)...)
	two := slices.Concat(b, b)
	each := func(Record) error { return nil }
	for name, f := range map[string]func(){
		"Next":             func() { _, _, _ = Next(two) },
		"Verify":           func() { _ = b.Verify() },
		"VerifyStored":     func() { _ = b.VerifyStored() },
		"SetLogAppendTime": func() { b.SetLogAppendTime(5) },
		"SetCreateTime":    func() { b.SetCreateTime(5) },
		"Each":             func() { _ = b.Each(Limits{}, each) },
		"Skim":             func() { _ = b.Skim(Limits{}, each) },
	} {
		most := 0.0
		if name == "Each" || name == "Skim" {
			most = 3 // the reader and its headers, once per batch
		}
		if n := testing.AllocsPerRun(100, f); n > most {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}
