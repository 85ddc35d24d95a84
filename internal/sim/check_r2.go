package sim

import "github.com/brokerd/brokerd/internal/isr"

// checkWatermark is R2, R5 and R11, when a high watermark has risen: what is
// below it is the same on every replica that ever says so, it is durable, and
// whoever may be elected has it.
func (c *Core) checkWatermark(n *node, p int) {
	t, r := c.parts[p], &n.reps[p]
	hw := r.log.hw
	if r.have.LeaderEpoch < t.uncleanEpoch || t.unsettled {
		return // what it leads or follows was given up
	}
	switch {
	case hw > r.log.end():
		c.violated("R5", "watermark %d of %s on p%d is beyond its end %d", hw, n.name, p, r.log.end())
		return
	case r.leader != nil && c.plan.Fsync && hw > r.log.durable:
		c.violated("R5", "watermark %d of the leader %s on p%d is beyond its durable end %d", hw, n.name, p, r.log.durable)
		return
	}
	known := int64(len(t.committed))
	// The part that was compared before this rise cannot have changed unseen: a
	// truncation below the watermark is a violation of its own.
	for at := max(0, min(hw, known)-64); at < min(hw, known); at++ {
		if r.log.recs[at] != t.committed[at] {
			c.violated("R2", "%s exposes %v at %d of p%d, where %v is committed", n.name, r.log.recs[at], at, p, t.committed[at])
			return
		}
	}
	if hw <= known {
		return
	}
	t.committed = append(t.committed, r.log.recs[known:hw]...)
	c.checkMembers(p, known)
}

// checkMembers is R3 and R11: who leads now, and who may be elected next, has
// what is committed from an offset on.
func (c *Core) checkMembers(p int, from int64) {
	top, _ := c.image().Topic(c.topic)
	pt, _ := top.Partition(int32(p))
	t := c.parts[p]
	if t.unsettled {
		return
	}
	elr := isr.MaskOf(pt.Replicas, pt.ELR())
	for i, id := range pt.Replicas {
		in := isr.Mask(pt.ISRMask()).Has(i)
		if !in && !elr.Has(i) {
			continue
		}
		n := c.nodes[id-1]
		if n.dirty && (!c.plan.Fsync || n.failing) {
			continue // the controller hears of it before that one can lead
		}
		recs := n.reps[p].log.recs
		for at := from; at < int64(len(t.committed)); at++ {
			if at >= int64(len(recs)) || recs[at] != t.committed[at] {
				c.violated("R11", "b%d may lead p%d (in sync %v, eligible %v), but ends at %d and lacks what is committed at %d", id, p, pt.ISR(), pt.ELR(), len(recs), at)
				return
			}
		}
	}
}
