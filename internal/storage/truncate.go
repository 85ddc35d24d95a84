package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path"
	"slices"
	"time"

	"github.com/brokerd/brokerd/internal/vfs"
)

// Truncate cuts everything from offset to on, whole batches. It waits for a sync
// in flight and lowers the durable end first. Epochs that begin at or above to
// go even if no record does. Below the start offset it is Reset.
func (l *Log) Truncate(to int64) error {
	if to < l.view.Load().Start {
		return l.Reset(to)
	}
	return l.cut(func(c *cut) error { return c.at(to) })
}

// Reset empties the log and begins it at start (a follower whose leader has
// nothing of what it has).
func (l *Log) Reset(start int64) error {
	if start < 0 {
		return fmt.Errorf("reset %s to %d: %w", l.name(), start, ErrOutOfRange)
	}
	return l.cut(func(c *cut) error { return c.everything(start) })
}

// cut is a truncation at work: it has the log's gate, no round of the flusher
// runs, and nobody writes. In this order, so that a crash at any point leaves
// a log that recovery understands:
//
//	view (shorter) → epochs, producer state → checkpoint (lower) → files → sync
type cut struct {
	l     *Log
	v     *view // before
	t     tail  // after
	start int64
	keep  int      // segments that stay whole
	old   *segment // cut at t.pos, if not nil; t.seg takes its place
}

func (l *Log) cut(plan func(*cut) error) error {
	l.files.enter()
	defer l.files.leave()
	l.writeMu.Lock()
	err := l.usable()
	if err == nil && l.closing {
		err = ErrClosed
	}
	l.cutting = err == nil
	l.writeMu.Unlock()
	if err != nil {
		return err
	}
	l.holdSync()
	c := cut{l: l, v: l.view.Load(), t: l.tail, start: l.view.Load().Start}
	if err = plan(&c); err == nil {
		err = c.run()
	}
	l.writeMu.Lock()
	l.cutting = false
	l.writeMu.Unlock()
	l.releaseSync()
	if err != nil {
		return fmt.Errorf("truncate %s: %w", l.name(), err)
	}
	return nil
}

// at plans to cut the batch that holds to, and all after it.
func (c *cut) at(to int64) error {
	l, v := c.l, c.v
	c.keep = len(v.segs)
	if to < v.End && len(v.segs) > 0 {
		i := v.segmentAt(to)
		old := v.segs[i]
		pos, err := l.positionOf(v, i, to)
		if err != nil {
			return err
		}
		w := newTail(old.base)
		w.startSegment(&segment{log: l, base: old.base}, time.Now(), l.config.Load())
		if err := l.walk(&w, pos); err != nil {
			return err
		}
		w.epochs, w.txns, w.sealed = l.tail.epochs, l.tail.txns, 0
		for _, s := range v.segs[:i] {
			w.sealed += s.size
		}
		for _, a := range v.abortedOf(i) {
			if a.Last < w.end {
				w.aborted = append(w.aborted, a)
			}
		}
		if pos > 0 {
			w.first = c.firstTime(old)
		}
		c.t, c.keep, c.old = w, i, old
	}
	c.t.end = max(min(c.t.end, to), c.start)
	c.t.epochs = cutEpochs(l.tail.epochs, c.t.end)
	return nil
}

// everything plans to empty the log.
func (c *cut) everything(start int64) error {
	c.t, c.start, c.keep = newTail(start), start, 0
	return nil
}

// positionOf gives where the batch that holds offset begins in segment i.
func (l *Log) positionOf(v *view, i int, offset int64) (int64, error) {
	h, err := l.store.files.get(v.segs[i], vfs.Write)
	if err != nil {
		return 0, l.openError(v.segs[i], err)
	}
	defer h.release()
	s := scanner{h: h, size: v.sizeOf(i)}
	defer s.close()
	return v.find(i, &s, offset)
}

func (c *cut) firstTime(s *segment) int64 {
	h, err := c.l.store.files.get(s, vfs.Write)
	if err != nil {
		return noTimestamp
	}
	defer h.release()
	scan := scanner{h: h, size: math.MaxInt64}
	defer scan.close()
	b, err := scan.header(0)
	if err != nil {
		return noTimestamp
	}
	return b.MaxTimestamp()
}

// run does what was planned.
func (c *cut) run() error {
	if err := c.producers(); err != nil {
		return err
	}
	c.publish()
	if err := c.files(); err != nil {
		return c.l.home().sort(err)
	}
	if err := c.journal(); err != nil {
		return c.l.home().sort(err)
	}
	if c.keep == len(c.v.segs) {
		return nil // only epochs went
	}
	if err := c.unlink(); err != nil {
		return c.l.home().fail(err)
	}
	return nil
}

// producers brings the producer state back to what it was at the new end.
func (c *cut) producers() error {
	l := c.l
	l.writeMu.Lock()
	had := l.hadProducers || len(l.producers.m) > 0
	l.writeMu.Unlock()
	if !had || c.keep == len(c.v.segs) {
		return nil
	}
	w := walker{l: l, hw: min(c.v.HighWatermark, c.t.end)}
	for _, s := range c.v.segs[:c.keep] {
		if err := w.segment(s, s.size); err != nil {
			return err
		}
	}
	if c.old != nil {
		if err := w.segment(c.old, c.t.pos); err != nil {
			return err
		}
	}
	l.writeMu.Lock()
	l.producers = w.ps
	l.writeMu.Unlock()
	c.t.txns = w.t.txns
	return nil
}

// publish shows the shorter log.
func (c *cut) publish() {
	l := c.l
	l.writeMu.Lock()
	defer l.writeMu.Unlock()
	l.tail = c.t
	l.truncates++
	l.candidate = nil
	l.change(func(v *view) {
		t := &c.t
		if c.keep < len(c.v.segs) {
			v.segs = v.segs[:c.keep:c.keep]
			if t.seg != nil {
				v.segs = append(v.segs, t.seg)
			}
		}
		v.Start, v.End, v.pos, v.bytes = c.start, t.end, t.pos, t.sealed+t.pos
		v.Durable = min(v.Durable, t.end)
		v.HighWatermark = max(min(v.HighWatermark, t.end), c.start)
		v.index, v.places, v.summary, v.aborted = t.index, t.places, t.summary, t.aborted
		v.epochs, v.txns = t.epochs, t.txns
	})
	if c.start > c.v.Start {
		l.change(func(v *view) { v.Durable = max(v.Durable, c.start) })
	}
}

// files makes epochs and producer state true for the shorter log.
func (c *cut) files() error {
	l := c.l
	if len(c.v.segs) == 0 && l.written.hasEpochs(nil) {
		return nil // there is no directory
	}
	if err := l.saveEpochsGated(); err != nil {
		return err
	}
	if at := l.written.producersAt; at >= 0 && at <= c.t.end && c.keep > 0 {
		return nil // of what stays
	}
	err := l.home().fs.Remove(path.Join(l.path(), producersName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	l.written.producersAt = -1
	if err := l.home().fs.SyncDir(l.path()); err != nil {
		return &syncError{err}
	}
	return nil
}

// journal lowers the checkpoint's point, if it is above the cut.
func (c *cut) journal() error {
	l, t := c.l, &c.t
	m := l.home().journal.get(l.id)
	switch {
	case c.start != c.v.Start: // only the checkpoint knows the start of an empty log
	case m == nil, m.end <= t.end && m.start == c.start:
		return nil
	}
	if m == nil {
		m = &mark{hw: c.start}
	}
	p := mark{id: l.id, topic: l.topic, epoch: latestEpoch(t.epochs), start: c.start, end: t.end,
		hw: max(min(m.hw, t.end), c.start), segment: t.end, pos: t.pos, since: t.since, index: t.indexSum, summary: t.summary, digest: t.digest,
		aborted: int32(len(t.aborted))}
	l.writeMu.Lock() // the keeper expires producers meanwhile
	p.producers = len(l.producers.m) > 0
	l.writeMu.Unlock()
	if t.seg != nil {
		p.segment = t.seg.base
	}
	entries := appendPoint(nil, &p)
	entries = appendCut(entries, l.id, p.segment, math.MaxInt64)
	if c.keep == 0 {
		entries = appendCut(entries, l.id, 0, math.MaxInt64)
	}
	return l.home().journal.write(entries)
}

// unlink cuts and removes the files, and makes that durable before anything new
// is written: old batches must not come to life behind new ones.
func (c *cut) unlink() error {
	l := c.l
	if err := l.forget(c.v.segs[c.keep:]); err != nil {
		return err
	}
	for _, s := range c.v.segs[c.keep:] {
		l.store.files.drop(s)
		if s != c.old {
			l.removeFiles(s)
		}
	}
	l.written.index, l.written.aborted = fileOf{}, fileOf{}
	if c.old != nil {
		for _, suffix := range []string{indexSuffix, timeIndexSuffix, abortedSuffix} {
			_ = l.home().fs.Remove(c.old.path(suffix)) // caches; written anew
		}
		h, err := l.store.files.get(c.t.seg, vfs.Write)
		if err != nil {
			return err
		}
		defer h.release()
		if err := errors.Join(h.Truncate(c.t.pos), h.Sync()); err != nil {
			return err
		}
	}
	if err := l.home().fs.SyncDir(l.path()); err != nil {
		return err
	}
	return l.home().fs.SyncDir(l.home().path)
}

// forget lets go of the unsynced files of segments that are cut. What the log's
// directory still owes is paid by the caller, except partition.metadata: here.
func (l *Log) forget(segs []*segment) (err error) {
	l.syncMu.Lock()
	l.dirty = slices.DeleteFunc(l.dirty, func(s *segment) bool { return slices.Contains(segs, s) })
	metadata := l.entries.metadata
	l.entries = entriesDirty{}
	l.syncMu.Unlock()
	for _, s := range segs {
		if h := s.unsynced.Swap(nil); h != nil {
			h.release()
		}
	}
	if metadata != nil {
		err = errors.Join(metadata.Sync(), metadata.Close())
	}
	return err
}

// removeFiles unlinks a segment. Who reads it has it open.
func (l *Log) removeFiles(s *segment) {
	for _, suffix := range []string{logSuffix, indexSuffix, timeIndexSuffix, abortedSuffix} {
		if err := l.home().fs.Remove(s.path(suffix)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			l.home().logger.Warn("file of a removed segment stays", "file", s.path(suffix), "err", err)
		}
	}
}
