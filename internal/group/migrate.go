package group

import (
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/brokerd/brokerd/internal/step"
)

// Migration says which way a group that has members may change its kind
// (group.consumer.migration.policy). One without members always may.
type Migration struct {
	Upgrade   bool // a classic group, when a member of the other kind joins
	Downgrade bool // a consumer group, when the last member of its own kind goes
}

// upgrade makes a consumer group of a classic one with members. They go on to
// speak as they did: consumer_classic.go. What they were assigned stays theirs,
// at the generation, which becomes the epoch (G4).
func (t *turn) upgrade(g *group) *refusal {
	c := &g.classic
	joins, no := t.upgraded(g)
	if no != nil {
		return no
	}
	for _, m := range slices.Clone(c.members) {
		r := kmsg.NewPtrJoinGroupResponse()
		r.ErrorCode, r.MemberID, r.Generation = codeRebalance, m.id, -1
		t.answerJoin(g, m, r)
		t.answerSync(g, m, codeRebalance)
		if m.armed != 0 {
			t.timer(m.timer, 0)
		}
	}
	t.syncDone(g)
	if c.joinAt != 0 {
		t.timer(timerKey(keyJoin, g.id, ""), 0)
	}
	generation := c.generation
	t.end(g)
	for _, j := range joins {
		t.write(g, fact{key: keyMember, name: j.id, about: j.about})
	}
	t.write(g, fact{key: keyConsumer, epoch: generation}) // without a hash: what was assigned need not be all
	for _, j := range joins {
		t.write(g, fact{key: keyMemberTarget, name: j.id, target: j.owned})
	}
	t.write(g, fact{key: keyTarget, epoch: generation})
	for _, j := range joins {
		now := current{epoch: generation, assigned: j.owned, revoking: j.owes}.moved(current{})
		now.previous = generation
		if len(j.owes) > 0 {
			now.state = unrevoked
		}
		t.write(g, fact{key: keyMemberCurrent, name: j.id, current: now})
		t.touchConsumer(g, g.consumer.members[j.id])
	}
	return nil
}

// joining is a classic member as it comes into a consumer group.
type joining struct {
	id    string
	about about
	owned parts
	owes  parts // had when it joined; it may not have heard yet that it is not its own any more
}

// upgraded reads what an upgrade needs to know of every member.
func (t *turn) upgraded(g *group) (all []joining, no *refusal) {
	c := &g.classic
	cannot := func(why string) ([]joining, *refusal) {
		return nil, refuse(codeGroupNotFound, "Cannot upgrade classic group %s to consumer group because %s.", g.id, why)
	}
	switch {
	case !t.cfg.Consumer.Migration.Upgrade:
		return cannot("online upgrade is disabled")
	case c.kind != consumerProtocol:
		return cannot("the group does not use the consumer embedded protocol")
	case len(c.members) > t.cfg.Consumer.MaxSize:
		return cannot("the group size exceeds the consumer group maximum size")
	}
	for _, m := range c.members {
		var metadata []byte
		if metadata = m.metadata(c.protocol); c.protocol == nil && len(m.protocols) > 0 {
			metadata = m.protocols[0].Metadata
		}
		sub, ok := readSubscription(metadata)
		owned, custom, ok2 := t.assignment(m.assigned)
		switch {
		case !ok || !ok2:
			return cannot("the embedded consumer protocol is malformed")
		case custom:
			return cannot("an unsupported custom assignor is in use. Please refer to the documentation or switch to a default assignor before re-attempting the upgrade")
		}
		all = append(all, joining{m.id, about{
			instance: m.instance, rack: sub.Rack, client: m.client, topics: topicSet(sub.Topics),
			rebalance: int32(m.rebalance / time.Millisecond), classic: &embedded{int32(m.session / time.Millisecond), m.protocols},
		}, owned, t.ownedBy(sub).keep(func(id step.TopicID, p int32) bool { return !owned.has(id, p) })})
	}
	return all, nil
}

// assignment reads what a classic member was assigned. custom: with data of an
// assignor's own, which nobody here would keep.
func (t *turn) assignment(b []byte) (owned parts, custom, ok bool) {
	owned = parts{}
	if len(b) == 0 {
		return owned, false, true
	}
	var v kmsg.ConsumerMemberAssignment
	if v.ReadFrom(b) != nil {
		return nil, false, false
	}
	for _, topic := range v.Topics {
		id, n, known := t.in.Cluster.Topic(topic.Topic)
		for _, p := range topic.Partitions {
			if known && p >= 0 && p < n {
				owned.add(id, p)
			}
		}
	}
	return owned, len(v.UserData) > 0, true
}

// mayDowngrade tells whether a consumer group is to become a classic one: all of
// its members are classic, but for one whose place a classic one takes; nil: none.
func (t *turn) mayDowngrade(c *consumer, replaced *consumerMember) bool {
	all := c.ids()
	for _, id := range all {
		if m := c.members[id]; m != replaced && m.about.classic == nil {
			return false
		}
	}
	return len(all) > 0 && len(all) <= t.cfg.MaxSize && t.cfg.Consumer.Migration.Downgrade
}

// downgrade makes a classic group of a consumer group whose members are all
// classic ones. Each keeps what it has, at the group's epoch. Is that not all of
// its target, or owes the group a rebalance for another reason, it begins one; the
// record then names no leader, so that a new coordinator begins it as well.
func (t *turn) downgrade(g *group, owes bool) {
	n := g.consumer
	c := classic{generation: n.epoch, kind: consumerProtocol}
	c.enter(stable, t.in.UnixMs)
	for _, id := range n.ids() {
		m := n.members[id]
		owes = owes || n.placed < n.epoch || !n.reconciled(m)
		c.add(&member{
			id: id, instance: m.about.instance, client: m.about.client, rebalance: ms(max(m.about.rebalance, 0)),
			session: ms(m.about.classic.session), protocols: m.about.classic.protocols,
		})
	}
	protocol := c.choose()
	c.protocol = &protocol
	for _, m := range c.members {
		now := n.members[m.id].current
		m.assigned = t.embed(now.assigned.union(now.revoking), m.metadata(c.protocol))
		t.forgetMember(g, n.members[m.id])
	}
	t.endConsumer(g)
	c.readTopics()
	g.classic = c
	v := g.classic.value()
	if owes {
		v.Leader = nil
	}
	t.append(g, groupRecord(g.id, v, t.in.UnixMs))
	for _, m := range g.classic.members {
		t.touch(g, m, m.session)
	}
	if owes {
		t.prepare(g)
	}
}

// embed is an assignment as a classic member reads it, in the version that its
// metadata has.
func (t *turn) embed(s parts, metadata []byte) []byte {
	v := kmsg.NewConsumerMemberAssignment()
	v.Version = min(max(version(metadata), 0), 3)
	for _, id := range s.topics() {
		if name, _, ok := t.in.Cluster.Named(id); ok {
			v.Topics = append(v.Topics, kmsg.ConsumerMemberAssignmentTopic{Topic: name, Partitions: s[id]})
		}
	}
	return v.AppendTo(nil)
}

// topicSet sorts topics and drops those named twice.
func topicSet(topics []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(topics)))
}

// readSubscription reads what a classic consumer says when it joins.
func readSubscription(metadata []byte) (v kmsg.ConsumerMemberMetadata, ok bool) {
	return v, v.ReadFrom(metadata) == nil
}

// ownedBy is what a classic member says that it has.
func (t *turn) ownedBy(v kmsg.ConsumerMemberMetadata) parts {
	owned := parts{}
	for _, topic := range v.OwnedPartitions {
		if id, _, ok := t.in.Cluster.Topic(topic.Topic); ok {
			for _, p := range topic.Partitions {
				owned.add(step.TopicID(id), p)
			}
		}
	}
	return owned
}
