package server

import (
	"github.com/brokerd/brokerd/internal/wire"
)

// sendOn sends o and what follows it in the queue. It ends without the gate.
func (c *conn) sendOn(o *output, by role) {
	for {
		if o.first == nil {
			if o.first = c.pop(o); o.first == nil {
				return
			}
		}
		if !o.ready && !c.load(o) {
			continue
		}
		passed, err := c.sendLoaded(o, by)
		if passed {
			return
		}
		if err != nil {
			c.lost(o, err)
			continue // pop gives the gate back
		}
		c.settle(o)
		if by == drainer {
			c.account(o)
		}
	}
}

// load concludes the answers that leave next and joins small ones. false: all
// there was is silent, and gone.
func (c *conn) load(o *output) bool {
	for e := o.first; e != nil; e = o.first {
		c.conclude(e)
		if !e.silent() {
			break
		}
		o.until, o.p = e.next, nil
		c.settle(o)
	}
	e := o.first
	if e == nil {
		return false
	}
	c.countLarge(o, e)
	o.ready, o.until, o.p = true, e.next, e.answer.Frame
	if len(e.answer.Files) > 0 || e.last() || len(o.p) > joinOne {
		return true
	}
	for n := o.until; n != nil && !e.last(); n = n.next {
		c.conclude(n)
		if len(n.answer.Files) > 0 || len(n.answer.Frame) > joinOne || len(o.p)+len(n.answer.Frame) > joinBytes {
			break
		}
		if len(n.answer.Frame) > 0 {
			c.join(o, n.answer.Frame)
		}
		o.until, e = n.next, n
	}
	return true
}

// join appends p to what leaves next.
func (c *conn) join(o *output, p []byte) {
	if o.buf == nil {
		o.buf = wire.Take(len(o.p) + len(p))
		o.buf.B = append(o.buf.B, o.p...)
	}
	o.buf.B = append(o.buf.B, p...)
	o.p = o.buf.B
}

// countLarge takes up the size of a large answer whose request was counted with less.
func (c *conn) countLarge(o *output, e *entry) {
	more := int64(len(e.answer.Frame)) - e.cost
	if more <= coveredBytes {
		return
	}
	e.cost += more
	c.mu.Lock()
	c.held += more
	c.mu.Unlock()
}

// sendLoaded sends what load has set. passed: the gate went to the drain
// goroutine, with all of o.
func (c *conn) sendLoaded(o *output, by role) (passed bool, err error) {
	files := o.first.answer.Files
	if by != drainer && (!c.link.direct() || by == completer && len(files) > 0) {
		go c.drain(*o)
		return true, nil
	}
	switch {
	case len(files) > 0:
		if by == reader {
			c.in.park() // it may wait for the peer
		}
		return false, c.sendFiles(o.p, files)
	case by == drainer:
		err = c.link.write(o.p, false)
		c.bytesOut.Add(int64(len(o.p)))
		return false, err
	}
	n, err := c.link.push(o.p)
	c.bytesOut.Add(int64(n))
	if err == nil && n < len(o.p) {
		o.p = o.p[n:]
		go c.drain(*o)
		return true, nil
	}
	return false, err
}

// drain lives while the peer is slow, or sends what completers must not. It
// holds the gate, and the connection's goroutine waits for the gate at the end.
func (c *conn) drain(o output) { c.sendOn(&o, drainer) }

// sendFiles sends frame with the ranges in between.
func (c *conn) sendFiles(frame []byte, files []wire.FilePart) error {
	at := 0
	for _, f := range files {
		if f.At > at {
			if err := c.link.write(frame[at:f.At], true); err != nil {
				return err
			}
			c.bytesOut.Add(int64(f.At - at))
			at = f.At
		}
		want := f.Data.Len()
		n, err := f.Data.WriteTo(c.link.files())
		c.bytesOut.Add(n)
		if err != nil {
			return &shortFile{err}
		}
		if n != want {
			return &shortFile{}
		}
	}
	if at == len(frame) {
		return nil
	}
	c.bytesOut.Add(int64(len(frame) - at))
	return c.link.write(frame[at:], false)
}

// shortFile is a range that did not give what its length promised.
type shortFile struct{ cause error }

func (s *shortFile) Error() string {
	if s.cause == nil {
		return closedShortFile
	}
	return closedShortFile + ": " + s.cause.Error()
}

func (s *shortFile) Unwrap() error { return s.cause }

// settle is called when what load has set is gone: everything of it goes back.
// An answer that ends the connection was the last of it.
func (c *conn) settle(o *output) {
	for o.first != o.until {
		e := o.first
		o.first = e.next
		o.sent++
		o.held += e.cost
		e.release()
		c.giveBack(e)
		if e.last() {
			c.conclusion(e.answer)
			c.letGo(o) // nobody follows
			return
		}
		e.next = nil
		e.recycle()
	}
	o.done()
}

// done forgets what has been sent.
func (o *output) done() {
	if o.buf != nil {
		o.buf.Release()
	}
	o.buf, o.p, o.until, o.ready = nil, nil, nil, false
}

// conclusion carries out what the last answer of a connection says.
func (c *conn) conclusion(a wire.Answer) {
	if a.Upgrade == nil {
		c.die(end(a.Close), true)
		return
	}
	c.mu.Lock()
	if !c.dead {
		c.dead, c.reason, c.upgrade = true, end(closedUpgraded), a.Upgrade
	}
	c.signalLocked()
	c.mu.Unlock()
}

// lost ends the connection over an error of sending.
func (c *conn) lost(o *output, err error) {
	why := connEnd(err)
	if short, ok := err.(*shortFile); ok && why.reason == closedReset {
		why = &ended{closedShortFile, short}
	}
	c.die(why, false)
	c.letGo(o)
}

// letGo releases what is on its way and will not arrive.
func (c *conn) letGo(o *output) {
	for e := o.first; e != nil; e = e.next {
		o.sent++
		o.held += e.cost
		c.discard(e)
	}
	o.first = nil
	o.done()
}
