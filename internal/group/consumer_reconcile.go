package group

import (
	"maps"

	"github.com/brokerd/brokerd/internal/step"
)

func (c current) equal(o current) bool {
	return c.epoch == o.epoch && c.previous == o.previous && c.state == o.state &&
		c.assigned.equal(o.assigned) && c.revoking.equal(o.revoking) && maps.Equal(c.since, o.since)
}

// reconcile takes a member one step on the way to its target. owned is what it
// says that it has; nil when it does not say.
func (c *consumer) reconcile(m *consumerMember, owned parts) current {
	now := m.current
	switch {
	case now.state == memberStable && now.epoch == c.placed:
		return now
	case now.state == unrevoked && stillHas(owned, now.revoking):
		return now
	}
	return c.approach(m, owned)
}

// stillHas tells whether a member has, or may have, what it is to give up.
func stillHas(owned, revoking parts) bool {
	if owned == nil {
		return true
	}
	return len(owned.keep(revoking.has)) > 0
}

// approach is the next state of a member: first it gives up what is not in its
// target, then it gets what no other has any more (G1).
func (c *consumer) approach(m *consumerMember, owned parts) current {
	had := m.current.assigned
	next := current{
		epoch: m.current.epoch, previous: m.current.previous, assigned: had.keep(m.target.has),
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
		taken := c.taken(m, id, p)
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

// moved keeps what a member had before: the epoch, which it still says when it
// has not heard of this one, and since when it has which partitions.
func (c current) moved(from current) current {
	if c.epoch != from.epoch {
		c.previous = from.epoch
	}
	c.since = map[step.PartitionID]int32{}
	for _, set := range []parts{c.assigned, c.revoking} {
		for _, id := range set.topics() {
			for _, p := range set[id] {
				at := step.PartitionID{Topic: id, Index: p}
				c.since[at] = c.epoch
				if epoch, had := from.since[at]; had && from.assigned.has(id, p) {
					c.since[at] = epoch
				}
			}
		}
	}
	return c
}
