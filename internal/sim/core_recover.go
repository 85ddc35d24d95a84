package sim

import (
	"time"

	"github.com/brokerd/brokerd/internal/meta"
)

// recover mends everything and wants the cluster whole within a bound (R22):
// every partition that somebody may lead has a leader, all its replicas in sync
// and the same, everything committed. Then everything is read back.
func (c *Core) recover() {
	if c.failure != nil {
		return
	}
	c.tell("heal", -1, "faults end")
	c.healed, c.control.up = true, true
	c.newController()
	c.mend(-1)
	for _, n := range c.nodes {
		n.paused, n.stops, n.slow, n.full = min(n.paused, c.now), false, 1, 0
		c.resume(n)
		if n.up && n.failing {
			c.kill(n)
		}
		c.start(n)
		c.hear(n, len(c.control.images)-1)
	}
	bound := c.now.Add(6*(c.plan.Session+c.plan.LagMax) + 200*c.plan.Delay + 400*c.plan.Sync + 10*time.Second + c.copying())
	writes := c.now.Add(c.plan.LagMax)
	for c.failure == nil {
		c.step()
		if c.now > writes {
			c.quiet = true
		}
		if c.steps%64 == 0 && c.quiet && c.whole("") {
			break
		}
		if c.now > bound {
			c.whole("R22")
			return
		}
	}
	c.checkReadBack()
}

// copying is how long a replica that begins anew may take to fetch the longest
// log there is: each reply brings a few records, and the next question waits for
// their group commit, which may have to wait for another one.
func (c *Core) copying() time.Duration {
	longest := int64(0)
	for _, n := range c.nodes {
		for p := range n.reps {
			longest = max(longest, n.reps[p].log.end())
		}
	}
	round := 2 * c.plan.Delay
	if c.plan.Fsync {
		round += 3 * c.plan.Sync
	}
	return time.Duration(longest/maxFetch) * round * 3 / 2 // chance may be against it
}

// whole says whether the cluster has converged; with a rule, what has not is a
// violation.
func (c *Core) whole(rule string) bool {
	bad := func(format string, args ...any) bool {
		if rule != "" {
			c.violated(rule, format, args...)
		}
		return false
	}
	im := c.image()
	t, _ := im.Topic(c.topic)
	for _, n := range c.nodes {
		if b, ok := im.Broker(n.id); !ok || b.State != meta.Active {
			return bad("%s is not active after all was mended", n.name)
		}
	}
	for p := range c.parts {
		pt, _ := t.Partition(int32(p))
		if pt.ISRSize() == 0 && len(pt.ELR()) == 0 {
			continue // everybody who had the data may have lost it: an operator decides
		}
		if pt.Leader < 0 {
			return bad("p%d has no leader: in sync %v, eligible %v", p, pt.ISR(), pt.ELR())
		}
		if pt.ISRSize() != len(pt.Replicas) {
			return bad("p%d: of %v only %v are in sync, their logs end at %v", p, pt.Replicas, pt.ISR(), c.ends(p, pt.Replicas))
		}
		if len(pt.Adding)+len(pt.Removing) > 0 {
			return bad("p%d is still being reassigned: %v", p, pt.Replicas)
		}
		lead := &c.nodes[pt.Leader-1].reps[p]
		if lead.leader == nil {
			return bad("b%d does not lead p%d", pt.Leader, p)
		}
		for _, id := range pt.Replicas {
			l := &c.nodes[id-1].reps[p].log
			if l.end() != lead.log.end() || l.hw != l.end() {
				return bad("p%d of b%d ends at %d with watermark %d, the leader b%d at %d", p, id, l.end(), l.hw, pt.Leader, lead.log.end())
			}
		}
		if len(lead.tickets) > 0 {
			return bad("p%d: %d requests are not answered", p, len(lead.tickets))
		}
	}
	return true
}

func (c *Core) ends(p int, ids []int32) (ends []int64) {
	for _, id := range ids {
		ends = append(ends, c.nodes[id-1].reps[p].log.end())
	}
	return ends
}
