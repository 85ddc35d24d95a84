package storage

import (
	"fmt"
	"math"

	"github.com/brokerd/brokerd/internal/record"
	"github.com/brokerd/brokerd/internal/vfs"
)

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
