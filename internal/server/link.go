package server

import (
	"io"
	"net"
	"time"
)

// link is one of the two kinds of connection: raw TCP, or any net.Conn. Reads
// belong to the connection's goroutine, writes to whoever holds the gate; the
// rest may be called by anyone.
type link interface {
	// fill waits for more bytes and receives them into the connection's input.
	fill() error
	// nap waits for bytes on little stack, where that can be done. It may return
	// early, and says nothing: fill follows.
	nap()
	// direct says that the reader may send by itself, and others by push.
	direct() bool
	// push sends what leaves without waiting.
	push(p []byte) (int, error)
	// write sends all of p and waits as long as the peer takes anything. more
	// says that further bytes follow at once.
	write(p []byte, more bool) error
	// files is where file ranges are written to, as in write.
	files() io.Writer

	setReadDeadline(t time.Time)
	// leave gives the connection to somebody else, without limits.
	leave() net.Conn
	// closeWrite ends our side, so that what was sent arrives before the end.
	closeWrite()
	// discard reads and forgets until the peer ends its side or d has passed.
	discard(d time.Duration)
	close()
}

func newLink(c *conn, nc net.Conn) link {
	if tcp, ok := nc.(*net.TCPConn); ok {
		if raw, err := tcp.SyscallConn(); err == nil {
			return newRawLink(c, tcp, raw)
		}
	}
	return &netLink{c: c, conn: nc}
}

const discardBytes = 1 << 20

// discard is what both kinds do with bytes that nobody will read any more.
func discard(nc net.Conn, d time.Duration) {
	if nc.SetReadDeadline(time.Now().Add(d)) != nil {
		return
	}
	_, _ = io.CopyN(io.Discard, nc, discardBytes) // any end will do
}
