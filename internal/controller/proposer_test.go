package controller

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brokerd/brokerd/internal/meta"
)

// script is a Consensus that a test plays: an ordered slice.
type script struct {
	mu       sync.Mutex
	index    uint64
	entries  [][]byte
	barriers int
	delay    time.Duration
	fail     func(n int) error // of the nth entry
	terms    chan Term
}

func (s *script) Propose(_ context.Context, entry []byte) (uint64, []meta.Result, error) {
	time.Sleep(s.delay)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		if err := s.fail(len(s.entries)); err != nil {
			s.entries = append(s.entries, nil)
			return 0, nil, err
		}
	}
	s.index++
	s.entries = append(s.entries, append([]byte(nil), entry...))
	results := make([]meta.Result, len(meta.DecodeEntry(entry)))
	for i := range results {
		results[i].FirstID = int64(s.index)
	}
	return s.index, results, nil
}

func (s *script) Barrier(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.barriers++
	return nil
}

func (s *script) Leader() (int32, bool)                     { return 1, true }
func (s *script) Terms() <-chan Term                        { return s.terms }
func (s *script) Members(context.Context, Membership) error { return nil }

// proposing runs a proposer on s until the test ends.
func proposing(t *testing.T, s *script, active bool) (*proposer, *int, context.CancelFunc) {
	quiet := new(int)
	p := newProposer(s, func() bool { return active }, func() int16 { return meta.MinLevel }, func() { *quiet++ })
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		p.run(ctx)
		close(done)
	}()
	stop := func() {
		cancel()
		<-done
	}
	return p, quiet, stop
}

// command is one of about size bytes.
func command(size int) meta.Command {
	v := strings.Repeat("x", size)
	return meta.AlterConfig{Resource: meta.Resource{Type: meta.BrokerResource}, Set: map[string]*string{"k": &v}}
}

// outcomes collects what submissions are told.
type outcomes struct {
	mu  sync.Mutex
	got map[int][]Committed
}

func (o *outcomes) of(i int) func(Committed) {
	return func(c Committed) {
		o.mu.Lock()
		defer o.mu.Unlock()
		if o.got == nil {
			o.got = map[int][]Committed{}
		}
		o.got[i] = append(o.got[i], c)
	}
}

func (o *outcomes) one(t *testing.T, i int) Committed {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.got[i]) != 1 {
		t.Fatalf("C2: submission %d was told %d times: %+v", i, len(o.got[i]), o.got[i])
	}
	return o.got[i][0]
}

func TestProposerBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{delay: time.Millisecond}
		p, quiet, stop := proposing(t, s, true)
		var o outcomes
		p.submit([]meta.Command{command(1)}, false, time.Time{}, o.of(0))
		synctest.Wait() // it is on its way: the next hundred share an entry
		for i := 1; i <= 100; i++ {
			p.submit([]meta.Command{command(1), command(2)}, false, time.Time{}, o.of(i))
		}
		p.submit(nil, false, time.Time{}, o.of(101))
		time.Sleep(time.Second)
		stop()
		if len(s.entries) != 2 || *quiet != 1 {
			t.Fatalf("%d entries, quiet %d times", len(s.entries), *quiet)
		}
		for i := range 102 {
			c := o.one(t, i)
			want := 2
			if i == 0 {
				want = 1
			}
			if i == 101 {
				want = 0
			}
			if c.Err != nil || len(c.Results) != want {
				t.Fatalf("submission %d: %+v", i, c)
			}
		}
	})
}

func TestProposerLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{delay: time.Second}
		p, _, stop := proposing(t, s, true)
		var o outcomes
		p.submit([]meta.Command{command(1)}, false, time.Time{}, o.of(0))
		synctest.Wait()
		n := 0
		for ; n < 100; n++ { // 64 KiB each: the 4 MiB are full before that
			p.submit([]meta.Command{command(64 << 10)}, false, time.Time{}, o.of(1+n))
		}
		p.submit([]meta.Command{command(maxCommand)}, false, time.Time{}, o.of(200))
		// A submission larger than an entry travels in several, in order.
		time.Sleep(5 * time.Minute)
		var big []meta.Command
		for range 10 {
			big = append(big, command(100<<10))
		}
		p.submit(big, false, time.Time{}, o.of(201))
		p.submit([]meta.Command{command(maxEntry * 2)}, false, time.Time{}, o.of(202))
		time.Sleep(5 * time.Minute)
		stop()

		busy := 0
		for i := range n {
			if c := o.one(t, 1+i); errors.Is(c.Err, ErrBusy) {
				busy++
			} else if c.Err != nil {
				t.Fatal(c.Err)
			}
		}
		if busy < 36 || busy > 40 {
			t.Errorf("%d of %d submissions of 64 KiB were refused", busy, n)
		}
		if c := o.one(t, 200); !errors.Is(c.Err, ErrTooLarge) {
			t.Errorf("too large: %v", c.Err)
		}
		if c := o.one(t, 201); c.Err != nil || len(c.Results) != 10 || c.Results[0].FirstID >= c.Results[9].FirstID {
			t.Errorf("ten times 100 KiB: %+v", c)
		}
		if c := o.one(t, 202); c.Err != nil {
			t.Errorf("one of 512 KiB: %v", c.Err)
		}
		for _, e := range s.entries {
			if len(e) > maxEntry && len(meta.DecodeEntry(e)) > 1 {
				t.Errorf("C7: entry of %d bytes with %d commands", len(e), len(meta.DecodeEntry(e)))
			}
		}
	})
}

func TestProposerOutcomes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{delay: time.Second, fail: func(n int) error {
			if n == 1 || n == 4 {
				return fmt.Errorf("%w: lost", ErrUnknownOutcome)
			}
			return nil
		}}
		p, _, stop := proposing(t, s, true)
		var o outcomes
		p.submit([]meta.Command{command(1)}, false, time.Now().Add(500*time.Millisecond), o.of(0)) // passes while it commits
		synctest.Wait()
		p.submit([]meta.Command{command(1)}, false, time.Now().Add(500*time.Millisecond), o.of(1)) // passes in the queue
		p.submit([]meta.Command{command(2)}, false, time.Time{}, o.of(2))                          // entry 1: lost
		time.Sleep(time.Minute)
		for i, want := range []error{context.DeadlineExceeded, context.DeadlineExceeded, ErrUnknownOutcome} {
			if c := o.one(t, i); !errors.Is(c.Err, want) {
				t.Errorf("submission %d: %v, want %v", i, c.Err, want)
			}
		}
		s.mu.Lock()
		n := len(s.entries)
		s.mu.Unlock()
		if n != 2 {
			t.Errorf("%d entries: what had no time left was proposed", n)
		}
		// A part has committed, the rest is lost: nobody can say.
		p.submit([]meta.Command{command(200 << 10), command(200 << 10), command(200 << 10)}, false, time.Time{}, o.of(3))
		time.Sleep(time.Minute)
		if c := o.one(t, 3); !errors.Is(c.Err, ErrUnknownOutcome) {
			t.Errorf("half committed: %v", c.Err)
		}
		stop()
		p.submit([]meta.Command{command(1)}, false, time.Time{}, o.of(4))
		synctest.Wait()
		if c := o.one(t, 4); !errors.Is(c.Err, ErrNotLeader) {
			t.Errorf("after the end: %v", c.Err)
		}

		q, _, stop := proposing(t, &script{}, false)
		q.submit([]meta.Command{command(1)}, false, time.Time{}, o.of(5))
		q.submit([]meta.Command{command(1)}, true, time.Time{}, o.of(6))
		synctest.Wait()
		if c := o.one(t, 5); !errors.Is(c.Err, ErrNotLeader) {
			t.Errorf("C1: not active: %v", c.Err)
		}
		if c := o.one(t, 6); c.Err != nil {
			t.Errorf("of the leader's own start: %v", c.Err)
		}
		stop()
	})
}
