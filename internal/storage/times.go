package storage

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/brokerd/brokerd/internal/record"
	"github.com/brokerd/brokerd/internal/vfs"
)

// nowhere is the answer when no record fits.
var nowhere = At{Offset: -1, Timestamp: noTimestamp, Epoch: -1}

// errFound ends a walk through records.
var errFound = errors.New("found")

// FirstAtOrAfter finds the first record whose timestamp is ts or later, below limit.
func (l *Log) FirstAtOrAfter(ts, limit int64) (At, error) {
	return l.look(func(v *view) (At, error) {
		for i, s := range v.segs {
			if s.base >= limit {
				break
			}
			if v.topOf(i).top < ts || v.endOf(i) <= v.Start {
				continue
			}
			at, err := l.firstIn(v, i, ts, limit)
			if err != nil || at.Offset >= 0 {
				return at, err
			}
		}
		return nowhere, nil
	})
}

// MaxTimestamp finds the first record that has the largest timestamp below limit.
func (l *Log) MaxTimestamp(limit int64) (At, error) {
	return l.look(func(v *view) (At, error) {
		best, where := summary{noTimestamp, noTimestamp}, 0
		for i, s := range v.segs {
			if s.base >= limit {
				break
			}
			if v.endOf(i) <= v.Start {
				continue
			}
			top := v.topOf(i)
			if s.base < v.Start || v.endOf(i) > limit {
				var err error
				if top, err = l.topBetween(v, i, v.Start, limit); err != nil {
					return nowhere, err
				}
			}
			if top.top > best.top {
				best, where = top, i
			}
		}
		if best.top == noTimestamp {
			return nowhere, nil
		}
		return l.firstWith(v, where, best)
	})
}

// look runs a search on a view, again if the view had moved on.
func (l *Log) look(search func(*view) (At, error)) (At, error) {
	for {
		if err := l.usable(); err != nil {
			return nowhere, err
		}
		v := l.view.Load()
		at, err := search(v)
		if err == nil {
			if at.Offset >= 0 {
				at.Epoch = epochAt(v.epochs, at.Offset)
			}
			return at, nil
		}
		if !l.movedOn(v, err) {
			return nowhere, err
		}
	}
}

// topOf is the largest timestamp of segment i in this view.
func (v *view) topOf(i int) summary {
	if i+1 < len(v.segs) {
		return v.segs[i].summary
	}
	return v.summary
}

// firstIn looks in one segment, from where every earlier timestamp is below ts.
func (l *Log) firstIn(v *view, i int, ts, limit int64) (at At, err error) {
	s := v.segs[i]
	pos, err := s.floorTime(v, i+1 == len(v.segs), ts)
	if err != nil {
		return nowhere, err
	}
	at = nowhere
	err = l.batches(v, i, pos, func(h *handle, pos int64, b head) error {
		if b.BaseOffset() >= limit {
			return errFound
		}
		if b.MaxTimestamp() < ts || b.LastOffset() < v.Start {
			return nil
		}
		return eachRecord(h, pos, b, func(r record.Record) error {
			if r.Timestamp < ts || r.Offset < v.Start || r.Offset >= limit {
				return nil
			}
			at = At{Offset: r.Offset, Timestamp: r.Timestamp}
			return errFound
		})
	})
	return at, err
}

// topBetween is the largest timestamp in [from, limit) of one segment: by the
// headers, and by the records where a batch lies across a bound.
func (l *Log) topBetween(v *view, i int, from, limit int64) (summary, error) {
	best := summary{noTimestamp, noTimestamp}
	err := l.batches(v, i, 0, func(h *handle, pos int64, b head) error {
		if b.BaseOffset() >= limit {
			return errFound
		}
		top := b.MaxTimestamp()
		if b.LastOffset() < from || top <= best.top {
			return nil
		}
		if b.BaseOffset() < from || b.LastOffset() >= limit {
			top = noTimestamp
			err := eachRecord(h, pos, b, func(r record.Record) error {
				if r.Offset >= from && r.Offset < limit {
					top = max(top, r.Timestamp)
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
		if top > best.top {
			best = summary{top, b.LastOffset()}
		}
		return nil
	})
	return best, err
}

// firstWith finds the record of that timestamp in the batch that the summary names.
func (l *Log) firstWith(v *view, i int, want summary) (at At, err error) {
	s := v.segs[i]
	pos, err := s.floor(v, i+1 == len(v.segs), byOffset, want.topOffset-s.base)
	if err != nil {
		return nowhere, err
	}
	at = nowhere
	err = l.batches(v, i, pos, func(h *handle, pos int64, b head) error {
		if b.LastOffset() < want.topOffset {
			return nil
		}
		err := eachRecord(h, pos, b, func(r record.Record) error {
			// A header may promise more than its records have: then the largest of them.
			if r.Offset >= v.Start && r.Timestamp <= want.top && r.Timestamp > at.Timestamp {
				at = At{Offset: r.Offset, Timestamp: r.Timestamp}
			}
			return nil
		})
		return errors.Join(err, errFound)
	})
	return at, err
}

// batches calls f with the header of every batch of segment i from pos on.
func (l *Log) batches(v *view, i int, pos int64, f func(h *handle, pos int64, b head) error) error {
	h, err := l.store.files.get(v.segs[i], vfs.Write)
	if err != nil {
		return l.openError(v.segs[i], err)
	}
	defer h.release()
	s := scanner{h: h, size: v.sizeOf(i)}
	defer s.close()
	for pos < s.size {
		b, err := s.header(pos)
		if err != nil {
			return err
		}
		if err := f(h, pos, b); err != nil {
			if errors.Is(err, errFound) {
				return nil
			}
			return err
		}
		pos += b.size
	}
	return nil
}

// eachRecord reads a batch whole and calls f with its records.
func eachRecord(h *handle, pos int64, b head, f func(record.Record) error) error {
	whole := make(record.Batch, b.size)
	if n, err := h.ReadAt(whole, pos); int64(n) < b.size {
		if err == nil || errors.Is(err, io.EOF) {
			err = errDamaged
		}
		return fmt.Errorf("read %s at %d: %w", h.seg.path(logSuffix), pos, err)
	}
	return whole.Skim(record.Limits{}, f)
}

// floorTime gives the position of a batch before which every timestamp is below ts.
func (s *segment) floorTime(v *view, active bool, ts int64) (int64, error) {
	if active {
		return floorTime(v.index, ts), nil
	}
	if m := s.index.Load(); m != nil {
		return floorTime(m.entries, ts), nil
	}
	pos, err := s.floorTimeOnDisk(ts)
	if !errors.Is(err, errNoIndex) {
		return pos, err
	}
	s.log.store.files.dropIndex(s)
	entries, err := s.rebuilt()
	return floorTime(entries, ts), err
}

// floorTimeOnDisk searches .timeindex, which is opened for it: few ask by time.
func (s *segment) floorTimeOnDisk(ts int64) (int64, error) {
	f, err := s.log.home().fs.Open(s.path(timeIndexSuffix), vfs.Read)
	if err != nil {
		return 0, errNoIndex
	}
	defer f.Close() // read only
	e, found, err := s.searchFile(f, timeEntryBytes, func(e []byte) bool { return int64(binary.BigEndian.Uint64(e)) >= ts })
	if !found || err != nil {
		return 0, err
	}
	return s.believed(int64(binary.BigEndian.Uint32(e[8:])), int64(binary.BigEndian.Uint64(e[:])))
}

// believed gives the position of the batch that a time entry names, if it is
// there and has that timestamp (I10).
func (s *segment) believed(last, top int64) (int64, error) {
	pos, err := s.floorOnDisk(byOffset, last)
	if err != nil {
		return 0, err
	}
	h, err := s.log.store.files.get(s, vfs.Write)
	if err != nil {
		return 0, s.log.openError(s, err)
	}
	defer h.release()
	scan := scanner{h: h, size: s.size}
	defer scan.close()
	if pos, err = scan.seek(pos, s.base+last); err != nil || pos >= s.size {
		return 0, errNoIndex
	}
	b, err := scan.header(pos)
	if err != nil || b.LastOffset() != s.base+last || b.MaxTimestamp() != top {
		return 0, errNoIndex
	}
	return pos, nil
}
