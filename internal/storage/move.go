package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"sync/atomic"
	"time"

	"github.com/brokerd/brokerd/internal/step"
)

// A log moves to another directory of this broker while it is written and read:
//
//	<to>/<topic>-<partition>.<uuid>-future made, with partition.metadata, synced
//	segments copied and synced, again and again, until little is left (copy.go)
//	Arriving: the controller hears where the log will be
//	with the log's gate, and no round of the flusher (cross.go):
//	  what is left copied; files, then the checkpoint of <to> say what is there
//	  under writeMu: the last bytes copied, …-future gets its name, the view changes
//	  <to> synced, the old directory renamed to …-delete, <from> synced
//
// The name decides. Before it is given, the old directory is the log, and a start
// goes on with the copy. After it there are two, until the old one is renamed: of two
// directories of one partition the one that has moved more often is the log. Nothing
// is acknowledged that is in the new one only until both names are durable.
type move struct {
	l    *Log
	to   *logDir
	name string        // of the directory that is filled
	off  chan struct{} // closed when it is called off

	have  map[*segment]*copied // what the directory has of the segments of the log
	dirty bool                 // entries of the directory are not durable yet
	told  atomic.Bool          // Arriving has said where the log will be; changed under the log's gate

	bytes, end atomic.Int64 // what was copied, and up to which offset; for those who ask
}

// errOff ends a move that was called off: by another one, by its cancellation, or
// because the log is gone.
var errOff = errors.New("the move was called off")

// Move brings a log to another directory of the store, in the background; one that
// is on its way elsewhere changes its course, and to where it is it stays.
func (s *Store) Move(l *Log, to string) error {
	d, err := s.dirNamed(to)
	if err != nil {
		return err
	}
	if m := l.moving.Load(); m != nil && m.to == d {
		return l.usable()
	}
	l.files.enter()
	defer l.files.leave()
	if err := l.usable(); err != nil {
		return err
	}
	l.callOffGated()
	if l.home() == d {
		s.DropFutures(l.id)
		return nil
	}
	for _, other := range s.dirs { // as Kafka: the copy of a log in one of them would not be seen
		if err := other.failure(); err != nil {
			return err
		}
	}
	m := &move{l: l, to: d, off: make(chan struct{}), have: map[*segment]*copied{}}
	if err := m.prepare(s.takeFuture(l.id, d)); err != nil {
		return fmt.Errorf("move %s to %s: %w", l.name(), to, err)
	}
	l.moving.Store(m)
	d.mover.add(m)
	return nil
}

// HasDir is nil if p is a directory of the store, and works.
func (s *Store) HasDir(p string) error {
	_, err := s.dirNamed(p)
	return err
}

// dirNamed finds a directory by its path.
func (s *Store) dirNamed(p string) (*logDir, error) {
	for _, d := range s.dirs {
		if d.path == p {
			return d, d.failure()
		}
	}
	return nil, fmt.Errorf("%q is none of log.dirs: %w", p, ErrNoDir)
}

// prepare makes the directory that will be filled, durably: a start finds it, and
// goes on. name is that of one which a stop has left, if there is one.
func (m *move) prepare(name string) error {
	final := dirName(m.l.topic, m.l.id.Index)
	if m.name = name; name == "" {
		if len(final)+futureSuffixBytes > maxNameBytes {
			return fmt.Errorf("the topic's name is too long for the copy's: %w", ErrNameTooLong)
		}
		m.name = parkedName(m.l.topic, m.l.id.Index, parkedFuture)
		if err := m.fits(); err != nil {
			return err
		}
	}
	fsys, d := m.to.fs, m.to
	if err := m.clear(final); err != nil {
		return err
	}
	moves, err := m.l.home().movesOf(m.l.name())
	if err != nil {
		return err
	}
	if err := fsys.MkdirAll(m.path()); err != nil {
		return d.broken(err)
	}
	file := path.Join(m.path(), metadataName)
	if err := replaceFile(fsys, file, movedMetadataFile(m.l.id.Topic, moves+1)); err != nil {
		m.discard()
		if s := (*syncError)(nil); errors.As(err, &s) {
			return d.sort(err)
		}
		return d.broken(err)
	}
	if err := errors.Join(fsys.SyncDir(m.path()), fsys.SyncDir(d.path)); err != nil {
		return d.fail(fmt.Errorf("sync %s: %w", m.path(), err))
	}
	return nil
}

// fits refuses what would leave the directory without room for its own logs.
func (m *move) fits() error {
	m.to.ask()
	least := reserve(m.to.total.Load())
	if free, need := m.to.free.Load(), m.l.Size(); free-least < need {
		return fmt.Errorf("it has %d MiB, and %d MiB are free of which %d stay so: %w", need>>20, free>>20, least>>20, ErrDiskFull)
	}
	return nil
}

// clear makes way for the name that the directory will have: what bears it and is
// not the log is set aside.
func (m *move) clear(final string) error {
	names, err := m.to.fs.List(path.Join(m.to.path, final))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if len(names) == 0 {
		return m.to.fs.Remove(path.Join(m.to.path, final))
	}
	id, _, err := m.to.owner(final)
	if err != nil {
		return err
	}
	of := m.l.id
	of.Topic = id
	return m.to.setAside(final, of)
}

func (m *move) path() string { return path.Join(m.to.path, m.name) }

// stands is nil while the move goes on.
func (m *move) stands() error {
	select {
	case <-m.off:
		return errOff
	case <-m.to.mover.quit:
		return errQuit
	default:
	}
	if err := m.l.usable(); err != nil {
		return err
	}
	return m.to.failure()
}

// callOffGated ends a move that is at work, if there is one. What it has copied goes.
func (l *Log) callOffGated() {
	if m := l.moving.Swap(nil); m != nil {
		close(m.off)
		m.discard()
		if m.told.Load() {
			l.store.moved(l, errOff)
		}
	}
}

// discard removes what was copied. In a directory that has failed it stays: the next
// start goes on with it.
func (m *move) discard() {
	if m.to.failure() != nil {
		return
	}
	to := parkedName(m.l.topic, m.l.id.Index, parkedDelete)
	if err := m.to.fs.Rename(m.path(), path.Join(m.to.path, to)); err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			m.to.logger.Warn("copy of a log that is not moved stays; the next start goes on with it", "dir", m.path(), "err", err)
		}
		return
	}
	m.to.keeper.later(time.Time{}, func() { m.to.removeDir(to) })
}

// run copies, and crosses over. errOff and errQuit: it did not.
func (m *move) run() error {
	defer m.release()
	for arrived := false; ; {
		if err := m.approach(); err != nil {
			return err
		}
		if !arrived {
			if err := m.arrive(); err != nil {
				return err
			}
			arrived = true
			continue // time has passed
		}
		if done, err := m.cross(); done || err != nil {
			return err
		}
	}
}

// approach copies until a pass has found little that was new.
func (m *move) approach() error {
	for {
		n, err := m.pass(m.l.view.Load(), m.pay)
		switch {
		case errors.Is(err, errMoved):
			continue // segments went away under it
		case err != nil:
			return err
		case n <= nearBytes:
			return nil
		}
	}
}

// nearBytes is how much of a log may be left when it crosses over.
const nearBytes = 1 << 20

// arrive says where the log will be, and waits until it was heard.
func (m *move) arrive() error {
	m.l.files.enter()
	err := m.stands()
	if err == nil {
		m.told.Store(true) // whoever calls it off from here on says that it is not so
	}
	m.l.files.leave()
	tell := m.l.store.options.Arriving
	if err != nil || tell == nil {
		return err
	}
	heard := tell(m.l, m.to.path)
	if heard == nil {
		return nil
	}
	select {
	case <-m.off:
		return errOff
	case <-m.to.mover.quit:
		return errQuit
	case <-heard:
		return nil
	}
}

// PlaceOf is the directory that the controller is to know for a partition, if the
// store has it.
func (s *Store) PlaceOf(id step.PartitionID) (dir string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.logs[id]; l != nil {
		return l.Place(), true
	}
	f, ok := s.found[id]
	if !ok {
		return "", false
	}
	return f.dir.path, true
}

// Place is the directory where the log is, or will be in a moment: the one that the
// controller is to know.
func (l *Log) Place() string {
	if m := l.moving.Load(); m != nil && m.told.Load() {
		return m.to.path
	}
	return l.Dir()
}

// rest waits, unless the move ends.
func (m *move) rest(d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-m.off:
		return errOff
	case <-m.to.mover.quit:
		return errQuit
	case <-t.C:
		return nil
	}
}

// release closes what is open of the copy.
func (m *move) release() {
	for _, c := range m.have {
		c.close()
	}
}

// lag is how many offsets the copy is behind.
func (m *move) lag() int64 { return max(m.l.View().End-m.end.Load(), 0) }
