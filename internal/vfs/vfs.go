package vfs

import (
	"errors"
	"io"
)

// Mode says how Open opens a file.
type Mode uint8

const (
	// Read opens an existing file for reading.
	Read Mode = iota
	// Write opens an existing file for reading and writing.
	Write
	// Create opens for reading and writing and makes the file if it is missing.
	Create
)

var (
	// ErrLocked says that another process (or another opener) holds the lock.
	ErrLocked = errors.New("locked by another process")
	// ErrShort says that a file gave fewer bytes than were asked for.
	ErrShort = errors.New("file is shorter than the range to copy")
)

// FS is the part of a file system that brokerd uses. Names are slash-separated
// paths. Missing files give errors that satisfy errors.Is(err, fs.ErrNotExist).
type FS interface {
	Open(name string, mode Mode) (File, error)
	// Rename moves a file or directory; a file that is there is replaced, a
	// directory refused.
	Rename(from, to string) error
	// Remove deletes a file or an empty directory. Open handles stay usable.
	Remove(name string) error
	// List gives the names (not paths) of a directory's entries, sorted.
	List(dir string) ([]string, error)
	MkdirAll(dir string) error
	// SyncDir makes creates, renames and removes in dir durable. A new directory
	// is itself an entry of its parent.
	SyncDir(dir string) error
	// SyncAll makes everything in dir's file system durable (syncfs). Where the
	// kernel has no such call, or one that hides write errors (Linux before 5.8),
	// it does nothing and returns errors.ErrUnsupported: sync file by file then.
	SyncAll(dir string) error
	// Free is the number of bytes that an ordinary user may still write.
	Free(dir string) (int64, error)
	// Lock takes an exclusive advisory lock, made if missing; Close gives it back.
	// When somebody else has it the error is ErrLocked and names the holder.
	Lock(name string) (io.Closer, error)
}

// File is an open file. Positions are always explicit, so that one handle can
// be shared by any number of goroutines.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Size() (int64, error)
	Truncate(size int64) error
	// Allocate reserves space for [off, off+n) without changing the size
	// (fallocate KEEP_SIZE). Truncate to the size gives it back. Where the file
	// system cannot, it does nothing.
	Allocate(off, n int64) error
	// Sync makes the content durable (fdatasync; F_FULLFSYNC on macOS). An error
	// is final: the kernel may have dropped the pages (V4).
	Sync() error
}

// Sizer is offered by an FS that knows how large its disk is.
type Sizer interface {
	// Total is the size in bytes of the file system that holds dir.
	Total(dir string) (int64, error)
}

// VectorWriter is offered by a File that writes several pieces by one call.
type VectorWriter interface {
	WriteVectorAt(pieces [][]byte, off int64) error
}

// WriteVector writes pieces one behind the other from off on, by one call where
// f can. After an error any part of them may be there.
func WriteVector(f File, pieces [][]byte, off int64) error {
	if v, ok := f.(VectorWriter); ok && len(pieces) > 1 {
		return v.WriteVectorAt(pieces, off)
	}
	for _, p := range pieces {
		if _, err := f.WriteAt(p, off); err != nil {
			return err
		}
		off += int64(len(p))
	}
	return nil
}
