package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"time"

	"github.com/brokerd/brokerd/internal/step"
	"github.com/brokerd/brokerd/internal/vfs"
)

// tries is how often a log that is written fast is caught up with before everybody
// who waits for its syncs is let go, and the copying goes on.
const tries = 4

// cross takes the log over to its new directory; false: it is too far ahead again.
func (m *move) cross() (done bool, err error) {
	l := m.l
	l.files.enter()
	defer l.files.leave()
	if err := m.stands(); err != nil {
		return false, err
	}
	from := l.at.Load()
	l.holdSync()
	defer l.releaseSync()
	defer func() { l.home().keeper.touch(l, l.view.Load()) }() // its candidate is gone
	for range tries {
		p, err := m.ready()
		switch {
		case errors.Is(err, errMoved):
			continue // the start offset has passed the point
		case err != nil:
			return false, m.forget(err)
		}
		done, err := m.take(p)
		if err != nil {
			return false, m.forget(err)
		}
		if done {
			m.settle(from)
			return true, nil
		}
	}
	return false, m.forget(nil)
}

// ready makes the directory and the checkpoint of the target what the log is now,
// and gives the point up to which they are.
func (m *move) ready() (*point, error) {
	l := m.l
	l.writeMu.Lock()
	err := l.usable()
	if err == nil && l.closing {
		err = errQuit
	}
	if err != nil {
		l.writeMu.Unlock()
		return nil, err
	}
	l.captureLocked()
	p := l.candidate
	l.candidate = nil // its segment is the old one
	v := l.view.Load()
	l.writeMu.Unlock()
	if _, err := m.pass(v, func(int64) error { return nil }); err != nil {
		return nil, err
	}
	if err := m.files(p); err != nil {
		return nil, m.lost(err)
	}
	now := l.View()
	if p.end < now.Start {
		return nil, errMoved
	}
	p.start, p.hw = now.Start, max(min(now.HighWatermark, p.end), now.Start)
	return p, m.checkpoint(v, p)
}

// files replaces the small files, and removes what a stop has left.
func (m *move) files(p *point) error {
	fsys := m.to.fs
	names, err := fsys.List(m.path())
	if err != nil {
		return err
	}
	there := make(map[int64]*copied, len(m.have))
	for s, c := range m.have {
		there[s.base] = c
	}
	for _, name := range names {
		if belongs(name, there) {
			continue
		}
		if err := fsys.Remove(path.Join(m.path(), name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if p.seg != nil {
		p.epochs = m.l.view.Load().epochs
		if err := replaceFile(fsys, path.Join(m.path(), epochsName), epochsFile(p.epochs)); err != nil {
			return err
		}
		if p.producers != nil {
			if err := replaceFile(fsys, path.Join(m.path(), producersName), p.producers); err != nil {
				return err
			}
		}
		if len(p.aborted) > 0 {
			name := path.Join(m.path(), segmentName(p.segment)+abortedSuffix)
			if err := replaceFile(fsys, name, abortedFile(p.aborted)); err != nil {
				return err
			}
		}
	}
	return fsys.SyncDir(m.path())
}

// belongs says whether a file is of the copy that has these segments.
func belongs(name string, there map[int64]*copied) bool {
	if name == metadataName {
		return true
	}
	for _, suffix := range []string{logSuffix, indexSuffix, timeIndexSuffix, abortedSuffix} {
		if base, ok := segmentBase(name, suffix); ok {
			c := there[base]
			return c != nil && (suffix == logSuffix || c.whole)
		}
	}
	return false
}

// checkpoint writes what is there into the checkpoint of the target. It counts once
// the directory has its name: a start that finds the old one forgets it.
func (m *move) checkpoint(v *view, p *point) error {
	l := m.l
	was := l.home().journal.get(l.id)
	if was == nil && p.seg == nil && p.start == 0 {
		return m.to.unmark(l.id)
	}
	var entries []byte
	if m.to.journal.get(l.id) != nil {
		entries = appendGone(entries, l.id)
	}
	for _, s := range v.segs {
		if s.base < p.segment {
			entries = s.sealedMark().encode(entries, l.id)
		}
	}
	entries = appendPoint(entries, &p.mark)
	if was != nil && was.cleaned > 0 {
		entries = appendCleaned(entries, l.id, was.cleaned)
	}
	if err := m.to.journal.write(entries); err != nil {
		return m.to.sort(err)
	}
	return nil
}

// unmark takes a log out of the checkpoint.
func (d *logDir) unmark(id step.PartitionID) error {
	if d.journal.get(id) == nil {
		return nil
	}
	if err := d.journal.write(appendGone(nil, id)); err != nil {
		return d.sort(err)
	}
	return nil
}

// forget ends an attempt that came to nothing.
func (m *move) forget(err error) error {
	if failed := m.to.failure(); failed != nil {
		return failed
	}
	return errors.Join(err, m.to.unmark(m.l.id))
}

// take copies the last bytes and makes the new directory the log; false: there are
// too many of them.
func (m *move) take(p *point) (done bool, err error) {
	l := m.l
	l.writeMu.Lock()
	defer l.writeMu.Unlock()
	if err := l.usable(); err != nil {
		return false, err
	}
	if l.closing {
		return false, errQuit
	}
	v := l.view.Load()
	var active *copied
	if n := len(v.segs); n > 0 {
		if active = m.have[v.segs[n-1]]; active == nil || v.pos-active.pos > nearBytes {
			return false, nil
		}
	} else if p.seg != nil {
		return false, nil
	}
	if err := active.rest(v.pos); err != nil {
		return false, err
	}
	final := dirName(l.topic, l.id.Index)
	if err := m.to.fs.Rename(m.path(), path.Join(m.to.path, final)); err != nil {
		return false, m.to.broken(fmt.Errorf("rename %s: %w", m.path(), err))
	}
	m.switchLocked(v, active, &site{m.to, final})
	l.moving.Store(nil)
	l.written = written{epochs: p.epochs, producersAt: -1}
	if p.producers != nil && p.seg != nil {
		l.written.producersAt = p.end
	}
	l.pointAt.Store(p.bytes)
	return true, nil
}

// rest copies what was appended since the last pass. It is not synced: nothing has
// acknowledged it, and the next round of the flusher will do so.
func (c *copied) rest(size int64) error {
	if c == nil || c.pos >= size {
		return nil
	}
	h, err := c.m.l.store.files.get(c.seg, vfs.Write)
	if err != nil {
		return err
	}
	defer h.release()
	p := make([]byte, size-c.pos)
	if n, err := h.ReadAt(p, c.pos); n < len(p) {
		return fmt.Errorf("read %s at %d: %w", c.seg.path(logSuffix), c.pos, err)
	}
	return c.write(p)
}

// switchLocked shows the log where it is now. Its place is told before the segments:
// who opens an old one by the new path finds the same bytes, never the reverse.
func (m *move) switchLocked(v *view, active *copied, to *site) {
	l := m.l
	old := v.segs
	segs := make([]*segment, len(old))
	for i, s := range old {
		segs[i] = &segment{log: l, base: s.base}
		if n := segs[i]; i+1 < len(old) {
			n.size, n.summary, n.digest, n.aborted, n.covers = s.size, s.summary, s.digest, s.aborted, s.covers
			n.space.sealed.Store(true)
		}
	}
	l.at.Store(to)
	if n := len(segs); n > 0 {
		s := segs[n-1]
		h := &handle{File: active.f, seg: s, slot: &s.open}
		h.refs.Store(1) // the cache's
		s.open.Store(h)
		l.store.files.add(h)
		active.f = nil
		l.tail.seg = s
		l.letGo()
		if active.synced < active.pos {
			l.noteDirty(s, h)
		}
	}
	l.change(func(v *view) { v.segs = segs })
	for _, s := range old {
		s.replaced.Store(true)
		l.store.files.drop(s)
		s.space.forsake()
	}
}

// letGo forgets what was to be synced where the log no longer is.
func (l *Log) letGo() {
	l.syncMu.Lock()
	dirty, metadata := l.dirty, l.entries.metadata
	l.dirty, l.entries = nil, entriesDirty{}
	l.syncMu.Unlock()
	for _, s := range dirty {
		if h := s.unsynced.Swap(nil); h != nil {
			h.release()
		}
	}
	if metadata != nil {
		_ = metadata.Close() // of a directory that goes
	}
}

// settle makes the new name durable, and then the old directory go: in this order,
// so that there is always one. No round of the flusher runs before.
func (m *move) settle(from *site) {
	l, s := m.l, m.l.store
	s.mu.Lock()
	from.dir.logs--
	m.to.logs++
	if f, ok := s.found[l.id]; ok {
		f.dir = m.to
		s.found[l.id] = f
	}
	s.mu.Unlock()
	from.dir.flusher.kick() // who waits for its round looks where the log is
	if l.config.Load().Compact {
		m.to.cleaner.plan()
	}
	if err := m.to.fs.SyncDir(m.to.path); err != nil {
		_ = m.to.fail(fmt.Errorf("sync %s: %w", m.to.path, err)) // the log hears of it by itself
		return
	}
	from.dir.supersede(l, from.name)
}

// supersede takes a directory away whose log is in another one now. What goes wrong
// the next start mends: it finds two, and knows which.
func (d *logDir) supersede(l *Log, name string) {
	err := d.failure()
	if err == nil {
		err = d.unmark(l.id)
	}
	to := parkedName(l.topic, l.id.Index, parkedDelete)
	if err == nil {
		if err = d.fs.Rename(path.Join(d.path, name), path.Join(d.path, to)); errors.Is(err, fs.ErrNotExist) {
			return // it had no file
		}
	}
	if err == nil {
		if err = d.fs.SyncDir(d.path); err != nil {
			err = d.fail(fmt.Errorf("sync %s: %w", d.path, err))
		}
	}
	if err != nil {
		d.logger.Warn("old directory of a log that has moved stays; the next start removes it", "dir", d.path, "name", name, "err", err)
		return
	}
	d.keeper.later(time.Now().Add(l.config.Load().FileDeleteDelay), func() { d.removeDir(to) })
}

// movesOf is how often the log of a directory has moved.
func (d *logDir) movesOf(name string) (int, error) {
	names, err := d.fs.List(path.Join(d.path, name))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil || !slices.Contains(names, metadataName) {
		return 0, err
	}
	p, err := readWhole(d.fs, path.Join(d.path, name, metadataName))
	return parseMoves(p), err
}
