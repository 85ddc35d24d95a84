package vfs

import (
	"fmt"
	"io"
	"sync"
)

// copyBufferBytes is four TLS records.
const copyBufferBytes = 64 << 10

// copyBuffers is owned by copyPooled: a buffer is out only during one call.
var copyBuffers = sync.Pool{New: func() any { return new([copyBufferBytes]byte) }}

// CopyRange writes bytes [off, off+n) of f to w and returns how many it wrote.
// Between a file of OS and a socket it is sendfile with an explicit offset, so
// that the payload never enters the process; w may be a *net.TCPConn or a
// wrapper that offers SyscallConn() (syscall.RawConn, error). Otherwise it
// copies through a pooled buffer. Fewer than n bytes come with an error:
// ErrShort if the file ended early.
//
// It waits for the socket as Write does. (*net.TCPConn).ReadFrom is no
// substitute: it uses the file's shared position.
func CopyRange(w io.Writer, f File, off, n int64) (int64, error) {
	if off < 0 || n < 0 {
		return 0, fmt.Errorf("copy range: offset %d, length %d", off, n)
	}
	done, ok, err := sendRange(w, f, off, n)
	if err != nil || ok {
		return done, err
	}
	rest, err := copyPooled(w, f, off+done, n-done)
	return done + rest, err
}

func copyPooled(w io.Writer, f File, off, n int64) (done int64, err error) {
	buf := copyBuffers.Get().(*[copyBufferBytes]byte)
	defer copyBuffers.Put(buf)
	for done < n {
		p := buf[:min(n-done, copyBufferBytes)]
		got, readErr := f.ReadAt(p, off+done)
		if got > 0 {
			wrote, err := w.Write(p[:got])
			done += int64(wrote)
			if err != nil {
				return done, err
			}
		}
		if got == len(p) {
			continue // ReadAt may say io.EOF beside a full buffer
		}
		if readErr == nil || readErr == io.EOF {
			return done, ErrShort
		}
		return done, readErr
	}
	return done, nil
}
