package storage

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"github.com/brokerd/brokerd/internal/record"
	"github.com/brokerd/brokerd/internal/vfs"
)

// scrubber reads every sealed segment of one directory once per interval, so that
// damage is found while another replica still has the data (S7). One goroutine,
// only where there is an interval.
//
//	wait a hundredth ─► list, in random order ─► segment … segment ─► anew
//	                                             └ even pace over the interval ┘
//
// A pass that a restart cuts short is not continued: the order is random, so every
// segment has its turn all the same.
type scrubber struct {
	dir  *logDir
	quit chan struct{}

	segments, read, damaged atomic.Int64
}

// scrubRate bounds how fast one segment is read, in bytes per second.
const scrubRate = 32 << 20

func newScrubber(d *logDir) *scrubber { return &scrubber{dir: d, quit: make(chan struct{})} }

// run scrubs until the store closes or the directory fails.
func (c *scrubber) run() {
	interval := c.dir.store.options.ScrubInterval
	for c.rest(interval/100) && c.pass(interval-interval/100) {
	}
}

// rest waits; false: the store closes.
func (c *scrubber) rest(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-c.quit:
		return false
	case <-t.C:
		return true
	}
}

// pass reads what is sealed now, in about this time.
func (c *scrubber) pass(within time.Duration) bool {
	list := c.sealed()
	total := int64(0)
	for _, s := range list {
		total += s.size
	}
	if total == 0 {
		return c.rest(within)
	}
	even := newPace(float64(total)/within.Seconds(), c.quit)
	for _, s := range list {
		if even.take(s.size) != nil || c.check(s) != nil || c.dir.failure() != nil {
			return false
		}
	}
	return true
}

// sealed lists the sealed segments of all logs that are in use, in random order.
func (c *scrubber) sealed() (list []*segment) {
	for _, l := range c.dir.store.openLogs(c.dir) {
		if segs := l.view.Load().segs; len(segs) > 1 && l.usable() == nil {
			list = append(list, segs[:len(segs)-1]...)
		}
	}
	rand.Shuffle(len(list), func(i, k int) { list[i], list[k] = list[k], list[i] })
	return list
}

// stands says whether a segment is sealed, and part of a log that works.
func (s *segment) stands() bool {
	segs := s.log.view.Load().segs
	i := slices.Index(segs, s)
	return i >= 0 && i < len(segs)-1 && s.log.usable() == nil && !s.replaced.Load()
}

// check reads one segment, and tells when it is damaged. errQuit: the store closes.
func (c *scrubber) check(s *segment) error {
	if !s.stands() {
		return nil // deleted, cut or compacted meanwhile
	}
	err := s.whole(newPace(scrubRate, c.quit))
	switch {
	case errors.Is(err, errQuit):
		return err
	case err == nil:
		c.segments.Add(1)
		c.read.Add(s.size)
	case !s.stands():
		// It was cut or replaced while it was read.
	case errors.Is(err, errDamaged):
		c.damaged.Add(1)
		if tell := c.dir.store.options.Damaged; tell != nil {
			tell(s.log, err)
		}
	default:
		c.dir.logger.Warn("segment not scrubbed", "segment", s.path(logSuffix), "err", err)
	}
	return nil
}

// whole compares a sealed segment with what it was when it was sealed: batches in
// order, each with its CRC, all together with the digest (S5).
func (s *segment) whole(p *pace) error {
	h, err := s.log.store.files.get(s, vfs.Write)
	if err != nil {
		return s.log.openError(s, err)
	}
	defer h.release()
	window := windows.Get().(*[windowBytes]byte)
	defer windows.Put(window)
	next, digest := s.base, uint32(0)
	pos, err := eachBatch(paced{h, p}, 0, s.size, window[:], func(b record.Batch) error {
		if err := b.VerifyStored(); err != nil {
			return err
		}
		if b.BaseOffset() < next {
			return fmt.Errorf("offset %d where %d is due", b.BaseOffset(), next)
		}
		next, digest = b.NextOffset(), addDigest(digest, b)
		return nil
	})
	switch {
	case errors.Is(err, errQuit):
		return err
	case err != nil: // a sector that cannot be read is as good as one that is wrong
		return fmt.Errorf("%w: %s at byte %d: %w", errDamaged, s.path(logSuffix), pos, err)
	case digest != s.digest:
		return fmt.Errorf("%w: %s has digest %08x, it was sealed with %08x", errDamaged, s.path(logSuffix), digest, s.digest)
	}
	return nil
}

// paced reads at a pace.
type paced struct {
	from io.ReaderAt
	pace *pace
}

func (r paced) ReadAt(p []byte, at int64) (int, error) {
	if err := r.pace.take(int64(len(p))); err != nil {
		return 0, err
	}
	return r.from.ReadAt(p, at)
}

// Condemn takes a log out of service whose data was found to be bad (S4), and
// gives the error that it answers from now on. Nothing is cut.
func (l *Log) Condemn(why error) error {
	l.corrupt(why)
	return l.usable()
}

// ScrubStats is what the scrubber has done since the start.
type ScrubStats struct {
	Segments, BytesRead int64 // found to be whole
	Damaged             int64 // segments found not to be
}

// Scrub sums up what the scrubbers of all directories did.
func (s *Store) Scrub() (out ScrubStats) {
	for _, d := range s.dirs {
		out.Segments += d.scrubber.segments.Load()
		out.BytesRead += d.scrubber.read.Load()
		out.Damaged += d.scrubber.damaged.Load()
	}
	return out
}
