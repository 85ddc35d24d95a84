package storage

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/brokerd/brokerd/internal/vfs"
)

// TestClockJumps: a clock that jumps a year ahead makes nothing old, until it has gone
// on for an hour; one that is put right before that has done nothing.
func TestClockJumps(t *testing.T) {
	for _, right := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			const year = 365 * 24 * time.Hour
			s := openStore(t, vfs.NewMem())
			c := testConfig()
			c.Delete, c.RetentionAge = true, 7*24*time.Hour
			l := led(t, s, 0, c)
			past := time.Now().Add(-year) // when the records are written; then the clock jumps
			for range 40 {
				mustAppend(t, l, 1, batch(t, 2, 150, past.UnixMilli()))
			}
			if !l.home().flusher.await(l, l.View().End) {
				t.Fatal("not durable")
			}
			l.Commit(l.View().End)
			for _, after := range []time.Duration{0, 2 * time.Hour} {
				s.wall.Believe(past.Add(after).UnixMilli(), after) // it is a year ago, and has been
			}
			time.Sleep(50 * time.Minute)
			if v := l.View(); v.Start != 0 {
				t.Fatalf("deleted by a clock that has just jumped: %+v", v)
			}
			if right {
				s.wall.Believe(past.Add(time.Since(s.began)).UnixMilli(), time.Since(s.began))
				time.Sleep(30 * time.Minute)
			} else {
				time.Sleep(2 * time.Hour)
			}
			if deleted := l.View().Start > 0; deleted == right {
				t.Errorf("put right: %v, deleted: %v", right, deleted)
			}
		})
	}
}
