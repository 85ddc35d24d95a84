package coord

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brokerd/brokerd/internal/record"
	"github.com/brokerd/brokerd/internal/step"
)

// disk is the log of one partition in memory; lease is one leadership of it.
type disk struct {
	mu        sync.Mutex
	records   []record.Record
	committed int64
	epoch     int32
	waiting   []release
	failNext  error
	doubtful  bool // confirmations wait in doubts
	doubts    []release
	auto      bool // commits by itself
}

type release struct {
	at   int64
	done func(error, Hand)
}

type lease struct {
	d     *disk
	epoch int32
	end   int64
}

var errLost = errors.New("lost")

func (d *disk) lead(epoch int32) *lease {
	d.mu.Lock()
	lost := append(d.waiting, d.doubts...)
	d.waiting, d.doubts, d.epoch = nil, nil, epoch
	l := &lease{d, epoch, int64(len(d.records))}
	d.mu.Unlock()
	for _, w := range lost {
		w.done(errLost, nil)
	}
	return l
}

func (d *disk) commit(to int64) {
	d.mu.Lock()
	d.committed = max(d.committed, min(to, int64(len(d.records))))
	var out []release
	var keep []release
	for _, w := range d.waiting {
		if w.at <= d.committed {
			out = append(out, w)
		} else {
			keep = append(keep, w)
		}
	}
	d.waiting = keep
	d.mu.Unlock()
	for _, w := range out {
		w.done(nil, nil)
	}
}

func (d *disk) commitAll() {
	d.mu.Lock()
	n := int64(len(d.records))
	d.mu.Unlock()
	d.commit(n)
}

func (l *lease) Leads() bool {
	l.d.mu.Lock()
	defer l.d.mu.Unlock()
	return l.d.epoch == l.epoch
}

func (l *lease) Committed() int64 {
	l.d.mu.Lock()
	defer l.d.mu.Unlock()
	return l.d.committed
}

func (l *lease) Append(batch []byte) (base, end int64, err error) {
	l.d.mu.Lock()
	defer l.d.mu.Unlock()
	if l.d.epoch != l.epoch {
		return 0, 0, errLost
	}
	if err := l.d.failNext; err != nil {
		l.d.failNext = nil
		return 0, 0, err
	}
	base = int64(len(l.d.records))
	err = record.Batch(batch).Each(record.Limits{}, func(r record.Record) error {
		l.d.records = append(l.d.records, record.Record{Key: bytes.Clone(r.Key), Value: bytes.Clone(r.Value)})
		return nil
	})
	if l.d.auto {
		l.d.committed = int64(len(l.d.records))
	}
	return base, int64(len(l.d.records)), err
}

func (l *lease) Release(at int64, done func(error, Hand)) {
	l.d.mu.Lock()
	switch {
	case l.d.epoch != l.epoch:
		l.d.mu.Unlock()
		done(errLost, nil)
	case at <= l.d.committed:
		l.d.mu.Unlock()
		done(nil, nil)
	default:
		l.d.waiting = append(l.d.waiting, release{at, done})
		l.d.mu.Unlock()
	}
}

func (l *lease) Confirm(done func(error, Hand)) {
	l.d.mu.Lock()
	lost, doubtful := l.d.epoch != l.epoch, l.d.doubtful
	if !lost && doubtful {
		l.d.doubts = append(l.d.doubts, release{done: done})
	}
	l.d.mu.Unlock()
	switch {
	case lost:
		done(errLost, nil)
	case !doubtful:
		done(nil, nil)
	}
}

// confirm ends the confirmation that is under way.
func (d *disk) confirm(t *testing.T) {
	t.Helper()
	d.mu.Lock()
	all := d.doubts
	d.doubts = nil
	d.mu.Unlock()
	if len(all) != 1 {
		t.Errorf("%d confirmations are under way", len(all))
	}
	for _, r := range all {
		r.done(nil, nil)
	}
}

func (l *lease) Scan(ctx context.Context, f func(int64, record.Record) error) error {
	committed := make(chan error, 1)
	l.Release(l.end, func(err error, _ Hand) { committed <- err })
	select {
	case err := <-committed:
		if err != nil {
			return err
		}
	case <-ctx.Done():
		return ctx.Err()
	}
	l.d.mu.Lock()
	all := l.d.records[:l.end]
	l.d.mu.Unlock()
	for i, r := range all {
		if err := f(int64(i), r); err != nil {
			return err
		}
	}
	return nil
}

// words counts words by scope.
type words struct{ n map[string]int }

type (
	say    struct{ scope, word string } // answered with the count before
	ask    struct{ scope, word string }
	sure   struct{ scope, word string } // ask, with a fresh answer
	ring   struct{ key string }
	remind struct {
		key string
		in  time.Duration
	}
)

func (m *words) Step(now step.Instant, in step.Input, out *step.Effects) {
	switch e := in.Event.(type) {
	case say:
		out.Scope = e.scope
		out.Append = append(out.Append, record.Record{Key: []byte(e.scope), Value: []byte(e.word)})
		out.Answers = append(out.Answers, step.Answer{To: in.From, Scope: e.scope, Body: m.n[e.scope+" "+e.word]})
	case ask:
		out.Answers = append(out.Answers, step.Answer{To: in.From, Scope: e.scope, Body: m.n[e.scope+" "+e.word]})
	case sure:
		out.Answers = append(out.Answers, step.Answer{To: in.From, Scope: e.scope, Body: m.n[e.scope+" "+e.word], Fresh: true})
	case remind:
		at := step.Instant(0)
		if e.in > 0 {
			at = now.Add(e.in)
		}
		out.Timers = append(out.Timers, step.Timer{Key: e.key, At: at})
		out.Answers = append(out.Answers, step.Answer{To: in.From})
	case ring:
		out.Scope = "timers"
		out.Append = append(out.Append, record.Record{Key: []byte("timers"), Value: []byte(e.key)})
	}
}

func (m *words) Replay(_ int64, r record.Record) error {
	m.n[string(r.Key)+" "+string(r.Value)]++
	return nil
}

func (m *words) Loaded(step.Instant, *step.Effects) {}

// bench is a runtime over disks.
type bench struct {
	*Runtime
	disks map[int32]*disk
}

func newBench(partitions int32) *bench {
	b := &bench{disks: map[int32]*disk{}}
	for i := range partitions {
		b.disks[i] = &disk{}
	}
	b.Runtime = New(Options{
		New:     func(int32) Machine { return &words{map[string]int{}} },
		Open:    func(i, epoch int32) (Log, error) { return b.disks[i].lead(epoch), nil },
		Expired: func(key string) any { return ring{key} },
		Cluster: func() step.Topics { return nil },
	})
	return b
}

// heard is what a Submit came to.
type heard struct {
	mu    sync.Mutex
	body  any
	err   error
	times int
}

func (b *bench) send(i int32, event any) *heard {
	h := &heard{}
	b.Submit(i, event, func(body any, err error, _ Hand) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.body, h.err = body, err
		h.times++
	})
	return h
}

func (h *heard) want(t *testing.T, body any, err error) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.times != 1 || h.body != body || !errors.Is(h.err, err) {
		t.Errorf("heard %v %v %d times, want %v %v", h.body, h.err, h.times, body, err)
	}
}

func (h *heard) seen() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.times
}

func bubble(t *testing.T, f func(t *testing.T, b *bench)) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(2)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- b.Run(ctx) }()
		synctest.Wait()
		f(t, b)
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestAnswersWaitForTheirScope(t *testing.T) {
	bubble(t, func(t *testing.T, b *bench) {
		b.send(0, ask{"a", "x"}).want(t, nil, ErrNotCoordinator)
		b.Lead(map[int32]int32{0: 3})
		synctest.Wait()
		first, again := b.send(0, say{"a", "x"}), b.send(0, say{"a", "x"})
		read := b.send(0, ask{"a", "x"})
		b.send(0, ask{"b", "x"}).want(t, 0, nil) // nobody wrote for it
		other := b.send(0, say{"b", "x"})
		b.disks[0].commit(1)
		first.want(t, 0, nil)
		if again.seen()+read.seen()+other.seen() > 0 {
			t.Error("answered before the commit")
		}
		b.disks[0].commit(2)
		again.want(t, 1, nil)
		read.want(t, 2, nil)
		if other.seen() > 0 {
			t.Error("answered before the commit")
		}
		b.disks[0].commit(3)
		other.want(t, 0, nil)
		b.send(0, ask{"a", "x"}).want(t, 2, nil)
		b.send(1, ask{"a", "x"}).want(t, nil, ErrNotCoordinator)
	})
}

// A fresh answer leaves after a confirmation that began after it was asked, and
// after the commit of what its scope wrote.
func TestFreshAnswers(t *testing.T) {
	bubble(t, func(t *testing.T, b *bench) {
		d := b.disks[0]
		b.Lead(map[int32]int32{0: 1})
		synctest.Wait()
		b.send(0, sure{"a", "x"}).want(t, 0, nil) // the log is sure at once
		d.doubtful = true
		first := b.send(0, sure{"a", "x"})
		b.send(0, ask{"a", "x"}).want(t, 0, nil)
		written := b.send(0, say{"a", "x"})
		second, third := b.send(0, sure{"a", "x"}), b.send(0, sure{"b", "x"})
		d.confirm(t)
		first.want(t, 0, nil)
		if second.seen()+third.seen() > 0 {
			t.Error("answered by a confirmation that had begun before")
		}
		d.confirm(t)
		third.want(t, 0, nil)
		if second.seen() > 0 {
			t.Error("answered before the commit")
		}
		d.commitAll()
		written.want(t, 0, nil)
		second.want(t, 1, nil)

		overdue := b.send(0, sure{"a", "x"})
		time.Sleep(6 * time.Second)
		synctest.Wait()
		overdue.want(t, nil, ErrUnavailable)
		late := b.send(0, sure{"a", "x"})
		d.confirm(t)
		lost := b.send(0, sure{"a", "x"})
		d.lead(2)
		late.want(t, nil, ErrNotCoordinator)
		lost.want(t, nil, ErrNotCoordinator)
	})
}

func TestLoadWaitsForTheCommit(t *testing.T) {
	bubble(t, func(t *testing.T, b *bench) {
		d := b.disks[0]
		d.records = []record.Record{{Key: []byte("a"), Value: []byte("x")}, {Key: []byte("a"), Value: []byte("x")}}
		d.committed = 1 // the second was written by the leader before, and is not known to be committed
		b.Lead(map[int32]int32{0: 1})
		synctest.Wait()
		b.send(0, ask{"a", "x"}).want(t, nil, ErrLoading)
		d.commit(2)
		synctest.Wait()
		b.send(0, ask{"a", "x"}).want(t, 2, nil)
	})
}

func TestLostLeadership(t *testing.T) {
	bubble(t, func(t *testing.T, b *bench) {
		b.Lead(map[int32]int32{0: 1, 1: 1})
		synctest.Wait()
		parked := b.send(0, say{"a", "x"})
		b.disks[0].lead(2) // somebody else, and nobody has told us yet
		parked.want(t, nil, ErrNotCoordinator)
		b.send(0, say{"a", "y"}).want(t, nil, ErrNotCoordinator)
		stays := b.send(1, say{"a", "x"})
		b.Lead(map[int32]int32{0: 3, 1: 1})
		synctest.Wait()
		b.disks[0].commitAll()
		b.disks[1].commitAll()
		synctest.Wait()
		stays.want(t, 0, nil)
		b.send(0, ask{"a", "x"}).want(t, 1, nil)
		b.send(0, ask{"a", "y"}).want(t, 0, nil)
		parked = b.send(0, say{"a", "z"})
		b.Lead(map[int32]int32{1: 1})
		parked.want(t, nil, ErrNotCoordinator)
		b.send(0, ask{"a", "x"}).want(t, nil, ErrNotCoordinator)
	})
}

func TestAppendFailure(t *testing.T) {
	bubble(t, func(t *testing.T, b *bench) {
		b.o.Failed = func(error) error { return ErrUnavailable }
		b.Lead(map[int32]int32{0: 1})
		synctest.Wait()
		parked := b.send(0, say{"a", "x"})
		b.disks[0].failNext = errors.New("no room")
		b.send(0, say{"a", "y"}).want(t, nil, ErrUnavailable)
		parked.want(t, nil, ErrUnavailable)
		b.disks[0].commitAll()
		time.Sleep(retryAfter + time.Millisecond)
		synctest.Wait()
		b.send(0, ask{"a", "x"}).want(t, 1, nil)
		b.send(0, ask{"a", "y"}).want(t, 0, nil)
	})
}

func TestOverdueCommit(t *testing.T) {
	bubble(t, func(t *testing.T, b *bench) {
		b.Lead(map[int32]int32{0: 1})
		synctest.Wait()
		h := b.send(0, say{"a", "x"})
		time.Sleep(5*time.Second - time.Millisecond)
		synctest.Wait()
		if h.seen() != 0 {
			t.Error("too early")
		}
		time.Sleep(2 * time.Millisecond)
		synctest.Wait()
		h.want(t, nil, ErrUnavailable)
		b.disks[0].commitAll()
		h.want(t, nil, ErrUnavailable)
		b.send(0, ask{"a", "x"}).want(t, 1, nil)
	})
}

func TestTimers(t *testing.T) {
	bubble(t, func(t *testing.T, b *bench) {
		b.disks[0].auto = true
		b.Lead(map[int32]int32{0: 1})
		synctest.Wait()
		for _, e := range []remind{{"late", time.Hour}, {"soon", time.Second}, {"moved", time.Second}, {"moved", 3 * time.Second}, {"off", time.Second}, {"off", 0}, {"never set", 0}} {
			b.send(0, e).want(t, nil, nil)
		}
		count := func(key string, want int) {
			t.Helper()
			synctest.Wait()
			b.send(0, ask{"timers", key}).want(t, want, nil)
		}
		time.Sleep(2 * time.Second)
		count("soon", 1)
		count("moved", 0)
		time.Sleep(2 * time.Second)
		count("moved", 1)
		count("off", 0)
		b.Lead(map[int32]int32{0: 2}) // timers are soft: they end with the leadership
		time.Sleep(2 * time.Hour)
		count("late", 0)
		count("soon", 1)
	})
}

// Callers, commits and leaderships that change, all at once: each Submit is heard
// once, and what the machine knows is what its log says.
func TestManyCallers(t *testing.T) {
	b := newBench(3)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	lead := func(epoch int32) { b.Lead(map[int32]int32{0: epoch, 1: 1, 2: epoch}) }
	lead(1)
	var asked, heard, answered atomic.Int64
	var all sync.WaitGroup
	for c := range 8 {
		all.Go(func() {
			r := rand.New(rand.NewPCG(uint64(c), 1))
			for answered.Load() < 3000 {
				i := int32(r.IntN(3))
				var event any = say{fmt.Sprint("s", r.IntN(5)), fmt.Sprint("w", r.IntN(3))}
				switch r.IntN(6) {
				case 0:
					event = sure{fmt.Sprint("s", r.IntN(5)), "w0"}
				case 1:
					event = ask{fmt.Sprint("s", r.IntN(5)), "w0"}
				}
				asked.Add(1)
				done := make(chan struct{})
				b.Submit(i, event, func(_ any, err error, _ Hand) {
					heard.Add(1)
					if err == nil {
						answered.Add(1)
					}
					close(done)
				})
				if r.IntN(4) > 0 {
					b.disks[i].commitAll()
				}
				if r.IntN(200) == 0 {
					lead(int32(2 + answered.Load()))
				}
				if r.IntN(2) == 0 {
					b.disks[i].commitAll()
					<-done
				}
			}
		})
	}
	all.Wait()
	for _, d := range b.disks {
		d.commitAll()
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if asked.Load() != heard.Load() {
		t.Errorf("%d were asked, %d heard", asked.Load(), heard.Load())
	}
}

// C0: what a machine knows live is what another makes of the log.
func TestLiveIsReplayed(t *testing.T) {
	bubble(t, func(t *testing.T, b *bench) {
		b.Lead(map[int32]int32{0: 1})
		synctest.Wait()
		r := rand.New(rand.NewPCG(7, 7))
		for range 500 {
			b.send(0, say{fmt.Sprint("s", r.IntN(5)), fmt.Sprint("w", r.IntN(3))})
			if r.IntN(10) == 0 {
				b.disks[0].commit(b.disks[0].committed + r.Int64N(20))
			}
			again := &words{map[string]int{}}
			for o, rec := range b.disks[0].records {
				_ = again.Replay(int64(o), rec)
			}
			if live := b.all()[0].machine.(*words); !maps.Equal(live.n, again.n) {
				t.Fatal("live and replayed state differ")
			}
		}
	})
}
