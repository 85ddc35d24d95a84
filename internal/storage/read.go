package storage

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"sort"
	"sync"

	"github.com/brokerd/brokerd/internal/record"
	"github.com/brokerd/brokerd/internal/vfs"
)

// ReadSpec says what to read.
type ReadSpec struct {
	From     int64
	Limit    int64 // no batch that reaches above this offset (high watermark, last stable offset or end)
	MaxBytes int
	// FirstWhole: the first batch comes whole even if it is larger than MaxBytes.
	FirstWhole bool
}

// Read returns the range of whole batches that starts with the one that holds
// From, all in one segment. An empty range is no error. ErrOutOfRange: From <
// start or From > end. The caller must Release the range.
func (l *Log) Read(r ReadSpec) (Range, error) {
	for {
		if err := l.usable(); err != nil {
			return Range{}, err
		}
		out, again, err := l.readNow(r)
		if !again {
			return out, err
		}
	}
}

// readNow reads by the view of now; again: a later one may give what this did not.
func (l *Log) readNow(r ReadSpec) (out Range, again bool, err error) {
	v := l.view.enter()
	defer l.view.leave()
	if r.From < v.Start || r.From > v.End {
		return Range{}, false, fmt.Errorf("offset %d of %s, which has %d to %d: %w", r.From, l.name(), v.Start, v.End, ErrOutOfRange)
	}
	out, err = l.readAt(v, r)
	return out, err != nil && l.movedOn(v, err), err
}

// movedOn tells whether an error of reading by a view has its cause in a later
// view: the segment was deleted, truncated or put elsewhere. Then the reader
// looks again. Damage below the durable end is for good.
func (l *Log) movedOn(v *view, err error) bool {
	if l.usable() != nil || errors.Is(err, errMoved) {
		return true // says so
	}
	now := l.view.Load()
	// A truncation changes segments too: the log may have grown again since.
	if now.Start != v.Start || now.End < v.End || !slices.Equal(now.segs, v.segs) {
		return true
	}
	if errors.Is(err, errDamaged) {
		l.corrupt(err)
		return true
	}
	return false
}

func (l *Log) readAt(v *view, r ReadSpec) (Range, error) {
	limit := min(r.Limit, v.End)
	for i := v.segmentAt(r.From); i < len(v.segs) && r.From < limit; i++ {
		h, err := l.store.files.get(v.segs[i], vfs.Write)
		if err != nil {
			return Range{}, l.openError(v.segs[i], err)
		}
		off, n, err := v.extent(i, h, r, limit)
		if err == nil && n > 0 {
			return Range{h, off, n}, nil // keeps the reference
		}
		h.release()
		if err != nil || off < v.sizeOf(i) {
			return Range{}, err
		}
		// From lies in a gap at the segment's end: the next one has its successor.
	}
	return Range{}, nil
}

// openError sorts an error of opening a segment: one that is not there any more is damage.
func (l *Log) openError(s *segment, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %s is missing", errDamaged, s.path(logSuffix))
	}
	return fmt.Errorf("open %s: %w", s.path(logSuffix), err)
}

// extent gives position and length of what r asks of segment i.
func (v *view) extent(i int, h *handle, r ReadSpec, limit int64) (off, n int64, err error) {
	size := v.sizeOf(i)
	s := scanner{h: h, size: size}
	defer s.close()
	off, err = v.find(i, &s, r.From)
	if err != nil || off == size {
		return off, 0, err
	}
	end := size
	if limit < v.endOf(i) {
		if end, err = v.find(i, &s, limit); err != nil {
			return off, 0, err
		}
	}
	if end-off <= int64(r.MaxBytes) {
		return off, max(end-off, 0), nil
	}
	end, err = v.boundary(i, &s, off, off+int64(r.MaxBytes))
	if err == nil && end == off && r.FirstWhole {
		b, err := s.header(off)
		if err != nil {
			return off, 0, err
		}
		end = off + b.size
	}
	return off, end - off, err
}

// find gives the position of the batch in segment i that holds offset or, if
// there is none, of the next; the segment's size if there is no such batch.
func (v *view) find(i int, s *scanner, offset int64) (int64, error) {
	active := i+1 == len(v.segs)
	if active && offset >= v.End {
		return v.pos, nil
	}
	if active && len(v.places) > 0 && offset >= v.places[0].offset {
		n := sort.Search(len(v.places), func(n int) bool { return v.places[n].offset > offset })
		switch p := v.places[n-1]; {
		case offset < p.next:
			return p.pos, nil
		case n < len(v.places): // in a gap
			return v.places[n].pos, nil
		}
		return v.pos, nil
	}
	from, err := v.segs[i].floor(v, active, byOffset, offset-v.segs[i].base)
	if err != nil {
		return 0, err
	}
	return s.seek(from, offset)
}

// boundary gives the largest batch boundary in [from, most].
func (v *view) boundary(i int, s *scanner, from, most int64) (int64, error) {
	active := i+1 == len(v.segs)
	if active && len(v.places) > 0 && most >= v.places[0].pos {
		n := sort.Search(len(v.places), func(n int) bool { return v.places[n].pos > most })
		return max(from, v.places[n-1].pos), nil
	}
	at, err := v.segs[i].floor(v, active, byPosition, most)
	if err != nil {
		return 0, err
	}
	for at = max(at, from); ; {
		b, err := s.header(at)
		if err != nil {
			return 0, err
		}
		if at+b.size > most {
			return at, nil
		}
		at += b.size
	}
}

// errDamaged says that a file does not hold what the view promises.
var errDamaged = errors.New("segment is damaged")

// scanner walks the batch headers of one segment through a pooled window.
type scanner struct {
	h    *handle
	size int64
	buf  *[scanBytes]byte
	at   int64 // of the window in the file
	n    int
}

// scanBytes is a bit more than the distance of two index entries.
const scanBytes = 8 << 10

var scanBuffers = sync.Pool{New: func() any { return new([scanBytes]byte) }}

func (s *scanner) close() {
	if s.buf != nil {
		scanBuffers.Put(s.buf)
		s.buf = nil
	}
}

// head is what walking needs of a batch.
type head struct {
	record.Batch // the header only
	size         int64
}

// header reads the header of the batch at pos, which must be one (I10).
func (s *scanner) header(pos int64) (head, error) {
	if pos+record.HeaderSize > s.size {
		return head{}, fmt.Errorf("%w: no batch at %d of %d bytes", errDamaged, pos, s.size)
	}
	if s.buf == nil {
		s.buf = scanBuffers.Get().(*[scanBytes]byte)
	}
	if pos < s.at || pos+record.HeaderSize > s.at+int64(s.n) {
		n, err := s.h.ReadAt(s.buf[:min(scanBytes, s.size-pos)], pos)
		if n < record.HeaderSize {
			if err == nil || errors.Is(err, io.EOF) {
				err = errDamaged
			}
			return head{}, fmt.Errorf("read %s at %d: %w", s.h.seg.path(logSuffix), pos, err)
		}
		s.at, s.n = pos, n
	}
	b := record.Batch(s.buf[pos-s.at:][:record.HeaderSize])
	size, err := record.Size(b)
	if err != nil || pos+size > s.size || b.BaseOffset() < s.h.seg.base || b.LastOffsetDelta() < 0 {
		return head{}, fmt.Errorf("%w: %s at %d has no batch", errDamaged, s.h.seg.path(logSuffix), pos)
	}
	return head{b, size}, nil
}

// seek walks from a batch boundary to the batch that holds offset or follows it.
func (s *scanner) seek(pos, offset int64) (int64, error) {
	for pos < s.size {
		b, err := s.header(pos)
		if err != nil {
			return 0, err
		}
		if b.NextOffset() > offset {
			break
		}
		pos += b.size
	}
	return pos, nil
}

// corrupt takes the log out of service: what the checkpoint vouched for is not
// there (S4). Nothing is cut; the operator or a refetch ends it.
func (l *Log) corrupt(err error) {
	if l.stop(errors.Join(ErrCorrupt, err), false) {
		l.home().logger.Error("log is corrupt and out of service: restore it from another replica",
			"topic", l.topic, "partition", l.id.Index, "dir", l.home().path, "err", err)
	}
}
