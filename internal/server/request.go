package server

import (
	"errors"
	"runtime/debug"

	"github.com/brokerd/brokerd/internal/invariant"
	"github.com/brokerd/brokerd/internal/wire"
)

// keyApiVersions is passed on in any version: a too new one is answered, or
// the client could not learn which ones there are (KIP-511). From version 3 on
// its request header is flexible.
const (
	keyApiVersions         = 18
	apiVersionsFlexibleMin = 3
)

// lightCost is what a waiting request counts against maxHeld that keeps nothing
// of its body.
const lightCost = 512

var errPanic = errors.New("panic in a request")

// takeUp serves one request. What it makes stands in the queue afterwards; it
// leaves at the next flush, or when it is completed.
func (c *conn) takeUp(frame []byte) *ended {
	c.requests.Add(1)
	c.bytesIn.Add(int64(prefixBytes + len(frame)))
	h, rest := wire.ParseFixed(frame)
	t := c.s.dispatcher.Trait(h.Key, h.Version)
	if !t.Known {
		if h.Key != keyApiVersions {
			_, _ = h.ParseRest(rest, false) // only for the client id in the log
			c.s.hints.unsupported(c, h)
			return end(closedVersion)
		}
		t.Flexible = h.Version >= apiVersionsFlexibleMin
	}
	body, err := h.ParseRest(rest, t.Flexible)
	if err != nil {
		return &ended{closedHeader, err}
	}

	e := takeEntry(c)
	e.trait, e.size = t, len(frame)
	more := t.Gathers && c.gathersOn(h.Key)
	e.call = wire.Call{
		Key: h.Key, Version: h.Version, Correlation: h.Correlation,
		ClientID: c.knownClientID(h.ClientID), Body: body, Client: &c.client,
		Later: more || c.gathered != nil,
	}
	if err := c.ask(e); err != nil {
		return &ended{closedPanic, err}
	}
	e.call.Body = nil
	if e.outcome == nil {
		return end(closedRefused)
	}
	if !e.call.Later {
		return c.accept(e)
	}
	c.gatherIn(e)
	if more {
		return nil
	}
	return c.endRun()
}

// accept puts a served request into the queue, finished or not.
func (c *conn) accept(e *entry) *ended {
	if err := c.learn(e); err != nil {
		return &ended{closedPanic, err}
	}
	c.charge(e)
	if e.silent() {
		e.release()
		c.giveBack(e)
		e.recycle()
		return nil
	}
	stop := e.answered && e.last() || !e.answered && !e.trait.ReadsOn
	if !c.enqueue(e) {
		return nil // the next look finds out why
	}
	if stop {
		return c.settled()
	}
	return nil
}

// ask lets the dispatcher serve the call. A panic is that request's alone, unless
// a broken invariant.
func (c *conn) ask(e *entry) (err error) {
	defer c.recover(&err)
	if c.s.observe != nil {
		e.began = c.s.now()
	}
	e.outcome = c.s.dispatcher.Serve(&e.call)
	if e.call.Key == keyApiVersions {
		c.mu.Lock()
		c.software = Software{c.client.Software, c.client.SoftwareVersion}
		c.mu.Unlock()
	}
	return nil
}

// learn takes the answer where it is ready, and waits for it where it is not.
func (c *conn) learn(e *entry) (err error) {
	defer c.recover(&err)
	if e.outcome.Ready() {
		e.answer, e.answered, e.finished = e.outcome.Finish(false), true, true
		e.observe()
	} else {
		e.outcome.Notify(e.done)
	}
	return nil
}

// conclude gives e its answer. The caller holds the gate.
func (c *conn) conclude(e *entry) {
	if e.answered {
		return
	}
	e.answered = true
	if err := c.askFinish(e); err != nil {
		e.answer = wire.Answer{Close: closedPanic}
	}
}

func (c *conn) askFinish(e *entry) (err error) {
	defer c.recover(&err)
	e.answer = e.outcome.Finish(e.expired)
	e.observe()
	return nil
}

// drop tells an outcome that nobody waits any more.
func (c *conn) drop(o wire.Outcome) {
	var err error
	defer c.recover(&err) // counted and logged there
	o.Drop()
}

func (c *conn) recover(err *error) {
	v := recover()
	if v == nil {
		return
	}
	if _, ours := v.(invariant.Broken); ours {
		panic(v)
	}
	c.s.panicked(v, debug.Stack())
	*err = errPanic
}

// charge accounts for what the request holds from now on: the budget's share
// of its frame, and its part of maxHeld. What is answered or light gives the
// share back at once: its memory is the read buffer's again.
func (c *conn) charge(e *entry) {
	switch {
	case e.answered:
		e.cost = int64(len(e.answer.Frame))
		c.giveShare()
	case e.trait.Light:
		e.cost = lightCost
		c.giveShare()
	case c.in.share > 0:
		e.cost = int64(e.size)
		e.share, e.taken = c.in.share, true
		c.in.share = 0
	default:
		e.cost = int64(e.size)
		e.share = int64(e.size)
		c.s.memory.force(e.share)
	}
}

// giveShare returns what was taken for the frame at hand.
func (c *conn) giveShare() {
	if c.in.share > 0 {
		c.s.memory.give(c.in.share)
		c.in.share = 0
	}
}

// giveBack returns what an entry holds of the budget.
func (c *conn) giveBack(e *entry) {
	switch {
	case e.share == 0:
	case e.taken:
		c.s.memory.give(e.share)
	default:
		c.s.memory.unforce(e.share)
	}
	e.share = 0
}

// knownClientID makes no new string for the client id of the request before.
func (c *conn) knownClientID(id []byte) string {
	if string(id) != c.clientID {
		c.clientID = string(id)
	}
	return c.clientID
}
