package record

import (
	"testing"
)

func TestThin(t *testing.T) {
	for _, c := range codecs {
		spec := Spec{BaseOffset: 100, LeaderEpoch: 4, Codec: c, Producer: &Producer{ID: 9, Epoch: 2, Sequence: 7}}
		all := some(3, 20)
		from := build(t, spec, all...)
		for _, horizon := range []int64{NoHorizon, 1 << 40} {
			var b Builder
			var want []Record
			keep := func(r Record) bool { return r.Offset%3 == 0 }
			for _, r := range read(t, from) {
				if keep(r) {
					want = append(want, r)
				}
			}
			got, err := b.Thin([]byte("head"), from, horizon, Limits{}, keep)
			if err != nil {
				t.Fatal(err)
			}
			if err := got.VerifyStored(); err != nil {
				t.Fatal(err)
			}
			same(t, read(t, got), want)
			if got.BaseOffset() != 100 || got.LastOffset() != from.LastOffset() || got.LeaderEpoch() != 4 || got.Codec() != c ||
				got.ProducerID() != 9 || got.ProducerEpoch() != 2 || got.BaseSequence() != 7 || int(got.Count()) != len(want) {
				t.Fatalf("%v", got)
			}
			ms, ok := got.DeleteHorizon()
			if ok != (horizon != NoHorizon) || ok && ms != horizon {
				t.Fatal(ms, ok)
			}
			again, err := b.Thin(nil, got, NoHorizon, Limits{}, func(Record) bool { return true })
			if err != nil || string(again) != string(got) {
				t.Fatalf("thinned by nothing it differs: %v", err)
			}
			none, err := b.Thin(nil, got, NoHorizon, Limits{}, func(Record) bool { return false })
			if err != nil {
				t.Fatal(err)
			}
			if err := none.VerifyStored(); err != nil || len(none) != HeaderSize || none.Codec() != None ||
				none.LastOffset() != from.LastOffset() || none.MaxTimestamp() != got.MaxTimestamp() || none.BaseSequence() != 7 {
				t.Fatal(err, len(none))
			}
			if len(read(t, none)) != 0 {
				t.Fatal("records of an empty batch")
			}
		}
	}
}

func TestThinKeepsAppendTime(t *testing.T) {
	from := build(t, Spec{}, some(1, 5)...)
	from.SetLogAppendTime(777)
	var b Builder
	got, err := b.Thin(nil, from, 999, Limits{}, func(r Record) bool { return r.Offset > 1 })
	if err != nil || got.VerifyStored() != nil {
		t.Fatal(err)
	}
	for _, r := range read(t, got) {
		if r.Timestamp != 777 {
			t.Fatal(r.Timestamp)
		}
	}
	if got.MaxTimestamp() != 777 || !got.LogAppendTime() {
		t.Fatal(got.MaxTimestamp())
	}
}
