package server

import (
	"sync"
	"sync/atomic"
)

// budget is the memory that requests of all connections may hold
// (queued.max.request.bytes). There are two ways to be counted:
//
//	take   before the body of a frame is read that has not arrived yet; waits
//	force  for what waits and is in memory already; never waits
//
// A frame larger than the limit is let in when nothing else is taken, or it
// could never be served.
type budget struct {
	limit int64
	used  atomic.Int64 // taken and forced

	// waiting is raised before the last look at used, and read after used was
	// lowered: one of the two sees the other.
	waiting atomic.Int32

	mu    sync.Mutex
	taken int64
	queue []*waiter // first come, first served
}

type waiter struct {
	n       int64
	granted chan struct{} // closed by whoever grants
}

func newBudget(limit int64) *budget { return &budget{limit: limit} }

// take waits until n fits. It gives up, and reports false, when stop closes.
func (b *budget) take(n int64, stop <-chan struct{}) bool {
	w := b.ask(n)
	if w == nil {
		return true
	}
	select {
	case <-w.granted:
		return true
	case <-stop:
		b.withdraw(w)
		return false
	}
}

// tryTake takes n if it fits at once and nobody is before us.
func (b *budget) tryTake(n int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.queue) > 0 || !b.fitsLocked(n) {
		return false
	}
	b.takeLocked(n)
	return true
}

// ask takes n at once, or puts up a waiter.
func (b *budget) ask(n int64) *waiter {
	b.waiting.Add(1)
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.queue) == 0 && b.fitsLocked(n) {
		b.takeLocked(n)
		b.waiting.Add(-1)
		return nil
	}
	w := &waiter{n: n, granted: make(chan struct{})}
	b.queue = append(b.queue, w)
	return w
}

// withdraw ends a waiter; what it was granted meanwhile goes back.
func (b *budget) withdraw(w *waiter) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range b.queue {
		if b.queue[i] == w {
			b.queue = append(b.queue[:i], b.queue[i+1:]...)
			b.waiting.Add(-1)
			b.grantLocked()
			return
		}
	}
	b.giveLocked(w.n)
}

// give returns what take took.
func (b *budget) give(n int64) {
	b.mu.Lock()
	b.giveLocked(n)
	b.mu.Unlock()
}

// force counts n, which is held already.
func (b *budget) force(n int64) { b.used.Add(n) }

// unforce returns what force counted.
func (b *budget) unforce(n int64) {
	b.used.Add(-n)
	if b.waiting.Load() > 0 {
		b.mu.Lock()
		b.grantLocked()
		b.mu.Unlock()
	}
}

// scarce says that what comes in should come in small pieces, so that who must
// wait has little in hand.
func (b *budget) scarce() bool {
	return b.waiting.Load() > 0 || b.used.Load() >= b.limit
}

func (b *budget) fitsLocked(n int64) bool {
	return b.taken == 0 || b.used.Load()+n <= b.limit
}

func (b *budget) takeLocked(n int64) {
	b.taken += n
	b.used.Add(n)
}

func (b *budget) giveLocked(n int64) {
	b.taken -= n
	b.used.Add(-n)
	b.grantLocked()
}

func (b *budget) grantLocked() {
	for len(b.queue) > 0 && b.fitsLocked(b.queue[0].n) {
		w := b.queue[0]
		b.queue[0] = nil
		b.queue = b.queue[1:]
		b.takeLocked(w.n)
		b.waiting.Add(-1)
		close(w.granted)
	}
}
