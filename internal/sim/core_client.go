package sim

import (
	"time"

	"github.com/brokerd/brokerd/internal/isr"
	"github.com/brokerd/brokerd/internal/step"
)

// ticket is a produce request that waits for its records.
type ticket struct {
	request int32
	acks    int8
	end     int64 // behind its records
	at      step.Instant
	stood   time.Duration // of the broker, until then
}

// answer is what a produce request can hear.
type answer uint8

const (
	answerAcked answer = iota
	answerRefused
	answerNotLeader
	answerTimedOut
	answerClosed
)

const requestTimeout = 10 * time.Second

// client writes to whom it takes for the leader, and sometimes looks at the end.
func (c *Core) client() {
	if !c.quiet {
		rest := 2*c.plan.Delay + 4*c.plan.Sync // followers must be able to keep up
		if c.healed {
			rest *= 4
		}
		c.queue.push(event{at: c.now.Add(c.about(rest)), kind: evClient})
	}
	p := c.rng.IntN(len(c.parts))
	to := c.rng.IntN(len(c.nodes))
	if c.rng.IntN(4) > 0 {
		t, _ := c.image().Topic(c.topic)
		if pt, _ := t.Partition(int32(p)); pt.Leader > 0 {
			to = int(pt.Leader) - 1
		}
	}
	n := c.nodes[to]
	if !n.up || n.paused > c.now {
		return
	}
	c.readEnd(n, p)
	m := c.message(msgProduce)
	m.to, m.part, m.acks, m.life, m.request = int8(to), int16(p), -1, n.life, c.parts[p].ask()
	if c.rng.IntN(5) == 0 {
		m.acks = 1
	}
	m.uses = 1
	c.queue.push(event{at: c.now.Add(c.about(c.plan.Delay)), kind: evMessage, node: int8(to), life: n.life, msg: m})
}

// produce is a request at a broker.
func (c *Core) produce(n *node, m *message) {
	p := int(m.part)
	r := &n.reps[p]
	t := ticket{request: m.request, acks: m.acks, at: c.now, stood: n.stood}
	switch {
	case m.life != n.life:
		return // that connection is gone: the request never arrived
	case r.leader == nil || n.failing || n.full > 0:
		c.accept(p, t)
		c.answer(n, p, t, answerRefused)
		return
	case m.acks == -1 && r.leader.UnderMinISR():
		c.accept(p, t)
		c.cover[covRefusedMin]++
		c.answer(n, p, t, answerRefused)
		return
	}
	if c.image().Index() > 0 && r.have.LeaderEpoch < c.leaderEpoch(p) {
		c.cover[covZombie]++
	}
	c.accept(p, t)
	for range 1 + c.rng.IntN(3) {
		c.ids++
		r.log.append(rec{r.leader.Epoch(), c.ids})
	}
	t.end = r.log.end()
	r.tickets = append(r.tickets, t)
	c.tell(n.name, p, "request %d, acks %d: appends up to %d", t.request, t.acks, t.end)
	n.eff = isr.Effects{}
	r.leader.Appended(c.now, r.leader.Epoch(), t.end, &n.eff)
	c.serve(n, p)
	c.act(n, p)
	c.release(n, p)
	c.flush(n)
}

// release answers those whose records are where they asked for.
func (c *Core) release(n *node, p int) {
	r := &n.reps[p]
	keep := r.tickets[:0]
	for _, t := range r.tickets {
		own := r.log.durable
		if !c.plan.Fsync {
			own = r.log.end()
		}
		switch {
		case t.acks == 1 && own >= t.end:
			c.answer(n, p, t, answerAcked)
		case t.acks == -1 && r.log.hw >= t.end:
			c.checkAck(n, p, t)
			c.answer(n, p, t, answerAcked)
		default:
			keep = append(keep, t)
		}
	}
	r.tickets = keep
}

// expire answers those whose time is over.
func (c *Core) expire(n *node, p int) {
	r := &n.reps[p]
	keep := r.tickets[:0]
	for _, t := range r.tickets {
		if c.now.Sub(t.at) > requestTimeout {
			c.cover[covTimedOut]++
			c.answer(n, p, t, answerTimedOut)
		} else {
			keep = append(keep, t)
		}
	}
	r.tickets = keep
}

func (c *Core) leaderEpoch(p int) int32 {
	t, _ := c.image().Topic(c.topic)
	pt, _ := t.Partition(int32(p))
	return pt.LeaderEpoch
}
