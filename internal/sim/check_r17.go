package sim

import (
	"slices"

	"github.com/brokerd/brokerd/internal/isr"
)

// checkAck is R17 and R6, when an acks=all request is acknowledged: enough
// replicas have its records, synced where that is promised, and the controller
// counts nobody as in sync whom the leader does not.
func (c *Core) checkAck(n *node, p int, t ticket) {
	r, truth := &n.reps[p], c.parts[p]
	if r.have.LeaderEpoch < truth.uncleanEpoch {
		return
	}
	if t.end > int64(len(truth.committed)) || truth.committed[t.end-1] != r.log.recs[t.end-1] {
		c.violated("R3", "%s acknowledges %d of p%d, which is not what is committed", n.name, t.end-1, p)
		return
	}
	has := func(l *modelLog) bool {
		end := l.durable
		if !c.plan.Fsync {
			end = l.end()
		}
		return end >= t.end && l.recs[t.end-1] == r.log.recs[t.end-1]
	}
	have := 0
	for _, id := range r.have.Replicas {
		x := c.nodes[id-1]
		// Who was removed has had it; the leader has not heard yet that it had to go,
		// perhaps more than once.
		had := func(g given) bool { return g.epoch > r.have.PartitionEpoch && has(&g.log) }
		if has(&x.reps[p].log) || slices.ContainsFunc(x.reps[p].given, had) || !c.plan.Fsync && x.lost {
			have++
		}
	}
	if have < r.have.MinISR {
		c.violated("R17", "%s acknowledges p%d up to %d, which %d of at least %d replicas have", n.name, p, t.end, have, r.have.MinISR)
		return
	}
	top, _ := c.image().Topic(c.topic)
	pt, _ := top.Partition(int32(p))
	if pt.LeaderEpoch == r.leader.Epoch() && isr.Mask(pt.ISRMask())&^r.leader.Maximal() != 0 && same(pt.Replicas, r.have.Replicas) {
		c.violated("R6", "the controller counts %v as in sync on p%d, the leader %s counts %b", pt.ISR(), p, n.name, r.leader.Maximal())
	}
}

func same(a, b []int32) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}
