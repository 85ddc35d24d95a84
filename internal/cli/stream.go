package cli

import (
	"bufio"
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/brokerd/brokerd/pkg/client"
)

// syncWriter lets callbacks of several goroutines print whole lines.
type syncWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (s *syncWriter) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.w.Write(p)
}

// nextLine reads a record, but gives up when ctx ends: a person at a terminal
// may press Ctrl-C while nothing comes. The read that is left behind ends with
// the process.
func nextLine(ctx context.Context, lines *lineReader) (*client.Record, error) {
	if lines.in.Buffered() > 0 && ctx.Err() == nil {
		return lines.next() // mostly at hand: no goroutine
	}
	type result struct {
		rec *client.Record
		err error
	}
	got := make(chan result, 1) // filled once, never blocks
	go func() {
		rec, err := lines.next()
		got <- result{rec, err}
	}()
	select {
	case r := <-got:
		return r.rec, r.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// reading is what a consumer command does with what comes.
type reading struct {
	out      io.Writer
	print    func(*bufio.Writer, *client.Record) error
	onError  func(error) error // nil goes on, an error ends
	skipBad  bool              // print errors do not end it
	max      int64             // -1: no limit
	idle     time.Duration     // ends when nothing comes for so long; 0: never
	count    int64
	timedOut bool
}

// run reads until ctx ends, max records have come, or nothing comes any more.
func (r *reading) run(ctx context.Context, c *client.Client) error {
	out := bufio.NewWriterSize(r.out, 64<<10)
	for r.max < 0 || r.count < r.max {
		records, err := r.poll(ctx, c)
		for _, rec := range records {
			if err := r.print(out, rec); err != nil {
				if err = r.onError(err); err != nil && !r.skipBad {
					_ = out.Flush() // what was printed before it; the record's error is the one to tell
					return err
				}
			}
			r.count++
		}
		if err := out.Flush(); err != nil {
			return err
		}
		c.Done(records...)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, context.DeadlineExceeded):
			r.timedOut = true
			return nil
		case err != nil:
			if err := r.onError(err); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *reading) poll(ctx context.Context, c *client.Client) ([]*client.Record, error) {
	if r.idle > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, r.idle)
		defer cancel()
	}
	atMost := 2000
	if r.max >= 0 {
		atMost = int(min(int64(atMost), r.max-r.count))
	}
	return c.Poll(ctx, atMost)
}
