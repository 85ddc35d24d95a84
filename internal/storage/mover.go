package storage

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/brokerd/brokerd/internal/step"
)

// mover fills one directory with the logs that move to it, one after the other. It
// has a goroutine only while there are any.
type mover struct {
	dir  *logDir
	quit chan struct{}

	mu     sync.Mutex
	queue  []*move
	busy   bool
	closed bool
	ended  sync.WaitGroup

	moved, failed, written atomic.Int64
}

func newMover(d *logDir) *mover { return &mover{dir: d, quit: make(chan struct{})} }

func (w *mover) add(m *move) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return
	}
	w.queue = append(w.queue, m)
	if !w.busy {
		w.busy = true
		w.ended.Go(w.run)
	}
}

// stop ends the move at work; the next start goes on with what is left.
func (w *mover) stop() {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	close(w.quit)
	w.ended.Wait()
}

// run moves until the queue is empty.
func (w *mover) run() {
	for {
		w.mu.Lock()
		if len(w.queue) == 0 {
			w.busy = false
			w.mu.Unlock()
			return
		}
		m := w.queue[0]
		w.queue = slices.Delete(w.queue, 0, 1)
		w.mu.Unlock()
		w.end(m, m.run())
	}
}

// end tells what became of a move. One that failed is over: what was copied goes,
// unless a directory failed, whose next start goes on.
func (w *mover) end(m *move, err error) {
	if errors.Is(err, errOff) || errors.Is(err, errQuit) {
		return
	}
	l := m.l
	if err == nil {
		w.moved.Add(1)
		l.home().logger.Info("log moved", "topic", l.topic, "partition", l.id.Index, "to", w.dir.path, "bytes", m.bytes.Load())
		l.store.moved(l, nil)
		return
	}
	l.files.enter()
	mine := l.moving.CompareAndSwap(m, nil)
	if mine && l.home().failure() == nil {
		m.discard()
	}
	st := l.state.Load()
	l.files.leave()
	if !mine || st != nil && st.deleted {
		return // called off, or the log is gone
	}
	w.failed.Add(1)
	w.dir.logger.Error("log not moved, it serves on where it is; mend what is wrong, then move it again",
		"topic", l.topic, "partition", l.id.Index, "from", l.Dir(), "to", w.dir.path, "err", err)
	l.store.moved(l, err)
}

// moved tells the owner of the logs.
func (s *Store) moved(l *Log, err error) {
	if tell := s.options.Moved; tell != nil {
		tell(l, err)
	}
}

// Future is the copy of a log that is moving.
type Future struct {
	ID    step.PartitionID
	Topic string
	Dir   string // where it is being made
	Bytes int64
	Lag   int64 // offsets that are missing
}

// MoveStats is what was moved between directories since the start.
type MoveStats struct {
	Moved, Failed, Bytes int64
	Moving               int64
}

// Moves sums up what the movers of all directories did.
func (s *Store) Moves() (out MoveStats) {
	for _, d := range s.dirs {
		out.Moved += d.mover.moved.Load()
		out.Failed += d.mover.failed.Load()
		out.Bytes += d.mover.written.Load()
		d.mover.mu.Lock()
		out.Moving += int64(len(d.mover.queue))
		if d.mover.busy {
			out.Moving++
		}
		d.mover.mu.Unlock()
	}
	return out
}

// moveRate is what the moves of all directories may write together.
type moveRate struct {
	mu   sync.Mutex
	rate int64     // bytes per second; 0: any
	paid time.Time // when all that was written is paid for
}

// spend counts bytes and says how long the next ones have to wait. A rate that has
// changed forgets what is owed.
func (r *moveRate) spend(now time.Time, bytes, rate int64) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.rate != rate {
		r.rate, r.paid = rate, now
	}
	if rate == 0 {
		return 0
	}
	if r.paid.Before(now) {
		r.paid = now
	}
	r.paid = r.paid.Add(time.Duration(float64(bytes) / float64(rate) * float64(time.Second)))
	return r.paid.Sub(now)
}

// pay waits until n more bytes may have been copied.
func (m *move) pay(n int64) error {
	s := m.l.store
	for {
		rate := int64(0)
		if s.options.MoveRate != nil {
			rate = s.options.MoveRate()
		}
		wait := s.moveRate.spend(time.Now(), n, rate)
		if wait < paceStep {
			return m.stands()
		}
		if err := m.rest(min(wait, time.Second)); err != nil {
			return err
		}
		n = 0
	}
}
