package server

import (
	"sync"
	"time"

	"github.com/brokerd/brokerd/internal/wire"
)

// entry is one request between its taking up and the leaving of its answer.
// Entries are used again, with their Call, but only when nobody can hold one
// any more: not when the deadline passed first (done may still be called), nor
// when the connection was lost.
type entry struct {
	c       *conn
	call    wire.Call
	outcome wire.Outcome
	trait   wire.Trait
	size    int           // of the frame
	began   time.Duration // on Server.now: the whole frame was there

	// Guarded by c.mu.
	queued   bool
	finished bool // answered, completed or expired: may leave when it is the head
	expired  bool
	asked    bool // deadline is known
	deadline time.Time
	next     *entry

	// Owned by the connection's goroutine until queued, then by whoever holds
	// the gate.
	answered bool
	answer   wire.Answer
	cost     int64 // bytes it holds, against maxHeld
	share    int64 // bytes of the memory budget
	taken    bool  // share was taken, not forced

	done func(*wire.Handoff) // complete, bound once
}

var entries sync.Pool

func takeEntry(c *conn) *entry {
	e, _ := entries.Get().(*entry)
	if e == nil {
		e = new(entry)
		e.done = e.complete
	}
	e.c = c
	return e
}

// recycle is called when the answer has left or was never to leave.
func (e *entry) recycle() {
	if e.expired {
		return
	}
	*e = entry{done: e.done}
	entries.Put(e)
}

// silent says that nothing leaves for the request: acks=0.
func (e *entry) silent() bool {
	return e.answered && e.answer.Frame == nil && len(e.answer.Files) == 0 && !e.last()
}

// last says that the connection ends with this answer.
func (e *entry) last() bool { return e.answer.Close != "" || e.answer.Upgrade != nil }

// observe tells how long the request took, its answer's way out not counted.
func (e *entry) observe() {
	if o := e.c.s.observe; o != nil {
		o(e.call.Key, e.c.s.now()-e.began)
	}
}

func (e *entry) release() {
	if e.answer.Release != nil {
		e.answer.Release()
	}
}

// complete is what the outcome calls when it is finished (X of
// docs/ARCHITECTURE.md). It sends only if this entry is the head and the gate is
// free, and never waits.
func (e *entry) complete(h *wire.Handoff) {
	c := e.c
	c.mu.Lock()
	if e.finished || c.dead {
		c.mu.Unlock()
		return
	}
	e.finished = true
	if !e.queued || c.head != e || c.gate || c.handed {
		c.mu.Unlock()
		return
	}
	if h != nil {
		c.handed = true
		c.mu.Unlock()
		h.Add(c)
		return
	}
	c.gate = true
	c.mu.Unlock()
	c.pump(completer)
}
