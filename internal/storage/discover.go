package storage

import (
	"errors"
	"fmt"
	"path"
	"time"

	"github.com/brokerd/brokerd/internal/step"
	"github.com/brokerd/brokerd/internal/vfs"
)

// discover opens the journals and lists the directories.
func (s *Store) discover() error {
	works := 0
	var last error
	for _, p := range s.options.Dirs {
		d := &logDir{path: p, store: s, fs: s.options.FS, logger: s.options.Logger}
		d.flusher, d.keeper, d.cleaner, d.scrubber, d.mover = newFlusher(d), newKeeper(d), newCleaner(d), newScrubber(d), newMover(d)
		s.dirs = append(s.dirs, d)
		err := s.options.Unusable[p]
		if err == nil {
			err = d.open()
		}
		if newer := (*NewerError)(nil); errors.As(err, &newer) {
			return err
		}
		if err != nil {
			last = d.fail(err)
			s.blind = true
			continue
		}
		works++
	}
	if works == 0 {
		return fmt.Errorf("no log directory works: %w", errors.Join(last, errNoDirs(s.options.Dirs)))
	}
	return s.parted()
}

func errNoDirs(dirs []string) error {
	if len(dirs) == 0 {
		return errors.New("log.dirs is empty")
	}
	return nil
}

// open reads the checkpoint of a directory and finds its partitions.
func (d *logDir) open() error {
	if err := d.fs.MkdirAll(d.path); err != nil {
		return err
	}
	d.ask()
	var err error
	if d.suspect, err = d.noted(); err != nil {
		return err
	}
	j, err := openJournal(d.fs, d.path, d.suspect, d.logger)
	if err != nil {
		return err
	}
	d.journal = j
	names, err := d.fs.List(d.path)
	if err != nil {
		return err
	}
	byName := map[string]*mark{}
	for _, m := range j.all() {
		name := dirName(m.topic, m.id.Index)
		if other := byName[name]; other != nil {
			if owner, _ := d.ownerOf(name); owner == other.id.Topic {
				m, other = other, m
			}
			d.logger.Warn("two partitions of the checkpoint have one name; the directory says whose it is",
				"dir", d.path, "name", name, "id", m.id.Topic, "other", other.id.Topic)
			d.note(other.id, other.topic, 0, false)
		}
		byName[name] = m
	}
	for _, name := range names {
		if err := d.find(name, byName); err != nil {
			return err
		}
	}
	for name, m := range byName { // on its way: no directory was needed yet, or it is lost
		if m.end > m.start || m.start > 0 {
			d.logger.Debug("partition of the checkpoint has no directory", "dir", d.path, "name", name)
			d.note(m.id, m.topic, m.bytes(), m.clean)
		}
	}
	return nil
}

// find takes note of one directory entry.
func (d *logDir) find(name string, marks map[string]*mark) error {
	if isParked(name, parkedDelete) {
		d.keeper.later(time.Time{}, func() { d.removeDir(name) })
		return nil
	}
	if isParked(name, parkedFuture) {
		d.noteFuture(name)
		return nil
	}
	topic, index, ok := parseDirName(name)
	if !ok {
		return nil
	}
	if m := marks[name]; m != nil {
		d.note(m.id, m.topic, m.bytes(), m.clean)
		delete(marks, name)
		return nil
	}
	id, damage, err := d.owner(name)
	if err == nil && damage != nil {
		d.logger.Warn("directory without a valid partition.metadata is left alone", "dir", d.path, "name", name, "err", damage)
		return nil
	}
	bytes, segments := int64(0), 0
	if err == nil {
		bytes, segments, err = d.logFiles(name)
	}
	of := step.PartitionID{Topic: id, Index: index}
	if err != nil {
		if err = unreadable(err); !errors.Is(err, ErrNewer) && !errors.Is(err, ErrUnreadable) {
			return err
		}
		d.refuse(name, of, topic, err)
		if id.IsZero() {
			return nil // whose it is stands there in a way that we do not know, or cannot be read
		}
	}
	d.note(of, topic, bytes, segments == 0)
	return nil
}

// refuse notes a directory that a newer release made, or that cannot be read.
// Whoever wants a partition of its name hears of it, in whatever directory it would
// have begun.
func (d *logDir) refuse(name string, of step.PartitionID, topic string, why error) {
	d.logger.Error("log is left alone", "dir", d.path, "name", name, "err", why)
	d.store.refused[name] = why
	d.store.unopened = append(d.store.unopened, Unopened{of, topic, why})
	d.store.damaged.Store(true)
}

// owner is the topic that a directory says it belongs to; damage is why it does
// not say so. A file of a newer release is an error, with the id if it has one.
func (d *logDir) owner(name string) (id step.TopicID, damage, err error) {
	file := path.Join(d.path, name, metadataName)
	p, err := readWhole(d.fs, file)
	if err != nil {
		return id, nil, fmt.Errorf("read %s: %w", file, err)
	}
	id, damage = parseMetadata(p)
	if newer := (*NewerError)(nil); errors.As(damage, &newer) {
		newer.Path = file
		return id, nil, newer
	}
	return id, damage, nil
}

// ownerOf is the topic that a directory says it belongs to, if it says so.
func (d *logDir) ownerOf(name string) (id step.TopicID, ok bool) {
	id, damage, err := d.owner(name)
	return id, damage == nil && err == nil
}

func (d *logDir) note(id step.PartitionID, topic string, bytes int64, clean bool) {
	d.logs++
	clean = clean && !d.suspect
	d.store.clean = d.store.clean && clean
	found := onDisk{d, topic, bytes, clean}
	if other, ok := d.store.found[id]; ok && other.dir != d {
		d.store.twins = append(d.store.twins, twin{id, other, found})
	}
	d.store.found[id] = found
}

func (m *mark) bytes() int64 {
	n := m.pos
	for _, s := range m.sealed {
		n += s.size
	}
	return n
}

// logFiles adds up the .log files of a directory that is in no checkpoint.
func (d *logDir) logFiles(name string) (bytes int64, segments int, err error) {
	files, err := d.fs.List(path.Join(d.path, name))
	for _, f := range files {
		if _, ok := segmentBase(f, logSuffix); !ok {
			continue
		}
		h, err := d.fs.Open(path.Join(d.path, name, f), vfs.Read)
		if err != nil {
			return 0, 0, err
		}
		size, err := h.Size()
		_ = h.Close() // read only
		if err != nil {
			return 0, 0, err
		}
		bytes, segments = bytes+size, segments+1
	}
	return bytes, segments, err
}
