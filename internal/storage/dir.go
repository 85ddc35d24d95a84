package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path"
	"sync/atomic"
	"time"

	"github.com/brokerd/brokerd/internal/vfs"
)

// logDir is one of log.dirs: what its logs share.
type logDir struct {
	path     string
	store    *Store
	fs       vfs.FS
	logger   *slog.Logger
	journal  *journal
	flusher  *flusher
	keeper   *keeper
	cleaner  *cleaner
	scrubber *scrubber
	mover    *mover

	// suspect: the process before saw a sync fail and left brokerd-failed. What it
	// wrote may be in the page cache, look clean, and not be on the disk.
	suspect bool

	failed atomic.Pointer[dirError]
	full   atomic.Bool  // short of space: appends are refused (S8)
	asked  atomic.Int64 // when space was asked for last, unix ns
	free   atomic.Int64
	total  atomic.Int64
	ahead  atomic.Int64 // bytes that segments hold ahead of their ends
	logs   int          // for the choice of a directory; under Store.mu
}

// dirError is why a directory was given up.
type dirError struct{ err error }

func (e *dirError) Error() string   { return ErrDirFailed.Error() + ": " + e.err.Error() }
func (e *dirError) Unwrap() []error { return []error{ErrDirFailed, e.err} }

// failure is nil while the directory works.
func (d *logDir) failure() error {
	if e := d.failed.Load(); e != nil {
		return e
	}
	return nil
}

// fail gives the directory up for good (S3): nothing of it is written, read or
// acknowledged again by this process. It gives the error that stuck.
func (d *logDir) fail(err error) error {
	e := &dirError{err}
	if !d.failed.CompareAndSwap(nil, e) {
		return d.failed.Load()
	}
	d.logger.Error("log directory has failed and is offline until a restart; check the disk, then restart the broker",
		"dir", d.path, "err", err)
	if d.store.options.Unusable[d.path] == nil {
		d.leaveNote()
	}
	if tell := d.store.options.DirFailed; tell != nil {
		d.store.background.run(func() { tell(d.path, err) })
	}
	return e
}

// leaveNote tells the process after this one that syncs failed. It need not be on
// the disk: when the power goes, so does the page cache that it warns of.
func (d *logDir) leaveNote() {
	f, err := d.fs.Open(path.Join(d.path, failedName), vfs.Create)
	if err != nil {
		d.logger.Warn("the failure is not noted on the disk; restart the machine, not only the broker", "dir", d.path, "err", err)
		return
	}
	_ = f.Close() // it is empty
}

// noted looks for the note of the process before.
func (d *logDir) noted() (bool, error) {
	f, err := d.fs.Open(path.Join(d.path, failedName), vfs.Read)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	d.logger.Warn("a sync failed before the last stop: all that the checkpoint does not vouch for is written again", "dir", d.path)
	return true, f.Close()
}

// clearNote ends the suspicion: every log was written again, and synced.
func (d *logDir) clearNote() {
	if err := d.fs.Remove(path.Join(d.path, failedName)); err != nil {
		d.logger.Warn("note of a failed sync stays; the next start writes all again", "dir", d.path, "err", err)
	}
	if err := d.fs.SyncDir(d.path); err != nil {
		_ = d.fail(fmt.Errorf("sync %s: %w", d.path, err)) // every log hears of it by itself
	}
}

// Free space is asked for at most once a second, by who appends and who asks FullDirs
// (S8). A directory that was full takes records again only when a quarter more than
// the reserve is free: whatever moves away from it and back should not do so with
// every segment that retention deletes.
const (
	askEvery    = time.Second
	leastFree   = 64 << 20
	mostReserve = 1 << 30
	aheadShare  = 20 // one part in so many of the free space may be held ahead
)

// room refuses appends while the directory is short of space.
func (d *logDir) room(now time.Time) error {
	d.look(now)
	if d.full.Load() {
		free, least := d.free.Load(), needed(d.total.Load(), true)
		return fmt.Errorf("%s has %d MiB free and takes records from %d MiB on: %w", d.path, free>>20, least>>20, ErrDiskFull)
	}
	return nil
}

// look asks for the free space, if nobody did within askEvery.
func (d *logDir) look(now time.Time) {
	last := d.asked.Load()
	if n := now.UnixNano(); (n-last >= int64(askEvery) || n < last) && d.asked.CompareAndSwap(last, n) {
		d.ask()
	}
}

// ask looks at the free space. An error leaves things as they are.
func (d *logDir) ask() {
	free, err := d.fs.Free(d.path)
	if err != nil {
		d.logger.Warn("free space is unknown", "dir", d.path, "err", err)
		return
	}
	d.free.Store(free)
	if s, ok := d.fs.(vfs.Sizer); ok {
		if total, err := s.Total(d.path); err == nil {
			d.total.Store(total)
		}
	}
	d.setFull(free < needed(d.total.Load(), d.full.Load()))
}

// setFull says, once, that appends are refused from now on, or are not any more.
func (d *logDir) setFull(full bool) {
	if d.full.Swap(full) == full {
		return
	}
	free := d.free.Load()
	if full {
		d.logger.Error("log directory is short of space: it takes no records until some is freed; free space, lower a retention or delete a topic; other replicas in sync lead meanwhile",
			"dir", d.path, "free", free, "needed", needed(d.total.Load(), true))
	} else {
		d.logger.Info("log directory has space again", "dir", d.path, "free", free)
	}
	if tell := d.store.options.Filled; tell != nil {
		tell()
	}
}

// needed is how much has to be free for records to be taken.
func needed(total int64, full bool) int64 {
	least := reserve(total)
	if full {
		least += least / 4
	}
	return least
}

// reserve is what is kept free: below it, produce is refused.
func reserve(total int64) int64 { return max(leastFree, min(mostReserve, total/100)) }

// DirState is one log directory. Err is set once it has failed.
type DirState struct {
	Path        string
	Free, Total int64
	Usable      int64 // of the free space, for records: 0 when produce is refused
	Full        bool
	Err         error
	Logs        []*Log
	Futures     []Future // copies of logs that move here
}

// Dirs tells the state of every log directory.
func (s *Store) Dirs() []DirState {
	out := make([]DirState, len(s.dirs))
	for i, d := range s.dirs {
		d.ask()
		out[i] = DirState{Path: d.path, Free: d.free.Load(), Total: d.total.Load(), Full: d.full.Load(), Err: d.failure()}
		if !out[i].Full {
			out[i].Usable = max(0, out[i].Free-reserve(out[i].Total))
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.logs {
		home, m := l.home(), l.moving.Load()
		for i, d := range s.dirs {
			if home == d {
				out[i].Logs = append(out[i].Logs, l)
			}
			if m != nil && m.to == d {
				out[i].Futures = append(out[i].Futures, Future{l.id, l.topic, d.path, m.bytes.Load(), m.lag()})
			}
		}
	}
	return out
}
