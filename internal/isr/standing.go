package isr

import (
	"time"

	"github.com/brokerd/brokerd/internal/step"
)

// Standing is how far one replica is, as its leader knows it. -1 is not known.
type Standing struct {
	InISR   bool
	End     int64
	Durable int64 // of a follower only under fsync, where it is its fetch offset
	Lag     time.Duration
}

// Standing describes the replica at position i of the assignment. A follower
// that has not fetched in this epoch is not known; one that is not at the end
// lags since it last was, or since the epoch began.
func (l *Leader) Standing(now step.Instant, i int) Standing {
	s := Standing{InISR: l.rec.ISR.Has(i), End: -1, Durable: -1, Lag: -1}
	if i == l.self {
		s.End, s.Durable, s.Lag = l.end, l.durable, 0
		return s
	}
	f := &l.followers[i]
	if f.offset < 0 {
		return s
	}
	s.End, s.Lag = f.offset, 0
	if f.offset < l.end {
		s.Lag = max(now.Sub(f.caughtUp), 0)
	}
	if l.cfg.Fsync {
		s.Durable = f.offset
	}
	return s
}

// Replicas is the assignment, in order; nobody writes to it.
func (l *Leader) Replicas() []int32 { return l.rec.Replicas }

// Maximal is every replica that the controller may count as in sync by now.
func (l *Leader) Maximal() Mask { return l.maximal() }
