package wire

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

type countingSender struct{ sent atomic.Int64 }

func (c *countingSender) Send() { c.sent.Add(1) }

func TestWritersSendEverythingBeforeTheyEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := NewWriters()
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- w.Run(ctx) }()
		senders := make([]countingSender, 100)
		h := w.NewHandoff()
		for i := range senders {
			h.Add(&senders[i])
		}
		h.Flush()
		synctest.Wait()
		for i := range senders {
			if n := senders[i].sent.Load(); n != 1 {
				t.Fatalf("sender %d: %d", i, n)
			}
		}
		h.Add(&senders[0]) // a Handoff serves again after Flush
		h.Flush()
		cancel()
		if err := <-ended; err != context.Canceled {
			t.Fatal(err)
		}
		if n := senders[0].sent.Load(); n != 2 {
			t.Fatalf("sent %d times", n)
		}
	})
}
