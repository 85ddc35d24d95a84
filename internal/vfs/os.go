package vfs

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// OS is the kernel's file system. The zero value works.
type OS struct {
	mu sync.Mutex
	// dirs holds one open descriptor per directory that SyncAll or Lock named, at
	// most one per log directory. syncfs reports each write error once per
	// descriptor, counted from its opening: a descriptor opened late misses some.
	dirs map[string]*os.File
}

// NewOS is the kernel's file system.
func NewOS() *OS { return new(OS) }

func (o *OS) Open(name string, mode Mode) (File, error) {
	flags := os.O_RDONLY
	switch mode {
	case Write:
		flags = os.O_RDWR
	case Create:
		flags = os.O_RDWR | os.O_CREATE
	}
	f, err := os.OpenFile(name, flags, 0o600)
	if err != nil {
		return nil, err
	}
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &osFile{f: f, raw: raw}, nil
}

func (o *OS) Rename(from, to string) error { return os.Rename(from, to) }
func (o *OS) Remove(name string) error     { return os.Remove(name) }
func (o *OS) MkdirAll(dir string) error    { return os.MkdirAll(dir, 0o700) }

func (o *OS) List(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names, nil
}

func (o *OS) SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (o *OS) SyncAll(dir string) error {
	if !syncsWithErrors() {
		return &fs.PathError{Op: "syncfs", Path: dir, Err: errors.ErrUnsupported}
	}
	d, err := o.pin(dir)
	if err != nil {
		return err
	}
	if err := syncFS(d); err != nil {
		return &fs.PathError{Op: "syncfs", Path: dir, Err: err}
	}
	return nil
}

func (o *OS) Free(dir string) (int64, error) {
	st, err := statfs(dir)
	return int64(uint64(st.Bavail) * uint64(st.Bsize)), err
}

// Total is the size of the file system that holds dir.
func (o *OS) Total(dir string) (int64, error) {
	st, err := statfs(dir)
	return int64(uint64(st.Blocks) * uint64(st.Bsize)), err
}

// Lock also opens the descriptor that SyncAll uses, so that a broker which
// locks its log directories at start hears of every later write error.
func (o *OS) Lock(name string) (io.Closer, error) {
	l, err := lockFile(name)
	if err != nil {
		return nil, err
	}
	dir := filepath.Dir(name)
	if _, err := o.pin(dir); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	l.unpin = func() error { return o.unpin(dir) }
	return l, nil
}

func (o *OS) pin(dir string) (*os.File, error) {
	dir = filepath.Clean(dir)
	o.mu.Lock()
	defer o.mu.Unlock()
	if d := o.dirs[dir]; d != nil {
		return d, nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if o.dirs == nil {
		o.dirs = make(map[string]*os.File)
	}
	o.dirs[dir] = d
	return d, nil
}

func (o *OS) unpin(dir string) error {
	dir = filepath.Clean(dir)
	o.mu.Lock()
	d := o.dirs[dir]
	delete(o.dirs, dir)
	o.mu.Unlock()
	if d == nil {
		return nil
	}
	return d.Close()
}

func statfs(dir string) (st unix.Statfs_t, err error) {
	err = again(func() error { return unix.Statfs(dir, &st) })
	if err != nil {
		return unix.Statfs_t{}, &fs.PathError{Op: "statfs", Path: dir, Err: err}
	}
	return st, nil
}

// osFile keeps the raw connection beside the file: asking for it allocates.
type osFile struct {
	f   *os.File
	raw syscall.RawConn
}

func (f *osFile) ReadAt(p []byte, off int64) (int, error)  { return f.f.ReadAt(p, off) }
func (f *osFile) WriteAt(p []byte, off int64) (int, error) { return f.f.WriteAt(p, off) }
func (f *osFile) Close() error                             { return f.f.Close() }
func (f *osFile) Truncate(size int64) error                { return f.f.Truncate(size) }

func (f *osFile) Size() (int64, error) {
	s := statings.Get().(*stating)
	defer statings.Put(s)
	if err := f.raw.Control(s.of); err != nil {
		return 0, err
	}
	if s.err != nil {
		return 0, &fs.PathError{Op: "stat", Path: f.f.Name(), Err: s.err}
	}
	return s.st.Size, nil
}

// stating is one question for a size. It is pooled with its function, so that
// asking allocates nothing.
type stating struct {
	st  unix.Stat_t
	err error
	of  func(fd uintptr)
}

var statings = sync.Pool{New: func() any {
	s := new(stating)
	s.of = func(fd uintptr) { s.err = again(func() error { return unix.Fstat(int(fd), &s.st) }) }
	return s
}}

func (f *osFile) Allocate(off, n int64) error { return f.control("fallocate", allocate(off, n)) }
func (f *osFile) Sync() error                 { return f.control("fdatasync", syncData) }

// control runs a call on the descriptor, which cannot be closed meanwhile.
func (f *osFile) control(op string, call func(fd int) error) error {
	c := controls.Get().(*control)
	c.call = call
	err := f.raw.Control(c.run)
	if err == nil {
		err = c.err
	}
	c.call, c.err = nil, nil
	controls.Put(c)
	if err != nil {
		return &fs.PathError{Op: op, Path: f.f.Name(), Err: err}
	}
	return nil
}

// control is a call on a descriptor. It is pooled: a sync allocates nothing.
type control struct {
	call func(fd int) error
	err  error
	run  func(fd uintptr) // on, bound once
}

var controls = sync.Pool{New: func() any {
	c := new(control)
	c.run = c.on
	return c
}}

func (c *control) on(fd uintptr) {
	c.err = again(func() error { return c.call(int(fd)) })
}

// again repeats a call that a signal interrupted.
func again(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return err
		}
	}
}
