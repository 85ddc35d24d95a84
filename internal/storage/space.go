package storage

import (
	"sync/atomic"
	"time"

	"github.com/brokerd/brokerd/internal/vfs"
)

// Space is reserved ahead of a busy segment's end, because page-cache and
// extent allocation is most of what an append costs: nothing below aheadFrom,
// then as much as the segment has, at most aheadMost (decisions 3.6).
const (
	aheadFrom = 1 << 20
	aheadMost = 64 << 20
)

// spaceAhead is what one segment holds beyond its end. One goroutine at a time
// works on it: who set busy.
type spaceAhead struct {
	busy    atomic.Bool
	sealed  atomic.Bool
	watched atomic.Bool  // the keeper will come by
	end     atomic.Int64 // reserved up to here
	counted int64        // of it in of.ahead; owned by who set busy
	of      *logDir
}

// allocateAhead reserves more when less than half a step is left. It returns at once.
func (s *segment) allocateAhead(pos int64) {
	step := min(pos, aheadMost)
	if s.space.end.Load()-pos > step/2 || s.space.busy.Swap(true) {
		return
	}
	s.log.store.background.run(func() {
		s.reserve(pos, step)
		s.space.busy.Store(false)
		if s.space.sealed.Load() {
			s.log.giveBack(s)
		}
	})
}

// reserve asks for [pos, pos+step), unless all logs of the directory together
// hold too much. That it fails costs nothing but speed.
func (s *segment) reserve(pos, step int64) {
	d := s.log.home()
	s.count(pos)
	if d.ahead.Load()+step > d.free.Load()/aheadShare || s.log.usable() != nil {
		return
	}
	h, err := s.log.store.files.get(s, vfs.Write)
	if err != nil {
		return
	}
	defer h.release()
	from := max(pos, s.space.end.Load())
	if h.Allocate(from, pos+step-from) == nil {
		s.space.end.Store(pos + step)
		s.count(pos)
		s.watchIdle(pos)
	}
}

// idleAfter is how long a segment may be quiet before it gives space back.
const idleAfter = time.Minute

// watchIdle gives back what is ahead once nothing was written for a while.
func (s *segment) watchIdle(pos int64) {
	if s.space.watched.Swap(true) {
		return
	}
	s.log.home().keeper.later(time.Now().Add(idleAfter), func() {
		s.space.watched.Store(false)
		v := s.log.view.Load()
		switch i := v.segmentAt(s.base); {
		case len(v.segs) == 0 || v.segs[i] != s || s.space.end.Load() == 0:
		case v.sizeOf(i) == pos:
			s.log.giveBack(s)
		default:
			s.watchIdle(v.sizeOf(i))
		}
	})
}

// count makes logDir.ahead true for this segment.
func (s *segment) count(pos int64) {
	if s.space.of == nil {
		s.space.of = s.log.home()
	}
	n := max(0, s.space.end.Load()-pos)
	s.space.of.ahead.Add(n - s.space.counted)
	s.space.counted = n
}

// forsake counts nothing any more for a segment that is no part of its log.
func (a *spaceAhead) forsake() {
	a.sealed.Store(true)
	if a.busy.Swap(true) {
		return // who is at work comes back to it
	}
	if a.of != nil {
		a.of.ahead.Add(-a.counted)
	} // and busy for ever: nobody reserves for it
}

// seal gives back what is ahead of a segment that is full now.
func (a *spaceAhead) seal(s *segment, pos int64) {
	a.sealed.Store(true)
	if a.end.Load() > pos {
		s.log.store.background.run(func() { s.log.giveBack(s) })
	}
}

// giveBack cuts the file to its size. writeMu keeps writes and truncations away.
func (l *Log) giveBack(s *segment) {
	l.writeMu.Lock()
	defer l.writeMu.Unlock()
	v := l.view.Load()
	i := v.segmentAt(s.base)
	if len(v.segs) == 0 || v.segs[i] != s {
		s.space.forsake()
		return
	}
	if s.space.busy.Swap(true) {
		return // the one at work gives back
	}
	defer s.space.busy.Store(false)
	pos := v.sizeOf(i)
	if s.space.end.Load() <= pos || l.usable() != nil {
		return
	}
	h, err := l.store.files.get(s, vfs.Write)
	if err != nil {
		return
	}
	defer h.release()
	if h.Truncate(pos) == nil {
		s.space.end.Store(0)
		s.count(pos)
	}
}
