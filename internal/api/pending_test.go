package api

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/brokerd/brokerd/internal/wire"
)

// TestPending races the completer with the one who waits: done is called once,
// whoever comes first, and sees what the completer wrote.
func TestPending(t *testing.T) {
	for range 2000 {
		var result int
		var told atomic.Int32
		p := later(time.Now().Add(time.Hour), func(bool) wire.Answer { return wire.Answer{Frame: make([]byte, result)} })
		var both sync.WaitGroup
		done := make(chan struct{})
		both.Go(func() {
			result = 5
			p.complete(nil)
			p.complete(nil)
		})
		both.Go(func() {
			p.Notify(func(*wire.Handoff) {
				told.Add(1)
				close(done)
			})
		})
		<-done
		if got := len(p.Finish(false).Frame); got != 5 {
			t.Fatalf("finish sees %d", got)
		}
		both.Wait()
		if told.Load() != 1 || !p.Ready() {
			t.Fatalf("told %d times", told.Load())
		}
	}
}
