package storage

import (
	"sync"
	"sync/atomic"

	"github.com/brokerd/brokerd/internal/vfs"
)

// handle is an open file of a segment: .log, or .index for look-ups. Each holder
// counts: the cache, every Range, an append in progress, and the segment itself
// while it has unsynced bytes (I6).
type handle struct {
	vfs.File
	seg  *segment
	slot *atomic.Pointer[handle] // of the segment, where the cache finds it
	refs atomic.Int32
	used atomic.Bool // since the hand of the cache came by
}

// acquire takes a reference unless the file is closing.
func (h *handle) acquire() bool {
	for {
		n := h.refs.Load()
		if n <= 0 {
			return false
		}
		if h.refs.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

func (h *handle) release() {
	if h.refs.Add(-1) == 0 {
		_ = h.File.Close() // everything in it was synced, or its directory has failed
	}
}

// fdCache bounds the open files of a store's segments: second chance in a ring.
// Files with unsynced bytes are passed over, so the bound is exceeded rather
// than one of them closed.
type fdCache struct {
	fs  vfs.FS
	max int

	mu   sync.Mutex
	ring []*handle
	hand int
}

// get opens the segment's .log, or finds it open. The caller releases it.
func (c *fdCache) get(s *segment, mode vfs.Mode) (*handle, error) {
	return c.find(s, &s.open, logSuffix, mode)
}

// index is get for the segment's .index, to read.
func (c *fdCache) index(s *segment) (*handle, error) {
	return c.find(s, &s.openIndex, indexSuffix, vfs.Read)
}

func (c *fdCache) find(s *segment, slot *atomic.Pointer[handle], suffix string, mode vfs.Mode) (*handle, error) {
	for {
		h := slot.Load()
		if h != nil && h.acquire() {
			if !h.used.Load() {
				h.used.Store(true)
			}
			return h, nil
		}
		f, err := c.fs.Open(s.path(suffix), mode)
		if s.replaced.Load() { // the file of that name is another's now
			if err == nil {
				_ = f.Close() // nothing was written here
			}
			return nil, errMoved
		}
		if err != nil {
			return nil, err
		}
		fresh := &handle{File: f, seg: s, slot: slot}
		fresh.refs.Store(2)
		if slot.CompareAndSwap(h, fresh) {
			c.add(fresh)
			return fresh, nil
		}
		_ = f.Close() // somebody else opened it first; nothing was written here
	}
}

func (c *fdCache) add(h *handle) {
	c.mu.Lock()
	c.ring = append(c.ring, h)
	victims := c.victimsLocked()
	c.mu.Unlock()
	closeAll(victims)
}

// trim closes what is too much: files that had unsynced bytes until now.
func (c *fdCache) trim() {
	c.mu.Lock()
	victims := c.victimsLocked()
	c.mu.Unlock()
	closeAll(victims)
}

func closeAll(victims []*handle) {
	for _, v := range victims {
		v.slot.CompareAndSwap(v, nil)
		v.release()
	}
}

// victimsLocked takes out of the ring what is too much, at most two rounds long.
func (c *fdCache) victimsLocked() (out []*handle) {
	for tries := 2 * len(c.ring); len(c.ring) > c.max && tries > 0; tries-- {
		if c.hand >= len(c.ring) {
			c.hand = 0
		}
		h := c.ring[c.hand]
		if h.used.Swap(false) || h.seg.unsynced.Load() != nil {
			c.hand++
			continue
		}
		c.ring[c.hand] = c.ring[len(c.ring)-1]
		c.ring = c.ring[:len(c.ring)-1]
		out = append(out, h)
	}
	return out
}

// drop lets go of a segment's files: they were removed or the log is closing.
func (c *fdCache) drop(s *segment) {
	c.empty(&s.open)
	c.empty(&s.openIndex)
}

// dropIndex lets go of .index, which is not to be believed: the next one may be
// another file of that name.
func (c *fdCache) dropIndex(s *segment) { c.empty(&s.openIndex) }

func (c *fdCache) empty(slot *atomic.Pointer[handle]) {
	h := slot.Swap(nil)
	if h == nil {
		return
	}
	c.mu.Lock()
	found := false
	for i, o := range c.ring {
		if o == h {
			c.ring[i] = c.ring[len(c.ring)-1]
			c.ring = c.ring[:len(c.ring)-1]
			found = true
			break
		}
	}
	c.mu.Unlock()
	if found { // else a victim already: whoever took it out releases it
		h.release()
	}
}
