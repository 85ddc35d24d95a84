package vfs

import (
	"maps"
	"math/rand/v2"
	"slices"
	"syscall"
)

// Crash is what the disk may hold after power was lost now: all that was synced,
// and of the rest each 4 KiB block, each size and each directory change with
// probability keep. 0 loses everything unsynced, 1 nothing. Locks are gone.
//
// Mem itself goes on, unchanged: whoever still runs on it writes to a disk that
// nobody will read again.
func (m *Mem) Crash(rng *rand.Rand, keep float64) *Mem {
	m.mu.Lock()
	defer m.mu.Unlock()
	chosen := make([]bool, len(m.pending))
	for i := range chosen {
		chosen[i] = rng.Float64() < keep
	}
	withPredecessors(m.pending, chosen)
	c := crash{rng: rng, keep: keep, changed: map[*node]map[string]*node{}, files: map[*node]*node{}}
	for i, change := range m.pending {
		if chosen[i] {
			change.apply(c.entriesOf)
		}
	}
	after := NewMem()
	after.capacity = m.capacity
	after.root = c.dir(m.root)
	for _, n := range c.files {
		after.used += int64(len(n.data))
	}
	return after
}

// Flip inverts the bits of mask in the byte at off of a file, in memory and on
// the disk, as a bad medium does.
func (m *Mem) Flip(name string, off int64, mask byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.walkLocked(name)
	if err != nil {
		return err
	}
	if off < 0 || off >= int64(len(n.data)) {
		return syscall.EINVAL
	}
	n.data[off] ^= mask
	if off < int64(len(n.disk)) {
		n.disk[off] ^= mask
	}
	return nil
}

// withPredecessors adds to the chosen changes those that they build on: earlier
// ones of the same name. A journal keeps that order too, and without it a file
// could have two names after a crash, or a rename without a source.
func withPredecessors(all []change, chosen []bool) {
	type key struct {
		dir  *node
		name string
	}
	needed := map[key]bool{}
	for i := len(all) - 1; i >= 0; i-- {
		if !chosen[i] {
			chosen[i] = slices.ContainsFunc(all[i], func(e entry) bool { return needed[key{e.dir, e.name}] })
		}
		if chosen[i] {
			for _, e := range all[i] {
				needed[key{e.dir, e.name}] = true
			}
		}
	}
}

// crash copies a tree as the disk has it.
type crash struct {
	rng     *rand.Rand
	keep    float64
	changed map[*node]map[string]*node // durable entries with the changes that survive
	files   map[*node]*node
}

func (c *crash) entriesOf(dir *node) map[string]*node {
	if c.changed[dir] == nil {
		c.changed[dir] = maps.Clone(dir.durable)
	}
	return c.changed[dir]
}

// dir copies a directory; the order of the names makes a seed repeatable.
func (c *crash) dir(n *node) *node {
	out := newDir()
	entries := c.entriesOf(n)
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		child := entries[name]
		var to *node
		if child.dir {
			to = c.dir(child)
		} else {
			to = c.file(child)
		}
		to.links++
		out.entries[name], out.durable[name] = to, to
	}
	return out
}

func (c *crash) file(n *node) *node {
	if c.files[n] == nil {
		disk := c.content(&n.content)
		out := &node{content: content{data: disk, disk: slices.Clone(disk)}}
		out.settle()
		c.files[n] = out
	}
	return c.files[n]
}

// content decides on a file. Its size is one thing: if the old one survives, a
// truncation since the last sync did not happen, and what grew is not there.
func (c *crash) content(n *content) []byte {
	disk := slices.Clone(n.disk)
	size, resized := c.size(n)
	if resized {
		disk = laid(disk[:min(n.low, len(disk), size)], size)
	}
	for _, b := range slices.Sorted(maps.Keys(n.dirty)) {
		// Blocks behind a truncation that did not happen were never in this file.
		if c.luck() && (resized || b*blockBytes < n.low) {
			n.store(disk, b)
		}
	}
	return disk
}

// size is the new size, or, where the file grew, a whole number of blocks
// between, or the old one.
func (c *crash) size(n *content) (size int, resized bool) {
	was, is := len(n.disk), len(n.data)
	if c.luck() {
		return is, true
	}
	first, last := was/blockBytes+1, (is-1)/blockBytes
	if is > was && first <= last && c.luck() {
		return (first + c.rng.IntN(last-first+1)) * blockBytes, true
	}
	return was, false
}

func (c *crash) luck() bool { return c.rng.Float64() < c.keep }
