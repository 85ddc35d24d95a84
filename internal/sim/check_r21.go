package sim

// readEnd is a client that asks for the end, of whom it takes for the leader, and
// names the epoch that it knows: what it sees never falls (R21).
func (c *Core) readEnd(n *node, p int) {
	r, t := &n.reps[p], c.parts[p]
	if r.leader == nil || n.failing || r.leader.Epoch() < t.seenEpoch || r.leader.Epoch() < t.uncleanEpoch {
		return
	}
	if r.log.hw < r.leader.EpochStart() {
		c.cover[covNotYet]++
		return // KIP-207
	}
	if r.log.hw < t.seenEnd {
		c.violated("R21", "a client saw p%d end at %d, and now at %d on %s", p, t.seenEnd, r.log.hw, n.name)
	}
	t.seenEnd, t.seenEpoch = r.log.hw, r.leader.Epoch()
}
