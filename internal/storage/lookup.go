package storage

import (
	"encoding/binary"
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
	return s.floorOnDisk(what, key)
}

func floorIn(entries []indexEntry, what by, key int64) int64 {
	if what == byOffset {
		return floorOffset(entries, key)
	}
	return floorPosition(entries, key)
}

// pageBytes is how much of an index file is read at once: 512 entries.
const pageBytes = 512 * offsetEntryBytes

var pages = sync.Pool{New: func() any { return new([pageBytes]byte) }}

// floorOnDisk searches .index: a few reads of one entry find the page, one read
// the entry. A file that is missing or senseless is made anew.
func (s *segment) floorOnDisk(what by, key int64) (int64, error) {
	f, err := s.log.dir.fs.Open(s.path(indexSuffix), vfs.Read)
	if err != nil {
		return s.rebuilt(what, key)
	}
	defer f.Close() // read only
	size, err := f.Size()
	if err != nil || size%offsetEntryBytes != 0 {
		return s.rebuilt(what, key)
	}
	page := pages.Get().(*[pageBytes]byte)
	defer pages.Put(page)
	at := func(i int) int64 { // the key of the first entry of page i
		if _, err = f.ReadAt(page[:offsetEntryBytes], int64(i)*pageBytes); err != nil {
			return 0
		}
		return entryKey(page[:], what)
	}
	count := int((size + pageBytes - 1) / pageBytes)
	p := sort.Search(count, func(i int) bool { return err == nil && at(i) > key }) - 1
	if p < 0 && err == nil {
		return 0, nil
	}
	if err == nil {
		var n int
		n, err = f.ReadAt(page[:], int64(p)*pageBytes)
		if err == io.EOF {
			err = nil
		}
		if err == nil {
			return s.checked(page[:n-n%offsetEntryBytes], what, key)
		}
	}
	return s.rebuilt(what, key)
}

func entryKey(p []byte, what by) int64 {
	if what == byOffset {
		return int64(binary.BigEndian.Uint32(p))
	}
	return int64(binary.BigEndian.Uint32(p[4:]))
}

// checked finds the entry in a page and believes it only if the batch that it
// names is there (I10).
func (s *segment) checked(page []byte, what by, key int64) (int64, error) {
	n := sort.Search(len(page)/offsetEntryBytes, func(i int) bool { return entryKey(page[i*offsetEntryBytes:], what) > key })
	if n == 0 {
		return 0, nil
	}
	e := page[(n-1)*offsetEntryBytes:]
	last, pos := int64(binary.BigEndian.Uint32(e)), int64(binary.BigEndian.Uint32(e[4:]))
	h, err := s.log.store.files.get(s, vfs.Write)
	if err != nil {
		return 0, s.log.openError(s, err)
	}
	defer h.release()
	scan := scanner{h: h, size: s.size}
	defer scan.close()
	if b, err := scan.header(pos); err == nil && b.LastOffset() == s.base+last {
		return pos, nil
	}
	return s.rebuilt(what, key)
}

// rebuilt makes the index of a sealed segment anew from its .log. The keeper
// writes the files.
func (s *segment) rebuilt(what by, key int64) (int64, error) {
	t := newTail(s.base)
	t.seg = s
	if err := s.log.walk(&t, s.size); err != nil {
		return 0, err
	}
	s.index.Store(&memIndex{t.index})
	s.log.dir.logger.Info("index made anew", "segment", s.path(logSuffix))
	s.log.dir.keeper.touch(s.log, s.log.view.Load())
	return floorIn(t.index, what, key), nil
}

// walk notes the headers of a segment's first size bytes in t, trusting them.
func (l *Log) walk(t *tail, size int64) error {
	h, err := l.store.files.get(t.seg, vfs.Write)
	if err != nil {
		return l.openError(t.seg, err)
	}
	defer h.release()
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
