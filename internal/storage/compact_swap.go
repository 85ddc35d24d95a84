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

// A group of segments is replaced in this order, so that a crash at any point
// leaves a log that is whole, the old one or the new one:
//
//	<base>.log.swap written, synced, and its directory entry
//	checkpoint: "this is the segment, up to the base of the one behind the group"
//	view (readers go on with what they have open)
//	caches of the old one removed, and that synced
//	<base>.log.swap renamed to <base>.log, and that synced
//	the other segments of the group renamed, and unlinked after the delay
//
// The checkpoint decides: recovery finishes a swap that it names and removes a
// file that it does not.
const swapSuffix = ".swap"

// output is the segment that a group becomes.
type output struct {
	a   *pass
	seg *segment
	h   *handle // nil: nothing is different yet
	t   tail
	buf []byte
	pos int64 // of buf in the file
	of  int64 // bytes of the only old segment that went by unchanged
}

// writeBytes is how much is written at once.
const writeBytes = 1 << 20

// clean makes one segment of the group [i, k), if anything is to go or to join.
func (a *pass) clean(i, k int) error {
	old := a.v.segs[i:k]
	o := output{a: a, seg: &segment{log: a.l, base: old[0].base, covers: a.v.endOf(k - 1)}, t: newTail(old[0].base)}
	o.seg.space.sealed.Store(true)
	o.t.seg = o.seg
	defer o.discard()
	if len(old) > 1 {
		if err := o.open(); err != nil {
			return err
		}
	}
	var aborted []record.Aborted
	for n := i; n < k; n++ {
		list := a.v.abortedOf(n)
		err := a.batches(n, func(b record.Batch) error {
			out, err := a.left(b)
			if err != nil {
				return err
			}
			if out != nil && b.Control() && len(list) > 0 && list[0].Last == b.BaseOffset() {
				aborted = append(aborted, list[0])
			}
			for len(list) > 0 && list[0].Last <= b.BaseOffset() {
				list = list[1:]
			}
			return o.take(b, out)
		})
		if err != nil {
			return err
		}
	}
	if o.h == nil {
		return nil
	}
	if err := o.flush(); err != nil {
		return err
	}
	o.seg.size, o.seg.summary, o.seg.digest, o.seg.aborted = o.t.pos, o.t.summary, o.t.digest, aborted
	o.seg.index.Store(&memIndex{o.t.index})
	if !mutations.swapBeforeSync {
		if err := o.h.Sync(); err != nil {
			return a.at.dir.fail(fmt.Errorf("sync %s: %w", o.name(), err))
		}
	}
	return o.swap(old)
}

func (o *output) name() string {
	return path.Join(o.a.at.path(), segmentName(o.seg.base)+logSuffix+swapSuffix)
}

// open makes the file.
func (o *output) open() error {
	f, err := o.a.at.dir.fs.Open(o.name(), vfs.Create)
	if o.a.l.at.Load() != o.a.at || o.a.l.usable() != nil { // moved; or deleted, and renamed before at tells
		if err == nil {
			_ = f.Close() // in a directory that goes
		}
		return errMoved
	}
	if err != nil {
		return o.a.at.dir.broken(fmt.Errorf("create %s: %w", o.name(), err))
	}
	if err := f.Truncate(0); err != nil {
		_ = f.Close() // the truncation's error is the cause
		return o.a.at.dir.broken(fmt.Errorf("create %s: %w", o.name(), err))
	}
	o.h = &handle{File: f, seg: o.seg, slot: &o.seg.open}
	o.h.refs.Store(1)
	return nil
}

// take writes what is left of a batch. While nothing was different there is no file.
func (o *output) take(b, left record.Batch) error {
	if o.h == nil {
		if len(left) == len(b) && string(left) == string(b) {
			o.of += int64(len(b))
			o.note(left)
			return nil
		}
		if err := o.open(); err != nil {
			return err
		}
		if err := o.prefix(); err != nil {
			return err
		}
	}
	if left == nil {
		return nil
	}
	if o.t.pos+int64(len(left)) > maxRelative {
		return fmt.Errorf("%s: compacted segment would pass %d bytes: %w", o.name(), int64(maxRelative), ErrTooLarge)
	}
	o.note(left)
	o.buf = append(o.buf, left...)
	if len(o.buf) >= writeBytes {
		return o.flush()
	}
	return nil
}

func (o *output) note(b record.Batch) { o.t.note(b, o.a.c.IndexIntervalBytes, o.a.v.End) }

// prefix copies what went by unchanged.
func (o *output) prefix() error {
	h, err := o.a.l.store.files.get(o.a.v.segs[o.a.v.segmentAt(o.seg.base)], vfs.Write)
	if err != nil {
		return err
	}
	defer h.release()
	window := windows.Get().(*[windowBytes]byte)
	defer windows.Put(window)
	for o.pos < o.of {
		p := window[:min(windowBytes, o.of-o.pos)]
		if n, err := h.ReadAt(p, o.pos); n < len(p) {
			return fmt.Errorf("read %s at %d: %w", h.seg.path(logSuffix), o.pos, errors.Join(errDamaged, err))
		}
		if err := o.write(p); err != nil {
			return err
		}
	}
	return nil
}

func (o *output) flush() error {
	err := o.write(o.buf)
	o.buf = o.buf[:0]
	return err
}

func (o *output) write(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	if err := o.a.at.dir.room(time.Now()); err != nil {
		return err
	}
	if _, err := o.h.WriteAt(p, o.pos); err != nil {
		return o.a.at.dir.broken(fmt.Errorf("write %s: %w", o.name(), err))
	}
	o.pos += int64(len(p))
	o.a.written += int64(len(p))
	return o.a.pace.take(int64(len(p)))
}

// discard removes a file that did not become a segment. In a directory that has
// failed it stays: the checkpoint may name it, and the next start finds out.
func (o *output) discard() {
	if o.h == nil {
		return
	}
	o.h.release()
	if o.a.at.dir.failure() != nil {
		return
	}
	if err := o.a.at.dir.fs.Remove(o.name()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		o.a.at.dir.logger.Warn("half-compacted segment stays; the next start removes it", "file", o.name(), "err", err)
	}
}

// swap puts the new segment in the place of the old ones, unless something
// happened to those meanwhile.
func (o *output) swap(old []*segment) error {
	l := o.a.l
	l.files.enter()
	defer l.files.leave()
	v := l.view.Load()
	i := slices.Index(v.segs, old[0])
	if l.usable() != nil || l.at.Load() != o.a.at || i < 0 || i+len(old) >= len(v.segs) || !slices.Equal(v.segs[i:i+len(old)], old) {
		return errMoved
	}
	if m := l.home().journal.get(l.id); m == nil || m.segment < o.seg.covers {
		return errMoved
	}
	if err := o.aborted(old); err != nil {
		return l.home().sort(err)
	}
	if err := l.home().fs.SyncDir(l.path()); err != nil {
		return l.home().fail(fmt.Errorf("sync %s: %w", l.path(), err))
	}
	if err := l.home().journal.write(o.seg.sealedMark().encode(nil, l.id)); err != nil {
		return l.home().sort(err)
	}
	o.publish(i, old)
	if err := o.seg.takeName(); err != nil {
		return l.home().fail(err)
	}
	h := o.h
	o.h = nil // it is a segment's now
	o.seg.unsynced.Store(nil)
	h.release()
	for _, s := range old[1:] {
		l.retire(s)
	}
	l.pointAt.Store(min(l.pointAt.Load(), l.view.Load().bytes))
	l.home().keeper.touch(l, l.view.Load()) // who writes the index
	return nil
}

// aborted writes the aborted index of the new segment before the checkpoint counts
// its entries. Recovery derives them from the log where the file does not fit.
func (o *output) aborted(old []*segment) error {
	l := o.a.l
	if !slices.ContainsFunc(old, func(s *segment) bool { return len(s.aborted) > 0 }) {
		return nil
	}
	l.written.aborted = fileOf{}
	return l.home().replaceFiles([]smallFile{{o.seg.path(abortedSuffix), abortedFile(o.seg.aborted)}})
}

// publish shows the new segment. Its file stays open until it has its name; who
// opens an old one from here on is told to look again.
func (o *output) publish(i int, old []*segment) {
	l := o.a.l
	o.h.acquire() // the cache's
	o.seg.unsynced.Store(o.h)
	o.seg.open.Store(o.h)
	l.store.files.add(o.h)
	l.writeMu.Lock()
	for _, s := range old {
		l.tail.sealed -= s.size
	}
	l.tail.sealed += o.seg.size
	l.change(func(v *view) {
		segs := slices.Clone(v.segs[:i])
		segs = append(segs, o.seg)
		v.segs = append(segs, v.segs[i+len(old):]...)
		v.bytes = l.tail.sealed + l.tail.pos
	})
	l.writeMu.Unlock()
	for _, s := range old {
		s.replaced.Store(true)
		l.store.files.drop(s)
	}
}

// takeName gives a new segment its name. The caches of the old one go before.
func (s *segment) takeName() error {
	dir, fsys := s.log.path(), s.log.home().fs
	for _, suffix := range []string{indexSuffix, timeIndexSuffix} {
		if err := fsys.Remove(s.path(suffix)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("clear %s: %w", dir, err)
		}
	}
	if err := fsys.SyncDir(dir); err != nil {
		return &syncError{fmt.Errorf("sync %s: %w", dir, err)}
	}
	if err := fsys.Rename(s.path(logSuffix+swapSuffix), s.path(logSuffix)); err != nil {
		return fmt.Errorf("finish the compaction of %s: %w", s.path(logSuffix), err)
	}
	if err := fsys.SyncDir(dir); err != nil {
		return &syncError{fmt.Errorf("sync %s: %w", dir, err)}
	}
	return nil
}

// errMoved says that a segment is not in the log any more: look again.
var errMoved = errors.New("segment was replaced")

// swaps finishes or undoes what a crash interrupted, and removes segments that
// others have taken in.
func (r *recovery) swaps(bases []int64) error {
	for _, base := range bases {
		name := path.Join(r.l.path(), segmentName(base)+logSuffix)
		named, err := r.named(base, name+swapSuffix)
		if err != nil {
			return err
		}
		if !named {
			if err := r.l.home().fs.Remove(name + swapSuffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("clear %s: %w", r.l.path(), err)
			}
			continue
		}
		r.l.home().logger.Info("compaction finished that a stop had interrupted", "segment", name)
		if err := (&segment{log: r.l, base: base}).takeName(); err != nil {
			return r.l.home().sort(err)
		}
		if !slices.Contains(r.bases, base) {
			r.bases = append(r.bases, base)
			slices.Sort(r.bases)
		}
	}
	if r.m != nil {
		r.bases = slices.DeleteFunc(r.bases, func(base int64) bool {
			taken := slices.ContainsFunc(r.m.sealed, func(s sealedMark) bool { return s.base < base && base < s.covers })
			if taken {
				r.remove(base)
			}
			return taken
		})
	}
	return nil
}

// named tells whether the checkpoint means the content of a swap file by the
// segment of that base.
func (r *recovery) named(base int64, name string) (bool, error) {
	if r.m == nil {
		return false, nil
	}
	i := slices.IndexFunc(r.m.sealed, func(s sealedMark) bool { return s.base == base && s.covers > 0 })
	if i < 0 {
		return false, nil
	}
	want := r.m.sealed[i]
	f, err := r.l.home().fs.Open(name, vfs.Read)
	if err != nil {
		return false, fmt.Errorf("open %s: %w", name, err)
	}
	defer f.Close() // read only
	size, err := f.Size()
	if err != nil {
		return false, fmt.Errorf("size of %s: %w", name, err)
	}
	if size != want.size {
		return false, nil
	}
	t := newTail(base)
	t.seg = &segment{log: r.l, base: base}
	switch err := r.l.walkHeaders(&handle{File: f, seg: t.seg}, &t, size); {
	case errors.Is(err, errDamaged):
		return false, nil
	case err != nil:
		return false, err
	}
	return t.digest == want.digest && !mutations.forgetSwap, nil
}
