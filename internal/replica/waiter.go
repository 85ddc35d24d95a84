package replica

import (
	"github.com/brokerd/brokerd/internal/storage"
	"github.com/brokerd/brokerd/internal/wire"
)

// Bound says how far a reader may see.
type Bound uint8

const (
	ToHighWatermark Bound = iota // an ordinary consumer
	ToLastStable                 // read_committed
	ToEnd                        // a replica
)

// Of gives the offset of the bound in one view of the log.
func (b Bound) Of(v storage.View) int64 {
	switch b {
	case ToLastStable:
		return v.LastStable
	case ToEnd:
		return v.End
	}
	return v.HighWatermark
}

// Waiter waits at one partition for its bound to pass Seen. Its owner embeds
// it; it belongs to the partition from Wait until Woken is called or Unwait
// returns true. It is woken once.
type Waiter struct {
	link link[Waiter]
	p    *Partition

	Owner Waker
	Bound Bound
	Seen  int64 // the bound that the owner has seen: beyond it there is news
}

// Waker waits with waiters.
type Waker interface {
	// Woken tells that the bound has moved, or that the partition has changed
	// hands: holding no lock; it must not block.
	Woken(w *Waiter, h *wire.Handoff)
}

// Wait parks w. false: there is news already, and w is not parked.
func (p *Partition) Wait(w *Waiter) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.leader == nil && p.following == nil || w.Bound.Of(p.log.View()) > w.Seen {
		return false
	}
	if w.p != p { // not when it parks again: Unwait reads w.p without a lock
		w.p, w.link.of = p, w
	}
	p.waiters.pushBack(&w.link)
	return true
}

// Unwait takes w back. false: it is not parked, or just being woken, and Woken
// is or will be called.
func (w *Waiter) Unwait() bool {
	p := w.p
	if p == nil {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !w.link.in {
		return false
	}
	p.waiters.remove(&w.link)
	return true
}

// takeWaitersLocked moves the waiters for whom there is news to out.
func (p *Partition) takeWaitersLocked(out *list[Waiter]) {
	if p.waiters.head == nil {
		return
	}
	v := p.log.View()
	for l := p.waiters.head; l != nil; {
		next := l.next
		if l.of.Bound.Of(v) > l.of.Seen {
			p.waiters.takeTo(l, out)
		}
		l = next
	}
}

// takeAllWaitersLocked moves every waiter to out: what they asked has no answer here any more.
func (p *Partition) takeAllWaitersLocked(out *list[Waiter]) {
	for p.waiters.head != nil {
		p.waiters.takeTo(p.waiters.head, out)
	}
}
