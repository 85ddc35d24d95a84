package server

import (
	"io"
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// rawLink is a TCP connection, read and written by system calls on its
// descriptor: idle it owns no buffer, sends never wait unless asked to, and
// file ranges leave by sendfile. Its callbacks are bound once; what they work
// on stands in the fields beside them.
type rawLink struct {
	c    *conn
	tcp  *net.TCPConn
	conn syscall.RawConn

	// The connection's goroutine.
	readable func(fd uintptr) bool
	readErr  error
	napping  bool

	// The holder of the gate.
	more    bool                  // follows what write sends
	sendAll func(fd uintptr) bool // finish, bound at the first use: idle connections have no use for it
	sendNow func(fd uintptr)
	p       []byte
	sent    int
	sendErr error
	sink    fileSink
	wait    patience
}

func newRawLink(c *conn, tcp *net.TCPConn, raw syscall.RawConn) *rawLink {
	l := &rawLink{c: c, tcp: tcp, conn: raw}
	l.readable, l.sendNow = l.receive, l.send
	l.sink.l, l.wait.l = l, l
	return l
}

// nap waits until there is something to read. Everything below it must fit in
// the 2 KiB that a goroutine starts with; what it calls before it waits, too.
func (l *rawLink) nap() {
	l.napping = true
	_ = l.conn.Read(l.readable) // fill hears the same
	l.napping = false
}

func (l *rawLink) fill() error {
	l.readErr = nil
	if err := l.conn.Read(l.readable); err != nil {
		return err
	}
	return l.readErr
}

// receive is called when bytes may be there; false waits for them, and owns no
// buffer meanwhile.
func (l *rawLink) receive(fd uintptr) bool {
	if l.napping {
		return somethingToRead(int(fd))
	}
	return l.take(fd)
}

func (l *rawLink) take(fd uintptr) bool {
	in := &l.c.in
	p := in.space(readBytes)
	if l.c.s.memory.scarce() {
		p = p[:min(len(p), partialBytes)]
	}
	n, err := ignoringEINTR(unix.Read, int(fd), p)
	switch {
	case n > 0:
		in.received(n)
	case err == unix.EAGAIN:
		in.park()
		l.c.limitWait()
		return false
	case err != nil:
		l.readErr = err
	default:
		l.readErr = io.EOF
	}
	return true
}

func (l *rawLink) direct() bool { return true }

func (l *rawLink) push(p []byte) (int, error) {
	l.p, l.sent, l.sendErr = p, 0, nil
	err := l.conn.Control(l.sendNow)
	l.p = nil
	if err == nil {
		err = l.sendErr
	}
	return l.sent, err
}

func (l *rawLink) send(fd uintptr) {
	n, err := sendNoWait(int(fd), l.p, false)
	if err != nil && err != unix.EAGAIN {
		l.sendErr = err
		return
	}
	l.sent = max(n, 0)
}

func (l *rawLink) write(p []byte, more bool) error {
	if l.sendAll == nil {
		l.sendAll = l.finish
	}
	l.p, l.more, l.sendErr = p, more, nil
	err := l.wait.Write(l.sendAll)
	l.p = nil
	if err == nil {
		err = l.sendErr
	}
	return err
}

// finish sends what is left of p; false waits for the peer.
func (l *rawLink) finish(fd uintptr) bool {
	for len(l.p) > 0 {
		n, err := sendNoWait(int(fd), l.p, l.more)
		if err == unix.EAGAIN {
			return false
		}
		if err != nil {
			l.sendErr = err
			return true
		}
		l.p = l.p[n:]
	}
	return true
}

func (l *rawLink) files() io.Writer { return &l.sink }

func (l *rawLink) setReadDeadline(t time.Time) {
	_ = l.tcp.SetReadDeadline(t) // fails on a closed connection only, and the read will say so
}

func (l *rawLink) leave() net.Conn {
	_ = l.tcp.SetDeadline(time.Time{}) // as above
	return l.tcp
}

func (l *rawLink) closeWrite() {
	_ = l.tcp.CloseWrite() // a connection that is gone already has nothing to end
}

func (l *rawLink) discard(d time.Duration) { discard(l.tcp, d) }

func (l *rawLink) close() {
	_ = l.tcp.Close() // nothing was promised that Close could still lose
}
