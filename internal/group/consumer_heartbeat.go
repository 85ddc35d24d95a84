package group

import (
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/brokerd/brokerd/internal/step"
)

// The member epochs that say what a member wants.
const (
	epochJoin        int32 = 0
	epochLeave       int32 = -1
	epochLeaveStatic int32 = -2 // for a while: its partitions stay
)

// refusal is why a heartbeat is not taken.
type refusal struct {
	code int16
	why  string
}

func refuse(code int16, format string, args ...any) *refusal {
	return &refusal{code, fmt.Sprintf(format, args...)}
}

// consumerBeat takes a ConsumerGroupHeartbeat.
func (t *turn) consumerBeat(e ConsumerGroupHeartbeat) {
	resp := kmsg.NewPtrConsumerGroupHeartbeatResponse()
	resp.Version = e.Req.Version
	no := t.checkConsumerBeat(e.Req)
	switch {
	case no != nil:
	case e.Req.MemberEpoch < epochJoin:
		no = t.leaveConsumer(e.Req, resp)
	default:
		no = t.stay(e, resp)
	}
	if no != nil {
		resp.ErrorCode, resp.ErrorMessage = no.code, &no.why
	}
	t.answer(e.Req.Group, resp)
}

// checkConsumerBeat looks at what a request says by itself.
func (t *turn) checkConsumerBeat(r *kmsg.ConsumerGroupHeartbeatRequest) *refusal {
	blank := func(s *string) bool { return s != nil && *s == "" }
	invalid := func(why string) *refusal { return refuse(codeInvalidRequest, "%s", why) }
	switch {
	case r.Group == "":
		return invalid("GroupId can't be empty.")
	case r.MemberID == "" && (r.Version >= 1 || r.MemberEpoch != epochJoin):
		return invalid("MemberId can't be empty.")
	case blank(r.InstanceID):
		return invalid("InstanceId can't be empty.")
	case blank(r.RackID):
		return invalid("RackId can't be empty.")
	case r.MemberEpoch < epochLeaveStatic:
		return invalid("MemberEpoch is invalid.")
	case r.MemberEpoch == epochLeaveStatic && r.InstanceID == nil:
		return invalid("InstanceId can't be null.")
	case r.MemberEpoch < epochJoin:
		return nil
	case r.MemberEpoch == epochJoin && r.RebalanceTimeoutMillis == -1:
		return invalid("RebalanceTimeoutMs must be provided in first request.")
	case r.MemberEpoch == epochJoin && (r.Topics == nil || len(r.Topics) > 0):
		return invalid("TopicPartitions must be empty when (re-)joining.")
	case r.MemberEpoch == epochJoin && r.SubscribedTopicNames == nil && r.SubscribedTopicRegex == nil:
		return invalid("Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.")
	}
	if r.ServerAssignor != nil && !slices.Contains(t.cfg.Consumer.Assignors, *r.ServerAssignor) {
		return refuse(codeUnsupportedAssignor, "ServerAssignor %s is not supported. Supported assignors: %s.",
			*r.ServerAssignor, join(t.cfg.Consumer.Assignors))
	}
	return nil
}

func join(names []string) (all string) {
	for i, name := range names {
		if i > 0 {
			all += ", "
		}
		all += name
	}
	return all
}

// stay takes the heartbeat of who joins or goes on.
func (t *turn) stay(e ConsumerGroupHeartbeat, resp *kmsg.ConsumerGroupHeartbeatResponse) *refusal {
	r := e.Req
	g := t.groups[r.Group]
	if g != nil && g.consumer == nil && len(g.classic.members) > 0 {
		if no := t.joinClassic(g, e); no != nil {
			return no
		}
	}
	var c *consumer
	if g != nil {
		c = g.consumer
	}
	if c == nil && r.MemberEpoch != epochJoin {
		return refuse(codeGroupNotFound, "Group %s not found.", r.Group)
	}
	if r.MemberID == "" { // version 0: ids are made here
		r.MemberID = step.TopicID(t.in.Random).String()
	}
	owned := ownedParts(r.Topics)
	m, no := c.lookup(r, owned, t.cfg.Consumer.MaxSize)
	if no != nil {
		return no
	}
	about, no := t.introduced(m, e)
	if no != nil {
		return no
	}
	if c == nil {
		g = t.beginConsumer(r.Group)
	}
	changed := m == nil || !slices.Equal(about.topics, m.about.topics) || text(about.regex) != text(m.about.regex)
	m = t.enroll(g, m, r.MemberID, about)
	t.refresh(g, changed, e.May)
	t.retarget(g)
	before, next := t.move(g, m, owned)
	t.revoking(g, m)
	t.touchConsumer(g, m)

	resp.MemberID, resp.MemberEpoch = &m.id, next.epoch
	_, heartbeat := t.times(g.id)
	resp.HeartbeatIntervalMillis = int32(heartbeat / time.Millisecond)
	full := r.RebalanceTimeoutMillis != -1 && r.Topics != nil && (r.SubscribedTopicNames != nil || r.SubscribedTopicRegex != nil)
	if full || r.MemberEpoch == epochJoin || !next.assigned.equal(before.assigned) {
		resp.Assignment = told(next.assigned)
	}
	return nil
}

// joinClassic makes a consumer group of a classic one with members, for one who
// joins; whatever would refuse it afterwards refuses it before.
func (t *turn) joinClassic(g *group, e ConsumerGroupHeartbeat) *refusal {
	r, c := e.Req, &g.classic
	if r.MemberEpoch != epochJoin {
		return refuse(codeGroupNotFound, "Group %s is not a consumer group.", r.Group)
	}
	if _, no := t.introduced(nil, e); no != nil {
		return no
	}
	follows := r.InstanceID != nil && c.static[*r.InstanceID] != nil
	if n := t.cfg.Consumer.MaxSize; !follows && len(c.members) >= n {
		return groupFull(n)
	}
	if !follows && c.byID[r.MemberID] != nil {
		return refuse(codeFencedEpoch, "Member %s of group %s uses the classic protocol.", r.MemberID, r.Group)
	}
	return t.upgrade(g)
}

func groupFull(n int) *refusal {
	return refuse(codeGroupFull, "The consumer group has reached its maximum capacity of %d members.", n)
}

// move takes a member a step on the way to its target.
func (t *turn) move(g *group, m *consumerMember, owned parts) (before, next current) {
	before = m.current
	next = g.consumer.reconcile(m, owned)
	if !next.equal(before) {
		t.write(g, fact{key: keyMemberCurrent, name: m.id, current: next})
	}
	return before, next
}

// told is an assignment as members hear it.
func told(s parts) *kmsg.ConsumerGroupHeartbeatResponseAssignment {
	a := kmsg.NewConsumerGroupHeartbeatResponseAssignment()
	a.Topics = []kmsg.ConsumerGroupHeartbeatResponseAssignmentTopic{}
	for _, id := range s.topics() {
		a.Topics = append(a.Topics, kmsg.ConsumerGroupHeartbeatResponseAssignmentTopic{TopicID: id, Partitions: s[id]})
	}
	return &a
}

// ownedParts is what a member says that it has; nil when it says nothing.
func ownedParts(topics []kmsg.ConsumerGroupHeartbeatRequestTopic) parts {
	if topics == nil {
		return nil
	}
	owned := parts{}
	for _, topic := range topics {
		for _, p := range topic.Partitions {
			owned.add(topic.TopicID, p)
		}
	}
	return owned
}

// lookup finds who sends a heartbeat; nil is somebody new.
func (c *consumer) lookup(r *kmsg.ConsumerGroupHeartbeatRequest, owned parts, maxSize int) (*consumerMember, *refusal) {
	if c == nil {
		return nil, nil
	}
	m := c.member(r.MemberID)
	if m == nil && r.InstanceID == nil || r.InstanceID != nil && c.static[*r.InstanceID] == "" {
		switch {
		case r.MemberEpoch != epochJoin:
			return nil, unknownMember(r)
		case m == nil && len(c.members) >= maxSize:
			return nil, groupFull(maxSize)
		case m == nil:
			return nil, nil
		}
	}
	if r.InstanceID != nil {
		old := c.member(c.static[*r.InstanceID])
		switch {
		case old == nil: // a dynamic member has no instance
			return nil, unknownMember(r)
		case r.MemberEpoch == epochJoin && (old.current.epoch == epochLeaveStatic || old.about.classic != nil):
			return old, nil
		case r.MemberEpoch == epochJoin && old.id != r.MemberID:
			return nil, refuse(codeUnreleasedInstance, "Static member %s with instance id %s cannot join the group because the instance id is owned by member %s.",
				r.MemberID, *r.InstanceID, old.id)
		case old.id != r.MemberID:
			return nil, fencedInstance(r, old)
		}
		m = old
	}
	now := &m.current
	switch {
	case r.MemberEpoch == now.epoch:
	case r.MemberEpoch > now.epoch:
		return nil, refuse(codeFencedEpoch, "The consumer group member has a greater member epoch (%d) than the one known by the group coordinator (%d). The member must abandon all its partitions and rejoin.",
			r.MemberEpoch, now.epoch)
	case r.MemberEpoch == now.previous && owned != nil && owned.within(now.assigned):
		// Our last answer got lost.
	default:
		return nil, refuse(codeFencedEpoch, "The consumer group member has a smaller member epoch (%d) than the one known by the group coordinator (%d). The member must abandon all its partitions and rejoin.",
			r.MemberEpoch, now.epoch)
	}
	return m, nil
}

func unknownMember(r *kmsg.ConsumerGroupHeartbeatRequest) *refusal {
	return refuse(codeUnknownMember, "Member %s is not a member of group %s.", r.MemberID, r.Group)
}

func fencedInstance(r *kmsg.ConsumerGroupHeartbeatRequest, old *consumerMember) *refusal {
	return refuse(codeFencedInstance, "Static member %s with instance id %s was fenced by member %s.", r.MemberID, *r.InstanceID, old.id)
}

// introduced is what a member says of itself now: what a request leaves out has
// not changed.
func (t *turn) introduced(m *consumerMember, e ConsumerGroupHeartbeat) (about, *refusal) {
	r, a := e.Req, about{rebalance: -1}
	if m != nil {
		a = m.about
	}
	a.client, a.classic = e.Client, nil
	if r.InstanceID != nil {
		a.instance = r.InstanceID
	}
	if r.RackID != nil {
		a.rack = r.RackID
	}
	if r.RebalanceTimeoutMillis != -1 {
		a.rebalance = r.RebalanceTimeoutMillis
	}
	if r.ServerAssignor != nil {
		a.assignor = r.ServerAssignor
	}
	if r.SubscribedTopicNames != nil {
		a.topics = topicSet(r.SubscribedTopicNames)
	}
	if r.SubscribedTopicRegex != nil {
		a.regex = r.SubscribedTopicRegex
		if *a.regex == "" {
			a.regex = nil
		} else if _, err := pattern(*a.regex); err != nil {
			return a, refuse(codeInvalidRegex, "SubscribedTopicRegex `%s` is not a valid regular expression: %s.", *a.regex, err)
		}
	}
	return a, nil
}

// pattern compiles a subscription; it must fit the whole name of a topic.
func pattern(regex string) (*regexp.Regexp, error) {
	if _, err := regexp.Compile(regex); err != nil {
		return nil, err
	}
	return regexp.Compile(`^(?:` + regex + `)$`)
}

func (a *about) equal(o *about) bool {
	return same(a.instance, o.instance) && same(a.rack, o.rack) && a.client == o.client &&
		slices.Equal(a.topics, o.topics) && same(a.regex, o.regex) && a.rebalance == o.rebalance && same(a.assignor, o.assignor) &&
		a.classic.equal(o.classic)
}

func same(a, b *string) bool { return (a == nil) == (b == nil) && text(a) == text(b) }

// beginConsumer makes a group into one of this kind; what it was has no members.
func (t *turn) beginConsumer(id string) *group {
	g := t.get(id)
	t.end(g)
	t.write(g, fact{key: keyConsumer})
	return g
}

// enroll writes who a member is. A static one takes over from whom it follows:
// what that one had, it has.
func (t *turn) enroll(g *group, old *consumerMember, id string, a about) *consumerMember {
	switch {
	case old == nil:
		t.write(g, fact{key: keyMember, name: id, about: a})
		return g.consumer.members[id]
	case old.id != id || old.current.epoch == epochLeaveStatic:
		target, had := old.target, old.current.assigned
		if old.id != id {
			t.forgetMember(g, old)
		}
		t.write(g, fact{key: keyMember, name: id, about: a},
			fact{key: keyMemberTarget, name: id, target: target},
			fact{key: keyMemberCurrent, name: id, current: current{assigned: had, since: anew(had)}})
		return g.consumer.members[id]
	case !a.equal(&old.about):
		t.write(g, fact{key: keyMember, name: old.id, about: a})
	}
	return old
}

// anew is since when a static member has what it keeps while it is away: whoever
// follows it may commit at any epoch.
func anew(s parts) map[step.PartitionID]int32 {
	since := map[step.PartitionID]int32{}
	for _, id := range s.topics() {
		for _, p := range s[id] {
			since[step.PartitionID{Topic: id, Index: p}] = 0
		}
	}
	return since
}

// leaveConsumer takes the heartbeat of who goes.
func (t *turn) leaveConsumer(r *kmsg.ConsumerGroupHeartbeatRequest, resp *kmsg.ConsumerGroupHeartbeatResponse) *refusal {
	g := t.groups[r.Group]
	if g == nil || g.consumer == nil {
		return refuse(codeGroupNotFound, "Group %s not found.", r.Group)
	}
	c := g.consumer
	m := c.member(r.MemberID)
	if r.InstanceID != nil {
		m = c.member(c.static[*r.InstanceID])
	}
	switch {
	case m == nil && r.InstanceID != nil:
		return refuse(codeUnknownMember, "Instance id %s is unknown.", *r.InstanceID)
	case m == nil:
		return unknownMember(r)
	case m.id != r.MemberID:
		return fencedInstance(r, m)
	case r.MemberEpoch == epochLeaveStatic:
		// It may come back under another id: what it had to give up it has given up.
		next := m.current
		next.previous, next.epoch, next.state, next.revoking = next.epoch, epochLeaveStatic, memberStable, nil
		next.since = anew(next.assigned)
		t.write(g, fact{key: keyMemberCurrent, name: m.id, current: next})
		t.revoking(g, m)
		t.touchConsumer(g, m)
	default:
		t.expel(g, m)
	}
	resp.MemberID, resp.MemberEpoch = &r.MemberID, r.MemberEpoch
	return nil
}

// expel ends memberships; the others get their partitions at their next heartbeat.
// When only classic members are left the group becomes a classic one.
func (t *turn) expel(g *group, gone ...*consumerMember) {
	c := g.consumer
	if len(gone) == 0 {
		return
	}
	for _, m := range gone {
		t.forgetMember(g, m)
	}
	if t.mayDowngrade(c, nil) {
		t.downgrade(g, true)
		return
	}
	t.forgetRegexes(g)
	t.write(g, fact{key: keyConsumer, epoch: c.epoch + 1, hash: t.hashTopics(c)})
	if len(c.members) == 0 {
		t.write(g, fact{key: keyTarget, epoch: c.epoch})
	}
}

func (t *turn) forgetMember(g *group, m *consumerMember) {
	if m.armed != 0 {
		t.timer(m.timer, 0)
	}
	if m.revokeAt != 0 {
		t.timer(timerKey(keyRevoke, g.id, m.id), 0)
	}
	t.write(g, fact{key: keyMemberCurrent, name: m.id, gone: true},
		fact{key: keyMemberTarget, name: m.id, gone: true},
		fact{key: keyMember, name: m.id, gone: true})
}
