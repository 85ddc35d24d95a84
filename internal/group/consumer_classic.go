package group

import (
	"bytes"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/brokerd/brokerd/internal/step"
)

// Classic members of a consumer group: JoinGroup, SyncGroup, Heartbeat and
// LeaveGroup of clients that do not speak the new protocol. The generation is
// the member's epoch, the assignment comes from here:
//
//	JoinGroup  says what it subscribes to and owns; answered at once
//	SyncGroup  gives what is assigned to it now
//	Heartbeat  REBALANCE_IN_PROGRESS when it has to give up or gets more: it joins again

// embedded is what a consumer group knows of a classic member besides.
type embedded struct {
	session   int32 // milliseconds
	protocols []kmsg.JoinGroupRequestProtocol
}

func (e *embedded) equal(o *embedded) bool {
	if e == nil || o == nil {
		return e == o
	}
	return e.session == o.session && slices.EqualFunc(e.protocols, o.protocols, func(a, b kmsg.JoinGroupRequestProtocol) bool {
		return a.Name == b.Name && bytes.Equal(a.Metadata, b.Metadata)
	})
}

// joinConsumer takes a JoinGroup.
func (t *turn) joinConsumer(g *group, e JoinGroup) {
	r, c := e.Req, g.consumer
	id := r.MemberID
	if id == "" {
		id = uuid(t.in.Random)
	}
	old, code := c.joins(r)
	var sub kmsg.ConsumerMemberMetadata
	ok := len(r.Protocols) > 0
	if ok {
		sub, ok = readSubscription(r.Protocols[0].Metadata)
	}
	switch {
	case !t.cfg.Consumer.Migration.Upgrade && !t.cfg.Consumer.Migration.Downgrade, !ok, !c.supports(r.ProtocolType, r.Protocols):
		code = codeInconsistentProtocol
	case old == nil && code == codeNone && len(c.members) >= t.cfg.Consumer.MaxSize:
		code = codeGroupFull
	case r.MemberID == "" && r.InstanceID == nil && r.Version >= 4:
		t.refuseJoin(r, id, codeMemberIDRequired)
		return
	}
	if code != codeNone {
		t.refuseJoin(r, "", code)
		return
	}
	down := old != nil && old.id != id && old.about.classic == nil && t.mayDowngrade(c, old)
	m, changed := t.enrollClassic(g, old, id, e, sub)
	t.refresh(g, changed, e.May)
	if !down {
		t.retarget(g)
	}
	if c.placed == c.epoch {
		t.move(g, m, t.ownedBy(sub))
	}
	resp := kmsg.NewPtrJoinGroupResponse()
	resp.Version, resp.MemberID, resp.Generation = r.Version, m.id, m.current.epoch
	resp.ProtocolType, resp.Protocol = kmsg.StringPtr(consumerProtocol), &m.about.classic.protocols[0].Name
	if down {
		t.downgrade(g, false)
	} else {
		t.touchConsumer(g, m)
		t.settleUp(g, m)
		t.owe(g, m) // its SyncGroup
	}
	t.answer(g.id, resp)
}

// joins finds whose place a JoinGroup takes; nil: nobody's.
func (c *consumer) joins(r *kmsg.JoinGroupRequest) (*consumerMember, int16) {
	switch {
	case r.InstanceID == nil:
		return c.member(r.MemberID), codeNone
	case r.MemberID == "":
		return c.member(c.static[*r.InstanceID]), codeNone
	}
	return c.find(r.MemberID, r.InstanceID)
}

// find looks a member up: the code is 0, unknown or fenced.
func (c *consumer) find(id string, instance *string) (*consumerMember, int16) {
	m := c.member(id)
	if instance != nil {
		m = c.member(c.static[*instance])
	}
	switch {
	case m == nil:
		return nil, codeUnknownMember
	case m.id != id:
		return nil, codeFencedInstance
	}
	return m, codeNone
}

// supports tells whether a classic member with these protocols may be one: all
// classic members have one in common.
func (c *consumer) supports(kind string, protocols []kmsg.JoinGroupRequestProtocol) bool {
	if kind != consumerProtocol {
		return false
	}
	return slices.ContainsFunc(protocols, func(p kmsg.JoinGroupRequestProtocol) bool {
		return !slices.ContainsFunc(c.ids(), func(id string) bool {
			e := c.members[id].about.classic
			return e != nil && !slices.ContainsFunc(e.protocols, func(o kmsg.JoinGroupRequestProtocol) bool { return o.Name == p.Name })
		})
	})
}

// enrollClassic writes what a classic member says of itself.
func (t *turn) enrollClassic(g *group, old *consumerMember, id string, e JoinGroup, sub kmsg.ConsumerMemberMetadata) (m *consumerMember, changed bool) {
	r, a := e.Req, about{rebalance: -1}
	if old != nil {
		a = old.about
	}
	topics := topicSet(sub.Topics)
	changed = old == nil || !slices.Equal(topics, a.topics) || text(a.regex) != ""
	a.client, a.topics, a.regex, a.rebalance = e.Client, topics, nil, max(r.RebalanceTimeoutMillis, 0)
	a.classic = &embedded{r.SessionTimeoutMillis, distinct(r.Protocols)}
	if r.InstanceID != nil {
		a.instance = r.InstanceID
	}
	if sub.Rack != nil {
		a.rack = sub.Rack
	}
	return t.enroll(g, old, id, a), changed
}

// syncConsumer takes a SyncGroup.
func (t *turn) syncConsumer(g *group, r *kmsg.SyncGroupRequest) {
	c := g.consumer
	m, code := c.find(r.MemberID, r.InstanceID)
	switch {
	case code != codeNone:
	case m.about.classic == nil:
		code = codeUnknownMember
	case r.Generation != m.current.epoch:
		code = codeIllegalGeneration
	case r.ProtocolType != nil && *r.ProtocolType != consumerProtocol,
		r.Protocol != nil && *r.Protocol != m.about.classic.protocols[0].Name:
		code = codeInconsistentProtocol
	case c.placed > m.current.epoch && m.current.state != unrevoked:
		t.touchConsumer(g, m)
		t.owe(g, m)
		code = codeRebalance
	}
	if code != codeNone {
		t.refuseSync(r, code)
		return
	}
	t.settleUp(g, m)
	t.touchConsumer(g, m)
	resp := kmsg.NewPtrSyncGroupResponse()
	resp.Version, resp.ProtocolType, resp.Protocol = r.Version, r.ProtocolType, r.Protocol
	resp.MemberAssignment = t.embed(m.current.assigned, m.about.classic.protocols[0].Metadata)
	t.answer(g.id, resp)
}

// beatConsumer takes a Heartbeat.
func (t *turn) beatConsumer(g *group, r *kmsg.HeartbeatRequest) int16 {
	c := g.consumer
	m, code := c.find(r.MemberID, r.InstanceID)
	switch {
	case code != codeNone:
		return code
	case m.about.classic == nil:
		return codeUnknownMember
	case r.Generation != m.current.epoch:
		return codeIllegalGeneration
	}
	t.touchConsumer(g, m)
	if len(c.regexes) == 0 { // whose topics depend on who asks
		t.refresh(g, false, nil)
		t.retarget(g)
	}
	if c.reconciled(m) || m.current.state == unreleased && m.current.epoch == c.placed && c.waits(m) {
		return codeNone
	}
	t.owe(g, m)
	return codeRebalance
}

// waits tells whether others have partitions of m's target.
func (c *consumer) waits(m *consumerMember) bool {
	return len(m.target.keep(func(id step.TopicID, p int32) bool { return c.taken(m, id, p) })) > 0
}

// leaveConsumers takes the LeaveGroup of classic members, or of an operator, who
// names instance ids; kinds do not matter to him.
func (t *turn) leaveConsumers(g *group, r *kmsg.LeaveGroupRequest, resp *kmsg.LeaveGroupResponse) {
	c := g.consumer
	all := r.Members
	if r.Version < 3 {
		all = []kmsg.LeaveGroupRequestMember{{MemberID: r.MemberID}}
	}
	var gone []*consumerMember
	for _, one := range all {
		id := one.MemberID
		if id == "" && one.InstanceID != nil {
			id = c.static[*one.InstanceID]
		}
		m, code := c.find(id, one.InstanceID)
		if code == codeNone && !slices.Contains(gone, m) {
			gone = append(gone, m)
		}
		if r.Version < 3 {
			resp.ErrorCode = code
			continue
		}
		resp.Members = append(resp.Members, kmsg.LeaveGroupResponseMember{MemberID: one.MemberID, InstanceID: one.InstanceID, ErrorCode: code})
	}
	t.expel(g, gone...)
}

// owe gives a classic member its rebalance timeout to join, then to sync, unless
// that runs already (G2).
func (t *turn) owe(g *group, m *consumerMember) {
	if m.revokeAt == 0 {
		m.revokeAt = t.now.Add(ms(max(m.about.rebalance, 0)))
		t.timer(timerKey(keyRevoke, g.id, m.id), m.revokeAt)
	}
}

// settleUp notes that a member owes nothing any more.
func (t *turn) settleUp(g *group, m *consumerMember) {
	if m.revokeAt != 0 {
		m.revokeAt = 0
		t.timer(timerKey(keyRevoke, g.id, m.id), 0)
	}
}
