package server

import (
	"time"

	"github.com/brokerd/brokerd/internal/wire"
)

// role says who holds the gate, and so what it may do.
type role uint8

const (
	reader    role = iota // the connection's goroutine: may wait for the peer, for file ranges
	completer             // whoever finished the head, a writer, the timer: never waits
	drainer               // the drain goroutine: does whatever is left
)

const (
	// joinBytes is how much of small answers is copied together for one send.
	joinBytes = 64 << 10
	// joinOne is the largest answer that is worth the copy.
	joinOne = 16 << 10
	// coveredBytes is the size up to which maxPending bounds the answers of
	// requests that waited; larger ones are counted against maxHeld.
	coveredBytes = 4 << 10
)

// output is what has left the queue and is on its way to the socket. It is in
// the hands of whoever holds the gate, and goes with it.
type output struct {
	first *entry // in order, linked by next
	until *entry // first that p does not cover
	p     []byte // what leaves next
	ready bool   // p and until are set
	buf   *wire.Buffer

	sent int   // entries gone since the counters were last told
	held int64 // what they held
}

// enqueue appends e to the queue. false: the connection is dead, and e dropped.
func (c *conn) enqueue(e *entry) bool {
	c.mu.Lock()
	if c.dead {
		c.mu.Unlock()
		c.discard(e)
		return false
	}
	e.queued = true
	if c.tail == nil {
		c.head = e
	} else {
		c.tail.next = e
	}
	c.tail = e
	c.pending++
	c.held += e.cost
	c.mu.Unlock()
	c.unflushed = true
	return true
}

// flush sends the answers in hand. If somebody else holds the gate, that one does.
func (c *conn) flush() {
	if !c.unflushed {
		return
	}
	c.unflushed = false
	c.mu.Lock()
	if c.gate || c.dead || c.head == nil {
		c.mu.Unlock()
		return
	}
	c.gate = true
	c.mu.Unlock()
	c.pump(reader)
}

// Send is called by one of the writers, for a completer that had handed us over.
func (c *conn) Send() {
	c.mu.Lock()
	c.handed = false
	if c.gate || c.dead || c.head == nil || !c.head.finished {
		c.mu.Unlock()
		return
	}
	c.gate = true
	c.mu.Unlock()
	c.pump(completer)
}

// pump sends until the head waits. The caller holds the gate; pump gives it
// back, or passes it to the drain goroutine.
func (c *conn) pump(by role) {
	var o output
	c.sendOn(&o, by)
}

// pop takes the finished entries off the head of the queue. With none there it
// sets the timer for the head, gives the gate back and returns nil.
func (c *conn) pop(o *output) *entry {
	c.mu.Lock()
	c.accountLocked(o)
	for {
		h := c.head
		switch {
		case c.dead || h == nil:
			c.leaveLocked()
			return nil
		case h.finished:
			c.cutLocked()
			c.mu.Unlock()
			return h
		case h.asked:
			c.armLocked(h)
			c.leaveLocked()
			return nil
		}
		c.mu.Unlock()
		at := h.outcome.Deadline() // the head stays: only we pop
		c.mu.Lock()
		h.asked, h.deadline = true, at
	}
}

// cutLocked takes the run of finished entries out of the queue.
func (c *conn) cutLocked() {
	last := c.head
	for last.next != nil && last.next.finished {
		last = last.next
	}
	c.head, last.next = last.next, nil
	if c.head == nil {
		c.tail = nil
	}
}

func (c *conn) leaveLocked() {
	c.gate = false
	c.signalLocked()
	c.mu.Unlock()
}

// accountLocked takes what has been sent off the connection's counters.
func (c *conn) accountLocked(o *output) {
	c.pending -= o.sent
	c.held -= o.held
	o.sent, o.held = 0, 0
}

// account is for the drain goroutine, whose batches take long.
func (c *conn) account(o *output) {
	c.mu.Lock()
	c.accountLocked(o)
	c.signalLocked()
	c.mu.Unlock()
}

// armLocked sets the connection's one timer for the head's deadline. A timer
// that fires earlier may stay: it looks again then.
func (c *conn) armLocked(h *entry) {
	if h.deadline.IsZero() || c.timerSet && !c.timerAt.After(h.deadline) {
		return
	}
	c.timerSet, c.timerAt = true, h.deadline
	d := time.Until(h.deadline)
	if c.timer == nil {
		c.timer = time.AfterFunc(d, c.expire)
		return
	}
	c.timer.Reset(d)
}

// expire is the timer: the head leaves if its deadline has passed.
func (c *conn) expire() {
	c.mu.Lock()
	c.timerSet = false
	h := c.head
	if c.gate || c.dead || h == nil || h.finished || !h.asked {
		c.mu.Unlock() // whoever has the gate, or will take it, sets the timer again
		return
	}
	if time.Now().Before(h.deadline) {
		c.armLocked(h)
		c.mu.Unlock()
		return
	}
	h.finished, h.expired = true, true
	c.gate = true
	c.mu.Unlock()
	c.pump(completer)
}
