package sim

import (
	"context"
	"testing/synctest"
	"time"
)

// Run is the bus: it delivers one write at a time, chosen by the seed among
// those that are due, each when nobody in the bubble can move. It ends with ctx.
func (n *Net) Run(ctx context.Context) {
	for ctx.Err() == nil {
		synctest.Wait()
		wait, delivered := n.deliverOne()
		if delivered {
			continue
		}
		t := time.NewTimer(wait)
		select {
		case <-n.wake:
		case <-t.C:
		case <-ctx.Done():
		}
		t.Stop()
	}
}

// deliverOne delivers the head of one lane. Without one that is due it says how
// long nothing will be.
func (n *Net) deliverOne() (wait time.Duration, delivered bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := time.Now()
	wait = time.Hour
	var due []int
	keep := n.lanes[:0]
	for _, l := range n.lanes {
		if len(l.queue) == 0 || l.err != nil {
			l.queued = false
			continue
		}
		keep = append(keep, l)
		switch left := l.queue[0].at.Sub(now); {
		case n.cuts[l.link]:
		case left <= 0:
			due = append(due, len(keep)-1)
		default:
			wait = min(wait, left)
		}
	}
	n.lanes = keep
	if len(due) == 0 {
		return wait, false
	}
	n.lanes[due[n.rng.IntN(len(due))]].arriveOneLocked()
	return 0, true
}

func (n *Net) wakeLocked() {
	select {
	case n.wake <- struct{}{}:
	default: // it is awake
	}
}
