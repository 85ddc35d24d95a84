package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/brokerd/brokerd/internal/step"
)

// future is the copy of a log that was moving when the process ended.
type future struct {
	dir   *logDir
	name  string
	id    step.PartitionID
	topic string
}

// twin is a partition that two directories have.
type twin struct {
	id   step.PartitionID
	a, b onDisk
}

// noteFuture takes note of a copy that a stop has interrupted.
func (d *logDir) noteFuture(name string) {
	topic, index, ok := parseDirName(name[:strings.LastIndexByte(name, '.')])
	id, damage, err := d.owner(name)
	if ok && damage == nil && err == nil {
		d.store.futures = append(d.store.futures, future{d, name, step.PartitionID{Topic: id, Index: index}, topic})
		return
	}
	if _, segments, listed := d.logFiles(name); err == nil && listed == nil && segments == 0 {
		d.keeper.later(time.Time{}, func() { d.removeDir(name) }) // nobody was told that it had begun
		return
	}
	d.logger.Warn("copy of a log without a valid partition.metadata is left alone", "dir", d.path, "name", name, "err", errors.Join(damage, err))
}

// parted decides of partitions that two directories have which of them is the log:
// the one that has moved more often. The other one is what a move has left. Where one
// cannot be read, nothing is decided: none is used, and nothing goes.
func (s *Store) parted() error {
	for _, t := range s.twins {
		a, errA := t.a.dir.rank(t.id, t.a.topic)
		b, errB := t.b.dir.rank(t.id, t.b.topic)
		keep, drop, left := t.b, t.a, a
		if a > b {
			keep, drop, left = t.a, t.b, b
		}
		drop.dir.logs--
		if err := errors.Join(errA, errB); err != nil {
			keep.dir.refuse(dirName(keep.topic, t.id.Index), t.id, keep.topic,
				fmt.Errorf("%w: it is in %s and in %s, and which of them is the log cannot be told: %w", ErrUnreadable, keep.dir.path, drop.dir.path, err))
			keep.clean = true // nothing is to be recovered
			s.found[t.id] = keep
			continue
		}
		if a == b {
			s.options.Logger.Warn("two directories have the same partition, and no move tells which is right: one is left alone",
				"topic", t.a.topic, "partition", t.id.Index, "used", keep.dir.path, "left", drop.dir.path)
			continue
		}
		s.found[t.id] = keep
		s.options.Logger.Info("move finished that a stop had interrupted", "topic", keep.topic, "partition", t.id.Index, "from", drop.dir.path, "to", keep.dir.path)
		if left < 0 {
			if err := drop.dir.unmark(t.id); err != nil {
				return err
			}
			continue
		}
		name := dirName(drop.topic, t.id.Index)
		drop.dir.supersede(newLog(s, drop.dir, t.id, drop.topic, name, defaultConfig), name)
	}
	s.twins = nil
	return nil
}

// rank is how often the log of a partition in this directory has moved; -1: only the
// checkpoint has it, of a move that did not come to its end.
func (d *logDir) rank(id step.PartitionID, topic string) (int, error) {
	name := dirName(topic, id.Index)
	names, err := d.fs.List(path.Join(d.path, name))
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(names) == 0 {
		return -1, nil
	}
	if err != nil {
		return 0, err
	}
	switch owner, damage, err := d.owner(name); {
	case err != nil || damage != nil:
		return 0, errors.Join(err, damage)
	case owner != id.Topic:
		return -1, nil
	}
	return d.movesOf(name)
}

// Futures lists the copies of logs that were moving at the last stop, and are not
// gone on with yet: Move goes on with one, DropFutures ends it. lone are those of
// which the log itself is not here, and why it must not be begun anew.
func (s *Store) Futures() (out []Stored, lone []Unopened) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.futures {
		if _, ok := s.found[f.id]; ok {
			out = append(out, Stored{ID: f.id, Topic: f.topic, Dir: f.dir.path})
		} else {
			lone = append(lone, Unopened{f.id, f.topic, f.missing()})
		}
	}
	return out, lone
}

// takeFuture gives the name of what a stop has left of a move to d; "": nothing.
// Copies of the log elsewhere go.
func (s *Store) takeFuture(id step.PartitionID, d *logDir) (name string) {
	for _, f := range s.takeFutures(id) {
		if f.dir == d && name == "" {
			name = f.name
		} else {
			f.park(parkedDelete)
		}
	}
	return name
}

func (s *Store) takeFutures(id step.PartitionID) (out []future) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.futures = slices.DeleteFunc(s.futures, func(f future) bool {
		if f.id == id {
			out = append(out, f)
		}
		return f.id == id
	})
	return out
}

// DropFutures removes what a stop has left of the moves of a partition that is gone,
// or is to stay where it is.
func (s *Store) DropFutures(id step.PartitionID) {
	for _, f := range s.takeFutures(id) {
		f.park(parkedDelete)
	}
}

// StrayFutures sets it aside, where nobody knows whether it is wanted.
func (s *Store) StrayFutures(id step.PartitionID) {
	for _, f := range s.takeFutures(id) {
		f.park(parkedStray)
	}
}

func (f *future) park(why string) {
	to := parkedName(f.topic, f.id.Index, why)
	if err := f.dir.fs.Rename(path.Join(f.dir.path, f.name), path.Join(f.dir.path, to)); err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			f.dir.logger.Warn("copy of a log stays; the next start tries again", "dir", f.dir.path, "name", f.name, "err", err)
		}
		return
	}
	if why == parkedDelete {
		f.dir.keeper.later(time.Time{}, func() { f.dir.removeDir(to) })
	}
}

// missing is why a partition of which only a copy is left is not begun anew.
func (f *future) missing() error {
	return fmt.Errorf("%w: it was moving to %s when the broker stopped, and the directory that it was in is not here: mount or restore that one, or remove %s to begin anew, and restart the broker",
		ErrDirFailed, f.dir.path, path.Join(f.dir.path, f.name))
}
