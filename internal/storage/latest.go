package storage

import (
	"sync"
	"sync/atomic"
)

// latest is the view of now. One follows the other with every append, commit and
// sync, so a view that nobody can see any more is written again:
//
//	enter, read, leave    who is inside may use the view that it found
//	Load                  the view stays as it is for good
//	update                copy, change, swap; nobody inside: the old one is spare
//
// Who enters after the swap finds the new view, and who entered before has left
// when nobody is inside: so nobody has the old one then. A view that was loaded, or
// replaced while somebody was inside, is left to the garbage collector.
type latest struct {
	at     atomic.Pointer[moment]
	inside atomic.Int32
}

// moment is a view, and whether somebody keeps it.
type moment struct {
	view
	kept atomic.Bool
}

var moments = sync.Pool{New: func() any { return new(moment) }}

// spare gives back a moment that nobody has.
func (m *moment) spare() {
	m.view = view{} // holds no segment of a log that has gone on
	moments.Put(m)
}

// enter gives the view until leave.
func (c *latest) enter() *view {
	c.inside.Add(1)
	return &c.at.Load().view
}

func (c *latest) leave() { c.inside.Add(-1) }

// Load gives the view for as long as the caller likes.
func (c *latest) Load() *view {
	c.inside.Add(1)
	defer c.leave()
	m := c.at.Load()
	if !m.kept.Load() {
		m.kept.Store(true)
	}
	return &m.view
}

// Store publishes v whatever was there: only while nobody else has the log.
func (c *latest) Store(v *view) { c.at.Store(&moment{view: *v}) }

// update publishes a view that differs by change, which may run more than once;
// false from it, and nothing happens.
func (c *latest) update(change func(*view) bool) bool {
	next := moments.Get().(*moment)
	c.inside.Add(1) // old is not written again meanwhile, so it is the same where CompareAndSwap says so
	for {
		old := c.at.Load()
		next.view = old.view
		if !change(&next.view) {
			c.leave()
			next.spare()
			return false
		}
		if c.at.CompareAndSwap(old, next) {
			if c.inside.Add(-1) == 0 && !old.kept.Load() {
				old.spare()
			}
			return true
		}
	}
}
