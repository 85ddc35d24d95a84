package group

import (
	"bytes"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// sync takes a SyncGroup: the leader's brings the assignment, the others wait
// for it.
func (t *turn) sync(r *kmsg.SyncGroupRequest) {
	g, m, code := t.checkSync(r)
	switch {
	case code != codeNone:
		t.refuseSync(r, code)
		return
	case g.consumer != nil:
		t.syncConsumer(g, r)
		return
	}
	c := &g.classic
	switch c.state {
	case preparing:
		t.refuseSync(r, codeRebalance)
	case completing:
		t.parkSync(g, m, r)
		if c.leader == m.id {
			t.assign(g, r)
		}
	case stable:
		t.sent(g, m)
		t.touch(g, m, m.session)
		t.answer(g.id, c.syncResponse(m, r.Version, codeNone))
	default:
		t.refuseSync(r, codeUnknownMember)
	}
}

func (t *turn) checkSync(r *kmsg.SyncGroupRequest) (*group, *member, int16) {
	g := t.groups[r.Group]
	switch {
	case r.Group == "":
		return nil, nil, codeInvalidGroupID
	case r.Version >= 5 && (r.ProtocolType == nil || r.Protocol == nil):
		return nil, nil, codeInconsistentProtocol
	case g == nil:
		return nil, nil, codeUnknownMember
	case g.consumer != nil:
		return g, nil, codeNone
	}
	c := &g.classic
	m, code := c.find(r.MemberID, r.InstanceID)
	switch {
	case code != codeNone:
		return nil, nil, code
	case r.Generation != c.generation:
		return nil, nil, codeIllegalGeneration
	case r.ProtocolType != nil && *r.ProtocolType != c.kind,
		r.Protocol != nil && c.protocol != nil && *r.Protocol != *c.protocol:
		return nil, nil, codeInconsistentProtocol
	}
	return g, m, codeNone
}

func (t *turn) refuseSync(r *kmsg.SyncGroupRequest, code int16) {
	resp := kmsg.NewPtrSyncGroupResponse()
	resp.Version, resp.ErrorCode = r.Version, code
	t.answer(r.Group, resp)
}

func (t *turn) parkSync(g *group, m *member, r *kmsg.SyncGroupRequest) {
	t.answerSync(g, m, codeRebalance) // given up by its client
	m.sync = waiting{t.in.From, r.Version}
	t.sent(g, m)
}

// sent notes that m has sent its SyncGroup in this generation.
func (t *turn) sent(g *group, m *member) {
	c := &g.classic
	if !m.unsent {
		return
	}
	m.unsent = false
	if c.unsent--; c.unsent == 0 {
		t.syncDone(g)
	}
}

// assign takes the leader's assignment: it counts once it is in the log, which
// the answers wait for.
func (t *turn) assign(g *group, r *kmsg.SyncGroupRequest) {
	c := &g.classic
	for _, m := range c.members {
		m.assigned = []byte{}
	}
	for _, a := range r.GroupAssignment {
		if m := c.byID[a.MemberID]; m != nil {
			m.assigned = bytes.Clone(a.MemberAssignment)
		}
	}
	t.append(g, groupRecord(g.id, c.value(), t.in.UnixMs))
	c.enter(stable, t.in.UnixMs)
	for _, m := range c.members {
		t.answerSync(g, m, codeNone)
	}
}

func (c *classic) syncResponse(m *member, version, code int16) *kmsg.SyncGroupResponse {
	r := kmsg.NewPtrSyncGroupResponse()
	r.Version, r.ErrorCode = version, code
	if code == codeNone {
		r.ProtocolType, r.Protocol, r.MemberAssignment = kmsg.StringPtr(c.kind), c.protocol, m.assigned
	}
	return r
}

// syncDone stops waiting for SyncGroups.
func (t *turn) syncDone(g *group) {
	c := &g.classic
	for _, m := range c.members {
		m.unsent = false
	}
	c.unsent = 0
	if c.syncAt != 0 {
		c.syncAt = 0
		t.timer(timerKey(keySync, g.id, ""), 0)
	}
}

// syncDue drops the members that never sent a SyncGroup.
func (t *turn) syncDue(g *group) {
	c := &g.classic
	if c.syncAt == 0 {
		return
	}
	if t.now < c.syncAt {
		t.timer(timerKey(keySync, g.id, ""), c.syncAt)
		return
	}
	for _, m := range append([]*member(nil), c.members...) {
		if m.unsent {
			t.drop(g, m)
		}
	}
	t.rebalance(g)
}

// heartbeat takes a Heartbeat.
func (t *turn) heartbeat(r *kmsg.HeartbeatRequest) {
	resp := kmsg.NewPtrHeartbeatResponse()
	resp.Version, resp.ErrorCode = r.Version, t.beat(r)
	t.answer(r.Group, resp)
}

func (t *turn) beat(r *kmsg.HeartbeatRequest) int16 {
	g := t.groups[r.Group]
	switch {
	case r.Group == "":
		return codeInvalidGroupID
	case g == nil:
		return codeUnknownMember
	case g.consumer != nil:
		return t.beatConsumer(g, r)
	}
	c := &g.classic
	m, code := c.find(r.MemberID, r.InstanceID)
	switch {
	case code != codeNone:
		return code
	case r.Generation != c.generation:
		return codeIllegalGeneration
	}
	t.touch(g, m, m.session)
	if c.state == preparing {
		return codeRebalance
	}
	return codeNone
}

// leave takes a LeaveGroup, of one member or, from version 3 on, of several.
func (t *turn) leave(r *kmsg.LeaveGroupRequest) {
	resp := kmsg.NewPtrLeaveGroupResponse()
	resp.Version = r.Version
	defer func() { t.answer(r.Group, resp) }()
	if r.Group == "" {
		resp.ErrorCode = codeInvalidGroupID
		return
	}
	g := t.groups[r.Group]
	if g != nil && g.consumer != nil {
		t.leaveConsumers(g, r, resp)
		return
	}
	before := 0
	if g != nil {
		before = len(g.classic.members)
	}
	if r.Version < 3 {
		one := kmsg.NewLeaveGroupRequestMember()
		one.MemberID = r.MemberID
		resp.ErrorCode = t.leaveOne(g, one)
	}
	for _, m := range r.Members {
		code := t.leaveOne(g, m)
		resp.Members = append(resp.Members, kmsg.LeaveGroupResponseMember{MemberID: m.MemberID, InstanceID: m.InstanceID, ErrorCode: code})
	}
	switch {
	case g == nil:
	case len(g.classic.members) < before:
		t.lost(g)
	default:
		t.unawaited(g)
		t.settle(g)
	}
}

// leaveOne takes a member out. An operator names only the instance id.
func (t *turn) leaveOne(g *group, r kmsg.LeaveGroupRequestMember) int16 {
	if g == nil {
		return codeUnknownMember
	}
	c := &g.classic
	if c.pending[r.MemberID] != nil {
		delete(c.pending, r.MemberID)
		t.timer(timerKey(keySession, g.id, r.MemberID), 0)
		return codeNone
	}
	m, code := (*member)(nil), codeUnknownMember
	if r.MemberID != "" {
		m, code = c.find(r.MemberID, r.InstanceID)
	} else if r.InstanceID != nil && c.static[*r.InstanceID] != nil {
		m, code = c.static[*r.InstanceID], codeNone
	}
	if code == codeNone {
		t.drop(g, m)
	}
	return code
}
