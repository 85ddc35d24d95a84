package storage

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"path"
	"sync"
	"time"

	"github.com/brokerd/brokerd/internal/record"
	"github.com/brokerd/brokerd/internal/vfs"
)

// above scans every segment from the point on and cuts at the first bad batch.
func (r *recovery) above() error {
	if r.state != nil && r.t.end >= r.state.end {
		r.useState()
	}
	for i := 0; i < len(r.bases); i++ {
		base := r.bases[i]
		if r.m != nil && base < r.m.segment {
			continue
		}
		if r.t.seg == nil || r.t.seg.base != base {
			if base != r.t.end {
				if r.m == nil && r.t.seg == nil {
					r.t.end = base
				} else { // the segment before lost its end
					r.removeFrom(i)
					break
				}
			}
			r.next(base)
		}
		bad, err := r.scan(r.t.seg)
		if err != nil {
			return err
		}
		if bad {
			r.removeFrom(i + 1)
			break
		}
	}
	if err := r.ensureActive(); err != nil {
		return err
	}
	return r.finishProducers()
}

// ensureActive makes the segment that the point names where its file did not
// make it to the disk: nothing was in it, and a log with segments has an active one.
func (r *recovery) ensureActive() error {
	if r.t.seg != nil || len(r.segs) == 0 || r.t.end < r.start {
		return nil
	}
	s := &segment{log: r.l, base: r.t.end}
	h, err := r.l.createFile(s)
	if err != nil {
		return fmt.Errorf("create %s: %w", s.path(logSuffix), err)
	}
	h.release()
	r.t.startSegment(s, time.Now(), r.l.config.Load())
	r.scanned, r.changed = append(r.scanned, s), true
	return nil
}

// next seals the segment in hand and starts the one at base.
func (r *recovery) next(base int64) {
	if s := r.t.seg; s != nil {
		r.t.sealInto(s)
		r.segs = append(r.segs, s)
	}
	r.t.startSegment(&segment{log: r.l, base: base}, time.Now(), r.l.config.Load())
}

// sealInto makes s a sealed segment with what the tail knows of it.
func (t *tail) sealInto(s *segment) {
	s.size, s.summary, s.digest, s.aborted = t.pos, t.summary, t.digest, t.aborted
	s.index.Store(&memIndex{t.index})
	t.sealed += t.pos
}

func (r *recovery) removeFrom(i int) {
	for _, base := range r.bases[i:] {
		r.l.dir.logger.Info("segment behind a torn tail removed", "dir", r.l.path(), "segment", base)
		r.remove(base)
	}
	r.bases = r.bases[:i]
}

// windowBytes is how much is read at once. A larger batch gets a buffer of its own.
const windowBytes = 1 << 20

var windows = sync.Pool{New: func() any { return new([windowBytes]byte) }}

// scan reads s from the tail's position to its end. bad: it was cut before that.
func (r *recovery) scan(s *segment) (bad bool, err error) {
	h, err := r.l.store.files.get(s, vfs.Write)
	if err != nil {
		return false, fmt.Errorf("open %s: %w", s.path(logSuffix), err)
	}
	defer h.release()
	size, err := h.Size()
	if err != nil {
		return false, fmt.Errorf("size of %s: %w", s.path(logSuffix), err)
	}
	if size > r.t.pos || !r.restful() || s.base != r.m.segment {
		r.scanned = append(r.scanned, s)
	}
	from := r.t.pos
	r.bytes += size - from
	window := windows.Get().(*[windowBytes]byte)
	defer windows.Put(window)
	cause := r.batches(h, size, window[:])
	if err := (*readError)(nil); errors.As(cause, &err) {
		return false, fmt.Errorf("read %s: %w", s.path(logSuffix), err)
	}
	if r.l.dir.suspect {
		if err := writeAgain(h, from, r.t.pos, window[:]); err != nil {
			return false, fmt.Errorf("write %s again: %w", s.path(logSuffix), err)
		}
	}
	if cause == nil {
		if r.m != nil && r.m.clean {
			return false, nil
		}
		return false, h.Truncate(r.t.pos) // a crash leaves what was reserved ahead
	}
	r.l.dir.logger.Info("torn tail cut", "segment", s.path(logSuffix), "at", r.t.pos, "bytes", size-r.t.pos, "because", cause)
	r.changed = true
	if err := h.Truncate(r.t.pos); err != nil {
		return true, fmt.Errorf("cut %s: %w", s.path(logSuffix), err)
	}
	return true, nil
}

// unproven says that the checkpoint vouches for no byte of the segment of its
// point: the file, its directory and partition.metadata may be in the page cache
// only, left there by a process that was killed.
func (r *recovery) unproven() bool { return r.m == nil || r.m.pos == 0 }

// restful says that the log was closed, and all of it synced. Of any other log a
// killed process may have left writes, a cut or renames in the page cache only:
// they are synced even where nothing is above the point.
func (r *recovery) restful() bool { return !r.unproven() && r.m.clean && !r.l.dir.suspect }

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

// readError is trouble of the disk, which is no torn tail.
type readError struct{ err error }

func (e *readError) Error() string { return e.err.Error() }
func (e *readError) Unwrap() error { return e.err }

// batches takes batch after batch up to size; the error says what ended it.
func (r *recovery) batches(h *handle, size int64, window []byte) error {
	_, err := eachBatch(h, r.t.pos, size, window, func(b record.Batch) error {
		if err := r.check(b); err != nil {
			return err
		}
		r.take(b)
		return nil
	})
	return err
}

// eachBatch hands over the batches of [pos, size) of a file, until one is none or
// is refused: that is at end, and the error says why.
func eachBatch(h io.ReaderAt, pos, size int64, window []byte, take func(record.Batch) error) (end int64, err error) {
	var have []byte
	at := pos // of have in the file
	for pos < size {
		b, _, err := record.Next(have[pos-at:])
		if errors.Is(err, record.ErrIncomplete) && at+int64(len(have)) < size {
			into := window
			if n, err := record.Size(have[pos-at:]); err == nil && n > int64(len(window)) {
				if n > size-pos {
					return pos, fmt.Errorf("batch of %d bytes, %d are there", n, size-pos)
				}
				into = make([]byte, n)
			}
			at = pos
			n, err := h.ReadAt(into[:min(int64(len(into)), size-at)], at)
			if n == 0 || err != nil && !errors.Is(err, io.EOF) {
				return pos, &readError{err}
			}
			have = into[:n]
			continue
		}
		if err == nil {
			err = take(b)
		}
		if err != nil {
			return pos, err
		}
		pos += int64(len(b))
	}
	return pos, nil
}

// check says whether a batch may stand at the end of the log (S5).
func (r *recovery) check(b record.Batch) error {
	if err := b.VerifyStored(); err != nil {
		return err
	}
	if b.BaseOffset() < r.t.end {
		return fmt.Errorf("offset %d after %d", b.BaseOffset(), r.t.end)
	}
	if b.LastOffset()-r.t.seg.base > maxRelative {
		return fmt.Errorf("offset %d is too far from the segment's base", b.LastOffset())
	}
	r.takeEpochs(b.BaseOffset())
	if e := b.LeaderEpoch(); e < latestEpoch(r.t.epochs) {
		return fmt.Errorf("epoch %d after %d", e, latestEpoch(r.t.epochs))
	}
	return nil
}

// takeEpochs takes over what the epoch file has up to an offset, unless the
// batches have told it already.
func (r *recovery) takeEpochs(upTo int64) {
	for len(r.later) > 0 && r.later[0].start <= upTo {
		if e := r.later[0]; e.epoch > latestEpoch(r.t.epochs) {
			r.t.epochs = assignEpoch(r.t.epochs, e.epoch, e.start)
		}
		r.later = r.later[1:]
	}
}

// take makes a batch part of the log.
func (r *recovery) take(b record.Batch) {
	if id := b.ProducerID(); id >= 0 {
		switch {
		case r.state != nil && b.BaseOffset() < r.state.end:
			r.control = r.control || b.Control()
		default:
			r.l.hadProducers = true
			r.l.producers.replay(&r.t, b, r.hw())
		}
	}
	r.t.note(b, r.l.config.Load().IndexIntervalBytes, 0)
	if r.state != nil && r.t.end >= r.state.end {
		r.useState()
	}
}

// replay takes a batch's producer into account as the append did. hw: what was
// decided below it is forgotten.
func (ps *producers) replay(t *tail, b record.Batch, hw int64) {
	if !b.Control() {
		t.txns = ps.data(b, t.txns)
	} else if m, err := b.Marker(); err == nil {
		t.mark(ps, b, m, hw)
	}
	ps.keep()
}

// useState takes the state file over at the offset up to which it is true.
func (r *recovery) useState() {
	r.l.producers, r.t.txns = r.state.ps, r.state.txns
	r.l.written.producersAt = r.state.end
	r.state = nil
}

// finishProducers makes up for a state file that did not fit: it was of a later
// point than the journal's, and lies above the end, or hides an aborted transaction.
func (r *recovery) finishProducers() error {
	if r.state != nil && r.t.end >= r.state.end {
		r.useState()
	}
	if r.state == nil && !r.control {
		return nil
	}
	r.stale = r.state != nil // above the end: it must not seem true when the log has grown again
	r.state = nil
	return r.rewalk()
}

// hw is the high watermark as far as it is known.
func (r *recovery) hw() int64 {
	if r.m == nil {
		return math.MaxInt64
	}
	return r.m.hw
}

// rewalk derives producers, aborted transactions and epochs from the whole log
// up to the tail.
func (r *recovery) rewalk() error {
	r.state, r.rebuild, r.control = nil, false, false
	r.l.written.producersAt = -1
	w := walker{l: r.l, hw: r.hw()}
	for _, s := range r.segs {
		if err := w.segment(s, s.size); err != nil {
			return asCorrupt(err)
		}
		s.aborted = w.t.aborted
	}
	w.t.aborted = nil
	if s := r.t.seg; s != nil {
		if err := w.segment(s, r.t.pos); err != nil {
			return asCorrupt(err)
		}
	}
	r.l.producers, r.l.hadProducers = w.ps, r.l.hadProducers || len(w.ps.m) > 0
	r.t.aborted, r.t.txns = w.t.aborted, w.t.txns
	if r.l.written.epochsWrong {
		r.t.epochs = w.t.epochs
	}
	return nil
}

// walker derives from batches what only they know for sure: producers, open
// transactions, aborted ones, epochs. It reads headers, and markers whole.
type walker struct {
	l  *Log
	hw int64
	ps producers
	t  tail // epochs and txns of all, aborted of the last segment
}

// segment walks the first size bytes of the next segment.
func (w *walker) segment(s *segment, size int64) error {
	w.t.seg, w.t.aborted = s, nil
	h, err := w.l.store.files.get(s, vfs.Write)
	if err != nil {
		return w.l.openError(s, err)
	}
	defer h.release()
	scan := scanner{h: h, size: size}
	defer scan.close()
	for pos := int64(0); pos < size; {
		b, err := scan.header(pos)
		if err != nil {
			return err
		}
		if e := b.LeaderEpoch(); e > latestEpoch(w.t.epochs) {
			w.t.epochs = assignEpoch(w.t.epochs, e, b.BaseOffset())
		}
		if b.ProducerID() >= 0 {
			whole := b.Batch
			if b.Control() {
				whole = make(record.Batch, b.size)
				if n, err := h.ReadAt(whole, pos); n < len(whole) {
					return fmt.Errorf("read %s at %d: %w", s.path(logSuffix), pos, err)
				}
			}
			w.ps.replay(&w.t, whole, w.hw)
		}
		pos += b.size
	}
	return nil
}

// settle makes what is kept durable before its end counts.
func (r *recovery) settle() error {
	if r.t.end < r.start {
		r.startOver()
	}
	if err := r.smallFiles(); err != nil {
		return r.l.dir.sort(err)
	}
	d := r.l.dir
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

// smallFiles finishes the epochs, and makes files untrue no more that speak of a
// tail that was lost: new batches will stand there.
func (r *recovery) smallFiles() error {
	l, t := r.l, &r.t
	r.takeEpochs(t.end)
	t.epochs = raiseEpochs(t.epochs, r.start)
	if len(r.later) > 0 {
		if err := l.dir.replaceFiles([]smallFile{{path.Join(l.path(), epochsName), epochsFile(t.epochs)}}); err != nil {
			return err
		}
		l.written.epochs, l.written.epochsWrong = t.epochs, false
	}
	if !r.stale {
		return nil
	}
	if err := l.dir.fs.Remove(path.Join(l.path(), producersName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := l.dir.fs.SyncDir(l.path()); err != nil {
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
