package storage

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"path"
	"sync"

	"github.com/brokerd/brokerd/internal/step"
	"github.com/brokerd/brokerd/internal/vfs"
)

// journal is the checkpoint log of one directory: appended to, and written anew
// when most of it is of the past.
type journal struct {
	fs  vfs.FS
	dir string

	mu    sync.Mutex
	marks marks // what the synced file says

	gate gate // guards the file; held across its writes and syncs
	f    vfs.File
	size int64
}

// compactAbove is the size below which a checkpoint log is never written anew.
const compactAbove = 1 << 20

// anew: the file is written again, because what it says may not be on the disk.
func openJournal(fs vfs.FS, dir string, anew bool, logger *slog.Logger) (*journal, error) {
	j := &journal{fs: fs, dir: dir, gate: newGate()}
	p, err := readWhole(fs, j.path())
	if err != nil {
		return nil, fmt.Errorf("read checkpoint of %s: %w", dir, err)
	}
	ms, good, err := parseCheckpoint(p)
	if newer := (*NewerError)(nil); errors.As(err, &newer) {
		newer.Path = j.path()
		return nil, err
	}
	if err != nil {
		logger.Warn("checkpoint is unreadable: every log of the directory is scanned", "dir", dir, "err", err)
		ms, good = marks{}, 0
	}
	j.marks = ms
	if len(p) >= frameHeader && binary.BigEndian.Uint32(p[4:]) < checkpointKind.version {
		anew = true // an older release must not read the new kinds as a torn tail
	}
	if good == len(p) && good > 0 && !anew {
		if j.f, err = fs.Open(j.path(), vfs.Write); err != nil {
			return nil, fmt.Errorf("open checkpoint of %s: %w", dir, err)
		}
		j.size = int64(good)
		return j, nil
	}
	// A torn tail must not stay behind new entries: older ones could come to life again.
	return j, j.rewriteGated()
}

func (j *journal) path() string { return path.Join(j.dir, checkpointName) }

// get is the mark of a log as it is on disk, nil if there is none. Not to be changed.
func (j *journal) get(id step.PartitionID) *mark {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.marks[id]
}

// all lists the marks.
func (j *journal) all() []*mark {
	j.mu.Lock()
	defer j.mu.Unlock()
	out := make([]*mark, 0, len(j.marks))
	for _, m := range j.marks {
		out = append(out, m)
	}
	return out
}

// write appends entries and makes them durable. They count in marks from then on.
func (j *journal) write(entries []byte) error {
	if len(entries) == 0 {
		return nil
	}
	j.gate.enter()
	defer j.gate.leave()
	if j.f == nil {
		return ErrClosed
	}
	if _, err := j.f.WriteAt(entries, j.size); err != nil {
		return fmt.Errorf("write checkpoint of %s: %w", j.dir, errors.Join(err, j.f.Truncate(j.size)))
	}
	if err := j.f.Sync(); err != nil {
		return &syncError{fmt.Errorf("sync checkpoint of %s: %w", j.dir, err)}
	}
	j.size += int64(len(entries))
	j.mu.Lock()
	for rest := entries; ; {
		body, after, ok := nextEntry(rest)
		if !ok {
			break
		}
		j.marks.apply(body)
		rest = after
	}
	old := j.size > compactAbove && j.size > 2*j.liveBytesLocked()
	j.mu.Unlock()
	if !old {
		return nil
	}
	err := j.rewriteGated()
	if s := (*syncError)(nil); isFull(err) && !errors.As(err, &s) {
		return nil // the entries count all the same; the file stays as it is until there is room
	}
	return err
}

func (j *journal) liveBytesLocked() (n int64) {
	for _, m := range j.marks {
		n += int64(128 + len(m.topic) + 69*len(m.sealed))
	}
	return n
}

// rewriteGated writes the marks into a new file and puts it into the old one's place.
func (j *journal) rewriteGated() error {
	p := checkpointKind.seal(make([]byte, frameHeader))
	j.mu.Lock()
	for _, m := range j.marks {
		p = m.encode(p)
	}
	j.mu.Unlock()
	if err := replaceFile(j.fs, j.path(), p); err != nil {
		return fmt.Errorf("rewrite checkpoint of %s: %w", j.dir, err)
	}
	if err := j.fs.SyncDir(j.dir); err != nil {
		return &syncError{fmt.Errorf("sync %s: %w", j.dir, err)}
	}
	if j.f != nil {
		_ = j.f.Close() // synced, and replaced
	}
	f, err := j.fs.Open(j.path(), vfs.Write)
	if err != nil {
		return fmt.Errorf("open checkpoint of %s: %w", j.dir, err)
	}
	j.f, j.size = f, int64(len(p))
	return nil
}

func (j *journal) close() error {
	j.gate.enter()
	defer j.gate.leave()
	if j.f == nil {
		return nil
	}
	err := j.f.Close()
	j.f = nil
	return err
}

// gate is a lock that may be held across a sync: a channel, so that a bubble of
// virtual time sees who waits.
type gate chan struct{}

func newGate() gate   { return make(gate, 1) }
func (g gate) enter() { g <- struct{}{} }
func (g gate) leave() { <-g }

// syncError marks an error after which a directory is given up (S3).
type syncError struct{ err error }

func (e *syncError) Error() string { return e.err.Error() }
func (e *syncError) Unwrap() error { return e.err }
