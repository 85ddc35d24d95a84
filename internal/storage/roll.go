package storage

import (
	"math/rand/v2"
	"time"

	"github.com/brokerd/brokerd/internal/record"
)

// rollDue tells whether b belongs into a new segment.
func (a *appender) rollDue(b record.Batch) bool {
	t, c := &a.t, a.c
	if t.pos == 0 {
		return false
	}
	switch {
	case t.pos+int64(len(b)) > min(c.SegmentBytes, maxRelative):
		return true
	case b.LastOffset()-t.seg.base > maxRelative:
		return true
	case c.SegmentIndexBytes > 0 && (int64(len(t.index)) >= c.SegmentIndexBytes/offsetEntryBytes ||
		int64(t.times) >= c.SegmentIndexBytes/timeEntryBytes-1):
		return true
	}
	limit := c.rollAge()
	return limit > 0 && t.age(b.MaxTimestamp(), a.now) > limit-t.jitter
}

// rollAge is the age at which a segment is sealed, 0: never. Only what is sealed is
// compacted, so max.compaction.lag.ms bounds it too.
func (c *Config) rollAge() time.Duration {
	if c.Compact && c.MaxCompactionLag > 0 && (c.SegmentAge == 0 || c.MaxCompactionLag < c.SegmentAge) {
		return c.MaxCompactionLag
	}
	return c.SegmentAge
}

// roll writes what was planned, seals the active segment and starts the next at
// the end of the log.
func (a *appender) roll() error {
	if err := a.flush(); err != nil {
		return err
	}
	if err := a.l.rollLocked(a.now); err != nil {
		return err
	}
	a.t, a.rolled = a.l.tail, true
	return nil
}

// rollLocked starts a new active segment. No sync happens here: the flusher does it.
func (l *Log) rollLocked(now time.Time) error {
	t := l.tail
	s := &segment{log: l, base: t.end}
	if err := l.createSegment(s); err != nil {
		return err
	}
	if old := t.seg; old != nil {
		t.sealInto(old)
		old.space.seal(old, t.pos)
	}
	t.startSegment(s, now, l.config.Load())
	l.tail = t
	l.view.update(func(next *view) bool {
		next.segs = append(next.segs[:len(next.segs):len(next.segs)], s)
		next.pos, next.index, next.places, next.summary, next.aborted = 0, nil, nil, t.summary, nil
		return true
	})
	l.candidate = nil
	l.captureLocked()
	return nil
}

func rollJitter(c *Config) time.Duration {
	if limit := min(c.SegmentJitter, c.rollAge()); limit > 0 {
		return time.Duration(rand.Int64N(int64(limit)))
	}
	return 0
}
