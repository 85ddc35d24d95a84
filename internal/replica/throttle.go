package replica

import (
	"math"
	"sync/atomic"
	"time"

	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/step"
)

// throttle is the rate of what is copied for replicas that are throttled: a second's
// worth may move at once, what goes beyond it is owed, and nothing more moves before
// it is paid. Those in sync are never held back, and count all the same.
type throttle struct {
	rate atomic.Int64 // bytes per second; unlimited
	paid atomic.Int64 // step.Instant when all that has moved is paid for
}

const (
	unlimited     = math.MaxInt64
	throttleBurst = time.Second
	throttleLook  = time.Second // who rests looks again: the rate may have been raised
)

func (t *throttle) set(now step.Instant, rate int64) {
	if t.rate.Swap(rate) != rate {
		t.paid.Store(int64(now)) // what is owed was reckoned at another rate
	}
}

// spend counts what has moved. What those in sync take may leave nothing for the
// others, but is not owed by them: a day of it, at many times the rate, would keep
// who has to catch up waiting for many days.
func (t *throttle) spend(now step.Instant, bytes int64, inSync bool) {
	rate := t.rate.Load()
	if rate == unlimited {
		return
	}
	cost := int64(float64(bytes) * float64(time.Second) / float64(max(rate, 1)))
	for {
		old := t.paid.Load()
		paid := max(old, int64(now)-int64(throttleBurst)) + cost
		if inSync {
			paid = min(paid, max(old, int64(now)))
		}
		if t.paid.CompareAndSwap(old, paid) {
			return
		}
	}
}

// owed is how long nothing may move, at most throttleLook.
func (t *throttle) owed(now step.Instant) time.Duration {
	if t.rate.Load() == unlimited {
		return 0
	}
	return min(time.Duration(max(t.paid.Load()-int64(now), 0)), throttleLook)
}

// setThrottles takes the rates of now.
func (m *Manager) setThrottles(im *meta.Image) {
	t := m.conf.Throttles(m.dynamic(im))
	m.sending.set(m.now(), t.Leader)
	m.fetching.set(m.now(), t.Follower)
	m.moving.Store(t.Moves)
}

// throttledTo is how long a follower has to wait for records of p: one that is in
// sync does not.
func (p *Partition) throttledTo(broker int32) time.Duration {
	if !p.throttledOut.Load() || p.takesInSync(broker) {
		return 0
	}
	return p.m.sending.owed(p.m.now())
}

// sent counts bytes for a follower, if p is throttled.
func (p *Partition) sent(broker int32, bytes int64) {
	if bytes > 0 && p.throttledOut.Load() {
		p.m.sending.spend(p.m.now(), bytes, p.takesInSync(broker))
	}
}

// takesInSync says whether a follower is in sync, or p leads no more.
func (p *Partition) takesInSync(broker int32) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.leader == nil || p.leader.InSync(broker)
}

// received counts bytes from the leader, if p is throttled.
func (f *following) received(bytes int64) {
	p := f.p
	if !p.throttledIn.Load() {
		return
	}
	p.mu.Lock()
	in := f.core.InSync()
	p.mu.Unlock()
	p.m.fetching.spend(p.m.now(), bytes, in)
}

// throttled is how long this follower must not ask.
func (f *following) throttled() time.Duration {
	p := f.p
	if !p.throttledIn.Load() {
		return 0
	}
	p.mu.Lock()
	in := f.core.InSync()
	p.mu.Unlock()
	if in {
		return 0
	}
	return p.m.fetching.owed(p.m.now())
}

// rest sets an entry aside for d, when no record may go to the follower. An append
// does not wake the session for it meanwhile.
func (s *Session) rest(a *asked, d time.Duration) {
	s.mu.Lock()
	first := len(s.resting) == 0
	if a.rests || !a.open {
		first = false
	} else {
		a.rests = true
		s.resting = append(s.resting, a)
	}
	s.mu.Unlock()
	if first {
		time.AfterFunc(d, s.resume) // what has ended until then marks nothing
	}
}

func (s *Session) resume() {
	s.mu.Lock()
	list := s.resting
	s.resting = nil
	for _, a := range list {
		a.rests = false
	}
	s.mu.Unlock()
	for _, a := range list {
		s.mark(a, true, nil)
	}
}
