package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"time"

	"github.com/brokerd/brokerd/internal/record"
	"github.com/brokerd/brokerd/internal/vfs"
)

// copied is what the directory of a move has of one segment.
type copied struct {
	m      *move
	seg    *segment // of the log
	f      vfs.File // nil once all of a sealed segment is there, synced
	pos    int64
	digest uint32
	synced int64 // up to where
	buf    []byte
	whole  bool // sealed, and all of it is there
}

func (c *copied) name(suffix string) string {
	return path.Join(c.m.path(), segmentName(c.seg.base)+suffix)
}

func (c *copied) close() {
	if c.f != nil {
		_ = c.f.Close() // nothing counts on what is not synced
		c.f = nil
	}
}

// pass copies what a view has and the directory has not, and syncs it. pay is asked
// after every write. errMoved: segments of the view went away meanwhile.
func (m *move) pass(v *view, pay func(int64) error) (bytes int64, err error) {
	if err := m.stands(); err != nil {
		return 0, err
	}
	if err := m.dropGone(v); err != nil {
		return 0, err
	}
	for i, s := range v.segs {
		n, err := m.segment(v, i, pay)
		bytes += n
		if err != nil && !slices.Contains(m.l.view.Load().segs, s) {
			return bytes, errMoved
		}
		if err != nil {
			return bytes, err
		}
	}
	if m.dirty {
		if err := m.to.fs.SyncDir(m.path()); err != nil {
			return bytes, m.lost(fmt.Errorf("sync %s: %w", m.path(), err))
		}
		m.dirty = false
	}
	return bytes, nil
}

// lost sorts an error of the copy's files: those of a move that is called off say
// nothing of the disk.
func (m *move) lost(err error) error {
	if stands := m.stands(); stands != nil {
		return stands
	}
	return m.to.broken(err)
}

// dropGone removes copies of segments that are not in the log any more.
func (m *move) dropGone(v *view) error {
	there := make(map[*segment]bool, len(v.segs))
	for _, s := range v.segs {
		there[s] = true
	}
	for s, c := range m.have {
		if there[s] {
			continue
		}
		c.close()
		delete(m.have, s)
		m.bytes.Add(-c.pos)
		m.dirty = true
		for _, suffix := range []string{logSuffix, indexSuffix, timeIndexSuffix, abortedSuffix} {
			if err := m.to.fs.Remove(c.name(suffix)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return m.lost(err)
			}
		}
	}
	return nil
}

// segment brings the copy of segment i up to what the view has of it.
func (m *move) segment(v *view, i int, pay func(int64) error) (bytes int64, err error) {
	s, sealed := v.segs[i], i+1 < len(v.segs)
	c := m.have[s]
	if c == nil {
		if c, err = m.open(s, sealed); err != nil {
			return 0, err
		}
		m.have[s] = c
	}
	from := c.pos
	if err := c.copy(v.sizeOf(i), pay); err != nil {
		return c.pos - from, err
	}
	m.end.Store(v.endOf(i))
	if c.synced < c.pos {
		if err := c.f.Sync(); err != nil {
			return c.pos - from, m.failed(fmt.Errorf("sync %s: %w", c.name(logSuffix), err))
		}
		c.synced = c.pos
	}
	if sealed && !c.whole {
		err = c.seal()
	}
	return c.pos - from, err
}

// failed gives the target up after a sync that failed (S3).
func (m *move) failed(err error) error {
	if errors.Is(err, fs.ErrNotExist) && m.stands() != nil {
		return m.stands() // its directory is gone with the log
	}
	return m.to.fail(err)
}

// open begins with a segment, or goes on where a stop has left it: a sealed one that
// is whole is not copied again.
func (m *move) open(s *segment, sealed bool) (*copied, error) {
	c := &copied{m: m, seg: s}
	f, err := m.to.fs.Open(c.name(logSuffix), vfs.Create)
	if err != nil {
		return nil, m.lost(fmt.Errorf("create %s: %w", c.name(logSuffix), err))
	}
	m.dirty = true
	c.f = f
	size, err := f.Size()
	if err == nil && size > 0 {
		if sealed && size == s.size && !m.to.suspect && c.same() {
			c.pos, c.digest = size, s.digest
			m.bytes.Add(size)
			return c, nil
		}
		err = f.Truncate(0)
	}
	if err != nil {
		c.close()
		return nil, m.lost(fmt.Errorf("begin %s: %w", c.name(logSuffix), err))
	}
	return c, nil
}

// same says whether a file that was there is the segment, to the last byte.
func (c *copied) same() bool {
	window := windows.Get().(*[windowBytes]byte)
	defer windows.Put(window)
	digest := uint32(0)
	_, err := eachBatch(c.f, 0, c.seg.size, window[:], func(b record.Batch) error {
		digest = addDigest(digest, b)
		return b.VerifyStored()
	})
	return err == nil && digest == c.seg.digest
}

// copy brings the file up to size bytes. Damage of the log is not carried along.
func (c *copied) copy(size int64, pay func(int64) error) error {
	if c.pos >= size {
		return nil
	}
	h, err := c.m.l.store.files.get(c.seg, vfs.Write)
	if err != nil {
		return c.m.l.openError(c.seg, err)
	}
	defer h.release()
	window := windows.Get().(*[windowBytes]byte)
	defer windows.Put(window)
	at := c.pos + int64(len(c.buf))
	end, err := eachBatch(h, at, size, window[:], func(b record.Batch) error {
		if err := b.VerifyStored(); err != nil {
			return fmt.Errorf("%w: %w", errDamaged, err)
		}
		c.buf = append(c.buf, b...)
		c.digest = addDigest(c.digest, b)
		if len(c.buf) < writeBytes {
			return nil
		}
		return c.flush(pay)
	})
	if err == nil {
		return c.flush(pay)
	}
	c.restart() // what was read may not be the log's any more
	return fmt.Errorf("copy %s at %d: %w", c.seg.path(logSuffix), end, err)
}

// restart forgets what is there: the next pass begins with the segment anew.
func (c *copied) restart() {
	c.close()
	c.m.bytes.Add(-c.pos)
	delete(c.m.have, c.seg)
}

func (c *copied) flush(pay func(int64) error) error {
	n := int64(len(c.buf))
	if n == 0 {
		return nil
	}
	if err := c.write(c.buf); err != nil {
		return err
	}
	c.buf = c.buf[:0]
	return pay(n)
}

func (c *copied) write(p []byte) error {
	if err := c.m.to.room(time.Now()); err != nil {
		return err
	}
	if _, err := c.f.WriteAt(p, c.pos); err != nil {
		return c.m.lost(fmt.Errorf("write %s: %w", c.name(logSuffix), err))
	}
	n := int64(len(p))
	c.pos += n
	c.m.bytes.Add(n)
	c.m.to.mover.written.Add(n)
	return nil
}

// seal ends with a segment that is sealed: it is what it was when it was sealed, and
// its caches come along.
func (c *copied) seal() error {
	s := c.seg
	if c.digest != s.digest {
		c.restart()
		return fmt.Errorf("%w: %s has digest %08x, it was sealed with %08x", errDamaged, s.path(logSuffix), c.digest, s.digest)
	}
	if err := c.caches(); err != nil {
		return c.m.lost(fmt.Errorf("copy the caches of %s: %w", c.name(logSuffix), err))
	}
	c.close()
	c.buf, c.whole = nil, true
	return nil
}

// caches writes the indexes of a sealed segment, unsynced as everywhere, and the
// list of its aborted transactions, which the checkpoint counts.
func (c *copied) caches() error {
	s, fsys := c.seg, c.m.to.fs
	var offsets, times []byte
	var err error
	if mem := s.index.Load(); mem != nil {
		offsets, times = indexFile(mem.entries), timeIndexFile(s.base, mem.entries, &s.summary)
	} else if offsets, err = readWhole(fsys, s.path(indexSuffix)); err == nil {
		times, err = readWhole(fsys, s.path(timeIndexSuffix))
	}
	if err == nil && len(times) > 0 { // else they are made anew when somebody looks something up
		err = errors.Join(overwrite(fsys, c.name(indexSuffix), offsets, 0), overwrite(fsys, c.name(timeIndexSuffix), times, 0))
		if err != nil {
			return err
		}
	}
	if len(s.aborted) == 0 {
		return nil
	}
	return replaceFile(fsys, c.name(abortedSuffix), abortedFile(s.aborted))
}
