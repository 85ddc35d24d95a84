package storage

import (
	"errors"
	"fmt"
	"io"
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

func (r *recovery) removeFrom(i int) {
	for _, base := range r.bases[i:] {
		r.l.home().logger.Info("segment behind a torn tail removed", "dir", r.l.path(), "segment", base)
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
	if r.l.home().suspect {
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
	r.l.home().logger.Info("torn tail cut", "segment", s.path(logSuffix), "at", r.t.pos, "bytes", size-r.t.pos, "because", cause)
	r.changed = true
	if err := h.Truncate(r.t.pos); err != nil {
		return true, fmt.Errorf("cut %s: %w", s.path(logSuffix), err)
	}
	return true, nil
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
