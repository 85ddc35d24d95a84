package storage

import (
	"bytes"
	"errors"
	"reflect"
	"testing"

	"github.com/brokerd/brokerd/internal/record"
	"github.com/brokerd/brokerd/internal/step"
	"github.com/brokerd/brokerd/internal/vfs"
	"github.com/brokerd/brokerd/test/captured"
)

// flipped is p with one bit inverted.
func flipped(p []byte, bit uint) []byte {
	out := bytes.Clone(p)
	bit %= uint(len(p) * 8)
	out[bit/8] ^= 1 << (bit % 8)
	return out
}

// noticed checks that a framed file with one flipped bit is refused.
func noticed(t *testing.T, k kind, p []byte, bit uint) {
	t.Helper()
	if body, err := k.open(flipped(p, bit)); err == nil && !older(p, flipped(p, bit)) {
		t.Fatalf("flipped bit %d of %x gave %x", bit, p, body)
	}
}

// older tells that the flip made the version an older one, which is read as such.
func older(p, q []byte) bool { return bytes.Compare(q[4:8], p[4:8]) < 0 }

func FuzzEpochs(f *testing.F) {
	f.Add(epochsFile(nil), uint(3))
	whole := epochsFile([]epochStart{{0, 0}, {4, 17}, {9, 1 << 40}})
	f.Add(whole, uint(200))
	for _, p := range append(captured.Spoiled(whole[frameHeader:]), captured.Spoiled(whole)...) {
		f.Add(p, uint(200))
	}
	f.Fuzz(func(t *testing.T, p []byte, bit uint) {
		if list, err := parseEpochs(p); err == nil {
			sealed := epochsFile(list)
			if !bytes.Equal(sealed[frameHeader:], p) {
				t.Fatalf("%x is %v is %x", p, list, sealed)
			}
			noticed(t, epochsKind, sealed, bit)
		}
		if body, err := epochsKind.open(p); err == nil {
			_, _ = parseEpochs(body) // must not panic
		}
	})
}

func FuzzProducers(f *testing.F) {
	var ps producers
	b := build(f, record.Spec{Producer: &record.Producer{ID: 4, Epoch: 2}, Transactional: true}, 3, 5, 1000)
	txns := ps.data(b, nil)
	f.Add(producersFile(3, &ps, txns)[frameHeader:], uint(9))
	f.Add(producersFile(0, &producers{}, []txn{{1, 2, 3}})[frameHeader:], uint(100))
	ps.data(build(f, record.Spec{Producer: &record.Producer{ID: 5}}, 1, 5, 1000), nil)
	whole := producersFile(3, &ps, append(txns, txn{1, 2, 3}))[frameHeader:]
	for _, p := range captured.Spoiled(whole) {
		f.Add(p, uint(100))
	}
	f.Add(bytes.Replace(whole, []byte{0, 0, 0, 0, 0, 0, 0, 5}, []byte{0, 0, 0, 0, 0, 0, 0, 4}, 1), uint(100)) // one id twice
	f.Fuzz(func(t *testing.T, p []byte, bit uint) {
		st, err := parseProducers(p)
		if err != nil {
			return
		}
		sealed := producersFile(st.end, &st.ps, st.txns)
		again, err := parseProducers(sealed[frameHeader:])
		if err != nil || !reflect.DeepEqual(again, st) {
			t.Fatalf("%+v became %+v: %v", st, again, err)
		}
		noticed(t, producersKind, sealed, bit)
	})
}

func FuzzCheckpoint(f *testing.F) {
	m := mark{id: step.PartitionID{Topic: step.TopicID{7}, Index: 3}, topic: "orders", clean: true, epoch: 5, start: 2, end: 90, hw: 80,
		segment: 60, pos: 700, since: 30, summary: summary{1000, 77}, digest: 9, aborted: 1, producers: true, index: 17,
		sealed: []sealedMark{{base: 0, size: 400, summary: summary{900, 12}, digest: 1, aborted: 2}}}
	file := m.encode(checkpointKind.seal(make([]byte, frameHeader)))
	f.Add(file, uint(300))
	f.Add(appendGone(bytes.Clone(file), m.id), uint(0))
	f.Add(appendCut(bytes.Clone(file), m.id, 0, 60), uint(1))
	m.cleaned = 40
	entries := [][]byte{appendPoint(nil, &m), m.sealed[0].encode(nil, m.id), sealedMark{base: 5, size: 9, covers: 50}.encode(nil, m.id),
		appendCleaned(nil, m.id, 40), appendGone(nil, m.id), appendCut(nil, m.id, 30, 60)}
	before := m.encode(checkpointKind.seal(make([]byte, frameHeader)))
	for _, e := range entries { // each as it is, then spoiled with the right sum
		f.Add(append(bytes.Clone(before), e...), uint(2))
		for _, body := range captured.Spoiled(e[entryHeader:]) {
			p := append(bytes.Clone(before), make([]byte, entryHeader)...)
			f.Add(endEntry(append(p, body...), len(before)), uint(3))
		}
	}
	for _, p := range captured.Spoiled(file[:frameHeader+entryHeader]) {
		f.Add(p, uint(4))
	}
	f.Fuzz(func(t *testing.T, p []byte, bit uint) {
		ms, good, err := parseCheckpoint(p)
		if err != nil {
			return
		}
		if good > len(p) {
			t.Fatalf("%d good bytes of %d", good, len(p))
		}
		out := checkpointKind.seal(make([]byte, frameHeader))
		for _, m := range ms {
			out = m.encode(out)
		}
		again, all, err := parseCheckpoint(out)
		if err != nil || all != len(out) || !reflect.DeepEqual(again, ms) {
			t.Fatalf("%+v became %+v (%d of %d): %v", ms, again, all, len(out), err)
		}
		if good > frameHeader {
			at := frameHeader*8 + bit%uint((good-frameHeader)*8)
			if _, less, err := parseCheckpoint(flipped(p[:good], at)); err == nil && less == good {
				t.Fatalf("bit %d of %x was not noticed", at, p)
			}
		}
	})
}

func FuzzIndexes(f *testing.F) {
	entries := []indexEntry{newIndexEntry(9, 400, 3, 1000), newIndexEntry(20, 900, 3, 1000), newIndexEntry(31, 1400, 30, 2000)}
	f.Add(indexFile(entries), timeIndexFile(0, entries, &summary{3000, 40}))
	f.Add([]byte{}, []byte{})
	offsets, times := indexFile(entries), timeIndexFile(0, entries, &summary{3000, 40})
	for _, p := range captured.Spoiled(offsets) {
		f.Add(p, times)
	}
	for _, p := range captured.Spoiled(times) {
		f.Add(offsets, p)
	}
	f.Fuzz(func(t *testing.T, offsets, times []byte) {
		got, ok := parseIndexes(offsets, times)
		if !ok {
			return
		}
		if !bytes.Equal(indexFile(got), offsets) {
			t.Fatalf("%x became %x", offsets, indexFile(got))
		}
		if back := timeIndexFile(0, got, nil); !bytes.HasPrefix(times, back) {
			t.Fatalf("%x became %x", times, back)
		}
		for _, key := range []int64{-1, 0, 7, 1 << 31} {
			_, _, _ = floorOffset(got, key), floorPosition(got, key), floorTime(got, key)
		}
	})
}

func FuzzAborted(f *testing.F) {
	f.Add(abortedFile([]record.Aborted{{ProducerID: 1, First: 2, Last: 9, LastStable: 4}, {ProducerID: 3, First: 1, Last: 12, LastStable: 13}}))
	f.Fuzz(func(t *testing.T, p []byte) {
		if list, err := parseAborted(p); err == nil && !bytes.Equal(abortedFile(list), p) {
			t.Fatalf("%x became %x", p, abortedFile(list))
		}
	})
}

func FuzzMetadata(f *testing.F) {
	f.Add(metadataFile(step.TopicID{1, 2, 3}))
	f.Add([]byte("topic_id: AQIDAAAAAAAAAAAAAAAAAA\nversion: 0\n"))
	f.Add([]byte("version: 7\ntopic_id: AQIDAAAAAAAAAAAAAAAAAA"))
	for _, p := range captured.Spoiled([]byte("version: 0\ntopic_id: AQIDAAAAAAAAAAAAAAAAAA")) {
		f.Add(p)
	}
	f.Add([]byte("version: none"))
	f.Fuzz(func(t *testing.T, p []byte) {
		id, err := parseMetadata(p)
		if err != nil {
			return
		}
		if again, err := parseMetadata(metadataFile(id)); err != nil || again != id {
			t.Fatalf("%v became %v: %v", id, again, err)
		}
	})
}

// FuzzNames takes any text as a name in a log directory: what is read out of it
// makes the same name again.
func FuzzNames(f *testing.F) {
	for _, name := range []string{"orders-0", "-0", "orders", "orders-01", "orders--1", "orders-99999999999", segmentName(7) + logSuffix,
		"000.log", "0000000000000000000x.log", parkedName("orders", 3, parkedDelete), "x-delete", ".-delete", ""} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		parked := isParked(name, parkedDelete)
		if topic, index, ok := parseDirName(name); ok && (parked || dirName(topic, index) != name) {
			t.Errorf("%q is partition %d of %q", name, index, topic)
		}
		if base, ok := segmentBase(name, logSuffix); ok && segmentName(base)+logSuffix != name {
			t.Errorf("%q is segment %d", name, base)
		}
	})
}

// FuzzRecovery opens a directory with any bytes as segment, indexes and small
// files: it never panics, what it keeps reads back whole, and a second opening
// finds the same.
func FuzzRecovery(f *testing.F) {
	b1, b2 := batch(f, 3, 10, 1000), build(f, record.Spec{Producer: &record.Producer{ID: 4}, Transactional: true}, 2, 500, 2000)
	b2.SetBaseOffset(3)
	marker, err := record.BuildMarker(nil, 4, 0, 3000, record.Marker{})
	if err != nil {
		f.Fatal(err)
	}
	marker.SetBaseOffset(5)
	log := bytes.Join([][]byte{b1, b2, marker}, nil)
	f.Add(log, []byte{}, []byte{}, []byte{}, []byte{})
	late, large := batch(f, 1, 10, 1000), batch(f, 1, windowBytes, 1000)
	late.SetBaseOffset(9)
	late.SetLeaderEpoch(7)
	for i, then := range [][]byte{b1, b2, late, large, large[:len(large)-9], bytes.Join([][]byte{late, b2}, nil), make([]byte, 100)} {
		f.Add(append(bytes.Clone(log), then...), []byte{}, epochsFile([]epochStart{{0, 0}}), []byte{}, []byte{byte(i)})
	}
	old := batch(f, 1, 10, 1000)
	old.SetBaseOffset(20)
	f.Add(bytes.Join([][]byte{log, late, old}, nil), []byte{}, []byte{}, []byte{}, []byte{})
	for _, p := range captured.Spoiled(b2[:record.HeaderSize]) {
		f.Add(bytes.Join([][]byte{b1, p, b2[len(p):]}, nil), []byte{}, []byte{}, []byte{}, []byte{})
	}
	f.Add(log[:len(log)-3], []byte("junk"), epochsFile([]epochStart{{0, 0}, {3, 4}}), producersFile(5, &producers{}, nil), []byte{0})
	f.Fuzz(func(t *testing.T, log, index, epochs, producers, checkpoint []byte) {
		mem := vfs.NewMem()
		dir := "/d/" + dirName("orders", 0)
		if err := mem.MkdirAll(dir); err != nil {
			t.Fatal(err)
		}
		for name, p := range map[string][]byte{
			dir + "/" + metadataName:                 metadataFile(testID(0).Topic),
			dir + "/" + segmentName(0) + logSuffix:   log,
			dir + "/" + segmentName(0) + indexSuffix: index,
			dir + "/" + epochsName:                   epochs,
			dir + "/" + producersName:                producers,
			"/d/" + checkpointName:                   checkpoint,
		} {
			if err := overwrite(mem, name, p, 0); err != nil {
				t.Fatal(err)
			}
		}
		var end int64 = -1
		for range 2 {
			s, err := Open(t.Context(), Options{FS: mem, Dirs: []string{"/d"}})
			if newer := (*NewerError)(nil); errors.As(err, &newer) {
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			l, err := s.Log(testID(0), "orders", testConfig())
			if err == nil {
				readAll(t, l, l.View().Start)
				_, _ = l.FirstAtOrAfter(1500, l.View().End)
				if e := l.View().End; end >= 0 && e != end {
					t.Fatalf("end was %d, is %d", end, e)
				}
				end = l.View().End
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
	})
}
