package group

import "github.com/brokerd/brokerd/internal/step"

func (c current) equal(o current) bool {
	return c.epoch == o.epoch && c.previous == o.previous && c.state == o.state &&
		c.assigned.equal(o.assigned) && c.revoking.equal(o.revoking)
}

// reconcile takes a member one step on the way to its target. owned is what it
// says that it has; nil when it does not say.
func (c *consumer) reconcile(m *consumerMember, owned parts) current {
	now := m.current
	switch {
	case now.state == memberStable && now.epoch == c.placed:
		return now
	case now.state == unrevoked:
		if stillHas(owned, now.revoking) {
			return now
		}
		// Given up: it has done what its next epoch asked for.
		return c.approach(m, owned, now.epoch+1)
	}
	return c.approach(m, owned, now.epoch)
}

// stillHas tells whether a member has, or may have, what it is to give up.
func stillHas(owned, revoking parts) bool {
	if owned == nil {
		return true
	}
	return len(owned.keep(revoking.has)) > 0
}

// approach is the next state of a member at an epoch: first it gives up what is
// not in its target, then it gets what nobody has any more (G1).
func (c *consumer) approach(m *consumerMember, owned parts, epoch int32) current {
	had := m.current.assigned
	next := current{
		epoch: epoch, previous: m.current.previous, assigned: had.keep(m.target.has),
		revoking: had.keep(func(id step.TopicID, p int32) bool { return !m.target.has(id, p) }),
	}
	if len(next.revoking) > 0 && stillHas(owned, next.revoking) {
		next.state = unrevoked
		return next.moved(m.current)
	}
	waits := false
	gets := m.target.keep(func(id step.TopicID, p int32) bool {
		if next.assigned.has(id, p) {
			return false
		}
		_, taken := c.owners[step.PartitionID{Topic: id, Index: p}]
		waits = waits || taken
		return !taken
	})
	next.epoch, next.state, next.revoking = c.placed, memberStable, nil
	if waits {
		next.state = unreleased
	}
	next.assigned = next.assigned.union(gets)
	return next.moved(m.current)
}

// moved keeps the epoch that a member had before, which it still says when it
// has not heard of this one.
func (c current) moved(from current) current {
	if c.epoch != from.epoch {
		c.previous = from.epoch
	}
	return c
}
