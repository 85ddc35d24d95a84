package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/brokerd/brokerd/internal/vfs"
)

// settle makes what is kept durable before its end counts.
func (r *recovery) settle() error {
	if r.t.end < r.start {
		r.startOver()
	}
	if err := r.smallFiles(); err != nil {
		return r.l.home().sort(err)
	}
	d := r.l.home()
	if mutations.endBeforeSync || len(r.scanned) == 0 && !r.changed {
		return nil
	}
	for _, s := range r.scanned {
		h, err := r.l.store.files.get(s, vfs.Write)
		if err != nil {
			return fmt.Errorf("open %s: %w", s.path(logSuffix), err)
		}
		err = h.Sync()
		h.release()
		if err != nil {
			return d.fail(fmt.Errorf("sync %s: %w", s.path(logSuffix), err))
		}
	}
	if r.unproven() {
		if err := syncFile(d.fs, path.Join(r.l.path(), metadataName), d.suspect); err != nil {
			return d.fail(err)
		}
		if err := d.fs.SyncDir(d.path); err != nil {
			return d.fail(fmt.Errorf("sync %s: %w", d.path, err))
		}
	}
	if err := d.fs.SyncDir(r.l.path()); err != nil {
		return d.fail(fmt.Errorf("sync %s: %w", r.l.path(), err))
	}
	return nil
}

// unproven says that the checkpoint vouches for no byte of the segment of its
// point: the file, its directory and partition.metadata may be in the page cache
// only, left there by a process that was killed.
func (r *recovery) unproven() bool { return r.m == nil || r.m.pos == 0 }

// restful says that the log was closed, and all of it synced. Of any other log a
// killed process may have left writes, a cut or renames in the page cache only:
// they are synced even where nothing is above the point.
func (r *recovery) restful() bool { return !r.unproven() && r.m.clean && !r.l.home().suspect }

// smallFiles finishes the epochs, and makes files untrue no more that speak of a
// tail that was lost: new batches will stand there.
func (r *recovery) smallFiles() error {
	l, t := r.l, &r.t
	r.takeEpochs(t.end)
	t.epochs = raiseEpochs(t.epochs, r.start)
	if len(r.later) > 0 {
		if err := l.home().replaceFiles([]smallFile{{path.Join(l.path(), epochsName), epochsFile(t.epochs)}}); err != nil {
			return err
		}
		l.written.epochs, l.written.epochsWrong = t.epochs, false
	}
	if !r.stale {
		return nil
	}
	if err := l.home().fs.Remove(path.Join(l.path(), producersName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := l.home().fs.SyncDir(l.path()); err != nil {
		return &syncError{err}
	}
	return nil
}

// startOver empties a log whose records above the start offset were lost with
// the power (durability isr). What was below was deleted on request.
func (r *recovery) startOver() {
	for _, s := range append(r.segs, r.t.seg) {
		if s != nil {
			r.l.store.files.drop(s)
		}
	}
	r.removeFrom(0)
	r.l.producers = producers{}
	r.segs, r.scanned, r.t, r.stale = nil, nil, newTail(r.start), r.m.producers
}

// publish makes the log what was found.
func (r *recovery) publish() {
	l, t := r.l, &r.t
	if t.seg != nil {
		r.segs = append(r.segs, t.seg)
	}
	l.tail = *t
	v := &view{View: View{Start: r.start, Durable: t.end, End: t.end, Epoch: latestEpoch(t.epochs)},
		segs: r.segs, pos: t.pos, bytes: t.sealed + t.pos, index: t.index, places: t.places, summary: t.summary,
		epochs: t.epochs, txns: t.txns, aborted: t.aborted}
	v.HighWatermark = v.Start
	if r.m != nil {
		v.HighWatermark = max(v.Start, min(r.m.hw, v.End))
	}
	v.settle()
	l.view.Store(v)
	l.pointAt.Store(v.bytes - r.bytes)
}

// syncFile makes a small file durable; again: by writing it once more.
func syncFile(fsys vfs.FS, name string, again bool) error {
	f, err := fsys.Open(name, vfs.Write)
	if err != nil {
		return err
	}
	if again {
		var size int64
		if size, err = f.Size(); err == nil {
			err = writeAgain(f, 0, size, make([]byte, size))
		}
	}
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		_ = f.Close() // the first error is the cause
		return fmt.Errorf("sync %s: %w", name, err)
	}
	return f.Close()
}

// writeAgain makes [from, to) of a file dirty, so that the next sync brings it to
// the disk: after a sync that failed the kernel takes the pages for clean.
func writeAgain(f vfs.File, from, to int64, window []byte) error {
	for from < to {
		p := window[:min(int64(len(window)), to-from)]
		if n, err := f.ReadAt(p, from); n < len(p) {
			return fmt.Errorf("%d of %d bytes: %w", n, len(p), err)
		}
		if _, err := f.WriteAt(p, from); err != nil {
			return err
		}
		from += int64(len(p))
	}
	return nil
}
