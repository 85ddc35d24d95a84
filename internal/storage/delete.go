package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"time"

	"github.com/brokerd/brokerd/internal/step"
)

// Delete fences the log, renames its directory to <name>.<uuid>-delete and
// unlinks it after the delay. Who reads it reads on.
func (l *Log) Delete(delay time.Duration) error {
	err := l.park(parkedDelete, ErrDeleted, func(name string) {
		l.home().keeper.later(time.Now().Add(delay), func() { l.home().removeDir(name) })
	})
	if err != nil {
		return fmt.Errorf("delete log %s: %w", dirName(l.topic, l.id.Index), err)
	}
	return nil
}

// Quarantine renames a partition's directory to <name>.<uuid>-stray and forgets it.
func (s *Store) Quarantine(id step.PartitionID) error {
	s.mu.Lock()
	l, f, there := s.logs[id], s.found[id], s.found[id].dir != nil
	s.mu.Unlock()
	switch {
	case l == nil && !there:
		return fmt.Errorf("quarantine %s: %w", id, fs.ErrNotExist)
	case l == nil: // never opened, or it could not be
		if _, _, err := f.dir.owner(dirName(f.topic, id.Index)); errors.Is(err, ErrNewer) {
			return fmt.Errorf("quarantine %s: %w", id, err) // the release that wrote it knows what it is
		}
		l = newLog(s, f.dir, id, f.topic, dirName(f.topic, id.Index), defaultConfig)
	}
	err := l.park(parkedStray, ErrDeleted, func(name string) {
		l.home().logger.Warn("log set aside; nothing deletes it, look at it and remove it yourself", "dir", l.home().path, "now", name)
	})
	if err != nil {
		return fmt.Errorf("quarantine log %s: %w", dirName(l.topic, id.Index), err)
	}
	return nil
}

// park takes the log out of service and renames its directory. The checkpoint
// forgets it first: a crash in between leaves a directory that is found by its
// partition.metadata, never one that is taken for its successor's.
func (l *Log) park(why string, answer error, then func(name string)) error {
	l.writeMu.Lock()
	old := l.state.Load()
	if old != nil && (old.deleted || errors.Is(old.err, ErrClosed)) {
		l.writeMu.Unlock()
		return old.err
	}
	l.state.Store(&logState{answer, true})
	l.writeMu.Unlock()
	l.holdSync()
	defer l.dropUnsynced()
	l.files.enter()
	defer l.files.leave()
	s := l.store
	l.callOffGated() // before the log goes: a copy alone would be taken for what is left of it
	s.DropFutures(l.id)
	s.mu.Lock()
	if s.logs[l.id] == l {
		delete(s.logs, l.id)
	}
	delete(s.found, l.id)
	l.home().logs--
	s.mu.Unlock()
	for _, g := range l.view.Load().segs {
		s.files.drop(g)
	}
	if err := l.home().failure(); err != nil {
		return err
	}
	return l.renameDir(why, then)
}

func (l *Log) renameDir(why string, then func(name string)) error {
	d := l.home()
	if d.journal.get(l.id) != nil {
		if err := d.journal.write(appendGone(nil, l.id)); err != nil {
			return d.sort(err)
		}
	}
	from, to := l.name(), parkedName(l.topic, l.id.Index, why)
	if owner, ok := d.ownerOf(from); ok && owner != l.id.Topic {
		return nil // ours is gone, and another topic has the name
	}
	err := d.fs.Rename(path.Join(d.path, from), path.Join(d.path, to))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it never had a file
	}
	if err != nil {
		return err
	}
	l.at.Store(&site{d, to})
	if err := d.fs.SyncDir(d.path); err != nil {
		return d.fail(fmt.Errorf("sync %s: %w", d.path, err))
	}
	then(to)
	return nil
}

// removeDir unlinks a parked directory. What stays is tried again at the next start.
func (d *logDir) removeDir(name string) {
	dir := path.Join(d.path, name)
	files, err := d.fs.List(dir)
	for _, f := range files {
		err = errors.Join(err, d.fs.Remove(path.Join(dir, f)))
	}
	if err == nil {
		err = d.fs.Remove(dir)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		d.logger.Warn("deleted directory is not gone yet; the next start tries again", "dir", dir, "err", err)
	}
}
