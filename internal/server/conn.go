package server

import (
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/brokerd/brokerd/internal/wire"
)

const (
	// maxPending and maxHeld bound what a connection has taken up and not yet
	// sent; beyond them reading stops. Kafka allows one.
	maxPending = 64
	maxHeld    = 1 << 20
	// lingerTime is how long a connection that ends in order waits for the
	// peer's end: closing over unread bytes would reset it, and answers that
	// are under way would be lost.
	lingerTime = 500 * time.Millisecond
)

// conn is one connection. Its goroutine reads, takes requests up and, on raw
// TCP, sends; see the picture in doc.go.
type conn struct {
	s      *Server
	link   link
	client wire.Client
	// counted says that it takes a place under the limit of all. Guarded by Server.mu.
	counted bool

	// Owned by the connection's goroutine.
	in        input
	clock     clock
	clientID  string // of the last request: most send the same for ever
	unflushed bool   // something was queued since the last flush
	gathered  *run   // served and not yet gathered; nil nearly always

	// halt says that the goroutine shall stop reading: shutdown, or an answer
	// that closes. It is set before the read deadline is moved to the past.
	halt atomic.Bool

	bytesIn, bytesOut, requests atomic.Int64 // each has one writer at a time

	mu         sync.Mutex
	software   Software
	head, tail *entry // taken up, in order; popped by the holder of the gate
	pending    int    // entries not yet sent, popped ones included
	held       int64  // bytes that they hold
	gate       bool   // one goroutine at a time sends
	handed     bool   // it waits for one of the writers
	dead       bool   // nothing more is sent
	departed   bool   // its read deadlines are somebody else's now
	reason     *ended // why dead
	orderly    bool   // what was sent shall arrive: no reset
	upgrade    func(net.Conn)
	waiting    bool // the goroutine waits for wake
	wake       chan struct{}
	timer      *time.Timer // fires at timerAt if timerSet
	timerAt    time.Time
	timerSet   bool
}

// run is the connection's goroutine, from accept to the last byte. After a quiet
// while it goes on as a new one: a stack that has served a request never gets
// as small as a new one again, and most connections are idle most of the time.
func (c *conn) run() {
	c.link.nap()
	why := c.serve()
	if why == asleep {
		c.s.all.Go(c.run)
		return
	}
	c.finish(why)
}

func (c *conn) serve() *ended {
	for {
		frame, why := c.nextFrame()
		if why == nil {
			why = c.takeUp(frame)
		}
		if why != nil {
			if c.gathered != nil { // what came before the end is work to be done
				_ = c.endRun() // the first reason counts
			}
			return why
		}
	}
}

// nextFrame gives the next whole frame, without its prefix. Before it waits for
// anything, the answers in hand leave.
func (c *conn) nextFrame() ([]byte, *ended) {
	for {
		if why := c.makeRoom(); why != nil {
			return nil, why
		}
		if why := c.measure(); why != nil {
			return nil, why
		}
		if frame, ok := c.in.next(); ok {
			c.clock.frameEnded()
			return frame, nil
		}
		c.in.trim(c.link.direct())
		c.flush()
		if c.halt.Load() {
			return nil, end(closedShutdown)
		}
		if why := c.reserve(); why != nil {
			return nil, why
		}
		if err := c.link.fill(); err != nil {
			if why := c.readFailed(err); why != nil {
				return nil, why
			}
		}
	}
}

// measure learns the size of the frame at hand and refuses what cannot be one.
func (c *conn) measure() *ended {
	in := &c.in
	if in.need > 0 {
		return nil
	}
	size, ok := in.size()
	if !ok {
		return nil
	}
	if size <= wire.FixedHeader || size > c.s.limits.requestBytes {
		c.s.hints.strangeSize(c, in.peek(strangeBytes))
		return end(closedSize)
	}
	in.need = prefixBytes + int(size)
	return nil
}

// reserve takes the memory budget for a frame that is not there yet and is too
// large to be copied out. While it waits the connection holds what has come of
// the frame, which is little when memory is scarce.
func (c *conn) reserve() *ended {
	in := &c.in
	if in.need <= partialBytes || in.share > 0 {
		return nil
	}
	n := int64(in.need)
	if !c.s.memory.tryTake(n) {
		in.park()
		if !c.s.memory.take(n, c.s.stopped) {
			return end(closedNoBudget)
		}
		c.clock.restart(c.s.now(), in.have())
	}
	in.share = n
	return nil
}

// makeRoom waits until the connection may take up another request.
func (c *conn) makeRoom() *ended {
	if c.hasRoom() {
		return nil
	}
	if c.gathered != nil { // their bodies are in the buffer that goes
		if why := c.endRun(); why != nil {
			return why
		}
	}
	c.flush()
	return c.await(func() bool { return c.pending < maxPending && c.held < maxHeld })
}

func (c *conn) hasRoom() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.dead && c.pending < maxPending && c.held < maxHeld
}

// settled waits until everything that was taken up has left.
func (c *conn) settled() *ended {
	c.flush()
	return c.await(func() bool { return c.pending == 0 })
}

// await waits, without a read buffer, until ok holds, which is asked under mu,
// or the connection has died.
func (c *conn) await(ok func() bool) *ended {
	c.mu.Lock()
	defer c.mu.Unlock()
	for waited := false; ; waited = true {
		if c.dead {
			return c.reason
		}
		if ok() {
			if waited {
				c.clock.restart(c.s.now(), c.in.have())
			}
			return nil
		}
		c.waitLocked()
	}
}

// waitLocked gives mu up until somebody signals.
func (c *conn) waitLocked() {
	if c.wake == nil {
		c.wake = make(chan struct{}, 1)
	}
	c.waiting = true
	c.mu.Unlock()
	c.in.park()
	<-c.wake
	c.mu.Lock()
	c.waiting = false
}

func (c *conn) signalLocked() {
	if !c.waiting {
		return
	}
	select {
	case c.wake <- struct{}{}:
	default: // a signal is there already
	}
}

// die ends the connection for everybody: nothing more is sent. The first reason counts.
func (c *conn) die(why *ended, orderly bool) {
	c.mu.Lock()
	first := !c.dead
	if first {
		c.dead, c.reason, c.orderly = true, why, orderly
	}
	c.signalLocked()
	c.mu.Unlock()
	switch {
	case !orderly:
		c.link.close()
	case first:
		c.stopReading()
	}
}

// stopReading wakes the goroutine where it waits for bytes.
func (c *conn) stopReading() {
	c.halt.Store(true)
	c.mu.Lock()
	if !c.departed { // moves a deadline, no more: nothing is waited for under mu
		c.link.setReadDeadline(time.Unix(1, 0))
	}
	c.mu.Unlock()
}

// finish is the end of the connection, on its goroutine.
func (c *conn) finish(why *ended) {
	if why.reason == closedShutdown {
		_ = c.settled() // what is in flight leaves first; a dead connection has nothing left
	} else {
		c.flush() // what was finished before the peer's mistake
	}
	why = c.last(why)
	c.dropQueue()
	c.giveShare()
	left := c.in.left()
	c.in.drop()
	c.s.dispatcher.Closed(&c.client)

	upgrade := c.upgrade
	if upgrade == nil {
		c.hangUp()
	}
	c.s.forget(c, why)
	if upgrade != nil {
		c.hand(upgrade, left)
	}
}

// last marks the connection dead, waits until nobody sends any more, and gives
// the reason that counts. Where the peer can still read, what is being sent
// arrives first.
func (c *conn) last(why *ended) *ended {
	reads := why.reason != closedByPeer && why.reason != closedReset
	c.mu.Lock()
	for reads && c.gate && !c.dead {
		c.waitLocked()
	}
	if !c.dead {
		c.dead, c.reason = true, why
		c.orderly = reads && c.bytesOut.Load() > 0
	}
	if c.timer != nil {
		c.timer.Stop()
	}
	cut := c.gate && !c.orderly && c.upgrade == nil
	c.mu.Unlock()
	if cut {
		c.link.close() // the drain goroutine waits for nothing then
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.gate {
		c.waitLocked()
	}
	return c.reason
}

// dropQueue tells those who are not answered any more. The gate is free and
// the connection dead: the queue is ours.
func (c *conn) dropQueue() {
	c.mu.Lock()
	e := c.head
	c.head, c.tail = nil, nil
	c.mu.Unlock()
	for ; e != nil; e = e.next {
		c.discard(e)
	}
}

// discard drops an entry that nobody will send.
func (c *conn) discard(e *entry) {
	if e.answered {
		e.release()
	} else {
		c.drop(e.outcome)
	}
	c.giveBack(e)
}

func (c *conn) hangUp() {
	if c.orderly {
		c.mu.Lock()
		c.departed = true // the deadline of discard stands
		c.mu.Unlock()
		c.link.closeWrite()
		c.link.discard(lingerTime)
	}
	c.link.close()
}

// hand gives the connection to its new owner, who reads first what has come
// already.
func (c *conn) hand(upgrade func(net.Conn), left []byte) {
	c.mu.Lock()
	c.departed = true
	nc := c.link.leave() // moves deadlines, no more
	c.mu.Unlock()
	if len(left) > 0 {
		nc = &begun{Conn: nc, left: left}
	}
	go upgrade(nc) // the new owner's from here on: it may hold it beyond our end
}

// begun is a connection of which a part has been read.
type begun struct {
	net.Conn
	left []byte
}

func (b *begun) Read(p []byte) (int, error) {
	if len(b.left) == 0 {
		return b.Conn.Read(p)
	}
	n := copy(p, b.left)
	b.left = b.left[n:]
	return n, nil
}
