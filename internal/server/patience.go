package server

import (
	"errors"
	"os"
	"syscall"
	"time"
)

// fileSink is what file ranges are written to on a raw connection. Those of
// real files ask it for the descriptor and use sendfile; others copy.
type fileSink struct{ l *rawLink }

var _ syscall.Conn = (*fileSink)(nil)

func (s *fileSink) SyscallConn() (syscall.RawConn, error) { return &s.l.wait, nil }

func (s *fileSink) Write(p []byte) (int, error) {
	if err := s.l.write(p, true); err != nil {
		return 0, err
	}
	return len(p), nil
}

// patience waits for the peer by way of the run time, each time as long as the
// write-stall limit allows: a slow peer lives, one that takes nothing does not.
//
// The kernel says "writable" only when a third of the send buffer is free, which
// a slow peer may take minutes for. So when the limit has passed, it is the
// number of bytes not yet acknowledged that decides.
type patience struct {
	l        *rawLink
	f        func(fd uintptr) bool
	step     func(fd uintptr) bool // try, bound at the first use: most connections never wait
	deadline bool                  // a write deadline stands
	unsent   int                   // bytes not acknowledged when the wait began
}

var _ syscall.RawConn = (*patience)(nil)

// Write calls f until it is satisfied, as a syscall.RawConn does.
func (w *patience) Write(f func(fd uintptr) bool) error {
	if w.step == nil {
		w.step = w.try
	}
	w.f = f
	defer func() { w.f = nil }()
	for {
		if w.deadline { // of an earlier wait: it has passed, or may have
			w.deadline = false
			if err := w.l.tcp.SetWriteDeadline(time.Time{}); err != nil {
				return err
			}
		}
		err := w.l.conn.Write(w.step)
		if !errors.Is(err, os.ErrDeadlineExceeded) || !w.moved() {
			return err
		}
	}
}

func (w *patience) try(fd uintptr) bool {
	if w.f(fd) {
		return true
	}
	w.deadline, w.unsent = true, unacknowledged(int(fd))
	_ = w.l.tcp.SetWriteDeadline(time.Now().Add(w.l.c.s.limits.writeStall)) // the wait tells what a closed connection says
	return false
}

// moved says that the peer has taken something since the wait began.
func (w *patience) moved() bool {
	now := w.unsent
	if w.l.conn.Control(func(fd uintptr) { now = unacknowledged(int(fd)) }) != nil {
		return false
	}
	return now < w.unsent
}

func (w *patience) Control(f func(fd uintptr)) error   { return w.l.conn.Control(f) }
func (w *patience) Read(f func(fd uintptr) bool) error { return w.l.conn.Read(f) }
