package group

// subscribed tells whether members use offsets of a topic.
func (g *group) subscribed(topic string) bool {
	if c := g.consumer; c != nil {
		return c.topicNames()[topic]
	}
	return g.classic.subscribed(topic)
}

// mayCommit tells whether a member at an epoch may commit: only one that knows
// its newest assignment. Who names no epoch may while there are no members.
func (c *consumer) mayCommit(member string, epoch int32) int16 {
	if epoch < 0 && len(c.members) == 0 {
		return codeNone
	}
	switch m := c.member(member); {
	case m == nil:
		return codeUnknownMember
	case epoch != m.current.epoch:
		return codeStaleEpoch
	}
	return codeNone
}

// mayFetch is mayCommit for a fetch, which tools may do at any time.
func (c *consumer) mayFetch(member *string, epoch int32) int16 {
	if member == nil && epoch < 0 {
		return codeNone
	}
	return c.mayCommit(text(member), epoch)
}
