package vfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// Mem is a file system in memory that can lose power: Crash. Relative names
// and absolute ones start at the same root, which always exists.
type Mem struct {
	mu       sync.Mutex
	root     *node
	pending  []change // directory changes that no SyncDir made durable, in order
	locks    map[string]bool
	used     int64 // bytes of all files that have a name or an open handle
	capacity int64 // 0: no limit
}

// NewMem is an empty file system without a limit.
func NewMem() *Mem { return &Mem{root: newDir(), locks: map[string]bool{}} }

// node is a file or a directory. All fields are guarded by Mem.mu.
type node struct {
	dir     bool
	entries map[string]*node // what a process sees
	durable map[string]*node // what is on the disk

	content     // of a file
	links   int // names in entries maps
	handles int
}

func newDir() *node {
	return &node{dir: true, entries: map[string]*node{}, durable: map[string]*node{}}
}

// change is one step on directories. It is on the disk as a whole or not at all.
type change []entry

// entry is a name in a directory and what it leads to; nil: nothing.
type entry struct {
	dir  *node
	name string
	to   *node
}

// SetCapacity limits the bytes of all files; a write beyond is short and ends
// in ENOSPC. 0 takes the limit away.
func (m *Mem) SetCapacity(bytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.capacity = bytes
}

func (m *Mem) Open(name string, mode Mode) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.openLocked(name, mode)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	n.handles++
	return &memFile{m: m, n: n, name: name, readOnly: mode == Read}, nil
}

func (m *Mem) openLocked(name string, mode Mode) (*node, error) {
	n, err := m.walkLocked(name)
	if err == nil {
		if n.dir {
			return nil, syscall.EISDIR
		}
		return n, nil
	}
	if mode != Create {
		return nil, err
	}
	parent, base, err := m.parentLocked(name)
	if err != nil {
		return nil, err
	}
	n = new(node)
	m.changeLocked(change{{parent, base, n}})
	return n, nil
}

func (m *Mem) Rename(from, to string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.renameLocked(from, to); err != nil {
		return fmt.Errorf("rename %s to %s: %w", from, to, err)
	}
	return nil
}

func (m *Mem) renameLocked(from, to string) error {
	n, err := m.walkLocked(from)
	if err != nil {
		return err
	}
	fromDir, fromBase, err := m.parentLocked(from)
	if err != nil {
		return err
	}
	toDir, toBase, err := m.parentLocked(to)
	if err != nil {
		return err
	}
	if old := toDir.entries[toBase]; old != nil {
		switch {
		case old == n && !n.dir:
			return nil
		case old.dir:
			return syscall.EEXIST // as package os, even for an empty one
		case n.dir:
			return syscall.ENOTDIR
		}
	}
	if n.dir && strings.HasPrefix(clean(to)+"/", clean(from)+"/") {
		return syscall.EINVAL // into itself
	}
	m.changeLocked(change{{fromDir, fromBase, nil}, {toDir, toBase, n}})
	return nil
}

func (m *Mem) Remove(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.walkLocked(name)
	if err == nil && n.dir && len(n.entries) > 0 {
		err = syscall.ENOTEMPTY
	}
	if err == nil {
		var parent *node
		var base string
		if parent, base, err = m.parentLocked(name); err == nil {
			m.changeLocked(change{{parent, base, nil}})
			return nil
		}
	}
	return &fs.PathError{Op: "remove", Path: name, Err: err}
}

func (m *Mem) List(dir string) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.dirLocked(dir)
	if err != nil {
		return nil, &fs.PathError{Op: "list", Path: dir, Err: err}
	}
	return slices.Sorted(maps.Keys(n.entries)), nil
}

func (m *Mem) MkdirAll(dir string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	at := m.root
	for _, name := range split(dir) {
		next := at.entries[name]
		if next == nil {
			next = newDir()
			m.changeLocked(change{{at, name, next}})
		}
		if !next.dir {
			return &fs.PathError{Op: "mkdir", Path: dir, Err: syscall.ENOTDIR}
		}
		at = next
	}
	return nil
}

// SyncDir makes the changes of dir durable, with those that they build on.
func (m *Mem) SyncDir(dir string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.dirLocked(dir)
	if err != nil {
		return &fs.PathError{Op: "sync", Path: dir, Err: err}
	}
	var chosen []bool
	for _, c := range m.pending {
		chosen = append(chosen, slices.ContainsFunc(c, func(e entry) bool { return e.dir == n }))
	}
	withPredecessors(m.pending, chosen)
	var left []change
	for i, c := range m.pending {
		if chosen[i] {
			c.apply((*node).durableEntries)
		} else {
			left = append(left, c)
		}
	}
	m.pending = left
	return nil
}

// SyncAll makes everything durable, whatever dir is: Mem is one file system.
func (m *Mem) SyncAll(dir string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, err := m.dirLocked(dir); err != nil {
		return &fs.PathError{Op: "syncfs", Path: dir, Err: err}
	}
	for _, c := range m.pending {
		c.apply((*node).durableEntries)
	}
	m.pending = nil
	m.root.eachFile(func(n *node) { n.sync() })
	return nil
}

// unlimited is what a Mem without a capacity says it has: 1 TiB.
const unlimited = 1 << 40

func (m *Mem) Free(dir string) (int64, error) {
	total, err := m.Total(dir)
	m.mu.Lock()
	defer m.mu.Unlock()
	return max(total-m.used, 0), err
}

// Total is the capacity.
func (m *Mem) Total(dir string) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, err := m.dirLocked(dir); err != nil {
		return 0, &fs.PathError{Op: "statfs", Path: dir, Err: err}
	}
	if m.capacity > 0 {
		return m.capacity, nil
	}
	return unlimited, nil
}

func (m *Mem) Lock(name string) (io.Closer, error) {
	f, err := m.Open(name, Create)
	if err != nil {
		return nil, err
	}
	key := clean(name)
	m.mu.Lock()
	held := m.locks[key]
	m.locks[key] = true
	m.mu.Unlock()
	if held {
		return nil, errors.Join(lockedBy(name, ""), f.Close())
	}
	return &memLock{m: m, f: f, key: key}, nil
}

type memLock struct {
	m   *Mem
	f   File
	key string
}

func (l *memLock) Close() error {
	if err := l.f.Close(); err != nil {
		return err // closed before: the lock may be somebody else's by now
	}
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	delete(l.m.locks, l.key)
	return nil
}

// changeLocked does a change to what processes see and notes it as not durable.
func (m *Mem) changeLocked(c change) {
	for _, e := range c {
		if old := e.dir.entries[e.name]; old != nil {
			old.links--
			m.forgetLocked(old)
		}
		if e.to != nil {
			e.to.links++
		}
		c2 := change{e}
		c2.apply((*node).seenEntries)
	}
	m.pending = append(m.pending, c)
}

// forgetLocked gives the space of a file back when nobody can reach it.
func (m *Mem) forgetLocked(n *node) {
	if n.links == 0 && n.handles == 0 {
		m.used -= int64(len(n.data))
	}
}

func (m *Mem) walkLocked(name string) (*node, error) {
	at := m.root
	for _, part := range split(name) {
		if !at.dir {
			return nil, syscall.ENOTDIR
		}
		if at = at.entries[part]; at == nil {
			return nil, fs.ErrNotExist
		}
	}
	return at, nil
}

func (m *Mem) dirLocked(name string) (*node, error) {
	n, err := m.walkLocked(name)
	if err == nil && !n.dir {
		err = syscall.ENOTDIR
	}
	return n, err
}

func (m *Mem) parentLocked(name string) (dir *node, base string, err error) {
	c := clean(name)
	if c == "/" {
		return nil, "", syscall.EINVAL
	}
	dir, err = m.dirLocked(path.Dir(c))
	return dir, path.Base(c), err
}

func (n *node) seenEntries() map[string]*node    { return n.entries }
func (n *node) durableEntries() map[string]*node { return n.durable }

func (c change) apply(in func(*node) map[string]*node) {
	for _, e := range c {
		if e.to == nil {
			delete(in(e.dir), e.name)
		} else {
			in(e.dir)[e.name] = e.to
		}
	}
}

// eachFile visits every file that has a name, in the order of the names.
func (n *node) eachFile(visit func(*node)) {
	if !n.dir {
		visit(n)
		return
	}
	for _, name := range slices.Sorted(maps.Keys(n.entries)) {
		n.entries[name].eachFile(visit)
	}
}

func clean(name string) string { return path.Clean("/" + name) }

func split(name string) []string {
	if c := clean(name); c != "/" {
		return strings.Split(c[1:], "/")
	}
	return nil
}
