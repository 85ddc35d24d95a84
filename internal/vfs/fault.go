package vfs

import (
	"io"
	"io/fs"
	"path"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Op names what a rule is about.
type Op string

const (
	OpOpen     Op = "open"
	OpRead     Op = "read"
	OpWrite    Op = "write"
	OpTruncate Op = "truncate"
	OpAllocate Op = "allocate"
	OpSync     Op = "sync"
	OpClose    Op = "close"
	OpRename   Op = "rename"
	OpRemove   Op = "remove"
	OpList     Op = "list"
	OpMkdir    Op = "mkdir"
	OpSyncDir  Op = "syncdir"
	OpSyncAll  Op = "syncall"
	OpFree     Op = "free"
	OpLock     Op = "lock"
)

// Rule is a fault. Of several that match one call, the first that is due acts.
type Rule struct {
	Op Op // empty: every operation
	// Path is a path.Match pattern for the whole name or, without a slash in it,
	// for the last element. Empty: every path. A rename has the path it comes from.
	Path  string
	Nth   int // the first matching call that is hit: 0 and 1 are the first
	Times int // how many from there on; 0: all
	// Err is the answer. Nil: the call goes on, after Delay and Mutate.
	Err error
	// Torn is how many bytes a failing write still writes, or a failing read reads.
	Torn  int
	Delay time.Duration
	// Mutate changes what a read found: a flipped bit, a stale sector.
	Mutate func(off int64, p []byte)
}

// Fault wraps an FS and fails by rules. A failed Sync leaves the pages clean
// where the inner FS can do that (Mem): V4.
type Fault struct {
	inner FS

	mu     sync.Mutex
	rules  []*armed
	budget int64 // bytes that may still be written; negative: no limit
}

type armed struct {
	Rule
	seen, hit int
}

// Armed is a rule in force.
type Armed struct {
	f *Fault
	r *armed
}

// NewFault wraps inner; without rules it changes nothing.
func NewFault(inner FS) *Fault { return &Fault{inner: inner, budget: -1} }

// Add puts a rule into force, behind those that are.
func (f *Fault) Add(r Rule) Armed {
	a := &armed{Rule: r}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = append(f.rules, a)
	return Armed{f, a}
}

// Remove takes the rule back. Hits stays readable.
func (a Armed) Remove() {
	a.f.mu.Lock()
	defer a.f.mu.Unlock()
	for i, r := range a.f.rules {
		if r == a.r {
			a.f.rules = append(a.f.rules[:i:i], a.f.rules[i+1:]...)
			return
		}
	}
}

// Hits is how many calls the rule has hit.
func (a Armed) Hits() int {
	a.f.mu.Lock()
	defer a.f.mu.Unlock()
	return a.r.hit
}

// SetBudget lets n more bytes be written; the write that crosses it is short
// and ends in ENOSPC, and so does every later one. Free tells what is left.
// Negative: no limit.
func (f *Fault) SetBudget(n int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.budget = n
}

func (f *Fault) Open(name string, mode Mode) (File, error) {
	if _, err := f.check(OpOpen, name); err != nil {
		return nil, err
	}
	inner, err := f.inner.Open(name, mode)
	if err != nil {
		return nil, err
	}
	return &faultFile{fs: f, inner: inner, name: name}, nil
}

func (f *Fault) Rename(from, to string) error {
	if _, err := f.check(OpRename, from); err != nil {
		return err
	}
	return f.inner.Rename(from, to)
}

func (f *Fault) Remove(name string) error {
	if _, err := f.check(OpRemove, name); err != nil {
		return err
	}
	return f.inner.Remove(name)
}

func (f *Fault) List(dir string) ([]string, error) {
	if _, err := f.check(OpList, dir); err != nil {
		return nil, err
	}
	return f.inner.List(dir)
}

func (f *Fault) MkdirAll(dir string) error {
	if _, err := f.check(OpMkdir, dir); err != nil {
		return err
	}
	return f.inner.MkdirAll(dir)
}

func (f *Fault) SyncDir(dir string) error {
	if _, err := f.check(OpSyncDir, dir); err != nil {
		return err
	}
	return f.inner.SyncDir(dir)
}

func (f *Fault) SyncAll(dir string) error {
	if _, err := f.check(OpSyncAll, dir); err != nil {
		dropDirty(f.inner)
		return err
	}
	return f.inner.SyncAll(dir)
}

func (f *Fault) Free(dir string) (int64, error) {
	if _, err := f.check(OpFree, dir); err != nil {
		return 0, err
	}
	free, err := f.inner.Free(dir)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.budget >= 0 {
		free = min(free, f.budget)
	}
	return free, err
}

// Total is that of the inner FS, or what is free if it does not know.
func (f *Fault) Total(dir string) (int64, error) {
	if s, ok := f.inner.(Sizer); ok {
		return s.Total(dir)
	}
	return f.inner.Free(dir)
}

func (f *Fault) Lock(name string) (io.Closer, error) {
	if _, err := f.check(OpLock, name); err != nil {
		return nil, err
	}
	return f.inner.Lock(name)
}

// check finds the rule for a call, waits as it says, and gives its error.
func (f *Fault) check(op Op, name string) (Rule, error) {
	r := f.match(op, name)
	if r.Delay > 0 {
		time.Sleep(r.Delay)
	}
	if r.Err != nil {
		return r, &fs.PathError{Op: string(op), Path: name, Err: r.Err}
	}
	return r, nil
}

func (f *Fault) match(op Op, name string) (due Rule) {
	f.mu.Lock()
	defer f.mu.Unlock()
	found := false
	for _, a := range f.rules {
		if !a.matches(op, name) {
			continue
		}
		a.seen++
		first := max(a.Nth, 1)
		if found || a.seen < first || a.Times > 0 && a.seen >= first+a.Times {
			continue
		}
		found = true
		a.hit++
		due = a.Rule
	}
	return due
}

func (r *Rule) matches(op Op, name string) bool {
	if r.Op != "" && r.Op != op {
		return false
	}
	if r.Path == "" {
		return true
	}
	if !strings.Contains(r.Path, "/") {
		name = path.Base(name)
	}
	ok, err := path.Match(r.Path, name)
	return ok && err == nil
}

// spend takes n bytes from the budget and says how many there were.
func (f *Fault) spend(n int) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.budget < 0 {
		return n
	}
	n = int(min(int64(n), f.budget))
	f.budget -= int64(n)
	return n
}

// dropDirty tells a Mem or its file that the kernel has given up dirty pages.
func dropDirty(inner any) {
	if d, ok := inner.(interface{ dropDirty() }); ok {
		d.dropDirty()
	}
}

type faultFile struct {
	fs    *Fault
	inner File
	name  string
}

func (f *faultFile) ReadAt(p []byte, off int64) (int, error) {
	r, err := f.fs.check(OpRead, f.name)
	if err != nil {
		n, _ := f.inner.ReadAt(p[:min(r.Torn, len(p))], off) // the rule's error counts
		return n, err
	}
	n, err := f.inner.ReadAt(p, off)
	if r.Mutate != nil {
		r.Mutate(off, p[:n])
	}
	return n, err
}

func (f *faultFile) WriteAt(p []byte, off int64) (int, error) {
	r, err := f.fs.check(OpWrite, f.name)
	fits := len(p)
	if err != nil {
		fits = min(r.Torn, fits)
	}
	if got := f.fs.spend(fits); got < fits || err == nil && got < len(p) {
		fits, err = got, &fs.PathError{Op: "write", Path: f.name, Err: syscall.ENOSPC}
	}
	n, innerErr := f.inner.WriteAt(p[:fits], off)
	if err == nil {
		err = innerErr
	}
	return n, err
}

func (f *faultFile) Truncate(size int64) error {
	if _, err := f.fs.check(OpTruncate, f.name); err != nil {
		return err
	}
	return f.inner.Truncate(size)
}

func (f *faultFile) Allocate(off, n int64) error {
	if _, err := f.fs.check(OpAllocate, f.name); err != nil {
		return err
	}
	return f.inner.Allocate(off, n)
}

func (f *faultFile) Sync() error {
	if _, err := f.fs.check(OpSync, f.name); err != nil {
		dropDirty(f.inner)
		return err
	}
	return f.inner.Sync()
}

func (f *faultFile) Close() error {
	_, err := f.fs.check(OpClose, f.name)
	if innerErr := f.inner.Close(); err == nil {
		err = innerErr // the handle is gone either way, as close(2) has it
	}
	return err
}

func (f *faultFile) Size() (int64, error) { return f.inner.Size() }
