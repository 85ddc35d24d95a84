package server

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// memNet is a network of buffered in-memory connections, for bubbles. Each
// direction holds limit bytes, then writes wait.
type memNet struct {
	limit  int
	accept chan net.Conn
}

func newMemNet(limit int) *memNet { return &memNet{limit, make(chan net.Conn)} }

type memAddr string

func (memAddr) Network() string  { return "mem" }
func (a memAddr) String() string { return string(a) }

type memListener struct {
	n    *memNet
	once sync.Once
	gone chan struct{}
}

func (n *memNet) Listen(context.Context, string) (net.Listener, error) {
	return &memListener{n: n, gone: make(chan struct{})}, nil
}

func (n *memNet) Dial(ctx context.Context, _ string) (net.Conn, error) {
	a, b := newMemDir(n.limit), newMemDir(n.limit)
	select {
	case n.accept <- &memConn{in: a, out: b}:
		return &memConn{in: b, out: a}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *memListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.n.accept:
		return c, nil
	case <-l.gone:
		return nil, net.ErrClosed
	}
}
func (l *memListener) Close() error   { l.once.Do(func() { close(l.gone) }); return nil }
func (l *memListener) Addr() net.Addr { return memAddr("10.0.0.1:1") }

// memDir is one direction.
type memDir struct {
	mu       sync.Mutex
	buf      []byte
	limit    int
	ended    bool // no more writes
	broken   bool // reset by close of the reading end
	change   chan struct{}
	readable [2]time.Time // deadlines: read, write
}

func newMemDir(limit int) *memDir { return &memDir{limit: limit, change: make(chan struct{})} }

func (d *memDir) changed() { close(d.change); d.change = make(chan struct{}) }

func (d *memDir) set(f func()) {
	d.mu.Lock()
	f()
	d.changed()
	d.mu.Unlock()
}

// wait calls try under mu until it is satisfied or the deadline has passed.
func (d *memDir) wait(which int, try func() bool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for {
		at := d.readable[which]
		if !at.IsZero() && !time.Now().Before(at) {
			return os.ErrDeadlineExceeded
		}
		if try() {
			d.changed()
			return nil
		}
		change := d.change
		d.mu.Unlock()
		if at.IsZero() {
			<-change
		} else {
			timer := time.NewTimer(time.Until(at))
			select {
			case <-change:
			case <-timer.C:
			}
			timer.Stop()
		}
		d.mu.Lock()
	}
}

type memConn struct{ in, out *memDir }

func (c *memConn) Read(p []byte) (n int, err error) {
	failed := c.in.wait(0, func() bool {
		switch {
		case c.in.broken:
			err = net.ErrClosed
		case len(c.in.buf) > 0:
			n = copy(p, c.in.buf)
			c.in.buf = c.in.buf[n:]
		case c.in.ended:
			err = io.EOF
		default:
			return false
		}
		return true
	})
	return n, errors.Join(failed, err)
}

func (c *memConn) Write(p []byte) (sent int, err error) {
	for sent < len(p) && err == nil {
		failed := c.out.wait(1, func() bool {
			if c.out.broken || c.out.ended {
				err = io.ErrClosedPipe
				return true
			}
			n := min(len(p)-sent, c.out.limit-len(c.out.buf))
			c.out.buf = append(c.out.buf, p[sent:sent+n]...)
			sent += n
			return n > 0
		})
		if failed != nil {
			return sent, failed
		}
	}
	return sent, err
}

func (c *memConn) CloseWrite() error { c.out.set(func() { c.out.ended = true }); return nil }

func (c *memConn) Close() error {
	_ = c.CloseWrite()
	c.in.set(func() { c.in.broken = true })
	return nil
}

func (c *memConn) LocalAddr() net.Addr  { return memAddr("10.0.0.1:1") }
func (c *memConn) RemoteAddr() net.Addr { return memAddr("10.0.0.2:2") }

func (c *memConn) SetDeadline(t time.Time) error {
	_ = c.SetReadDeadline(t)
	return c.SetWriteDeadline(t)
}
func (c *memConn) SetReadDeadline(t time.Time) error {
	c.in.set(func() { c.in.readable[0] = t })
	return nil
}
func (c *memConn) SetWriteDeadline(t time.Time) error {
	c.out.set(func() { c.out.readable[1] = t })
	return nil
}
