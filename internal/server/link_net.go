package server

import (
	"io"
	"net"
	"time"
)

// netLink is any net.Conn: TLS, or the simulator's. Whether bytes are there
// cannot be asked, so it waits in a read of the length prefix, takes a buffer
// for exactly that frame, and all writing is the drain goroutine's.
type netLink struct {
	c    *conn
	conn net.Conn
}

// writeBytes is what one write may take: the write-stall limit is per piece.
const writeBytes = 64 << 10

func (l *netLink) fill() error {
	in := &l.c.in
	l.c.limitWait()
	if in.buf == nil && in.have() < prefixBytes {
		n, err := l.conn.Read(in.few[in.fewSize:])
		in.fewSize += n
		return readResult(n, err)
	}
	p := in.space(min(in.need, readBytes))
	n, err := l.conn.Read(p[:min(len(p), in.need-in.have())])
	in.received(n)
	return readResult(n, err)
}

// readResult lets the bytes count that came with an error; it will come again.
func readResult(n int, err error) error {
	if n > 0 {
		return nil
	}
	return err
}

func (l *netLink) nap() {}

func (l *netLink) direct() bool { return false }

func (l *netLink) push([]byte) (int, error) { return 0, nil }

func (l *netLink) write(p []byte, _ bool) error {
	_, err := l.Write(p)
	return err
}

func (l *netLink) files() io.Writer { return l }

// Write sends all of p, in pieces that each have the time of the write-stall limit.
func (l *netLink) Write(p []byte) (sent int, err error) {
	for sent < len(p) {
		if err := l.conn.SetWriteDeadline(time.Now().Add(l.c.s.limits.writeStall)); err != nil {
			return sent, err
		}
		n, err := l.conn.Write(p[sent:min(len(p), sent+writeBytes)])
		sent += n
		if err != nil {
			return sent, err
		}
	}
	return sent, nil
}

func (l *netLink) setReadDeadline(t time.Time) {
	_ = l.conn.SetReadDeadline(t) // fails on a closed connection only, and the read will say so
}

func (l *netLink) leave() net.Conn {
	_ = l.conn.SetDeadline(time.Time{}) // as above
	return l.conn
}

func (l *netLink) closeWrite() {
	if half, ok := l.conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite() // a connection that is gone already has nothing to end
	}
}

func (l *netLink) discard(d time.Duration) { discard(l.conn, d) }

func (l *netLink) close() {
	_ = l.conn.Close() // nothing was promised that Close could still lose
}
