package sim

// checkLead is R1, R3 and R14, when a node begins to lead: at most one leadership
// ever begins under one epoch, and it has all that was committed.
func (c *Core) checkLead(n *node, p int) {
	t, r := c.parts[p], &n.reps[p]
	epoch := r.have.LeaderEpoch
	for int(epoch) >= len(t.leaders) {
		t.leaders = append(t.leaders, 0)
	}
	if !c.mutated(RuleOwnRegistration) {
		if t.leaders[epoch] != 0 {
			c.violated("R1", "%s leads p%d in epoch %d, as b%d did", n.name, p, epoch, t.leaders[epoch])
		}
		if !n.started || int64(n.applied) < n.brokerEpoch {
			c.violated("R14", "%s leads p%d before its registration is applied", n.name, p)
		}
	}
	t.leaders[epoch] = int8(n.i) + 1
	if t.unsettled && epoch >= t.uncleanEpoch {
		t.unsettled = false
		kept := c.agreement(n, p)
		if c.plan.Fsync {
			kept = min(kept, int(r.log.durable))
		}
		t.committed = t.committed[:kept]
		t.seenEnd = 0
		return
	}
	if epoch < c.leaderEpoch(p) || t.unsettled {
		return // it hears late: another one has been elected since
	}
	if at := c.agreement(n, p); at < len(t.committed) {
		c.violated("R3", "%s leads p%d in epoch %d with end %d, but lacks what is committed at %d of %d", n.name, p, epoch, r.log.end(), at, len(t.committed))
	}
}

// agreement is how many committed records are at their place in a replica.
func (c *Core) agreement(n *node, p int) int {
	committed, recs := c.parts[p].committed, n.reps[p].log.recs
	for i, x := range committed {
		if i >= len(recs) || recs[i] != x {
			return i
		}
	}
	return len(committed)
}
