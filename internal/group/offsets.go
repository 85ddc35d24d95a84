package group

import (
	"unicode/utf16"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/brokerd/brokerd/internal/record"
	"github.com/brokerd/brokerd/internal/step"
)

// commit takes an OffsetCommit.
func (t *turn) commit(r *kmsg.OffsetCommitRequest) {
	resp := kmsg.NewPtrOffsetCommitResponse()
	resp.Version = r.Version
	code, of := t.checkCommit(r)
	var records []record.Record
	for _, topic := range r.Topics {
		name, id, parts, unknown := t.topic(topic.Topic, topic.TopicID, r.Version >= 10)
		rt := kmsg.NewOffsetCommitResponseTopic()
		rt.Topic, rt.TopicID = name, id
		for _, p := range topic.Partitions {
			rp := kmsg.NewOffsetCommitResponseTopicPartition()
			rp.Partition = p.Partition
			rp.ErrorCode = t.checkOffset(code, unknown, p.Partition, parts, p.Metadata)
			if of != nil && rp.ErrorCode == codeNone {
				rp.ErrorCode = of(step.PartitionID{Topic: id, Index: p.Partition})
			}
			if rp.ErrorCode == codeNone {
				o := offset{
					at: p.Offset, epoch: p.LeaderEpoch, metadata: text(p.Metadata),
					commitMs: t.in.UnixMs, expireMs: -1, topicID: id,
				}
				if r.Version == 1 && p.Timestamp >= 0 {
					o.commitMs = p.Timestamp
				}
				if r.RetentionTimeMillis >= 0 && r.Version >= 2 && r.Version <= 4 {
					o.expireMs = t.in.UnixMs + r.RetentionTimeMillis
				}
				records = append(records, offsetRecord(r.Group, partition{name, p.Partition}, o))
			}
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	if len(records) > 0 {
		t.append(t.get(r.Group), records...)
	}
	t.answer(r.Group, resp)
}

// commitTxn takes the offsets of a transaction. They count when it commits.
func (t *turn) commitTxn(r *kmsg.TxnOffsetCommitRequest) {
	resp := kmsg.NewPtrTxnOffsetCommitResponse()
	resp.Version = r.Version
	code, of := t.checkCommitTxn(r)
	var records []record.Record
	for _, topic := range r.Topics {
		name, id, parts, unknown := t.topic(topic.Topic, [16]byte{}, false)
		rt := kmsg.NewTxnOffsetCommitResponseTopic()
		rt.Topic = name
		for _, p := range topic.Partitions {
			rp := kmsg.NewTxnOffsetCommitResponseTopicPartition()
			rp.Partition = p.Partition
			rp.ErrorCode = t.checkOffset(code, unknown, p.Partition, parts, p.Metadata)
			if of != nil && rp.ErrorCode == codeNone {
				rp.ErrorCode = of(step.PartitionID{Topic: id, Index: p.Partition})
			}
			if rp.ErrorCode == codeNone {
				o := offset{
					at: p.Offset, epoch: p.LeaderEpoch, metadata: text(p.Metadata),
					commitMs: t.in.UnixMs, expireMs: -1, topicID: id,
				}
				records = append(records, offsetRecord(r.Group, partition{name, p.Partition}, o))
			}
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	if len(records) > 0 {
		t.append(t.get(r.Group), records...)
		t.out.Producer = &record.Producer{ID: r.ProducerID, Epoch: r.ProducerEpoch, Sequence: -1}
	}
	t.answer(r.Group, resp)
}

// topic finds a topic by name, or by id where the version has ids. unknown is
// what its partitions are answered with when it does not exist.
func (t *turn) topic(name string, id step.TopicID, byID bool) (string, step.TopicID, int32, int16) {
	if byID {
		if name, n, ok := t.in.Cluster.Named(id); ok {
			return name, id, n, codeNone
		}
		return "", id, 0, codeUnknownTopicID
	}
	id, n, ok := t.in.Cluster.Topic(name)
	if !ok {
		return name, step.TopicID{}, 0, codeUnknownTopic
	}
	return name, id, n, codeNone
}

func (t *turn) checkOffset(group, topic int16, p, parts int32, metadata *string) int16 {
	switch {
	case topic != codeNone:
		return topic
	case p < 0 || p >= parts:
		return codeUnknownTopic
	case group != codeNone:
		return group
	case metadata != nil && javaLength(*metadata) > t.cfg.MaxMetadataBytes:
		return codeMetadataTooLarge
	}
	return codeNone
}

// javaLength counts as Kafka does, in UTF-16 units: what it takes we take too.
func javaLength(s string) (n int) {
	for _, r := range s {
		n += utf16.RuneLen(r)
	}
	return n
}

// checkCommit tells whether this caller may commit now, and for which partitions;
// nil: for all. A commit by a member keeps its session alive.
func (t *turn) checkCommit(r *kmsg.OffsetCommitRequest) (int16, func(step.PartitionID) int16) {
	g := t.groups[r.Group]
	if g == nil {
		switch {
		case r.Generation < 0:
			return codeNone, nil // a simple commit makes a group without members
		case r.Version >= 9:
			return codeGroupNotFound, nil
		}
		return codeIllegalGeneration, nil
	}
	if n := g.consumer; n != nil {
		if m := n.member(r.MemberID); r.Version < 9 && m != nil && m.about.classic == nil {
			return codeUnsupportedVersion, nil // it knows no member epochs
		}
		return n.commits(r.MemberID, r.Generation)
	}
	c := &g.classic
	switch {
	case r.Generation < 0 && c.state == empty:
		return codeNone, nil
	case r.Generation < 0 && r.MemberID == "" && r.InstanceID == nil:
		return codeUnknownMember, nil
	}
	m, code := c.find(r.MemberID, r.InstanceID)
	switch {
	case code != codeNone:
		return code, nil
	case r.Generation != c.generation:
		return codeIllegalGeneration, nil
	case c.state == completing:
		return codeRebalance, nil
	}
	t.touch(g, m, m.session)
	return codeNone, nil
}

// checkCommitTxn is checkCommit for a transaction: old clients name no member,
// and the state of the group does not matter.
func (t *turn) checkCommitTxn(r *kmsg.TxnOffsetCommitRequest) (int16, func(step.PartitionID) int16) {
	g := t.groups[r.Group]
	if g == nil {
		if r.Generation < 0 {
			return codeNone, nil
		}
		return codeIllegalGeneration, nil
	}
	if n := g.consumer; n != nil {
		if r.Generation < 0 && r.MemberID == "" && r.InstanceID == nil {
			return codeNone, nil
		}
		return n.commits(r.MemberID, r.Generation)
	}
	c := &g.classic
	if r.Generation < 0 && (c.state == empty || r.MemberID == "" && r.InstanceID == nil) {
		return codeNone, nil
	}
	_, code := c.find(r.MemberID, r.InstanceID)
	if code == codeNone && r.Generation != c.generation {
		code = codeIllegalGeneration
	}
	return code, nil
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// fetch takes an OffsetFetch of one group. What it says must not be older than
// what anybody has been told was committed.
func (t *turn) fetch(e OffsetFetch) {
	resp := kmsg.NewOffsetFetchResponseGroup()
	resp.Group = e.Group.Group
	g := t.groups[e.Group.Group]
	if g != nil && g.consumer != nil {
		if resp.ErrorCode = g.consumer.mayFetch(e.Group.MemberID, e.Group.MemberEpoch); resp.ErrorCode != codeNone {
			t.answerFresh(e.Group.Group, &resp)
			return
		}
	}
	if e.Group.Topics == nil {
		resp.Topics = t.fetchAll(g, e)
	}
	for _, topic := range e.Group.Topics {
		name, id, _, unknown := t.topic(topic.Topic, topic.TopicID, e.Version >= 10)
		if unknown != codeUnknownTopicID {
			unknown = codeNone // by name, no offset is no error
		}
		rt := kmsg.NewOffsetFetchResponseGroupTopic()
		rt.Topic, rt.TopicID = name, id
		for _, p := range topic.Partitions {
			rp := t.fetchOne(g, partition{name, p}, e.RequireStable)
			rp.ErrorCode = max(rp.ErrorCode, unknown)
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	t.answerFresh(e.Group.Group, &resp)
}

// fetchAll gives every offset of the group.
func (t *turn) fetchAll(g *group, e OffsetFetch) []kmsg.OffsetFetchResponseGroupTopic {
	topics := []kmsg.OffsetFetchResponseGroupTopic{}
	if g == nil {
		return topics
	}
	for _, p := range sortedPartitions(g.offsets) {
		if t.orphan(p, g.offsets[p]) {
			continue
		}
		if n := len(topics); n == 0 || topics[n-1].Topic != p.topic {
			rt := kmsg.NewOffsetFetchResponseGroupTopic()
			rt.Topic = p.topic
			rt.TopicID, _, _ = t.in.Cluster.Topic(p.topic)
			topics = append(topics, rt)
		}
		rt := &topics[len(topics)-1]
		rt.Partitions = append(rt.Partitions, t.fetchOne(g, p, e.RequireStable))
	}
	return topics
}

// fetchOne gives one offset; -1 when there is none.
func (t *turn) fetchOne(g *group, p partition, stable bool) kmsg.OffsetFetchResponseGroupTopicPartition {
	rp := kmsg.NewOffsetFetchResponseGroupTopicPartition()
	none := ""
	rp.Partition, rp.Offset, rp.LeaderEpoch, rp.Metadata = p.index, -1, -1, &none
	if g == nil {
		return rp
	}
	if stable && g.stagedAt(p) {
		rp.ErrorCode = codeUnstableOffset
		return rp
	}
	if o, ok := g.offsets[p]; ok && !t.orphan(p, o) {
		rp.Offset, rp.LeaderEpoch, rp.Metadata = o.at, o.epoch, &o.metadata
	}
	return rp
}

// orphan tells whether an offset is of a topic that is no more: deleted, or made
// anew under the same name (O5).
func (t *turn) orphan(p partition, o offset) bool {
	id, _, ok := t.in.Cluster.Topic(p.topic)
	return !ok || o.topicID != step.TopicID{} && o.topicID != id
}

// stagedAt tells whether an open transaction holds an offset of p.
func (g *group) stagedAt(p partition) bool {
	for _, producer := range sorted(g.staged) {
		if _, ok := g.staged[producer][p]; ok {
			return true
		}
	}
	return false
}

// deleteOffsets takes an OffsetDelete.
func (t *turn) deleteOffsets(r *kmsg.OffsetDeleteRequest) {
	resp := kmsg.NewPtrOffsetDeleteResponse()
	resp.Version = r.Version
	defer func() { t.answer(r.Group, resp) }()
	g := t.groups[r.Group]
	switch {
	case r.Group == "":
		resp.ErrorCode = codeInvalidGroupID
		return
	case g == nil:
		resp.ErrorCode = codeGroupNotFound
		return
	case g.classic.state != empty && g.classic.kind != consumerProtocol:
		resp.ErrorCode = codeNonEmptyGroup
		return
	}
	for _, topic := range r.Topics {
		_, _, parts, unknown := t.topic(topic.Topic, step.TopicID{}, false)
		rt := kmsg.NewOffsetDeleteResponseTopic()
		rt.Topic = topic.Topic
		for _, p := range topic.Partitions {
			at := partition{topic.Topic, p.Partition}
			rp := kmsg.NewOffsetDeleteResponseTopicPartition()
			rp.Partition, rp.ErrorCode = p.Partition, unknown
			if p.Partition < 0 || p.Partition >= parts {
				rp.ErrorCode = codeUnknownTopic
			}
			if rp.ErrorCode == codeNone && g.subscribed(topic.Topic) {
				rp.ErrorCode = codeSubscribed
			}
			if _, has := g.offsets[at]; rp.ErrorCode == codeNone && (has || g.stagedAt(at)) {
				t.append(g, offsetTombstone(g.id, at, t.in.UnixMs))
			}
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
}
