package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"time"
)

// DeleteBefore raises the log start offset (DeleteRecords); not above the high
// watermark, and only up to the first transaction that is undecided (P7). It is
// in the checkpoint before it returns. Segments that are wholly below go soon.
func (l *Log) DeleteBefore(offset int64) (start int64, err error) {
	v := l.view.Load()
	if err := l.usable(); err != nil {
		return v.Start, err
	}
	if offset > v.HighWatermark {
		return v.Start, fmt.Errorf("delete before %d of %s, high watermark is %d: %w", offset, l.name(), v.HighWatermark, ErrOutOfRange)
	}
	if offset = min(offset, v.LastStable); offset <= v.Start {
		return v.Start, nil
	}
	if err := l.raiseStart(offset); err != nil {
		return l.view.Load().Start, err
	}
	l.home().keeper.later(time.Time{}, l.dropSegments)
	return l.view.Load().Start, nil
}

// raiseStart moves the start offset, durably. Readers see it a little before;
// the epochs below it go after.
func (l *Log) raiseStart(offset int64) error {
	l.change(func(v *view) { v.Start = max(v.Start, min(offset, v.HighWatermark)) })
	if err := l.saveStart(offset); err != nil {
		return err
	}
	l.writeMu.Lock()
	defer l.writeMu.Unlock()
	l.tail.epochs = raiseEpochs(l.tail.epochs, min(offset, l.tail.end))
	l.change(func(v *view) { v.epochs = l.tail.epochs })
	return nil
}

// saveStart waits until the checkpoint has the start offset.
func (l *Log) saveStart(offset int64) error {
	for {
		if m := l.home().journal.get(l.id); m != nil && m.start >= offset {
			return nil
		}
		if err := l.usable(); err != nil {
			return err
		}
		if l.view.Load().Start < offset {
			return fmt.Errorf("%s was truncated meanwhile: %w", l.name(), ErrOutOfRange)
		}
		if err := l.home().checkpoint([]*Log{l}, forced); err != nil {
			return err
		}
	}
}

// sweep does what time asks of a directory's logs: retention, expiry of producers.
func (d *logDir) sweep(now time.Time) {
	for _, l := range d.store.openLogs(d) {
		if d.failure() != nil {
			return
		}
		if of := d.store.options.ConfigOf; of != nil { // recovery, which opened it, knew no settings
			if c, ok := of(l.id); ok {
				l.SetConfig(c)
			}
		}
		l.expireProducers(now)
		l.retain(now)
		if l.config.Load().Compact {
			d.cleaner.plan() // settings, lags and transactions may have made something due
		}
	}
	d.sweepCold(now)
}

func (s *Store) openLogs(d *logDir) (out []*Log) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.logs {
		if l.home() == d {
			out = append(out, l)
		}
	}
	return out
}

// sweepCold opens logs that nobody has used since the start, if their checkpoint
// says that something of them is to go.
func (d *logDir) sweepCold(now time.Time) {
	s := d.store
	if s.options.ConfigOf == nil {
		return
	}
	for _, m := range d.journal.all() {
		s.mu.Lock()
		cold := s.logs[m.id] == nil && s.found[m.id].dir == d && !s.closed
		s.mu.Unlock()
		if !cold {
			continue
		}
		c, ok := s.options.ConfigOf(m.id)
		expired, dirty := ok && c.Delete && m.anyExpired(&c, now), ok && c.Compact && m.anyDirty()
		if !expired && !dirty {
			continue
		}
		if l, err := s.Log(m.id, m.topic, c); err == nil {
			l.retain(now)
			if dirty {
				d.cleaner.plan()
			}
		}
	}
}

// anyDirty says whether a sealed segment of a cold log was never compacted.
func (m *mark) anyDirty() bool {
	return len(m.sealed) > 0 && m.sealed[len(m.sealed)-1].base >= m.cleaned
}

// anyExpired says whether retention would take anything of a cold log.
func (m *mark) anyExpired(c *Config, now time.Time) bool {
	if c.RetentionBytes >= 0 && m.bytes() > c.RetentionBytes && len(m.sealed) > 0 {
		return true
	}
	first := m.summary
	if len(m.sealed) > 0 {
		first = m.sealed[0].summary
	}
	return m.bytes() > 0 && first.expired(c, now)
}

// expired says whether every record up to this time is older than retention.ms.
// Records without a time do not expire by it.
func (s summary) expired(c *Config, now time.Time) bool {
	return c.RetentionAge >= 0 && s.top >= 0 && now.UnixMilli()-s.top > c.RetentionAge.Milliseconds()
}

func (l *Log) expireProducers(now time.Time) {
	l.writeMu.Lock()
	defer l.writeMu.Unlock()
	if l.usable() == nil && !l.closing {
		l.producers.expire(now.Add(-time.Duration(l.store.producerExpiry.Load())).UnixMilli())
	}
}

// retain deletes the oldest segments by time and by size, never past the last
// stable offset (P7), and those below the start offset.
func (l *Log) retain(now time.Time) {
	c := l.config.Load()
	if c.Delete {
		if err := l.rollExpired(c, now); err != nil {
			l.home().logger.Warn("expired segment not rolled", "log", l.path(), "err", err)
		}
		v := l.view.Load()
		if start := v.retained(c, now); start > v.Start {
			if err := l.raiseStart(start); err != nil {
				if l.usable() == nil {
					l.home().logger.Warn("retention put off", "log", l.path(), "err", err)
				}
				return
			}
		}
	}
	l.dropSegments()
}

// retained is the start offset that retention asks for.
func (v *view) retained(c *Config, now time.Time) int64 {
	start, bytes := v.Start, v.bytes
	for i := 0; i+1 < len(v.segs) && v.segs[i+1].base <= v.LastStable; i++ {
		s := v.segs[i]
		tooOld := s.expired(c, now)
		tooMuch := c.RetentionBytes >= 0 && bytes-s.size >= c.RetentionBytes
		if !tooOld && !tooMuch && v.segs[i+1].base > v.Start {
			break
		}
		bytes -= s.size
		start = max(start, v.segs[i+1].base)
	}
	return start
}

// rollExpired starts a new segment when all of the active one is past its time.
func (l *Log) rollExpired(c *Config, now time.Time) error {
	l.writeMu.Lock()
	v := l.view.Load()
	due := l.usable() == nil && !l.closing && !l.cutting && v.pos > 0 && v.summary.expired(c, now) && v.End <= v.LastStable
	var err error
	if due {
		err = l.rollLocked(now)
	}
	l.writeMu.Unlock()
	if due && err == nil {
		l.home().flusher.mark(l)
		l.home().keeper.touch(l, l.view.Load())
	}
	return err
}

// dropSegments takes segments below the start offset out of the log, renames
// their files, and unlinks them after the delay. The start offset is durable
// already, and so is all below it.
func (l *Log) dropSegments() {
	v := l.view.Load()
	n := v.belowStart()
	if n == 0 || l.usable() != nil {
		return
	}
	if m := l.home().journal.get(l.id); m == nil || m.segment < v.segs[n].base {
		// The checkpoint's point lies in a segment that is to go: it moves first.
		if err := l.home().checkpoint([]*Log{l}, forced); err != nil {
			l.home().logger.Warn("segments not deleted", "log", l.path(), "err", err)
			return
		}
	}
	l.files.enter()
	defer l.files.leave()
	v = l.view.Load()
	n = min(n, v.belowStart())
	m := l.home().journal.get(l.id)
	if n == 0 || l.usable() != nil || m == nil || m.start < v.segs[n].base || m.segment < v.segs[n].base {
		return
	}
	if err := l.home().journal.write(appendCut(nil, l.id, 0, v.segs[n].base)); err != nil {
		l.home().logger.Warn("segments not deleted", "log", l.path(), "err", l.home().sort(err))
		return
	}
	gone := v.segs[:n:n]
	l.writeMu.Lock()
	for _, s := range gone {
		l.tail.sealed -= s.size
	}
	l.change(func(v *view) {
		v.segs = v.segs[n:]
		v.bytes = l.tail.sealed + l.tail.pos
	})
	l.writeMu.Unlock()
	for _, s := range gone {
		l.store.files.drop(s)
		l.retire(s)
	}
	l.pointAt.Store(min(l.pointAt.Load(), l.view.Load().bytes))
}

// belowStart is how many segments are wholly below the start offset.
func (v *view) belowStart() int {
	n := 0
	for n+1 < len(v.segs) && v.segs[n+1].base <= v.Start {
		n++
	}
	return n
}

// retire renames the files of a segment and has them unlinked later. An open
// reader keeps what it has.
func (l *Log) retire(s *segment) {
	fsys, logger := l.home().fs, l.home().logger
	var retired []string
	for _, suffix := range []string{logSuffix, indexSuffix, timeIndexSuffix, abortedSuffix} {
		from := s.path(suffix)
		switch err := fsys.Rename(from, from+deletedSuffix); {
		case err == nil:
			retired = append(retired, segmentName(s.base)+suffix+deletedSuffix)
		case !errors.Is(err, fs.ErrNotExist):
			logger.Warn("deleted segment keeps its name; the next start removes it", "file", from, "err", err)
		}
	}
	delay := l.config.Load().FileDeleteDelay
	l.home().keeper.later(time.Now().Add(delay), func() {
		for _, name := range retired {
			if err := fsys.Remove(l.path() + "/" + name); err != nil && !errors.Is(err, fs.ErrNotExist) {
				logger.Warn("deleted segment is not gone yet; the next start tries again", "file", name, "err", err)
			}
		}
	})
}
