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
	Rename(from, to string) error
	// Remove deletes a file or an empty directory.
	Remove(name string) error
	// List gives the names (not paths) of a directory's entries, sorted.
	List(dir string) ([]string, error)
	MkdirAll(dir string) error
	// SyncDir makes creates, renames and removes in dir durable.
	SyncDir(dir string) error
	// SyncAll makes everything in dir's file system durable (syncfs).
	SyncAll(dir string) error
	// Free is the number of bytes that an ordinary user may still write.
	Free(dir string) (int64, error)
	// Lock takes an exclusive advisory lock, made if missing; Close gives it back.
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
	// Sync makes the content durable (fdatasync; F_FULLFSYNC on macOS).
	Sync() error
}
