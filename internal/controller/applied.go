package controller

import (
	"sync"
	"time"

	"github.com/brokerd/brokerd/internal/meta"
)

// appliedWait holds those who wait until every active broker has applied an
// entry. Bounded by the requests that clients may have under way.
type appliedWait struct {
	mu   sync.Mutex
	list []*appliedWaiter
}

type appliedWaiter struct {
	index uint64
	timer *time.Timer
	once  sync.Once
	done  func()
}

func (w *appliedWaiter) finish() {
	w.once.Do(func() {
		if w.timer != nil {
			w.timer.Stop()
		}
		w.done()
	})
}

func (a *appliedWait) add(index uint64, limit time.Duration, done func()) *appliedWaiter {
	w := &appliedWaiter{index: index, done: done}
	a.mu.Lock()
	w.timer = time.AfterFunc(limit, func() {
		a.drop(w)
		w.finish()
	})
	a.list = append(a.list, w)
	a.mu.Unlock()
	return w
}

func (a *appliedWait) drop(w *appliedWaiter) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := range a.list {
		if a.list[i] == w {
			a.list = append(a.list[:i], a.list[i+1:]...)
			return
		}
	}
}

// check finishes those whose index is applied by all.
func (a *appliedWait) check(im *meta.Image, by func(*meta.Image, uint64) bool) {
	a.mu.Lock()
	if len(a.list) == 0 {
		a.mu.Unlock()
		return
	}
	list := append([]*appliedWaiter(nil), a.list...)
	a.mu.Unlock()
	for _, w := range list {
		if by(im, w.index) {
			a.drop(w)
			w.finish()
		}
	}
}

// all finishes everybody: the controller ends.
func (a *appliedWait) all() {
	a.mu.Lock()
	list := a.list
	a.list = nil
	a.mu.Unlock()
	for _, w := range list {
		w.finish()
	}
}

// WhenApplied calls done once when every active broker has applied index, or
// after limit: a topic that CreateTopics answered is listed by every broker.
// done may run at once, on the caller's goroutine, and must not block.
func (c *Controller) WhenApplied(index uint64, limit time.Duration, done func()) {
	if c.appliedBy(c.o.Catalog.Image(), index) {
		done()
		return
	}
	c.applied.add(index, limit, done)
	c.applied.check(c.o.Catalog.Image(), c.appliedBy) // it may have come meanwhile
}
