package vfs

import (
	"fmt"
	"io"
	"io/fs"
	"syscall"
)

// blockBytes is the unit in which Mem keeps or loses unsynced data.
const blockBytes = 4096

// content is the data of a file, as processes see it and as the disk has it.
type content struct {
	data  []byte
	disk  []byte
	dirty map[int]struct{} // blocks of data that were written since the last sync
	low   int              // smallest size since the last sync
}

// write puts p at off, growing the file; what lies between is zero.
func (c *content) write(p []byte, off int) {
	if len(p) == 0 {
		return
	}
	if end := off + len(p); end > len(c.data) {
		c.resize(end)
	}
	copy(c.data[off:], p)
	if c.dirty == nil {
		c.dirty = map[int]struct{}{}
	}
	for b := off / blockBytes; b <= (off+len(p)-1)/blockBytes; b++ {
		c.dirty[b] = struct{}{}
	}
}

// resize sets the size; new bytes are zero.
func (c *content) resize(size int) {
	if size <= len(c.data) {
		clear(c.data[size:]) // the room is used again when the file grows
		c.data = c.data[:size]
		c.low = min(c.low, size)
		return
	}
	for cap(c.data) < size {
		c.data = append(c.data[:cap(c.data)], 0)
	}
	c.data = c.data[:size]
}

// sync brings the dirty blocks and the size to the disk.
func (c *content) sync() {
	c.disk = laid(c.disk[:min(c.low, len(c.disk))], len(c.data))
	for b := range c.dirty {
		c.store(c.disk, b)
	}
	c.settle()
}

// drop forgets that blocks are dirty, as the kernel does when a sync failed (V4).
// The size goes to the disk with the next sync.
func (c *content) drop() { c.dirty = nil }

func (c *content) settle() {
	clear(c.dirty)
	c.low = len(c.disk)
}

// store copies block b into the image of a disk, as far as both reach.
func (c *content) store(disk []byte, b int) {
	from := b * blockBytes
	if from < min(len(disk), len(c.data)) {
		copy(disk[from:min(from+blockBytes, len(disk))], c.data[from:])
	}
}

// laid is p cut or zero-filled to size.
func laid(p []byte, size int) []byte {
	if size <= len(p) {
		return p[:size]
	}
	return append(p, make([]byte, size-len(p))...)
}

// memFile is a handle. It goes on working when its file has lost its name.
type memFile struct {
	m        *Mem
	n        *node
	name     string
	readOnly bool
	closed   bool // guarded by m.mu
}

func (f *memFile) ReadAt(p []byte, off int64) (int, error) {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if err := f.usableLocked(off); err != nil {
		return 0, f.fail("read", err)
	}
	if len(p) == 0 {
		return 0, nil
	}
	if off >= int64(len(f.n.data)) {
		return 0, io.EOF
	}
	n := copy(p, f.n.data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *memFile) WriteAt(p []byte, off int64) (int, error) {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if err := f.writableLocked(off); err != nil {
		return 0, f.fail("write", err)
	}
	fits := p
	if room, ok := f.m.roomLocked(); ok {
		fits = p[:min(int64(len(p)), max(0, int64(len(f.n.data))+room-off))]
	}
	before := len(f.n.data)
	f.n.write(fits, int(off))
	f.m.used += int64(len(f.n.data) - before)
	if len(fits) < len(p) {
		return len(fits), f.fail("write", syscall.ENOSPC)
	}
	return len(p), nil
}

func (f *memFile) Truncate(size int64) error {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if err := f.writableLocked(size); err != nil {
		return f.fail("truncate", err)
	}
	before := len(f.n.data)
	f.n.resize(int(size))
	f.m.used += int64(len(f.n.data) - before)
	return nil
}

// Allocate keeps no account of what it reserved; it refuses what cannot fit.
func (f *memFile) Allocate(off, n int64) error {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if err := f.writableLocked(off); err != nil {
		return f.fail("allocate", err)
	}
	if room, ok := f.m.roomLocked(); ok && off+n > int64(len(f.n.data))+room {
		return f.fail("allocate", syscall.ENOSPC)
	}
	return nil
}

func (f *memFile) Size() (int64, error) {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if err := f.usableLocked(0); err != nil {
		return 0, f.fail("stat", err)
	}
	return int64(len(f.n.data)), nil
}

func (f *memFile) Sync() error {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if err := f.usableLocked(0); err != nil {
		return f.fail("sync", err)
	}
	f.n.sync()
	return nil
}

func (f *memFile) Close() error {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if err := f.usableLocked(0); err != nil {
		return f.fail("close", err)
	}
	f.closed = true
	f.n.handles--
	f.m.forgetLocked(f.n)
	return nil
}

// dropDirty is what Fault calls when it failed a Sync.
func (f *memFile) dropDirty() {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	f.n.drop()
}

func (m *Mem) dropDirty() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.root.eachFile(func(n *node) { n.drop() })
}

// roomLocked is how many bytes still fit, if there is a limit.
func (m *Mem) roomLocked() (int64, bool) {
	return max(m.capacity-m.used, 0), m.capacity > 0
}

func (f *memFile) usableLocked(off int64) error {
	if f.closed {
		return fs.ErrClosed
	}
	if off < 0 {
		return fmt.Errorf("offset %d: %w", off, syscall.EINVAL)
	}
	return nil
}

func (f *memFile) writableLocked(off int64) error {
	if f.readOnly && !f.closed {
		return syscall.EBADF
	}
	return f.usableLocked(off)
}

func (f *memFile) fail(op string, err error) error {
	return &fs.PathError{Op: op, Path: f.name, Err: err}
}
