package meta

import (
	"slices"

	"github.com/brokerd/brokerd/internal/step"
)

// The guards are those of the replication rules, 2.4, in their order: the first
// that fails is the answer.
func (c AlterPartition) apply(e *Editor) Result {
	if _, bad := e.brokerAt(c.Broker, c.BrokerEpoch); bad.Err != nil {
		return bad
	}
	t, p, bad := e.partition(c.Topic, c.Partition)
	if bad.Err != nil {
		return bad
	}
	switch {
	case c.LeaderEpoch > p.leaderEpoch || c.PartitionEpoch > p.partitionEpoch:
		return failf(ErrNewerEpoch, "leader epoch %d partition epoch %d, here %d and %d", c.LeaderEpoch, c.PartitionEpoch, p.leaderEpoch, p.partitionEpoch)
	case c.LeaderEpoch < p.leaderEpoch:
		return failf(ErrFencedLeader, "%d, the partition is at %d", c.LeaderEpoch, p.leaderEpoch)
	case p.leader() != c.Broker:
		return failf(ErrNotLeader, "broker %d, the leader is %d", c.Broker, p.leader())
	case c.PartitionEpoch < p.partitionEpoch:
		return failf(ErrStaleState, "%d, the partition is at %d", c.PartitionEpoch, p.partitionEpoch)
	}
	isr, bad := e.proposed(c, p)
	if bad.Err != nil {
		return bad
	}
	ch := e.changeOf(t, p)
	ch.isr = isr
	if c.Recovered {
		ch.heal = recovering
	}
	e.alter(t, c.Partition, &ch)
	return Result{}
}

func (e *Editor) proposed(c AlterPartition, p part) (isr mask, bad Result) {
	for _, m := range c.ISR {
		pos := p.set.pos(m.ID)
		if pos < 0 || isr.has(pos) {
			return 0, failf(ErrInvalidISR, "broker %d is no replica, or is named twice", m.ID)
		}
		isr |= bit(pos)
	}
	if !isr.has(p.leaderPos()) {
		return 0, failf(ErrInvalidISR, "the leader %d is not in it", c.Broker)
	}
	if p.state&recovering != 0 && !c.Recovered && isr.count() > 1 {
		return 0, failf(ErrInvalidISR, "the leader recovers: it must be alone")
	}
	for _, m := range c.ISR {
		if p.isr.has(p.set.pos(m.ID)) {
			continue
		}
		b, ok := e.broker(m.ID)
		if !ok || b.State != Active || b.Epoch != m.Epoch && !without("broker epoch in AlterPartition") {
			return 0, failf(ErrIneligible, "broker %d is not active at epoch %d", m.ID, m.Epoch)
		}
		if e.full(p.set, p.set.pos(m.ID)) {
			return 0, failf(ErrIneligible, "the disk of broker %d is full", m.ID)
		}
	}
	return isr, Result{}
}

func (e *Editor) partition(id step.TopicID, i int32) (*Topic, part, Result) {
	t, ok := e.topic(id)
	if !ok {
		return nil, part{}, failf(ErrUnknownTopic, "id %s", id)
	}
	if i < 0 || i >= t.n {
		return nil, part{}, failf(ErrUnknownPartition, "%s-%d", t.Name, i)
	}
	return t, *t.at(i), Result{}
}

func (c ElectLeader) apply(e *Editor) Result {
	t, p, bad := e.partition(c.Topic, c.Partition)
	if bad.Err != nil {
		return bad
	}
	if pos := p.leaderPos(); pos == 0 || pos > 0 && c.Unclean {
		return failf(ErrElectionNotNeeded, "%s-%d is led by %d", t.Name, c.Partition, p.leader())
	}
	ch := e.changeOf(t, p)
	ch.prefer, ch.rescue = !c.Unclean, c.Unclean
	if !e.alter(t, c.Partition, &ch) {
		return failf(ErrNoEligibleLeader, "%s-%d has in sync %v, eligible %v", t.Name, c.Partition, p.set.pick(p.isr), p.set.pick(p.elr))
	}
	return Result{}
}

func (c Reassign) apply(e *Editor) Result {
	t, p, bad := e.partition(c.Topic, c.Partition)
	if bad.Err != nil {
		return bad
	}
	if len(c.Target) == 0 {
		return e.cancelReassign(t, c.Partition, p)
	}
	ids := slices.Clone(c.Target)
	for i, id := range ids {
		if _, ok := e.broker(id); !ok || slices.Contains(ids[:i], id) {
			return failf(ErrInvalidAssignment, "broker %d is not registered, or is named twice", id)
		}
	}
	original := p.set.pick(p.set.all() &^ p.set.adding)
	var s replicaSet
	for i, id := range ids {
		if !slices.Contains(original, id) {
			s.adding |= bit(i)
		}
	}
	// Who is only being added by a former reassignment and is not wanted any
	// more goes at once; the others stay until the new ones are in sync.
	for _, id := range original {
		if !slices.Contains(c.Target, id) {
			if len(ids) == MaxReplicas {
				return failf(ErrInvalidAssignment, "old and new replicas together are more than %d", MaxReplicas)
			}
			s.removing |= bit(len(ids))
			ids = append(ids, id)
		}
	}
	if len(ids) > MaxReplicas {
		return failf(ErrInvalidAssignment, "more than %d replicas", MaxReplicas)
	}
	s.ids = ids
	return e.resettle(t, c.Partition, p, s)
}

func (e *Editor) cancelReassign(t *Topic, i int32, p part) Result {
	if p.set.adding|p.set.removing == 0 {
		return failf(ErrNoReassignment, "%s-%d", t.Name, i)
	}
	return e.resettle(t, i, p, replicaSet{ids: p.set.pick(p.set.all() &^ p.set.adding)})
}

// resettle gives a partition other replicas. Refused when nobody in sync or
// eligible would be left of those who are.
func (e *Editor) resettle(t *Topic, i int32, p part, s replicaSet) Result {
	if p.set.dirs != nil {
		s.dirs = make([]step.TopicID, len(s.ids))
		for k, id := range s.ids {
			if pos := p.set.pos(id); pos >= 0 {
				s.dirs[k] = p.set.dirs[pos]
			}
		}
	}
	ch := e.changeOf(t, p)
	ch.set = e.intern(s)
	ch.isr = p.set.moved(p.isr, ch.set)
	if ch.isr == 0 && p.isr != 0 || p.set.moved(p.isr|p.elr, ch.set) == 0 && p.isr|p.elr != 0 {
		return failf(ErrNoEligibleLeader, "%s-%d would lose its only replica in sync", t.Name, i)
	}
	e.alter(t, i, &ch)
	return Result{}
}
