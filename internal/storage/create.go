package storage

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"syscall"

	"github.com/brokerd/brokerd/internal/step"
	"github.com/brokerd/brokerd/internal/vfs"
)

// createSegment makes the segment's file, and the log's directory with it when
// it is the first. Nothing is synced: the flusher does that before anything in
// it counts. It runs under writeMu.
func (l *Log) createSegment(s *segment) error {
	dirty := entriesDirty{own: true}
	if l.tail.seg == nil {
		fresh, metadata, err := l.createDir()
		if err != nil {
			return l.home().broken(fmt.Errorf("create %s: %w", l.path(), err))
		}
		dirty.parent, dirty.metadata = fresh, metadata
	}
	h, err := l.createFile(s)
	if err != nil {
		if dirty.metadata != nil {
			_ = dirty.metadata.Close() // nothing counts on it yet
		}
		return l.home().broken(fmt.Errorf("create %s: %w", s.path(logSuffix), err))
	}
	defer h.release()
	if began := l.store.options.Began; began != nil && dirty.parent {
		began(l)
	}
	l.noteDirty(s, h)
	l.syncMu.Lock()
	defer l.syncMu.Unlock()
	l.entries.own = true
	l.entries.parent = l.entries.parent || dirty.parent
	if dirty.metadata != nil {
		l.entries.metadata = dirty.metadata
	}
	return nil
}

// createFile makes an empty file. One that is left over has nothing that counts.
func (l *Log) createFile(s *segment) (*handle, error) {
	h, err := l.store.files.get(s, vfs.Create)
	if err != nil {
		return nil, err
	}
	size, err := h.Size()
	if err == nil && size > 0 {
		err = h.Truncate(0)
	}
	if err != nil {
		h.release()
		l.store.files.drop(s)
		return nil, err
	}
	return h, nil
}

// createDir makes the log's directory and partition.metadata, if they are not
// there. A directory of that name that is not known to be this partition's is
// set aside.
func (l *Log) createDir() (fresh bool, metadata vfs.File, err error) {
	fsys, name := l.home().fs, l.name()
	file := path.Join(l.path(), metadataName)
	names, err := fsys.List(l.path())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, nil, err
	}
	ours := false
	if len(names) > 0 {
		id, damage, err := l.home().owner(name)
		if err != nil {
			return false, nil, err
		}
		if ours = damage == nil && id == l.id.Topic; !ours {
			if err := l.home().setAside(name, step.PartitionID{Topic: id, Index: l.id.Index}); err != nil {
				return false, nil, err
			}
		}
	}
	if err := fsys.MkdirAll(l.path()); err != nil {
		return false, nil, err
	}
	// Written again where it is ours already: an attempt that failed behind it
	// (the disk was full) has closed it without a sync.
	f, err := fsys.Open(file, vfs.Create)
	if err == nil {
		if _, err = f.WriteAt(metadataFile(l.id.Topic), 0); err == nil {
			return true, f, nil
		}
		_ = f.Close() // the write's error is the cause
	}
	if !ours { // half of it would be set aside by the next attempt, and the next
		_, _ = fsys.Remove(file), fsys.Remove(l.path()) // only if it is empty
	}
	return false, nil, err
}

// broken sorts an error of a file operation that changed nothing: a full disk
// and a lack of descriptors pass, a file of a newer release concerns one log,
// anything else ends the directory.
func (d *logDir) broken(err error) error {
	switch {
	case isFull(err):
		d.setFull(true)
		return errors.Join(ErrDiskFull, err)
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return errors.Join(ErrNoDescriptors, err)
	case errors.Is(err, ErrNewer):
		return err
	}
	return d.fail(err)
}

// unreadable sorts an error of bringing a log back. What neither says what it is nor
// passes concerns this log alone: an owner or a mode that somebody changed, a bad
// sector. The others of the directory are served.
func unreadable(err error) error {
	switch {
	case isFull(err):
		return errors.Join(ErrDiskFull, err)
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return errors.Join(ErrNoDescriptors, err)
	case errors.Is(err, ErrCorrupt), errors.Is(err, ErrNewer), errors.Is(err, ErrDirFailed):
		return err
	}
	return fmt.Errorf("%w: %w", ErrUnreadable, err)
}

// setAside renames a directory that belongs to nobody we know (D11). The
// checkpoint forgets whose it was first, as in park: a mark that stays would
// claim the next directory of that name.
func (d *logDir) setAside(name string, of step.PartitionID) error {
	topic, index, ok := parseDirName(name)
	if !ok {
		return fmt.Errorf("%q is not a partition's directory", name)
	}
	if d.journal.get(of) != nil {
		if err := d.journal.write(appendGone(nil, of)); err != nil {
			return err
		}
	}
	to := parkedName(topic, index, parkedStray)
	if err := d.fs.Rename(path.Join(d.path, name), path.Join(d.path, to)); err != nil {
		return err
	}
	d.logger.Warn("directory set aside; nothing deletes it, look at it and remove it yourself", "dir", d.path, "was", name, "now", to)
	return nil
}

// metadataFile is Kafka's partition.metadata.
func metadataFile(id step.TopicID) []byte {
	return fmt.Appendf(nil, "version: 0\ntopic_id: %s", id)
}

// movedMetadataFile is partition.metadata of a log that has moved so often. Kafka
// reads two lines and leaves the rest.
func movedMetadataFile(id step.TopicID, moves int) []byte {
	return fmt.Appendf(metadataFile(id), "\nmoves: %d", moves)
}

// parseMoves reads how often the log of a partition.metadata has moved.
func parseMoves(p []byte) (moves int) {
	for line := range bytes.Lines(p) {
		if n, ok := bytes.CutPrefix(bytes.TrimSpace(line), []byte("moves: ")); ok {
			moves, _ = strconv.Atoi(string(n)) // what is no number was never written
		}
	}
	return moves
}

// parseMetadata reads partition.metadata: lines of "key: value".
func parseMetadata(p []byte) (id step.TopicID, err error) {
	version := -1
	for line := range bytes.Lines(p) {
		key, value, ok := bytes.Cut(bytes.TrimSpace(line), []byte(": "))
		if !ok {
			continue
		}
		switch string(key) {
		case "version":
			if version, err = strconv.Atoi(string(value)); err != nil {
				return id, fmt.Errorf("%s: version %q: %w", metadataName, value, errBadFrame)
			}
		case "topic_id":
			if id, err = step.ParseTopicID(string(value)); err != nil {
				return id, fmt.Errorf("%s: %w", metadataName, errors.Join(errBadFrame, err))
			}
		}
	}
	if version > 0 {
		return id, &NewerError{What: metadataName, Version: uint32(version), Known: 0}
	}
	if version < 0 || id.IsZero() {
		return id, fmt.Errorf("%s: %w", metadataName, errBadFrame)
	}
	return id, nil
}

func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}
