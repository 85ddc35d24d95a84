package group

import "github.com/brokerd/brokerd/internal/step"

// subscribed tells whether members use offsets of a topic.
func (g *group) subscribed(topic string) bool {
	if c := g.consumer; c != nil {
		return c.topicNames()[topic] > 0
	}
	return g.classic.subscribed(topic)
}

// commits tells whether a member at an epoch may commit, as a code, and for
// which partitions. Who names no epoch may while there are no members.
//
// A member that has not heard of its newest epoch may commit what it has had
// since the epoch that it names, or before.
func (c *consumer) commits(member string, epoch int32) (int16, func(step.PartitionID) int16) {
	if epoch < 0 && len(c.members) == 0 {
		return codeNone, nil
	}
	m := c.member(member)
	switch {
	case m == nil:
		return codeUnknownMember, nil
	case epoch == m.current.epoch:
		return codeNone, nil
	case epoch > m.current.epoch:
		return m.stale(), nil
	}
	return codeNone, func(at step.PartitionID) int16 {
		if since, has := m.current.since[at]; !has || epoch < since {
			return m.stale()
		}
		return codeNone
	}
}

// mayFetch tells whether a member at an epoch may ask for offsets, which tools
// may at any time.
func (c *consumer) mayFetch(member *string, epoch int32) int16 {
	if member == nil && epoch < 0 {
		return codeNone
	}
	switch m := c.member(text(member)); {
	case m == nil:
		return codeUnknownMember
	case epoch != m.current.epoch:
		return m.stale()
	}
	return codeNone
}

// stale is what a member hears that names another epoch than its own.
func (m *consumerMember) stale() int16 {
	if m.about.classic != nil {
		return codeIllegalGeneration
	}
	return codeStaleEpoch
}
