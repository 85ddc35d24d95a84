package sim

// checkFollows is R4, when a follower has appended: where the leader of the same
// epoch still leads, the last record before the new ones and all new ones are
// the leader's; those before were looked at when they came.
func (c *Core) checkFollows(n *node, p, from int) {
	r, lead := &n.reps[p], &c.nodes[from].reps[p]
	if lead.leader == nil || lead.leader.Epoch() != r.have.LeaderEpoch {
		return
	}
	for at := max(0, r.log.end()-maxFetch-1); at < r.log.end(); at++ {
		if at >= lead.log.end() || lead.log.recs[at] != r.log.recs[at] {
			c.violated("R4", "%s has %v at %d of p%d, its leader b%d does not", n.name, r.log.recs[at], at, p, from+1)
			return
		}
	}
	for i, e := range r.log.epochs {
		if i > 0 && (e.epoch <= r.log.epochs[i-1].epoch || e.start <= r.log.epochs[i-1].start) {
			c.violated("R7", "%s has epochs %v on p%d", n.name, r.log.epochs, p)
		}
	}
}

// checkTruncation is R9.
func (c *Core) checkTruncation(n *node, p int, to int64) {
	if r := &n.reps[p]; to < r.log.hw && !r.have.Unclean {
		c.violated("R9", "%s truncates p%d to %d, below its watermark %d", n.name, p, to, r.log.hw)
	}
}

// checkReadBack is R3 and R4 at the end: every replica has what was committed,
// and all have the same.
func (c *Core) checkReadBack() {
	if c.failure != nil {
		return
	}
	top, _ := c.image().Topic(c.topic)
	for p, t := range c.parts {
		pt, _ := top.Partition(int32(p))
		if pt.Leader < 0 {
			continue
		}
		for _, id := range pt.Replicas {
			if at := c.agreement(c.nodes[id-1], p); at < len(t.committed) {
				c.violated("R3", "b%d lacks what is committed at %d of p%d", id, at, p)
			}
		}
		c.checkAnswers(p)
	}
}
