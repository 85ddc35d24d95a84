package storage

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/brokerd/brokerd/internal/record"
	"github.com/brokerd/brokerd/internal/vfs"
)

// Compaction keeps the newest record of every key (cleanup.policy=compact).
//
//	segments  [ clean ……………… ][ dirty …………… ]│[ not yet ][ active ]
//	                           from          to    undecided, too young
//
// A pass reads the keys of the dirty part into a map of bounded size, up to an
// offset that is its own; then it goes through everything below that offset, from
// the first segment on, and leaves out what the map has a newer offset for. One
// group of neighbours after the other becomes a new segment that takes their
// place: see swap. A segment from which nothing is to go stays as it is.
//
// What stays keeps its offset. A batch without records stays as a header if it is
// the last of a producer that is alive (P7).

// errQuit ends a pass: the store closes.
var errQuit = errors.New("the store is closing")

// pass is one compaction of one log.
type pass struct {
	l    *Log
	at   *site // where it is: a move ends the pass
	c    *Config
	now  time.Time
	v    *view
	n    int   // segments that may be cleaned, from the first
	from int64 // where the dirty part begins
	to   int64 // what is below may go
	keys keyMap
	pace *pace

	aborted map[int64][]record.Aborted // by producer
	last    map[int64]int64            // last offset of each live producer
	epochs  map[int64]int16            // of live producers of which no batch is remembered
	open    map[int64]bool             // transactions with data in what was read
	builder record.Builder
	buf     []byte // the batch in hand
	thin    []byte // what is left of it

	read, written int64
}

// compactable is how many segments, from the first, a pass may touch: sealed, all
// of them decided (P7), and older than the lag.
func (v *view) compactable(c *Config, now time.Time) (n int) {
	for n+1 < len(v.segs) && (v.segs[n+1].base <= v.LastStable || mutations.compactUndecided) {
		if c.MinCompactionLag > 0 && v.segs[n].top > now.Add(-c.MinCompactionLag).UnixMilli() {
			break
		}
		n++
	}
	return n
}

// dirtiness is the share of bytes that were never cleaned. due: a pass is asked
// for. later: it may be soon, when a lag has ended or a transaction.
func (v *view) dirtiness(c *Config, cleaned int64, now time.Time) (share float64, due, later bool) {
	n := v.compactable(c, now)
	later = n+1 < len(v.segs)
	var clean, dirty int64
	first := int64(noTimestamp)
	for _, s := range v.segs[:n] {
		if s.base < cleaned {
			clean += s.size
			continue
		}
		if dirty == 0 {
			first = s.top
		}
		dirty += s.size
	}
	if dirty == 0 {
		return 0, false, later
	}
	share = float64(dirty) / float64(clean+dirty)
	late := c.MaxCompactionLag > 0 && first >= 0 && now.UnixMilli()-first > c.MaxCompactionLag.Milliseconds()
	return share, late || share >= c.MinDirtyRatio, later
}

// cleaned is the offset below which this log was compacted.
func (l *Log) cleaned() int64 {
	if m := l.home().journal.get(l.id); m != nil {
		return m.cleaned
	}
	return 0
}

// compact runs a pass. Nothing is done, and that is no error, where there is
// nothing to do.
func (l *Log) compact(now time.Time, budget int64, p *pace) error {
	at := l.at.Load()
	v := l.view.Load()
	c := l.config.Load()
	n := v.compactable(c, now)
	if n == 0 || l.usable() != nil {
		return l.usable()
	}
	if m := l.home().journal.get(l.id); m == nil || m.segment < v.segs[n].base {
		// A segment may go only when the checkpoint vouches for all of it.
		if err := l.home().checkpoint([]*Log{l}, forced); err != nil {
			return err
		}
	}
	m := l.home().journal.get(l.id)
	for n > 0 && (m == nil || m.segment < v.segs[n].base) {
		n--
	}
	if n == 0 {
		return nil
	}
	a := pass{l: l, at: at, c: c, now: now, v: v, n: n, pace: p, open: map[int64]bool{}}
	a.from, a.to = max(m.cleaned, v.Start), v.segs[n].base
	if a.from >= a.to {
		return nil
	}
	if err := a.prepare(budget); err != nil {
		return err
	}
	err := a.cleanAll()
	l.home().cleaner.read.Add(a.read)
	l.home().cleaner.written.Add(a.written)
	if err != nil {
		return err
	}
	if err := l.home().journal.write(appendCleaned(nil, l.id, a.to)); err != nil {
		return l.home().sort(err)
	}
	l.home().cleaner.passes.Add(1)
	return nil
}

// cleanAll goes through everything below the end of the pass, from the first
// segment on: whether data of a transaction is left is seen before its marker.
func (a *pass) cleanAll() error {
	for i := 0; i < a.n && a.v.segs[i].base < a.to; {
		k := a.group(i)
		if err := a.clean(i, k); err != nil {
			return err
		}
		i = k
	}
	return nil
}

// prepare learns what a pass must know before it leaves anything out.
func (a *pass) prepare(budget int64) error {
	list, err := a.l.Aborted(a.v.Start, a.to)
	if err != nil {
		return err
	}
	a.aborted = map[int64][]record.Aborted{}
	for _, t := range list {
		a.aborted[t.ProducerID] = append(a.aborted[t.ProducerID], t)
	}
	a.last, a.epochs = map[int64]int64{}, map[int64]int16{}
	a.l.writeMu.Lock()
	for id, p := range a.l.producers.m {
		if p.count > 0 {
			a.last[id] = p.batches[p.count-1].last
		} else {
			a.epochs[id] = p.epoch
		}
	}
	a.l.writeMu.Unlock()
	return a.readKeys(budget)
}

// readKeys fills the map from the dirty part. Where it is full the pass ends: the
// next one goes on from there.
func (a *pass) readKeys(budget int64) error {
	records := int64(0)
	for i := range a.v.segs[:a.n] {
		if a.v.endOf(i) > a.from {
			records += a.v.endOf(i) - max(a.v.segs[i].base, a.from)
		}
	}
	a.keys = newKeyMap(records, budget)
	for i := 0; i < a.n; i++ {
		if a.v.endOf(i) <= a.from {
			continue
		}
		full := false
		err := a.batches(i, func(b record.Batch) error {
			if b.NextOffset() <= a.from || b.Control() || a.isAborted(b) {
				return nil
			}
			if !a.keys.room(int(b.Count())) && a.keys.used > 0 {
				a.to, full = b.BaseOffset(), true
				return errFound
			}
			return b.Skim(record.Limits{}, func(r record.Record) error {
				if r.Key != nil && r.Offset >= a.from {
					a.keys.put(r.Key, r.Offset)
				}
				return nil
			})
		})
		if err != nil || full {
			return err
		}
	}
	return nil
}

func (a *pass) isAborted(b record.Batch) bool {
	if !b.Transactional() || b.Control() {
		return false
	}
	list := a.aborted[b.ProducerID()] // one after the other
	i, _ := slices.BinarySearchFunc(list, b.LastOffset(), func(t record.Aborted, last int64) int { return cmp.Compare(t.Last, last) })
	return i < len(list) && list[i].First <= b.BaseOffset()
}

// group gives the end of the group of segments that begins with i: neighbours
// that fit one segment together.
func (a *pass) group(i int) int {
	base, size := a.v.segs[i].base, a.v.segs[i].size
	k := i + 1
	for ; k < a.n && a.v.segs[k].base < a.to; k++ {
		size += a.v.segs[k].size
		if size > min(a.c.SegmentBytes, maxRelative) || a.v.endOf(k)-1-base > maxRelative {
			break
		}
	}
	return k
}

// batches reads segment i batch by batch. A batch is valid until the next.
func (a *pass) batches(i int, f func(record.Batch) error) error {
	h, err := a.l.store.files.get(a.v.segs[i], vfs.Write)
	if err != nil {
		return a.l.openError(a.v.segs[i], err)
	}
	defer h.release()
	s := scanner{h: h, size: a.v.segs[i].size}
	defer s.close()
	for pos := int64(0); pos < s.size; {
		b, err := s.header(pos)
		if err != nil {
			return err
		}
		if int64(cap(a.buf)) < b.size {
			a.buf = make([]byte, b.size)
		}
		whole := record.Batch(a.buf[:b.size])
		if n, err := h.ReadAt(whole, pos); int64(n) < b.size {
			return fmt.Errorf("read %s at %d: %w", h.seg.path(logSuffix), pos, errors.Join(errDamaged, err))
		}
		if err := whole.VerifyStored(); err != nil {
			return fmt.Errorf("%w: %s at %d: %w", errDamaged, h.seg.path(logSuffix), pos, err)
		}
		pos += b.size
		a.read += b.size
		if err := a.pace.take(b.size); err != nil {
			return err
		}
		if err := f(whole); err != nil {
			if errors.Is(err, errFound) {
				return nil
			}
			return err
		}
	}
	return nil
}

// left is what stays of a batch: all of it, nothing, or a thinner one.
func (a *pass) left(b record.Batch) (out record.Batch, err error) {
	if b.BaseOffset() >= a.to {
		return b, nil
	}
	if b.Control() {
		return a.leftMarker(b)
	}
	gone := a.isAborted(b)
	if b.Transactional() {
		a.open[b.ProducerID()] = true
	}
	due, dated := b.DeleteHorizon()
	expired := dated && due <= a.now.UnixMilli()
	kept, tombs := int32(0), false
	err = b.Skim(record.Limits{}, func(r record.Record) error {
		if !gone && a.wants(r, expired) {
			kept++
			tombs = tombs || r.Value == nil && r.Offset < a.to
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	horizon := int64(record.NoHorizon)
	if tombs && !dated {
		horizon = a.now.Add(a.c.DeleteRetention).UnixMilli()
	}
	if last, alive := a.last[b.ProducerID()]; kept == 0 && !(alive && last == b.LastOffset()) {
		return nil, nil
	}
	if kept == b.Count() && horizon == record.NoHorizon {
		return b, nil
	}
	return a.thinner(b, horizon, func(r record.Record) bool { return !gone && a.wants(r, expired) })
}

// wants says whether a record stays.
func (a *pass) wants(r record.Record, expired bool) bool {
	if r.Offset >= a.to {
		return true
	}
	if r.Key == nil { // nobody can ask for it by key
		return false
	}
	if newest, ok := a.keys.get(r.Key); ok && newest > r.Offset {
		return false
	}
	return r.Value != nil || !expired && !mutations.dropTombstones
}

// leftMarker keeps the marker of a transaction as long as data of it was there,
// and from then on until its horizon; and that of a producer who has only it.
func (a *pass) leftMarker(b record.Batch) (record.Batch, error) {
	id := b.ProducerID()
	data := a.open[id]
	delete(a.open, id)
	if data || b.Count() == 0 {
		return b, nil
	}
	due, dated := b.DeleteHorizon()
	switch epoch, alive := a.epochs[id]; {
	case !dated:
		horizon := a.now.Add(a.c.DeleteRetention).UnixMilli()
		return a.thinner(b, horizon, func(record.Record) bool { return true })
	case due > a.now.UnixMilli(), alive && epoch == b.ProducerEpoch():
		return b, nil
	}
	return nil, nil
}

func (a *pass) thinner(b record.Batch, horizon int64, keep func(record.Record) bool) (record.Batch, error) {
	out, err := a.builder.Thin(a.thin[:0], b, horizon, record.Limits{}, keep)
	a.thin = out
	return out, err
}
