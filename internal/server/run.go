package server

import (
	"encoding/binary"
	"sync"

	"github.com/brokerd/brokerd/internal/wire"
)

// maxRun bounds what is gathered; the read buffer holds few requests anyway.
const maxRun = 16

// run is requests of one kind that have come together (Trait.Gathers): each was
// served with Later set, and Gather does for all what Serve has left. Until then
// their bodies stay in the read buffer, so nothing that waits may come between.
type run struct {
	n        int
	entries  [maxRun]*entry
	outcomes [maxRun]wire.Outcome
}

var gatheredRuns = sync.Pool{New: func() any { return new(run) }}

// gathersOn says whether the next request belongs to the same run: it is there
// whole, of the same kind, and may be taken up (V7).
func (c *conn) gathersOn(key int16) bool {
	next, ok := c.in.follows()
	if !ok || int16(binary.BigEndian.Uint16(next)) != key {
		return false
	}
	n := 1 // with the one at hand
	if c.gathered != nil {
		n += c.gathered.n
	}
	if n >= maxRun {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.dead && c.pending+n < maxPending && c.held+int64(n)*lightCost < maxHeld
}

func (c *conn) gatherIn(e *entry) {
	if c.gathered == nil {
		c.gathered = gatheredRuns.Get().(*run)
	}
	r := c.gathered
	r.entries[r.n], r.outcomes[r.n] = e, e.outcome
	r.n++
}

// endRun does the work of the run and puts its requests into the queue.
func (c *conn) endRun() *ended {
	r := c.gathered
	c.gathered = nil
	var why *ended
	if err := c.gather(r); err != nil {
		why = &ended{closedPanic, err}
	}
	for _, e := range r.entries[:r.n] {
		if why != nil {
			c.drop(e.outcome)
			continue
		}
		why = c.accept(e)
	}
	*r = run{}
	gatheredRuns.Put(r)
	return why
}

func (c *conn) gather(r *run) (err error) {
	defer c.recover(&err)
	c.s.dispatcher.Gather(r.outcomes[:r.n])
	return nil
}
