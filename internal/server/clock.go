package server

import (
	"errors"
	"os"
	"time"
)

// headerBytes is how much of a frame must have come within the header limit:
// prefix, key, version, correlation id and the client id's length.
const headerBytes = 14

// clock keeps the time limits of the reading side. A deadline is moved only
// when the next wait needs an earlier one; one that fires too early is moved
// on. So a busy connection sets about one per limit, not one per request.
type clock struct {
	deadline time.Duration // the read deadline that stands, on Server.now; 0: none
	active   time.Duration // when the last frame ended, or the connection began
	began    time.Duration // when the wait for the rest of a frame began; 0: no frame is under way
	window   time.Duration // start of the current window of the body limit
	got      int           // bytes that were there at its start
	dirty    bool          // a frame ended since active was read off
	asleep   bool          // the connection naps, since it has been quiet
}

// frameEnded says that a frame came whole. The time is read at the next wait.
func (k *clock) frameEnded() { k.dirty, k.began, k.asleep = true, 0, false }

// restart begins the limits of a frame anew, after a wait that was ours.
func (k *clock) restart(now time.Duration, have int) {
	k.dirty = true
	if have > 0 {
		k.began, k.window, k.got = now, now, have
	}
}

// limitWait sets the read deadline for a wait that is about to begin.
func (c *conn) limitWait() {
	k, now := &c.clock, c.s.now()
	if k.dirty {
		k.active, k.dirty = now, false
	}
	have := c.in.have()
	if have > 0 && k.began == 0 {
		k.began, k.window, k.got = now, now, have
	}
	at := c.patientUntil(have)
	if k.deadline == 0 || at < k.deadline {
		c.setDeadline(at)
	}
}

func (c *conn) setDeadline(at time.Duration) {
	c.clock.deadline = at
	c.link.setReadDeadline(c.s.instant(at))
	if c.halt.Load() { // set before its deadline was: ours may have replaced that
		c.link.setReadDeadline(time.Unix(1, 0))
	}
}

// patientUntil says until when the peer has time, by what it has begun.
func (c *conn) patientUntil(have int) time.Duration {
	k, l := &c.clock, &c.s.limits
	switch {
	case have == 0 && (k.asleep || !c.link.direct()):
		return k.active + l.idle
	case have == 0:
		return k.active + min(l.nap, l.idle)
	case have < headerBytes:
		return k.began + l.header
	}
	return k.window + l.bodyWindow
}

// readFailed judges a read that brought nothing: a limit that has passed ends
// the connection, a deadline that came early is moved on.
func (c *conn) readFailed(err error) *ended {
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return readEnd(err)
	}
	if c.halt.Load() {
		return nil // the caller looks
	}
	k, l, now, have := &c.clock, &c.s.limits, c.s.now(), c.in.have()
	if k.dirty {
		k.active, k.dirty = now, false
	}
	switch {
	case now < c.patientUntil(have):
	case have == 0 && !c.idle():
		k.active = now
	case have == 0 && now >= k.active+l.idle:
		return end(closedIdle)
	case have == 0:
		k.asleep = true
		c.setDeadline(c.patientUntil(have))
		return asleep
	case have < headerBytes:
		return end(closedSlowHeader)
	case have-k.got < l.bodyBytes:
		return end(closedSlowBody)
	default:
		k.window, k.got = now, have
	}
	c.setDeadline(c.patientUntil(have))
	return nil
}

// idle says that nothing is in flight: what is, is finished first.
func (c *conn) idle() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pending == 0
}
