package storage

import (
	"testing"

	"github.com/brokerd/brokerd/internal/vfs"
)

// A point that DeleteRecords has overtaken, between its capture and its writing,
// names a position below the start offset. Taken for true it would cut the log
// there: the batches behind it begin before the point's end.
func TestPointBelowTheStart(t *testing.T) {
	mem := vfs.NewMem()
	l := openLog(t, openStore(t, mem), 0, testConfig())
	lead(t, l, 1)
	for i := range 4 {
		mustAppend(t, l, 1, batch(t, 10, 5, int64(i)))
	}
	l.writeMu.Lock()
	l.captureLocked() // the keeper's
	l.writeMu.Unlock()
	for i := range 4 {
		mustAppend(t, l, 1, batch(t, 10, 5, int64(i)))
	}
	end := l.View().End
	if !l.dir.flusher.await(l, end) {
		t.Fatal("not durable")
	}
	l.Commit(end)
	l.change(func(v *view) { v.Start = 60 }) // DeleteBefore's first step
	if p := l.stillTrue(); p != nil {
		if err := l.dir.journal.write(l.entriesOf(nil, p)); err != nil {
			t.Fatal(err)
		}
	}
	back := openLog(t, openStore(t, mem.Crash(rng(1), 0)), 0, testConfig())
	if v := back.View(); v.End != end {
		t.Fatalf("the log ends at %d, it was durable up to %d", v.End, end)
	}
}

func lead(t testing.TB, l *Log, epoch int32) {
	t.Helper()
	if _, err := l.Lead(epoch); err != nil {
		t.Fatal(err)
	}
}
