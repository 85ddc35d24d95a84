package meta

import (
	"maps"
	"math/bits"
	"slices"
)

func (c CreateTopic) apply(e *Editor) Result {
	if why := CheckName(c.Name); why != "" {
		return failf(ErrInvalidTopic, "%s", why)
	}
	if _, ok := e.names.get(c.Name); ok {
		return failf(ErrTopicExists, "%q", c.Name)
	}
	if f, ok := folded(c.Name); ok {
		if id, taken := e.folded.get(f); taken {
			other, _ := e.topic(id)
			return failf(ErrTopicCollision, "%q and %q differ only in '.' and '_'", c.Name, other.Name)
		}
	}
	if c.ID.IsZero() || e.knows(c) {
		return failf(ErrMalformed, "topic id %s is zero or taken", c.ID)
	}
	if len(c.Assignments) == 0 {
		return failf(ErrInvalidPartitions, "%q would have no partition", c.Name)
	}
	if !fits(c.Name, len(c.Assignments)) {
		return failf(ErrInvalidPartitions, "the name has %d characters: too many for the directory of partition %d", len(c.Name), len(c.Assignments)-1)
	}
	parts, bad := e.newParts(c.Assignments, c.MinISR)
	if bad.Err != nil {
		return bad
	}
	t := (&Topic{ID: c.ID, Name: c.Name, Internal: c.Internal, minISR: max(c.MinISR, 0)}).grow(parts)
	e.addTopic(t)
	e.putConfig(Resource{TopicResource, c.Name}, maps.Clone(c.Config))
	return Result{}
}

func (e *Editor) knows(c CreateTopic) bool {
	_, living := e.topics.get(c.ID)
	_, deleted := e.deleted.get(c.ID)
	return living || deleted
}

// newParts makes new partitions out of assignments: who is active is in sync, but
// for who is full where others are not; the first of those leads.
func (e *Editor) newParts(assignments [][]int32, minISR int8) ([]part, Result) {
	parts := make([]part, len(assignments))
	for i, ids := range assignments {
		if len(ids) == 0 || len(ids) > MaxReplicas {
			return nil, failf(ErrReplicationFactor, "%d replicas, 1 to %d are possible", len(ids), MaxReplicas)
		}
		p := part{minISR: effectiveMinISR(minISR, len(ids))}
		for pos, id := range ids {
			if slices.Contains(ids[:pos], id) {
				return nil, failf(ErrInvalidAssignment, "broker %d twice", id)
			}
			b, ok := e.broker(id)
			if !ok {
				return nil, failf(ErrInvalidAssignment, "broker %d is not registered", id)
			}
			if b.State == Active {
				p.isr |= bit(pos)
			}
		}
		if p.isr == 0 {
			return nil, failf(ErrAllAway, "%v", ids)
		}
		p.set = e.intern(replicaSet{ids: slices.Clone(ids)})
		p.isr = e.asks.roomy(p.set, p.isr)
		p.state = uint8(bits.TrailingZeros16(uint16(p.isr)) + 1)
		parts[i] = p
	}
	return parts, Result{}
}

func (c CreatePartitions) apply(e *Editor) Result {
	t, ok := e.topic(c.ID)
	if !ok {
		return failf(ErrUnknownTopic, "id %s", c.ID)
	}
	if t.n != c.Before || len(c.Assignments) == 0 || len(c.Assignments) > 1<<30-int(t.n) {
		return failf(ErrInvalidPartitions, "%q has %d partitions, not %d, and would get %d more", t.Name, t.n, c.Before, len(c.Assignments))
	}
	if n := int(t.n) + len(c.Assignments); !fits(t.Name, n) {
		return failf(ErrInvalidPartitions, "the name has %d characters: too many for the directory of partition %d", len(t.Name), n-1)
	}
	parts, bad := e.newParts(c.Assignments, t.minISR)
	if bad.Err != nil {
		return bad
	}
	e.replaceTopic(t.grow(parts))
	return Result{}
}

func (c DeleteTopic) apply(e *Editor) Result {
	t, ok := e.topic(c.ID)
	if !ok {
		return failf(ErrUnknownTopic, "id %s", c.ID)
	}
	e.dropTopic(t)
	e.putConfig(Resource{TopicResource, t.Name}, nil)
	gone := *t
	gone.Deleted = e.im.index
	e.deleted.put(t.ID, &gone)
	return Result{}
}

func (c PurgeTopic) apply(e *Editor) Result {
	if _, ok := e.deleted.get(c.ID); !ok {
		return failf(ErrUnknownTopic, "id %s is not among the deleted", c.ID)
	}
	e.deleted.del(c.ID)
	e.noteTopic(c.ID)
	return Result{}
}
