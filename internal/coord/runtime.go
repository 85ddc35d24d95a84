package coord

import (
	"context"
	"crypto/rand"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/brokerd/brokerd/internal/step"
)

// Options says what a Runtime runs.
type Options struct {
	// New makes the empty machine of a partition.
	New func(partition int32) Machine
	// Open gives the log of a partition under one leadership.
	Open func(partition, epoch int32) (Log, error)
	// Expired makes the event of a timer that is due.
	Expired func(key string) any
	// Cluster gives what a machine may know of the cluster.
	Cluster func() step.Topics
	// Failed sorts an error of an append into what callers hear; nil: ErrNotCoordinator.
	Failed func(error) error
	// CommitTimeout bounds how long an answer waits for its commit
	// (offsets.commit.timeout.ms); 5 s.
	CommitTimeout time.Duration
	Logger        *slog.Logger
}

// Runtime runs the machines of all led partitions of one internal topic.
type Runtime struct {
	o     Options
	began time.Time
	wall  *step.Wall
	wake  chan struct{} // capacity 1: a timer is earlier than Run knows

	loads sync.WaitGroup

	mu     sync.Mutex
	shards map[int32]*shard
	led    map[int32]int32 // partition → leader epoch, as Lead was told
	retry  map[int32]time.Time
}

// New makes a runtime that leads nothing.
func New(o Options) *Runtime {
	if o.CommitTimeout <= 0 {
		o.CommitTimeout = 5 * time.Second
	}
	if o.Failed == nil {
		o.Failed = func(error) error { return ErrNotCoordinator }
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	began := time.Now()
	return &Runtime{o: o, began: began, wall: step.NewWall(began.UnixMilli(), 0), wake: make(chan struct{}, 1), shards: map[int32]*shard{}, led: map[int32]int32{},
		retry: map[int32]time.Time{}}
}

func (r *Runtime) now() step.Instant { return step.Instant(time.Since(r.began)) }

func (r *Runtime) input(from step.Token, event any) step.Input {
	now := time.Now()
	ms, jumped := r.wall.Believe(now.UnixMilli(), now.Sub(r.began))
	if jumped != 0 {
		r.o.Logger.Error("the clock has jumped: by age nothing of groups expires that was not due before, until it has gone on for an hour; set it right if it is wrong",
			"by", jumped.Round(time.Second), "now", now.Round(0))
	}
	in := step.Input{From: from, Event: event, BelievedMs: ms, UnixMs: max(ms, now.UnixMilli()), Cluster: r.o.Cluster()}
	_, _ = rand.Read(in.Random[:]) // never fails
	return in
}

func (r *Runtime) nudge() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Lead says which partitions this broker leads, with their leader epochs: all of
// them. What is no longer among them, or of another epoch, is dropped.
func (r *Runtime) Lead(led map[int32]int32) {
	r.mu.Lock()
	r.led = led
	var gone []*shard
	for i, s := range r.shards {
		if epoch, ok := led[i]; !ok || epoch != s.epoch {
			gone = append(gone, s)
			delete(r.shards, i)
		}
	}
	clear(r.retry)
	r.mu.Unlock()
	for _, s := range gone {
		s.drop()
	}
	r.nudge()
}

// drop ends a shard from outside.
func (s *shard) drop() {
	s.mu.Lock()
	var out []answer
	if !s.dropped.Load() {
		out = s.dropLocked(ErrNotCoordinator)
	}
	s.mu.Unlock()
	s.tell(out)
}

// Submit takes an event to the machine of a partition; done, which is never nil,
// hears of the answer.
func (r *Runtime) Submit(partition int32, event any, done Done) {
	s, err := r.shard(partition)
	if err != nil {
		done(nil, err, nil)
		return
	}
	s.submit(event, done)
}

// shard finds the shard of a partition that is led.
func (r *Runtime) shard(partition int32) (*shard, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s := r.shards[partition]; s != nil {
		return s, nil
	}
	if _, ok := r.led[partition]; !ok {
		return nil, ErrNotCoordinator
	}
	return nil, ErrLoading // Run is about to
}

// Broadcast takes an event that nobody waits for to every machine that serves.
func (r *Runtime) Broadcast(event any) {
	for _, s := range r.all() {
		s.mu.Lock()
		var out []answer
		if s.serving {
			out = s.stepLocked(0, event, nil)
		}
		s.mu.Unlock()
		s.tell(out)
	}
}

// Led lists the partitions that are led, in order: those that serve and those
// that are still loading.
func (r *Runtime) Led() []int32 {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]int32, 0, len(r.led))
	for i := range r.led {
		out = append(out, i)
	}
	slices.Sort(out)
	return out
}

func (r *Runtime) all() []*shard {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]*shard, 0, len(r.shards))
	for _, s := range r.shards {
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b *shard) int { return int(a.index - b.index) })
	return out
}

// retryAfter is how long a partition whose load or append failed is left alone.
const retryAfter = 250 * time.Millisecond

// Run loads what is led, fires timers and answers what is overdue, until ctx ends.
func (r *Runtime) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer func() {
		cancel()
		r.Lead(map[int32]int32{})
		r.loads.Wait()
	}()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		next := r.begin(ctx)
		now := r.now()
		for _, s := range r.all() {
			if s.next.Load() <= int64(now) {
				s.due(now)
			}
			next = min(next, step.Instant(s.next.Load()))
		}
		wait := time.Duration(never)
		if next < never {
			wait = max(next.Sub(r.now()), 0)
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
			return nil
		case <-r.wake:
		case <-timer.C:
		}
	}
}

// begin starts to load partitions that are led and have no shard, or one that was
// dropped for a reason that may pass. It gives when to look again.
func (r *Runtime) begin(ctx context.Context) step.Instant {
	var starts []*shard
	next := step.Instant(never)
	now := time.Now()
	r.mu.Lock()
	for i, epoch := range r.led {
		if s := r.shards[i]; s != nil && !s.dropped.Load() {
			continue
		} else if s != nil {
			delete(r.shards, i)
			r.retry[i] = now.Add(retryAfter)
		}
		if at, ok := r.retry[i]; ok && now.Before(at) {
			next = min(next, r.now().Add(at.Sub(now)))
			continue
		}
		starts = append(starts, &shard{r: r, index: i, epoch: epoch})
	}
	r.mu.Unlock()
	for _, s := range starts {
		if !r.start(ctx, s) {
			next = min(next, r.now().Add(retryAfter))
		}
	}
	return next
}

// start opens a shard's log and loads it. false: it cannot be opened now.
func (r *Runtime) start(ctx context.Context, s *shard) bool {
	log, err := r.o.Open(s.index, s.epoch)
	if err != nil {
		r.o.Logger.Debug("coordinator's log is not there yet", "partition", s.index, "err", err)
		r.mu.Lock()
		r.retry[s.index] = time.Now().Add(retryAfter)
		r.mu.Unlock()
		return false
	}
	ctx, s.stop = context.WithCancel(ctx)
	s.log = log
	s.sweepAt = 1024
	s.waiting, s.ends, s.byKey = map[step.Token]Done{}, map[string]int64{}, map[string]*timer{}
	s.next.Store(never)
	r.mu.Lock()
	if epoch, ok := r.led[s.index]; !ok || epoch != s.epoch || r.shards[s.index] != nil {
		r.mu.Unlock()
		s.stop()
		return true
	}
	r.shards[s.index] = s
	r.mu.Unlock()
	r.loads.Go(func() { s.load(ctx) })
	return true
}
