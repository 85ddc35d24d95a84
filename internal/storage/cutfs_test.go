package storage

import (
	"errors"
	"io"
	"math/rand/v2"
	"path"
	"strings"
	"sync"
	"syscall"

	"github.com/brokerd/brokerd/internal/vfs"
)

var errDead = errors.New("the machine is off")

// cutFS is a file system whose machine loses power at a chosen operation: it
// takes what the disk holds then, and answers nothing any more.
type cutFS struct {
	vfs.FS
	mem  *vfs.Mem
	rng  *rand.Rand
	keep float64

	mu      sync.Mutex
	left    int // operations until the cut; 0: none is planned
	dead    bool
	after   *vfs.Mem
	op      string // that was cut
	name    string
	renames []string // where to, not durable yet
}

// cutIn plans a cut.
func (c *cutFS) cutIn(ops int, keep float64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.left, c.keep = ops, keep
}

// cutNow takes the power away between two operations.
func (c *cutFS) cutNow(keep float64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.dead {
		c.keep = keep
		c.cutLocked("", "")
	}
}

func (c *cutFS) cutLocked(op, name string) {
	c.dead, c.op, c.name = true, op, name
	c.after = c.mem.Crash(c.rng, c.keep)
}

func (c *cutFS) isDead() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dead
}

// step counts an operation, and does it unless the power is or goes off. One at
// a time: an operation that succeeds after the disk was looked at would lie.
func (c *cutFS) step(op, name string, do func() error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dead {
		return errDead
	}
	if c.left > 0 {
		if c.left--; c.left == 0 {
			if c.rng.IntN(2) == 0 {
				_ = do() // half of it may be on the disk
			}
			c.cutLocked(op, name)
			return errDead
		}
	}
	return do()
}

func (c *cutFS) Open(name string, mode vfs.Mode) (f vfs.File, err error) {
	op := "open"
	if mode == vfs.Create {
		op = "create"
	}
	err = c.step(op, name, func() error {
		f, err = c.FS.Open(name, mode)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &cutFile{f, c, name}, nil
}

func (c *cutFS) Rename(from, to string) error {
	return c.step("rename", from, func() error {
		err := c.FS.Rename(from, to)
		if err == nil {
			c.renames = append(c.renames, to)
		}
		return err
	})
}

func (c *cutFS) Remove(name string) error {
	return c.step("remove", name, func() error { return c.FS.Remove(name) })
}

func (c *cutFS) List(dir string) (names []string, err error) {
	err = c.step("list", dir, func() error {
		names, err = c.FS.List(dir)
		return err
	})
	return names, err
}

func (c *cutFS) MkdirAll(dir string) error {
	return c.step("mkdir", dir, func() error { return c.FS.MkdirAll(dir) })
}

func (c *cutFS) SyncDir(dir string) error {
	return c.step("syncdir", dir, func() error {
		err := c.FS.SyncDir(dir)
		if err == nil {
			var left []string
			for _, r := range c.renames {
				if path.Dir(r) != dir {
					left = append(left, r)
				}
			}
			c.renames = left
		}
		return err
	})
}

func (c *cutFS) SyncAll(dir string) error {
	return c.step("syncall", dir, func() error {
		err := c.FS.SyncAll(dir)
		if err == nil {
			c.renames = nil
		}
		return err
	})
}

// lostRename tells whether a rename was undone by the cut.
func (c *cutFS) lostRename() bool {
	for _, to := range c.renames {
		if f, err := c.after.Open(to, vfs.Read); err != nil && !errors.Is(err, syscall.EISDIR) {
			return true
		} else if f != nil {
			_ = f.Close()
		}
	}
	return false
}

// where names the phase that was cut, by operation and file.
func (c *cutFS) where() string {
	base := path.Base(c.name)
	switch {
	case c.op == "create" && strings.HasSuffix(base, logSuffix):
		return "roll"
	case strings.HasPrefix(base, checkpointName), strings.HasPrefix(base, producersName), strings.HasPrefix(base, epochsName),
		strings.HasSuffix(base, indexSuffix), strings.HasSuffix(base, timeIndexSuffix), strings.Contains(base, abortedSuffix):
		return "checkpoint"
	}
	return c.op
}

type cutFile struct {
	vfs.File
	c    *cutFS
	name string
}

func (f *cutFile) ReadAt(p []byte, off int64) (n int, err error) {
	err = f.c.step("read", f.name, func() error {
		n, err = f.File.ReadAt(p, off)
		return nil
	})
	if err == nil && n < len(p) {
		return n, io.EOF
	}
	return n, err
}

func (f *cutFile) WriteAt(p []byte, off int64) (n int, err error) {
	err = f.c.step("write", f.name, func() error {
		n, err = f.File.WriteAt(p, off)
		return err
	})
	return n, err
}

func (f *cutFile) Truncate(size int64) error {
	return f.c.step("truncate", f.name, func() error { return f.File.Truncate(size) })
}

func (f *cutFile) Sync() error {
	return f.c.step("sync", f.name, func() error { return f.File.Sync() })
}
