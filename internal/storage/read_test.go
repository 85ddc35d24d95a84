package storage

import (
	"testing"

	"github.com/brokerd/brokerd/internal/vfs"
)

// A reader loaded its view, the log was cut and grew beyond it again: what the
// reader finds at the old positions is no damage.
func TestReaderAcrossATruncation(t *testing.T) {
	c := testConfig()
	c.SegmentBytes = 1 << 20
	l := openLog(t, openStore(t, vfs.NewMem()), 0, c)
	lead(t, l, 1)
	for range 400 { // the oldest are found by the index and a walk
		l.Commit(mustAppend(t, l, 1, batch(t, 2, 5, 1)).Next)
	}
	old := l.view.Load()
	if err := l.Truncate(2); err != nil {
		t.Fatal(err)
	}
	for l.View().End < old.End {
		mustAppend(t, l, 1, batch(t, 2, 37, 1))
	}
	if l.Segments() != len(old.segs) {
		t.Fatal("the scene needs one segment")
	}
	for from := range old.End {
		r, err := l.readAt(old, ReadSpec{From: from, Limit: old.End, MaxBytes: 300})
		r.Release()
		if err != nil && !l.movedOn(old, err) {
			t.Errorf("read from %d: %v", from, err)
		}
	}
	if err := l.usable(); err != nil {
		t.Fatal(err)
	}
}
