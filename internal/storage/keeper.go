package storage

import (
	"sync"
	"time"
)

// keeper is the slow half of one directory: checkpoints, retention, unlinking,
// and space given back. It has a timer only while something is due.
type keeper struct {
	dir  *logDir
	wake chan struct{} // capacity 1
	quit chan struct{}
	done chan struct{}

	mu      sync.Mutex
	touched []*Log // appended to since their last point
	hurry   bool   // one of them is pointBytes past its point
	chores  []chore
}

// chore is something to do at a moment.
type chore struct {
	at time.Time
	do func()
}

// pointBytes is how much one log may grow before its point is taken, whatever
// the interval (it bounds the scan after a crash).
const pointBytes = 64 << 20

func newKeeper(d *logDir) *keeper {
	return &keeper{dir: d, wake: make(chan struct{}, 1), quit: make(chan struct{}), done: make(chan struct{})}
}

// touch notes that a log has grown. It never blocks.
func (k *keeper) touch(l *Log, v *view) {
	far := v.bytes-l.pointAt.Load() >= pointBytes
	if !far && l.touched.Load() {
		return
	}
	k.mu.Lock()
	first := false
	if !l.touched.Swap(true) {
		first = len(k.touched) == 0
		k.touched = append(k.touched, l)
	}
	hurry := far && !k.hurry
	k.hurry = k.hurry || far
	k.mu.Unlock()
	if first || hurry {
		k.nudge()
	}
}

// later has something done at a moment, or at Close at the latest.
func (k *keeper) later(at time.Time, do func()) {
	k.mu.Lock()
	k.chores = append(k.chores, chore{at, do})
	k.mu.Unlock()
	k.nudge()
}

func (k *keeper) nudge() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// run works until stop.
func (k *keeper) run() {
	defer close(k.done)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	o := &k.dir.store.options
	now := time.Now()
	nextPoint, nextSweep, nextIdle := time.Time{}, now.Add(o.RetentionInterval), time.Time{}
	for {
		due := nextSweep
		k.mu.Lock()
		busy, hurry := len(k.touched) > 0, k.hurry
		for _, c := range k.chores {
			due = earlier(due, c.at)
		}
		k.mu.Unlock()
		if busy && nextPoint.IsZero() {
			nextPoint, nextIdle = time.Now().Add(o.CheckpointInterval), time.Now().Add(idleAfter)
		}
		due = earlier(earlier(due, nextPoint), nextIdle)
		if hurry {
			due = time.Now()
		}
		timer.Reset(time.Until(due))
		select {
		case <-k.quit:
			return
		case <-k.wake:
			if !hurry {
				continue
			}
		case <-timer.C:
		}
		now = time.Now()
		if hurry || !nextPoint.IsZero() && !now.Before(nextPoint) {
			nextPoint = time.Time{}
			k.points()
		}
		if !nextIdle.IsZero() && !now.Before(nextIdle) {
			nextIdle = time.Time{}
			if k.giveBackIdle(now) {
				nextIdle = now.Add(idleAfter)
			}
		}
		if !now.Before(nextSweep) {
			nextSweep = now.Add(o.RetentionInterval)
			k.dir.sweep(now)
		}
		k.runChores(now)
	}
}

// earlier is the earlier of two moments, of which one may be none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// idleAfter is how long a log may be quiet before it gives space back.
const idleAfter = time.Minute

// stop ends the keeper. Chores that are left are done now.
func (k *keeper) stop() {
	close(k.quit)
	<-k.done
}

func (k *keeper) runChores(now time.Time) {
	k.mu.Lock()
	var ready, rest []chore
	for _, c := range k.chores {
		if c.at.After(now) {
			rest = append(rest, c)
		} else {
			ready = append(ready, c)
		}
	}
	k.chores = rest
	k.mu.Unlock()
	for _, c := range ready {
		c.do()
	}
}

// points takes a point of every log that has grown.
func (k *keeper) points() {
	k.mu.Lock()
	logs := k.touched
	k.touched, k.hurry = nil, false
	k.mu.Unlock()
	for _, l := range logs {
		l.touched.Store(false)
	}
	if k.dir.failure() != nil {
		return
	}
	if err := k.dir.checkpoint(logs, false); err != nil {
		k.dir.logger.Warn("checkpoint not written; the next one is tried in its turn", "dir", k.dir.path, "err", err)
	}
}
