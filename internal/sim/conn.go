package sim

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// window is how many bytes of one direction may be written and not yet read.
const window = 1 << 20

// packet is one write under way.
type packet struct {
	data []byte
	at   time.Time // not before
	fin  bool      // the writer closed its end
}

// lane is one direction of a connection. Under Net.mu.
type lane struct {
	n       *Net
	link    link
	queue   []packet // under way, in order
	size    int      // bytes of queue and inbox
	inbox   []byte   // arrived
	ended   bool     // the end arrived
	err     error    // broken
	timer   *time.Timer
	queued  bool          // in Net.lanes
	changed chan struct{} // closed and replaced when a reader or writer should look again
}

func newLane(n *Net, l link) *lane { return &lane{n: n, link: l, changed: make(chan struct{})} }

func (l *lane) notifyLocked() {
	close(l.changed)
	l.changed = make(chan struct{})
}

func (l *lane) sendLocked(p packet) {
	n := l.n
	p.at = time.Now().Add(n.o.Latency)
	if n.o.Jitter > 0 {
		p.at = p.at.Add(time.Duration(n.rng.Int64N(int64(n.o.Jitter))))
	}
	if k := len(l.queue); k > 0 && p.at.Before(l.queue[k-1].at) {
		p.at = l.queue[k-1].at
	}
	l.queue = append(l.queue, p)
	l.size += len(p.data)
	n.scheduleLocked(l)
}

// scheduleLocked sees to it that the head of a lane will arrive.
func (n *Net) scheduleLocked(l *lane) {
	if len(l.queue) == 0 || l.err != nil {
		return
	}
	if n.o.Bus {
		if !l.queued {
			l.queued = true
			n.lanes = append(n.lanes, l)
		}
		n.wakeLocked()
		return
	}
	if n.cuts[l.link] {
		return // Heal schedules again
	}
	wait := time.Until(l.queue[0].at)
	if wait <= 0 && n.o.Latency == 0 && n.o.Jitter == 0 {
		l.arriveLocked(time.Now())
		return
	}
	if l.timer == nil {
		l.timer = time.AfterFunc(wait, func() {
			n.mu.Lock()
			defer n.mu.Unlock()
			l.timer = nil
			if !n.cuts[l.link] {
				l.arriveLocked(time.Now())
				n.scheduleLocked(l)
			}
		})
	}
}

// arriveLocked delivers everything that is due.
func (l *lane) arriveLocked(now time.Time) {
	for len(l.queue) > 0 && l.err == nil && !l.queue[0].at.After(now) {
		l.arriveOneLocked()
	}
}

func (l *lane) arriveOneLocked() {
	p := l.queue[0]
	l.queue[0] = packet{}
	if l.queue = l.queue[1:]; len(l.queue) == 0 {
		l.queue = nil
	}
	l.inbox = append(l.inbox, p.data...)
	l.ended = l.ended || p.fin
	l.n.delivered++
	l.notifyLocked()
}

func (l *lane) breakLocked(err error) {
	if l.err == nil {
		l.err, l.queue = err, nil
		if l.timer != nil {
			l.timer.Stop()
			l.timer = nil
		}
		l.notifyLocked()
	}
}

// conn is one end of a connection.
type conn struct {
	n             *Net
	local, remote string // hosts
	here, there   net.Addr
	out, in       *lane
	peer          *conn
	closed        bool // under Net.mu

	rd, wd deadline
}

func newConn(n *Net, local, remote string, here, there net.Addr, out, in *lane) *conn {
	return &conn{n: n, local: local, remote: remote, here: here, there: there, out: out, in: in,
		rd: newDeadline(), wd: newDeadline()}
}

// breakLocked ends both directions with an error at both ends.
func (c *conn) breakLocked(err error) {
	c.out.breakLocked(err)
	c.in.breakLocked(err)
	delete(c.n.conns, c)
	delete(c.n.conns, c.peer)
}

func (c *conn) Read(p []byte) (int, error) {
	for {
		expired := c.rd.done()
		c.n.mu.Lock()
		in := c.in
		switch {
		case c.closed:
			c.n.mu.Unlock()
			return 0, c.failed("read", net.ErrClosed)
		case isDone(expired):
			c.n.mu.Unlock()
			return 0, c.failed("read", os.ErrDeadlineExceeded)
		case len(in.inbox) > 0 || len(p) == 0:
			k := copy(p, in.inbox)
			if in.inbox = in.inbox[k:]; len(in.inbox) == 0 {
				in.inbox = nil
			}
			in.size -= k
			in.notifyLocked() // a writer may have waited for room
			c.n.mu.Unlock()
			return k, nil
		case in.err != nil:
			err := in.err
			c.n.mu.Unlock()
			return 0, c.failed("read", err)
		case in.ended:
			c.n.mu.Unlock()
			return 0, io.EOF
		}
		changed := in.changed
		c.n.mu.Unlock()
		select {
		case <-changed:
		case <-expired:
		}
	}
}

func (c *conn) Write(p []byte) (sent int, err error) {
	for {
		expired := c.wd.done()
		c.n.mu.Lock()
		out := c.out
		switch {
		case c.closed:
			err = net.ErrClosed
		case isDone(expired):
			err = os.ErrDeadlineExceeded
		case out.err != nil:
			err = out.err
		case c.peer.closed && !c.n.cuts[c.out.link]:
			err = syscall.EPIPE
		}
		if err != nil {
			c.n.mu.Unlock()
			return sent, c.failed("write", err)
		}
		if room := window - out.size; room > 0 {
			k := min(room, len(p)-sent)
			out.sendLocked(packet{data: append([]byte(nil), p[sent:sent+k]...)})
			sent += k
		}
		changed := out.changed
		c.n.mu.Unlock()
		if sent == len(p) {
			return sent, nil
		}
		select {
		case <-changed:
		case <-expired:
		}
	}
}

func (c *conn) failed(op string, err error) error {
	return &net.OpError{Op: op, Net: "sim", Source: c.here, Addr: c.there, Err: err}
}

// Close lets what was written arrive, then the end.
func (c *conn) Close() error {
	c.n.mu.Lock()
	defer c.n.mu.Unlock()
	if c.closed {
		return c.failed("close", net.ErrClosed)
	}
	c.closed = true
	c.rd.stop()
	c.wd.stop()
	if c.out.err == nil {
		c.out.sendLocked(packet{fin: true})
	}
	c.in.notifyLocked() // our own reader, and the peer's writer
	c.out.notifyLocked()
	if c.peer.closed {
		delete(c.n.conns, c)
		delete(c.n.conns, c.peer)
	}
	return nil
}

func (c *conn) LocalAddr() net.Addr  { return c.here }
func (c *conn) RemoteAddr() net.Addr { return c.there }

func (c *conn) SetDeadline(t time.Time) error {
	c.rd.set(t)
	c.wd.set(t)
	return nil
}

func (c *conn) SetReadDeadline(t time.Time) error {
	c.rd.set(t)
	return nil
}

func (c *conn) SetWriteDeadline(t time.Time) error {
	c.wd.set(t)
	return nil
}

// deadline is a channel that is closed when a moment has passed.
type deadline struct {
	mu    *sync.Mutex
	timer *time.Timer
	c     chan struct{}
}

func newDeadline() deadline { return deadline{mu: new(sync.Mutex), c: make(chan struct{})} }

func (d *deadline) done() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.c
}

func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	// Whoever waits on the old channel looks again, and takes the new one.
	if isDone(d.c) {
		d.c = make(chan struct{})
	}
	if t.IsZero() {
		return
	}
	c := d.c
	if wait := time.Until(t); wait > 0 {
		d.timer = time.AfterFunc(wait, func() { d.expire(c) })
		return
	}
	close(c)
}

func (d *deadline) expire(c chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.c == c && !isDone(c) {
		close(c)
	}
}

func (d *deadline) stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer != nil {
		d.timer.Stop()
	}
}

func isDone(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
