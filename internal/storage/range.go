package storage

import (
	"fmt"
	"io"

	"github.com/brokerd/brokerd/internal/vfs"
)

// Range is a piece of one segment's file. It implements wire.FileRange. While
// it is held the file stays readable, even if the segment is deleted. The zero
// Range is empty.
type Range struct {
	h      *handle
	off, n int64
}

// Len is the number of bytes.
func (r *Range) Len() int64 { return r.n }

// WriteTo sends the range, by sendfile where w is a raw TCP connection. It comes
// short with an error when the log was truncated meanwhile.
func (r *Range) WriteTo(w io.Writer) (int64, error) {
	if r.n == 0 {
		return 0, nil
	}
	return vfs.CopyRange(w, r.h.File, r.off, r.n)
}

// ReadAll reads the range into memory, for those who must look inside. It uses
// into where that is large enough.
func (r *Range) ReadAll(into []byte) ([]byte, error) {
	if int64(cap(into)) < r.n {
		into = make([]byte, r.n)
	}
	into = into[:r.n]
	if r.n == 0 {
		return into, nil
	}
	if n, err := r.h.ReadAt(into, r.off); n < len(into) {
		return into[:n], fmt.Errorf("read %s at %d: %w", r.h.seg.path(logSuffix), r.off, err)
	}
	return into, nil
}

// Release gives the range back. Calling it again does nothing.
func (r *Range) Release() {
	if r.h != nil {
		r.h.release()
	}
	*r = Range{}
}
