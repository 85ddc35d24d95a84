package storage

import (
	"container/heap"
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
	chores  chores
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
	// A log of durability isr has a point only where somebody synced it: asking
	// for one at once would find none, and be asked again by the next append.
	far := v.bytes-l.pointAt.Load() >= pointBytes && l.Durability() == Fsync
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

// later has something done at a moment.
func (k *keeper) later(at time.Time, do func()) {
	k.mu.Lock()
	heap.Push(&k.chores, chore{at, do})
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
	o := &k.dir.store.options
	sweep := time.Now().Add(o.RetentionInterval)
	points := time.Time{} // none is due
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-k.quit:
			return
		case <-k.wake:
		case <-timer.C:
		}
		now := time.Now()
		busy, hurry, chores := k.due(now)
		for _, do := range chores {
			do()
		}
		switch {
		case hurry || busy && !points.IsZero() && !now.Before(points):
			points = time.Time{}
			k.points()
			busy, _, _ = k.due(time.Time{})
		case !busy:
			points = time.Time{}
		}
		if busy && points.IsZero() {
			points = now.Add(o.CheckpointInterval)
		}
		if !now.Before(sweep) {
			sweep = now.Add(o.RetentionInterval)
			k.dir.sweep(k.dir.store.believed())
		}
		timer.Reset(time.Until(earlier(earlier(sweep, points), k.nextChore())))
	}
}

// due takes what is to be done by now.
func (k *keeper) due(now time.Time) (busy, hurry bool, chores []func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for len(k.chores) > 0 && !k.chores[0].at.After(now) {
		chores = append(chores, heap.Pop(&k.chores).(chore).do)
	}
	return len(k.touched) > 0, k.hurry, chores
}

func (k *keeper) nextChore() time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.chores) == 0 {
		return time.Time{}
	}
	return k.chores[0].at
}

// earlier is the earlier of two moments, of which one may be none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// stop ends the keeper. Chores that are left are the next start's.
func (k *keeper) stop() {
	close(k.quit)
	<-k.done
}

// chores is a heap by moment.
type chores []chore

func (c chores) Len() int           { return len(c) }
func (c chores) Less(i, j int) bool { return c[i].at.Before(c[j].at) }
func (c chores) Swap(i, j int)      { c[i], c[j] = c[j], c[i] }
func (c *chores) Push(x any)        { *c = append(*c, x.(chore)) }
func (c *chores) Pop() any {
	last := len(*c) - 1
	x := (*c)[last]
	(*c)[last] = chore{}
	*c = (*c)[:last]
	return x
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
	if err := k.dir.checkpoint(logs, inTurn); err != nil {
		k.dir.logger.Warn("checkpoint not written; the next one is tried in its turn", "dir", k.dir.path, "err", err)
	}
}
