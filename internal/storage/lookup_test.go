package storage

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/brokerd/brokerd/internal/record"
	"github.com/brokerd/brokerd/internal/vfs"
)

// sealedLog is a log of many segments whose indexes are on disk only.
func sealedLog(t *testing.T, open func() *Store) *Log {
	t.Helper()
	s := open()
	c := testConfig()
	c.SegmentBytes, c.IndexIntervalBytes = 100_000, 200
	l := openLog(t, s, 0, c)
	lead(t, l, 1)
	for range 2000 {
		l.Commit(mustAppend(t, l, 1, batch(t, 2, 50, 1)).Next)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	l = openLog(t, open(), 0, c)
	if l.Segments() < 3 || l.view.Load().segs[0].index.Load() != nil {
		t.Fatalf("%d segments, index in memory: %v", l.Segments(), l.view.Load().segs[0].index.Load() != nil)
	}
	return l
}

// readSome reads at an offset of the sealed segments, and from the middle of a batch.
func readSome(t *testing.T, l *Log, from int64) {
	t.Helper()
	r, err := l.Read(ReadSpec{From: from, Limit: l.View().End, MaxBytes: 5000})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Release()
	if n := r.Len(); n < 2000 || n > 5000 {
		t.Fatalf("%d bytes at %d", n, from)
	}
	p, err := r.ReadAll(nil)
	if b := record.Batch(p); err != nil || b.BaseOffset() != from&^1 {
		t.Fatalf("batch %d at %d: %v", b.BaseOffset(), from, err)
	}
}

// TestSealedReadsOpenTheIndexOnce: a look-up in a sealed segment opens nothing
// that is open, wherever it reads, and leaves no garbage.
func TestSealedReadsOpenTheIndexOnce(t *testing.T) {
	eye := &spy{FS: vfs.NewOS()}
	dir := t.TempDir()
	l := sealedLog(t, func() *Store {
		s, err := Open(t.Context(), Options{FS: eye, Dirs: []string{dir}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	})
	segs := l.view.Load().segs
	last := segs[len(segs)-1].base
	offset := func() int64 { // not at the end of a segment, where there is less
		for {
			from := rand.Int64N(last)
			if i := l.view.Load().segmentAt(from); segs[i+1].base-from > 100 {
				return from
			}
		}
	}
	eye.take()
	for range 2000 {
		readSome(t, l, offset())
	}
	opens := map[string]int{}
	for _, op := range eye.take() {
		if strings.HasPrefix(op, "open ") && strings.Contains(op, "orders-0/0") {
			opens[op]++
		}
	}
	for op, n := range opens {
		if n > 1 {
			t.Errorf("%s: %d times", op, n)
		}
	}
	if want := 2 * (len(segs) - 1); len(opens) != want {
		t.Errorf("%d files opened, want %d: %v", len(opens), want, opens)
	}
	got := testing.AllocsPerRun(2000, func() {
		r, err := l.Read(ReadSpec{From: 300, Limit: l.View().End, MaxBytes: 5000})
		if err != nil || r.Len() == 0 {
			t.Fatal(err)
		}
		r.Release()
	})
	if got > 3 {
		t.Errorf("%.2f allocations per read, want at most 3", got)
	}
}

// TestSealedReadsStayBounded: the index files that are held open count as files.
func TestSealedReadsStayBounded(t *testing.T) {
	mem := vfs.NewMem()
	l := sealedLog(t, func() *Store { return openStore(t, mem, func(o *Options) { o.MaxOpenFiles = 3 }) })
	for _, s := range l.view.Load().segs[:2] {
		for range 10 {
			readSome(t, l, s.base+100)
		}
	}
	if n := len(l.store.files.ring); n > 3 {
		t.Errorf("%d files open", n)
	}
	readSome(t, l, 301)
}

// TestSealedIndexIsReplaced: an index that is held open and not to be believed
// is made anew once, also where its file was removed.
func TestSealedIndexIsReplaced(t *testing.T) {
	mem := vfs.NewMem()
	l := sealedLog(t, func() *Store { return openStore(t, mem) })
	s := l.view.Load().segs[0]
	readSome(t, l, 301)
	bytes, err := readWhole(mem, s.path(indexSuffix))
	if err != nil {
		t.Fatal(err)
	}
	for i := offsetEntryBytes - 1; i < len(bytes); i += offsetEntryBytes { // each points beside a batch
		if err := mem.Flip(s.path(indexSuffix), int64(i), 1); err != nil {
			t.Fatal(err)
		}
	}
	if err := mem.Remove(s.path(indexSuffix)); err != nil {
		t.Fatal(err)
	}
	readSome(t, l, 301)
	if s.index.Load() == nil {
		t.Fatal("a wrong index was believed")
	}
	checkpointed(t, l)
	for range 10 {
		readSome(t, l, 301)
	}
	if s.index.Load() != nil {
		t.Error("the index was made anew again")
	}
}
