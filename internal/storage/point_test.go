package storage

import (
	"testing"
	"testing/synctest"

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
	if !l.home().flusher.await(l, end) {
		t.Fatal("not durable")
	}
	l.Commit(end)
	l.change(func(v *view) { v.Start = 60 }) // DeleteBefore's first step
	if p := l.stillTrue(); p != nil {
		if err := l.home().journal.write(l.entriesOf(nil, p)); err != nil {
			t.Fatal(err)
		}
	}
	back := openLog(t, openStore(t, mem.Crash(rng(1), 0)), 0, testConfig())
	if v := back.View(); v.End != end {
		t.Fatalf("the log ends at %d, it was durable up to %d", v.End, end)
	}
}

// A truncation comes between the capture of a point and the sync that it waits
// for: nobody will ever write as far again. The checkpoint goes on without it, and
// waits without turning in a circle while the truncation is at work.
func TestTruncationOvertakesACheckpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t, vfs.NewMem())
		l := led(t, s, 0, testConfig())
		mustAppend(t, l, 1, batch(t, 3, 5, 1))
		durable(t, l)
		l.holdSync()
		mustAppend(t, l, 1, batch(t, 3, 5, 1))
		done := make(chan error, 1)
		go func() { done <- l.home().checkpoint([]*Log{l}, forced) }()
		synctest.Wait()
		if err := l.Truncate(3); err != nil {
			t.Fatal(err)
		}
		l.releaseSync()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if v := l.View(); v.End != 3 || v.Durable != 3 {
			t.Errorf("%+v", v)
		}
	})
}

func lead(t testing.TB, l *Log, epoch int32) {
	t.Helper()
	if _, err := l.Lead(epoch); err != nil {
		t.Fatal(err)
	}
}
