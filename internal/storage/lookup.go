package storage

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sort"
	"sync"

	"github.com/brokerd/brokerd/internal/vfs"
)

// by says what a look-up in the index compares.
type by uint8

const (
	byOffset   by = iota // relative last offset
	byPosition           // position in the file
)

// errNoIndex says that an index file is missing or not to be believed.
var errNoIndex = errors.New("index is missing or wrong")

// floor gives the position of a batch at or before what is looked for; 0 where
// the index has nothing lower. Active and freshly sealed segments have their
// index in memory, others in .index.
func (s *segment) floor(v *view, active bool, what by, key int64) (int64, error) {
	if active {
		return floorIn(v.index, what, key), nil
	}
	if m := s.index.Load(); m != nil {
		return floorIn(m.entries, what, key), nil
	}
	pos, err := s.floorOnDisk(what, key)
	if !errors.Is(err, errNoIndex) {
		return pos, err
	}
	s.log.store.files.dropIndex(s)
	entries, err := s.rebuilt()
	return floorIn(entries, what, key), err
}

func floorIn(entries []indexEntry, what by, key int64) int64 {
	if what == byOffset {
		return floorOffset(entries, key)
	}
	return floorPosition(entries, key)
}

// floorOnDisk searches .index, and believes the entry only if the batch that it
// names is there (I10).
func (s *segment) floorOnDisk(what by, key int64) (int64, error) {
	f, err := s.log.store.files.index(s)
	if err != nil {
		return 0, noIndex(err)
	}
	e, found, err := s.searchFile(f, offsetEntryBytes, func(e []byte) bool {
		if what == byOffset {
			return int64(binary.BigEndian.Uint32(e)) > key
		}
		return int64(binary.BigEndian.Uint32(e[4:])) > key
	})
	f.release()
	if !found || err != nil {
		return 0, err
	}
	last, pos := int64(binary.BigEndian.Uint32(e[:])), int64(binary.BigEndian.Uint32(e[4:]))
	h, err := s.log.store.files.get(s, vfs.Write)
	if err != nil {
		return 0, s.log.openError(s, err)
	}
	defer h.release()
	scan := scanner{h: h, size: s.size}
	defer scan.close()
	if b, err := scan.header(pos); err != nil || b.LastOffset() != s.base+last {
		return 0, errNoIndex
	}
	return pos, nil
}

// noIndex is an error of opening an index file. A segment that was replaced is
// not made an index for: the reader looks again.
func noIndex(err error) error {
	if errors.Is(err, errMoved) {
		return err
	}
	return errNoIndex
}

// An index file is searched page by page: a few reads of one entry find the
// page, one read brings it. 6144 bytes hold whole entries of both files.
const pageBytes = 6144

var pages = sync.Pool{New: func() any { return new([pageBytes]byte) }}

// fileEntry holds an entry of either file.
type fileEntry [timeEntryBytes]byte

// searchFile gives a copy of the last entry for which after is false, if there
// is one. The entries are sorted: after is false, then true.
func (s *segment) searchFile(f vfs.File, entry int64, after func([]byte) bool) (e fileEntry, found bool, err error) {
	size, err := f.Size()
	if err != nil || size%entry != 0 || size == 0 && s.size > s.log.config.Load().IndexIntervalBytes+maxQuiet {
		return e, false, errNoIndex
	}
	page := pages.Get().(*[pageBytes]byte)
	defer pages.Put(page)
	count := int((size + pageBytes - 1) / pageBytes)
	p := sort.Search(count, func(i int) bool {
		if _, readErr := f.ReadAt(page[:entry], int64(i)*pageBytes); readErr != nil {
			err = readErr
			return true
		}
		return after(page[:entry])
	}) - 1
	if p < 0 && err == nil {
		return e, false, nil
	}
	n := 0
	if err == nil {
		n, err = f.ReadAt(page[:], int64(p)*pageBytes)
	}
	if err != nil && err != io.EOF {
		return e, false, errNoIndex
	}
	n /= int(entry)
	i := sort.Search(n, func(i int) bool { return after(page[int64(i)*entry:][:entry]) }) - 1
	if i < 0 {
		return e, false, errNoIndex // the file changed under the search
	}
	copy(e[:], page[int64(i)*entry:][:entry])
	return e, true, nil
}

// maxQuiet is how large a segment may be, beyond the index interval, without a
// single index entry: one batch of the usual largest size.
const maxQuiet = 1 << 20

// rebuilt makes the index of a sealed segment anew from its .log. The keeper
// writes the files.
func (s *segment) rebuilt() ([]indexEntry, error) {
	t := newTail(s.base)
	t.seg = s
	if err := s.log.walk(&t, s.size); err != nil {
		return nil, err
	}
	s.index.Store(&memIndex{t.index})
	s.log.home().logger.Info("index made anew", "segment", s.path(logSuffix))
	s.log.home().keeper.touch(s.log, s.log.view.Load())
	return t.index, nil
}

// walk notes the headers of a segment's first size bytes in t, trusting them.
func (l *Log) walk(t *tail, size int64) error {
	h, err := l.store.files.get(t.seg, vfs.Write)
	if err != nil {
		return l.openError(t.seg, err)
	}
	defer h.release()
	return l.walkHeaders(h, t, size)
}

func (l *Log) walkHeaders(h *handle, t *tail, size int64) error {
	s := scanner{h: h, size: size}
	defer s.close()
	for t.pos < size {
		b, err := s.header(t.pos)
		if err != nil {
			return err
		}
		if b.BaseOffset() < t.end {
			return fmt.Errorf("%w: %s at %d goes back to offset %d", errDamaged, t.seg.path(logSuffix), t.pos, b.BaseOffset())
		}
		t.noteHead(b, l.config.Load().IndexIntervalBytes, 0)
	}
	return nil
}
