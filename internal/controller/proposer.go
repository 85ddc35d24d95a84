package controller

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/brokerd/brokerd/internal/invariant"
	"github.com/brokerd/brokerd/internal/meta"
)

const (
	maxQueue   = 4 << 20   // bytes of commands waiting
	maxEntry   = 256 << 10 // bytes of one entry; a larger command travels alone
	maxCommand = 4 << 20
)

// Committed is the outcome of Submit.
type Committed struct {
	Index   uint64        // of the entry that held the last of the commands
	Results []meta.Result // one per command
	Err     error         // ErrNotLeader, ErrUnknownOutcome, ErrBusy, ErrTooLarge, context.DeadlineExceeded
}

// submission is one Submit on its way.
type submission struct {
	commands [][]byte // encoded, not yet proposed ones first to last
	size     int      // bytes of commands when it was queued
	results  []meta.Result
	early    bool  // of the leader's own start: it is not active yet
	err      error // refused already: only to be told
	timer    *time.Timer
	told     atomic.Bool
	done     func(Committed)
}

// tell calls done, once: the proposer and the deadline race for it.
func (s *submission) tell(c Committed) {
	if s.told.CompareAndSwap(false, true) {
		if s.timer != nil {
			s.timer.Stop()
		}
		s.done(c)
	}
}

// expire is tell for the timer, which must not look at itself.
func (s *submission) expire() {
	if s.told.CompareAndSwap(false, true) {
		s.done(Committed{Err: context.DeadlineExceeded})
	}
}

// proposer turns submissions into entries. One goroutine proposes one entry at a
// time; what arrives while it commits makes the next one.
type proposer struct {
	consensus Consensus
	active    func() bool  // this node leads and has applied everything before its term
	level     func() int16 // of the cluster: what its nodes can read
	quiet     func()       // a batch has committed and nothing is queued
	commits   commits

	mu     sync.Mutex
	queue  []*submission
	bytes  int
	closed bool

	wake chan struct{} // room for one: queue is not empty
}

func newProposer(c Consensus, active func() bool, level func() int16, quiet func()) *proposer {
	return &proposer{consensus: c, active: active, level: level, quiet: quiet, wake: make(chan struct{}, 1)}
}

// submit queues commands, as the cluster's level of this moment has them: what
// an older one allows is taken at every later one. done runs on the proposer's goroutine or a timer's.
func (p *proposer) submit(cmds []meta.Command, early bool, deadline time.Time, done func(Committed)) {
	s := &submission{done: done, early: early}
	level := p.level()
	for _, c := range cmds {
		if err := meta.CheckLevel(c, level); err != nil {
			s.err = err
		}
		b := meta.AppendCommand(nil, c, level)
		if len(b) > maxCommand {
			s.err = fmt.Errorf("%w: %s of %d bytes", ErrTooLarge, meta.KindName(c), len(b))
		}
		s.commands, s.size = append(s.commands, b), s.size+len(b)
	}
	p.push(s, deadline)
}

func (p *proposer) push(s *submission, deadline time.Time) {
	p.mu.Lock()
	switch {
	case p.closed:
		s.err = ErrNotLeader
	case s.err == nil && p.bytes > 0 && p.bytes+s.size > maxQueue:
		s.err = ErrBusy
	}
	if s.err != nil {
		s.commands, s.size = nil, 0
	}
	if p.closed {
		p.mu.Unlock()
		go s.tell(Committed{Err: s.err}) // ends by itself; nobody is left to tell it in order
		return
	}
	if !deadline.IsZero() && s.err == nil {
		s.timer = time.AfterFunc(time.Until(deadline), s.expire)
	}
	p.bytes += s.size
	p.queue = append(p.queue, s)
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default: // it is awake already
	}
}

// run proposes until ctx ends; then everybody who waits hears ErrNotLeader.
func (p *proposer) run(ctx context.Context) {
	defer p.shut()
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.wake:
		}
		for ctx.Err() == nil {
			batch := p.take()
			if len(batch) == 0 {
				break
			}
			if p.propose(ctx, batch) && p.empty() {
				p.quiet()
			}
		}
	}
}

func (p *proposer) shut() {
	p.mu.Lock()
	queue := p.queue
	p.closed, p.queue, p.bytes = true, nil, 0
	p.mu.Unlock()
	for _, s := range queue {
		s.tell(Committed{Err: ErrNotLeader})
	}
}

func (p *proposer) empty() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.queue) == 0
}

// take pops submissions that fit in one entry together, at least one.
func (p *proposer) take() (batch []*submission) {
	p.mu.Lock()
	defer p.mu.Unlock()
	size := 0
	for len(p.queue) > 0 {
		s := p.queue[0]
		if len(batch) > 0 && size+s.size > maxEntry {
			break
		}
		size += s.size
		p.bytes -= s.size
		p.queue[0] = nil
		p.queue = p.queue[1:]
		if s.told.Load() {
			continue // its deadline passed while it waited: nothing is proposed
		}
		batch = append(batch, s)
	}
	if len(p.queue) == 0 {
		p.queue = nil
	}
	return batch
}

// propose commits a batch, in one entry unless a single submission is larger
// than that. It reports whether anything has committed.
func (p *proposer) propose(ctx context.Context, batch []*submission) (committed bool) {
	live := batch[:0]
	for _, s := range batch {
		switch {
		case s.err != nil:
			s.tell(Committed{Err: s.err})
		case len(s.commands) == 0:
			s.tell(Committed{})
		case !s.early && !p.active():
			s.tell(Committed{Err: ErrNotLeader})
		default:
			live = append(live, s)
		}
	}
	for len(live) > 0 {
		entry, counts := fill(live)
		began := time.Now()
		index, results, err := p.consensus.Propose(ctx, entry)
		if err != nil {
			for _, s := range live {
				s.fail(err)
			}
			return committed
		}
		p.commits.one(time.Since(began))
		committed = true
		live = spread(live, counts, index, results)
	}
	return committed
}

// fill makes one entry of the commands that come next; counts says how many of
// each submission are in it.
func fill(batch []*submission) (entry []byte, counts []int) {
	entry = meta.EntryHeader()
	counts = make([]int, len(batch))
	empty := len(entry)
	for i, s := range batch {
		for _, c := range s.commands {
			if len(entry) > empty && len(entry)+len(c) > maxEntry {
				return entry, counts
			}
			entry = append(entry, c...)
			counts[i]++
		}
	}
	return entry, counts
}

// spread hands results out and returns the submissions that are not complete.
func spread(batch []*submission, counts []int, index uint64, results []meta.Result) (rest []*submission) {
	for i, s := range batch {
		n := counts[i]
		invariant.Check(n <= len(results), "%d results are missing at entry %d", n-len(results), index)
		s.results = append(s.results, results[:n]...)
		results, s.commands = results[n:], s.commands[n:]
		if len(s.commands) > 0 {
			rest = append(rest, s)
			continue
		}
		s.tell(Committed{Index: index, Results: s.results})
	}
	return rest
}

// fail tells of an error. A submission of which a part has committed has an
// outcome that nobody can tell in one word.
func (s *submission) fail(err error) {
	if len(s.results) > 0 {
		err = ErrUnknownOutcome
	}
	s.tell(Committed{Err: err})
}

// refuse tells of a refusal on the proposer's goroutine, as Submit promises.
func (p *proposer) refuse(err error, done func(Committed)) {
	p.push(&submission{done: done, err: err}, time.Time{})
}
