package record

import (
	"bytes"
	"errors"
	"math"
	"testing"
)

func TestAppendAt(t *testing.T) {
	var b Builder
	for _, delta := range []int64{3, 7, 100} {
		if err := b.AppendAt(delta, Record{Timestamp: delta, Value: []byte{byte(delta)}}); err != nil {
			t.Fatal(err)
		}
	}
	for _, delta := range []int64{-1, 0, 100, math.MaxInt32 + 1} {
		if err := b.AppendAt(delta, Record{}); !errors.Is(err, ErrInvalid) {
			t.Errorf("delta %d: %v", delta, err)
		}
	}
	for _, c := range codecs {
		batch, err := b.Build(nil, Spec{BaseOffset: 1000, Codec: c})
		if err != nil {
			t.Fatal(err)
		}
		if batch.Verify() == nil {
			t.Error("a producer's batch may not have gaps")
		}
		if err := batch.VerifyStored(); err != nil {
			t.Error(err)
		}
		want := []Record{
			{Offset: 1003, Timestamp: 3, Value: []byte{3}},
			{Offset: 1007, Timestamp: 7, Value: []byte{7}},
			{Offset: 1100, Timestamp: 100, Value: []byte{100}},
		}
		same(t, read(t, batch), want)
		if batch.LastOffset() != 1100 || batch.Count() != 3 {
			t.Error(batch.LastOffset(), batch.Count())
		}
	}
}

func TestBuilderIsReusable(t *testing.T) {
	var b Builder
	var out []byte
	for seed := range uint64(20) {
		b.Reset()
		want := some(seed, int(seed)+1)
		for _, r := range want {
			if err := b.Append(r); err != nil {
				t.Fatal(err)
			}
		}
		batch, err := b.Build(append(out[:0], "head"...), Spec{Codec: codecs[seed%5]})
		if err != nil {
			t.Fatal(err)
		}
		if batch.Codec() == None && len(batch) != b.Size() {
			t.Errorf("size %d, said %d", len(batch), b.Size())
		}
		if b.Count() != len(want) {
			t.Error(b.Count())
		}
		same(t, read(t, batch), want)
		out = batch
	}
}

func TestTimes(t *testing.T) {
	for _, c := range codecs {
		b := build(t, Spec{Codec: c}, Record{Timestamp: 50}, Record{Timestamp: 40}, Record{Timestamp: 60})
		if lo, hi, err := b.Timestamps(Limits{}); lo != 40 || hi != 60 || err != nil {
			t.Fatal(lo, hi, err)
		}
		b.SetLogAppendTime(99)
		if err := b.VerifyInner(Limits{}); err != nil {
			t.Fatal(err)
		}
		if lo, hi, err := b.Timestamps(Limits{}); lo != 99 || hi != 99 || err != nil || !b.LogAppendTime() || b.Codec() != c {
			t.Fatal(lo, hi, err)
		}
		b.SetCreateTime(60)
		if err := b.VerifyInner(Limits{}); err != nil {
			t.Fatal(err)
		}
		if lo, hi, err := b.Timestamps(Limits{}); lo != 40 || hi != 60 || err != nil || b.LogAppendTime() || b.MaxTimestamp() != 60 {
			t.Fatal(lo, hi, err)
		}
	}
	if lo, hi, err := build(t, Spec{}).Timestamps(Limits{}); lo != -1 || hi != -1 || err != nil {
		t.Fatal(lo, hi, err)
	}
}

func TestRecompressKeepsTheRest(t *testing.T) {
	b := build(t, Spec{BaseOffset: 9, LeaderEpoch: 3, Producer: &Producer{1, 2, 3}, Transactional: true}, some(1, 30)...)
	b.SetLogAppendTime(77)
	for _, c := range codecs {
		packed, err := Recompress([]byte("head"), b, c, 0, Limits{})
		if err != nil {
			t.Fatal(err)
		}
		back, err := Recompress(nil, packed, None, 0, Limits{})
		if err != nil || !bytes.Equal(back, b) {
			t.Fatalf("%s and back differs: %v", c, err)
		}
	}
	if _, err := Recompress(nil, b[:10], None, 0, Limits{}); !errors.Is(err, ErrIncomplete) {
		t.Error(err)
	}
	if _, err := Recompress(nil, b, 6, 0, Limits{}); !errors.Is(err, ErrCodec) {
		t.Error(err)
	}
	packed, err := Recompress(nil, b, Gzip, 0, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Recompress(nil, packed, None, 0, Limits{MaxBytes: 10}); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
}

func TestMarkers(t *testing.T) {
	for _, want := range []Marker{{true, 7}, {false, 0}, {true, math.MaxInt32}} {
		b, err := BuildMarker(nil, 42, 5, 1000, want)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := b.Marker(); got != want || err != nil {
			t.Fatal(got, err)
		}
		if err := b.Verify(); err != nil {
			t.Fatal(err)
		}
		if !b.Control() || !b.Transactional() || b.ProducerID() != 42 || b.ProducerEpoch() != 5 || b.BaseSequence() != -1 ||
			b.MaxTimestamp() != 1000 || b.Count() != 1 {
			t.Fatalf("%x", []byte(b))
		}
	}
	control := func(key, value string) Batch {
		return build(t, Spec{Control: true}, Record{Key: []byte(key), Value: []byte(value)})
	}
	for _, c := range []struct {
		name string
		b    Batch
		ok   bool
	}{
		{"commit", control("\x00\x00\x00\x01", "\x00\x00\x00\x00\x00\x07"), true},
		{"later versions", control("\x00\x01\x00\x00?", "\x00\x01\x00\x00\x00\x07?"), true},
		{"negative key version", control("\xff\xff\x00\x01", "\x00\x00\x00\x00\x00\x07"), false},
		{"negative value version", control("\x00\x00\x00\x01", "\xff\xff\x00\x00\x00\x07"), false},
		{"short key", control("\x00\x00\x00", "\x00\x00\x00\x00\x00\x07"), false},
		{"short value", control("\x00\x00\x00\x01", "\x00\x00\x00\x00\x00"), false},
		{"leader change", control("\x00\x00\x00\x02", "\x00\x00\x00\x00\x00\x07"), false},
		{"no record", build(t, Spec{Control: true}), false},
		{"no control batch", build(t, Spec{}, Record{Key: []byte("\x00\x00\x00\x01"), Value: []byte("\x00\x00\x00\x00\x00\x07")}), false},
		{"nothing", nil, false},
	} {
		if _, err := c.b.Marker(); (err == nil) != c.ok || err != nil && !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestEachStops(t *testing.T) {
	stop := errors.New("stop")
	b := build(t, Spec{Codec: Zstd}, some(1, 10)...)
	n := 0
	err := b.Each(Limits{}, func(r Record) error {
		if n++; n == 4 {
			return stop
		}
		return nil
	})
	if err != stop || n != 4 {
		t.Fatal(n, err)
	}
	if err := b[:50].Each(Limits{}, nil); !errors.Is(err, ErrIncomplete) {
		t.Fatal(err)
	}
	if err := b.Each(Limits{MaxBytes: 5}, nil); !errors.Is(err, ErrTooLarge) {
		t.Fatal(err)
	}
}

// TestRecordsDoNotOverlap: appending to one field must not reach the next.
func TestRecordsDoNotOverlap(t *testing.T) {
	b := build(t, Spec{}, Record{Key: []byte("k"), Value: []byte("v"), Headers: []Header{{[]byte("h"), []byte("x")}}}, Record{Value: []byte("w")})
	if err := b.Each(Limits{}, func(r Record) error {
		_ = append(r.Key, "!!!!"...)
		_ = append(r.Value, "!!!!"...)
		for _, h := range r.Headers {
			_ = append(h.Key, "!!!!"...)
			_ = append(h.Value, "!!!!"...)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := b.Verify(); err != nil {
		t.Fatal(err)
	}
}

// TestTextAsJava: what new String(bytes, UTF_8) says in Java.
func TestTextAsJava(t *testing.T) {
	for in, want := range map[string]string{
		"plain ü 🚀": "plain ü 🚀", "cut \xe6\x97": "cut \ufffd", "\xff\xfex": "\ufffd\ufffdx", "\xf0\x9f\x9a": "\ufffd", "\xf0\x9fa": "\ufffda",
		"\xe0\x80": "\ufffd\ufffd", "\xed\xa0\x80": "\ufffd", "\xc0\x80": "\ufffd\ufffd", "\x80": "\ufffd", "": "",
	} {
		if got := text([]byte(in)); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestDumpOfOddBatches(t *testing.T) {
	broken := build(t, Spec{Producer: &Producer{1, 0, math.MaxInt32}}, Record{Value: []byte("\xff")}, Record{})
	broken[offCRC]++
	horizon := put(build(t, Spec{}, Record{Timestamp: 9}), offAttributes, be16(attrDeleteHorizon)...)
	control := build(t, Spec{Control: true}, Record{Key: []byte{0, 0, 0, 2}}, Record{Key: []byte{0, 0, 0, 99}}, Record{Key: []byte{1}})
	for _, c := range []struct {
		b    Batch
		spec DumpSpec
		want string
	}{
		{broken, DumpSpec{Contents: true}, "lastSequence: 0 producerId: 1 "},
		{broken, DumpSpec{Contents: true}, "isvalid: false\n"},
		{horizon, DumpSpec{}, "deleteHorizonMs: OptionalLong[9] "},
		{control, DumpSpec{Records: true}, " controlType: LEADER_CHANGE(2)\n"},
		{control, DumpSpec{Records: true}, " controlType: UNKNOWN(99)\n"},
		{control, DumpSpec{Records: true}, " controlType: UNKNOWN(01)\n"},
		{build(t, Spec{}, Record{Key: []byte("k"), Value: []byte("\xff\xfe")}), DumpSpec{Contents: true, SkipMetadata: true}, "\n| key: k payload: \uFFFD\uFFFD\n"},
		{build(t, Spec{}, Record{Key: []byte("k")}), DumpSpec{Records: true}, "keySize: 1 valueSize: -1 sequence: -1 headerKeys: []\n"},
	} {
		var out bytes.Buffer
		if err := Dump(&out, c.b, c.spec); err != nil || !bytes.Contains(out.Bytes(), []byte(c.want)) {
			t.Errorf("%v\n%swant %q", err, out.Bytes(), c.want)
		}
	}
	if err := Dump(nil, broken[:9], DumpSpec{}); !errors.Is(err, ErrIncomplete) {
		t.Error(err)
	}
}
