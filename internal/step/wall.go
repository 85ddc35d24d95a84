package step

import (
	"sync/atomic"
	"time"
)

// Wall is the wall clock as those believe it who delete by age. A clock that jumps (a
// wrong date by hand, a time server gone mad) would make a year's records older than
// their retention in a moment, and what is deleted is gone when the clock is put right.
//
//	wall − monotonic   ───────┐ jump: not believed …    … until it has lasted BelieveAfter
//	                          └──────────────────────────────►
//
// What differs by less than believable from call to call is followed at once.
type Wall struct {
	base  atomic.Int64 // wall minus monotonic clock, as believed; ms
	since atomic.Int64 // when a jump was noticed, monotonic ms; 0: there is none
}

const (
	// BelieveAfter is how long a clock that has jumped must go on before it is believed.
	BelieveAfter = time.Hour

	believable = int64(time.Minute / time.Millisecond)
)

// NewWall begins with what the clocks say now.
func NewWall(wallMs int64, mono time.Duration) *Wall {
	w := &Wall{}
	w.base.Store(wallMs - mono.Milliseconds())
	return w
}

// Believe gives the time that may be believed. jumped is not 0 when a jump is noticed.
func (w *Wall) Believe(wallMs int64, mono time.Duration) (ms int64, jumped time.Duration) {
	at := mono.Milliseconds()
	base, now := w.base.Load(), wallMs-at
	since := w.since.Load()
	switch by := now - base; {
	case -believable <= by && by <= believable:
		if by != 0 {
			w.base.Store(now)
		}
		if since != 0 {
			w.since.Store(0)
		}
		return wallMs, 0
	case since == 0:
		if w.since.CompareAndSwap(0, max(at, 1)) {
			jumped = time.Duration(by) * time.Millisecond
		}
	case at-since >= BelieveAfter.Milliseconds():
		w.base.Store(now)
		w.since.Store(0)
		return wallMs, 0
	}
	return base + at, jumped
}
