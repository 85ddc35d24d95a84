package isr

import (
	"math"

	"github.com/brokerd/brokerd/internal/step"
)

// progress is what the leader knows of one follower.
type progress struct {
	offset   int64        // its last fetch offset in this epoch; -1: none yet
	caughtUp step.Instant // when it last had all that we had; the epoch's start until then
	ever     bool         // it had, in this epoch and since it left the ISR if it did
	lastAt   step.Instant // its last fetch, and our end then: what it will have
	lastEnd  int64        // when the next fetch comes
	alive    step.Instant // when its session last spoke, since it left the ISR if it did
	left     step.Instant // when it last left the ISR
	seen     bool
}

// newProgress gives every follower a full lag time from the start of the epoch.
func newProgress(now step.Instant) progress {
	return progress{offset: -1, caughtUp: now}
}

// fetched notes a fetch. A follower that asks for what was our end at its last
// fetch was caught up then, although we have grown meanwhile.
func (p *progress) fetched(now step.Instant, f Fetched, end int64) {
	switch {
	case f.Offset >= end:
		p.caughtUp, p.ever = max(p.caughtUp, now), true
	case p.seen && f.Offset >= p.lastEnd:
		p.caughtUp, p.ever = max(p.caughtUp, p.lastAt), true
	}
	p.offset, p.lastAt, p.lastEnd, p.seen = f.Offset, now, end, true
	p.alive = max(p.alive, now)
}

// silent is before every moment.
const silent = step.Instant(math.MinInt64)

// leave makes who is out of the ISR speak again before it may come back, and
// catch up again before it holds the watermark back: the controller may have
// taken it out because its disk failed or its log is corrupt.
func (p *progress) leave(now step.Instant) { p.alive, p.left, p.ever = silent, now, false }

// lags reports whether follower i has not had all of the log for LagMax.
func (l *Leader) lags(now step.Instant, i int) bool {
	f := &l.followers[i]
	return f.offset < l.end && now.Sub(f.caughtUp) > l.cfg.LagMax
}

// holdsBack reports whether a replica outside the maximal ISR keeps the high
// watermark down for a moment: it is caught up and may join, and without this
// the watermark would run ahead of it for ever. One that is fenced or shutting
// down must not (KAFKA-15021).
func (l *Leader) holdsBack(now step.Instant, i int) bool {
	f := &l.followers[i]
	return f.ever && l.rec.Eligible.Has(i) && !l.rec.Recovering &&
		f.offset >= l.start && now.Sub(f.caughtUp) <= l.cfg.LagMax
}

// mayJoin reports whether replica i can be proposed as a member: it has all that
// is committed, in this epoch, its broker is active, and it still fetches.
func (l *Leader) mayJoin(now step.Instant, i int) bool {
	f := &l.followers[i]
	return i != l.self && f.seen && !l.rec.ISR.Has(i) && l.rec.Eligible.Has(i) &&
		f.offset >= l.hw && (f.offset >= l.start || without("epoch start for joining")) && f.alive != silent && now.Sub(f.alive) <= l.cfg.LagMax/2
}

// remap carries the progress over to another record of the epoch. What a former
// life of a broker had fetched says nothing of the log that it has now.
func (l *Leader) remap(now step.Instant, rec Record) {
	if len(rec.Replicas) <= 1 {
		l.followers = nil
		return
	}
	next := make([]progress, len(rec.Replicas))
	for i, id := range rec.Replicas {
		next[i] = newProgress(now)
		j := index(l.rec.Replicas, id)
		if j < 0 || j >= len(l.followers) || l.rec.life(j) != rec.life(i) {
			continue
		}
		next[i] = l.followers[j]
		if l.rec.ISR.Has(j) && !rec.ISR.Has(i) {
			next[i].leave(now)
		}
	}
	l.followers = next
}
