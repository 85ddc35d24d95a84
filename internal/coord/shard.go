package coord

import (
	"container/heap"
	"context"
	"maps"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/brokerd/brokerd/internal/invariant"
	"github.com/brokerd/brokerd/internal/record"
	"github.com/brokerd/brokerd/internal/step"
)

// shard is one led partition.
type shard struct {
	r     *Runtime
	index int32
	epoch int32
	log   Log
	stop  context.CancelFunc // of its load

	next    atomic.Int64 // when its first timer is due, or a parked answer is overdue; never: none
	dropped atomic.Bool  // it serves no more, and never will

	mu      sync.Mutex
	serving bool
	machine Machine
	token   step.Token
	waiting map[step.Token]Done
	ends    map[string]int64 // end of the last batch of a scope that may not be committed yet
	sweepAt int
	parked  []*parked // in order of their deadlines
	doubts  doubts
	timers  timers
	byKey   map[string]*timer
	eff     step.Effects
	build   record.Builder
	batch   []byte
}

// parked is an answer that waits for a commit.
type parked struct {
	body    any
	done    Done
	until   step.Instant
	settled atomic.Bool
}

// finish answers, once.
func (p *parked) finish(err error, h Hand) {
	if p.settled.Swap(true) {
		return
	}
	if err != nil {
		p.done(nil, err, h)
		return
	}
	p.done(p.body, nil, h)
}

// answer is one that is told after unlocking.
type answer struct {
	done Done
	body any
	err  error
	park *parked // released by the log at at
	at   int64
	// fresh: after the log has confirmed the leadership
	fresh bool
}

const never = math.MaxInt64

// submit takes one event through the machine.
func (s *shard) submit(event any, done Done) {
	s.mu.Lock()
	if !s.serving {
		s.mu.Unlock()
		if s.dropped.Load() {
			done(nil, ErrNotCoordinator, nil)
		} else {
			done(nil, ErrLoading, nil)
		}
		return
	}
	if !s.log.Leads() {
		out := s.dropLocked(ErrNotCoordinator)
		s.mu.Unlock()
		s.tell(out)
		done(nil, ErrNotCoordinator, nil)
		return
	}
	s.token++
	s.waiting[s.token] = done
	out := s.stepLocked(s.token, event, nil)
	s.mu.Unlock()
	s.tell(out)
}

// stepLocked runs one step and acts on its effects.
func (s *shard) stepLocked(from step.Token, event any, out []answer) []answer {
	s.eff.Reset()
	s.machine.Step(s.r.now(), s.r.input(from, event), &s.eff)
	return s.actLocked(out)
}

func (s *shard) actLocked(out []answer) []answer {
	e := &s.eff
	if len(e.Append) > 0 {
		if err := s.appendLocked(e); err != nil {
			s.r.o.Logger.Warn("coordinator cannot write to its log; it is loaded again", "partition", s.index, "err", err)
			return append(out, s.dropLocked(s.r.o.Failed(err))...)
		}
	}
	for _, a := range e.Answers {
		done, ok := s.waiting[a.To]
		if !ok {
			continue
		}
		delete(s.waiting, a.To)
		out = append(out, s.answerLocked(a, done))
	}
	for _, t := range e.Timers {
		s.setTimerLocked(t)
	}
	s.planLocked()
	return out
}

// appendLocked writes the batch of a step and replays it.
func (s *shard) appendLocked(e *step.Effects) error {
	invariant.Check(e.Producer == nil, "O6: partition %d: a batch of producer %v's transaction", s.index, e.Producer)
	s.build.Reset()
	for i := range e.Append {
		r := &e.Append[i]
		if r.Timestamp == 0 {
			r.Timestamp = time.Now().UnixMilli()
		}
		if err := s.build.Append(*r); err != nil {
			return err
		}
	}
	b, err := s.build.Build(s.batch[:0], record.Spec{})
	if err != nil {
		return err
	}
	s.batch = b
	base, end, err := s.log.Append(b)
	if err != nil {
		return err
	}
	s.noteEndLocked(e.Scope, end)
	for i, r := range e.Append {
		r.Offset = base + int64(i)
		if err := s.machine.Replay(r.Offset, r); err != nil {
			return err
		}
	}
	return nil
}

// noteEndLocked keeps where the scope's last batch ends. Those that are committed
// are forgotten when many have come together.
func (s *shard) noteEndLocked(scope string, end int64) {
	s.ends[scope] = end
	if len(s.ends) < s.sweepAt {
		return
	}
	committed := s.log.Committed()
	maps.DeleteFunc(s.ends, func(_ string, at int64) bool { return at <= committed })
	s.sweepAt = max(1024, 2*len(s.ends))
}

// answerLocked releases an answer, or parks it until what its scope wrote is
// committed (O2).
func (s *shard) answerLocked(a step.Answer, done Done) answer {
	at, wrote := s.ends[a.Scope]
	if wrote && at <= s.log.Committed() {
		delete(s.ends, a.Scope)
		wrote = false
	}
	if !wrote && !a.Fresh {
		return answer{done: done, body: a.Body}
	}
	p := &parked{body: a.Body, done: done, until: s.r.now().Add(s.r.o.CommitTimeout)}
	for len(s.parked) > 0 && s.parked[0].settled.Load() {
		s.parked = s.parked[1:]
	}
	s.parked = append(s.parked, p)
	return answer{park: p, at: at, fresh: a.Fresh}
}

// tell hands answers out. No lock is held.
func (s *shard) tell(out []answer) {
	for _, a := range out {
		switch {
		case a.fresh:
			s.confirm(a)
		case a.park != nil:
			s.release(a)
		default:
			a.done(a.body, a.err, nil)
		}
	}
}

// release answers when the log is committed as far as the answer rests on it.
func (s *shard) release(a answer) {
	s.log.Release(a.at, func(err error, h Hand) {
		if err != nil {
			err = ErrNotCoordinator
		}
		a.park.finish(err, h)
	})
}

// dropLocked ends the shard: all who wait hear err (O4).
func (s *shard) dropLocked(err error) (out []answer) {
	s.serving, s.machine = false, nil
	s.dropped.Store(true)
	s.next.Store(never)
	for _, done := range s.waiting {
		out = append(out, answer{done: done, err: err})
	}
	for _, p := range s.parked {
		out = append(out, answer{done: func(_ any, err error, h Hand) { p.finish(err, h) }, err: err})
	}
	s.waiting, s.parked, s.timers, s.byKey = nil, nil, nil, nil
	s.stop()
	s.r.nudge() // if it is led yet, it is loaded again
	return out
}

// load brings the machine to what the log holds, and begins to serve.
func (s *shard) load(ctx context.Context) {
	m := s.r.o.New(s.index)
	began := s.r.now()
	records := 0
	err := s.log.Scan(ctx, func(offset int64, r record.Record) error {
		records++
		return m.Replay(offset, r)
	})
	if ctx.Err() != nil {
		return
	}
	s.mu.Lock()
	if s.dropped.Load() {
		s.mu.Unlock()
		return
	}
	if err != nil {
		if s.log.Leads() {
			s.r.o.Logger.Error("coordinator cannot load its log; it is tried again", "partition", s.index, "err", err)
		}
		out := s.dropLocked(ErrNotCoordinator)
		s.mu.Unlock()
		s.tell(out)
		return
	}
	s.machine, s.serving = m, true
	s.eff.Reset()
	m.Loaded(s.r.now(), &s.eff)
	out := s.actLocked(nil)
	s.mu.Unlock()
	s.tell(out)
	s.r.nudge()
	s.r.o.Logger.Debug("coordinator loaded", "partition", s.index, "epoch", s.epoch, "records", records, "took", s.r.now().Sub(began))
}

// due steps every timer that has come, and answers what is overdue.
func (s *shard) due(now step.Instant) {
	s.mu.Lock()
	if !s.serving {
		s.mu.Unlock()
		return
	}
	var out []answer
	if !s.log.Leads() {
		out = s.dropLocked(ErrNotCoordinator)
	}
	for s.serving && len(s.timers) > 0 && s.timers[0].at <= now {
		t := heap.Pop(&s.timers).(*timer)
		delete(s.byKey, t.key)
		out = s.stepLocked(0, s.r.o.Expired(t.key), out)
	}
	for len(s.parked) > 0 && (s.parked[0].settled.Load() || s.parked[0].until <= now) {
		p := s.parked[0]
		s.parked = s.parked[1:]
		out = append(out, answer{done: func(_ any, err error, h Hand) { p.finish(err, h) }, err: ErrUnavailable})
	}
	if s.serving {
		s.planLocked()
	}
	s.mu.Unlock()
	s.tell(out)
}

// planLocked says when somebody must come by.
func (s *shard) planLocked() {
	if !s.serving {
		return
	}
	at := int64(never)
	if len(s.timers) > 0 {
		at = int64(s.timers[0].at)
	}
	if len(s.parked) > 0 {
		at = min(at, int64(s.parked[0].until))
	}
	if before := s.next.Swap(at); at < before {
		s.r.nudge()
	}
}

func (s *shard) setTimerLocked(t step.Timer) {
	old := s.byKey[t.Key]
	switch {
	case t.At == 0 && old == nil:
	case t.At == 0:
		heap.Remove(&s.timers, old.place)
		delete(s.byKey, t.Key)
	case old != nil:
		old.at = t.At
		heap.Fix(&s.timers, old.place)
	default:
		n := &timer{key: t.Key, at: t.At}
		s.byKey[t.Key] = n
		heap.Push(&s.timers, n)
	}
}

type timer struct {
	key   string
	at    step.Instant
	place int
}

// timers is a heap by moment; equal ones by key, so that a test sees one order.
type timers []*timer

func (t timers) Len() int { return len(t) }
func (t timers) Less(i, j int) bool {
	return t[i].at < t[j].at || t[i].at == t[j].at && t[i].key < t[j].key
}
func (t timers) Swap(i, j int) {
	t[i], t[j] = t[j], t[i]
	t[i].place, t[j].place = i, j
}
func (t *timers) Push(x any) {
	n := x.(*timer)
	n.place = len(*t)
	*t = append(*t, n)
}
func (t *timers) Pop() any {
	last := len(*t) - 1
	n := (*t)[last]
	(*t)[last] = nil
	*t = (*t)[:last]
	return n
}
