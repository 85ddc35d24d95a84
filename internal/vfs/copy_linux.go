package vfs

import (
	"errors"
	"io"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// sendfileMax is what one call may ask for; the kernel stops at 2 GiB − 4 KiB.
const sendfileMax = 1 << 30

// sendRange sends by sendfile. ok says that the range is done with; otherwise
// the rest must be copied, because one of the ends is not the kernel's.
func sendRange(w io.Writer, f File, off, n int64) (done int64, ok bool, err error) {
	src, isOS := f.(*osFile)
	conn, hasConn := w.(syscall.Conn)
	if _, toFile := w.(*os.File); !isOS || !hasConn || toFile || n == 0 {
		return 0, n == 0, nil
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, false, err
	}
	s := sendings.Get().(*sending)
	defer s.giveBack()
	s.dst, s.off, s.left = raw, off, n
	if err := src.raw.Control(s.from); err != nil {
		return 0, false, err
	}
	return n - s.left, s.err != errNotSocket, s.result()
}

// errNotSocket: the kernel will not send from this file to this descriptor.
var errNotSocket = errors.New("sendfile is not supported here")

// sending is one range on its way. It is pooled together with its two
// callbacks, so that a send allocates nothing.
type sending struct {
	dst       syscall.RawConn
	src       int
	off, left int64
	err       error

	from func(fd uintptr)      // sendFrom
	to   func(fd uintptr) bool // sendTo
}

var sendings = sync.Pool{New: func() any {
	s := new(sending)
	s.from, s.to = s.sendFrom, s.sendTo
	return s
}}

func (s *sending) giveBack() {
	s.dst, s.err = nil, nil
	sendings.Put(s)
}

// sendFrom sends everything while the source descriptor cannot be closed.
func (s *sending) sendFrom(fd uintptr) {
	s.src = int(fd)
	if err := s.dst.Write(s.to); err != nil && s.err == nil {
		s.err = err
	}
}

// sendTo is called when the socket may take more; false waits until it can.
func (s *sending) sendTo(fd uintptr) bool {
	for s.left > 0 {
		n, err := unix.Sendfile(int(fd), s.src, &s.off, int(min(s.left, sendfileMax)))
		if n > 0 {
			s.left -= int64(n)
		}
		switch {
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			return false
		case err == unix.EINVAL || err == unix.ENOSYS || err == unix.EOPNOTSUPP:
			s.err = errNotSocket
			return true
		case err != nil:
			s.err = os.NewSyscallError("sendfile", err)
			return true
		case n <= 0:
			s.err = ErrShort
			return true
		}
	}
	return true
}

func (s *sending) result() error {
	if s.err == errNotSocket {
		return nil
	}
	return s.err
}
