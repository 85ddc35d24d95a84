package group

import (
	"bytes"
	"encoding/hex"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// join takes a JoinGroup. It is answered at once with an error, or with the
// generation that the member is part of; else when the rebalance is over.
func (t *turn) join(e JoinGroup) {
	r := e.Req
	if r.Version < 1 {
		r.RebalanceTimeoutMillis = r.SessionTimeoutMillis
	}
	if code := t.checkJoin(r); code != codeNone {
		t.refuseJoin(r, r.MemberID, code)
		return
	}
	g := t.groups[r.Group]
	if g == nil && r.MemberID != "" {
		t.refuseJoin(r, r.MemberID, codeUnknownMember)
		return
	}
	if g != nil && g.consumer != nil {
		if len(g.consumer.members) > 0 {
			t.joinConsumer(g, e)
			return
		}
		if r.MemberID != "" {
			t.refuseJoin(r, r.MemberID, codeUnknownMember)
			return
		}
	}
	if g == nil {
		g = t.get(r.Group)
		defer t.settle(g) // refused, it was never there
	}
	c := &g.classic
	switch {
	case !t.room(c, r.MemberID):
		delete(c.pending, r.MemberID)
		t.refuseJoin(r, "", codeGroupFull)
		t.unawaited(g)
	case !c.supports(r.ProtocolType, r.Protocols):
		t.refuseJoin(r, r.MemberID, codeInconsistentProtocol)
	case r.MemberID == "":
		t.joinNew(g, e)
	default:
		t.joinAgain(g, e)
	}
}

func (t *turn) checkJoin(r *kmsg.JoinGroupRequest) int16 {
	session := ms(r.SessionTimeoutMillis)
	switch {
	case r.Group == "":
		return codeInvalidGroupID
	case session < t.cfg.MinSession || session > t.cfg.MaxSession:
		return codeInvalidSession
	}
	return codeNone
}

// room tells whether one more fits in. While a group rebalances those count who
// have joined, so that of too many members the first ones stay.
func (t *turn) room(c *classic, id string) bool {
	m := c.byID[id]
	switch c.state {
	case empty:
		return true
	case preparing:
		return m != nil && m.join.to != 0 || c.joined < t.cfg.MaxSize
	}
	return m != nil || len(c.members) < t.cfg.MaxSize
}

func (t *turn) refuseJoin(r *kmsg.JoinGroupRequest, member string, code int16) {
	resp := kmsg.NewPtrJoinGroupResponse()
	resp.Version, resp.ErrorCode, resp.MemberID, resp.Generation = r.Version, code, member, -1
	t.answer(r.Group, resp)
}

// joinNew takes one who has no member id yet.
func (t *turn) joinNew(g *group, e JoinGroup) {
	r, c := e.Req, &g.classic
	if r.InstanceID != nil {
		id := *r.InstanceID + "-" + uuid(t.in.Random)
		if old := c.static[*r.InstanceID]; old != nil {
			t.replaceStatic(g, old, id, e)
			return
		}
		t.addMember(g, id, e)
		return
	}
	id := e.Client.ID + "-" + uuid(t.in.Random)
	if r.Version < 4 {
		t.addMember(g, id, e)
		return
	}
	t.begin(g)
	if c.pending == nil {
		c.pending = map[string]*pending{}
	}
	expires := t.now.Add(ms(r.SessionTimeoutMillis))
	c.pending[id] = &pending{expires}
	t.timer(timerKey(keySession, g.id, id), expires)
	t.refuseJoin(r, id, codeMemberIDRequired)
}

// uuid writes random bytes as a version 4 UUID.
func uuid(b [16]byte) string {
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// newMemberTimeout is how long a new member may wait for its first generation:
// a client that has gone meanwhile must not hold the group for ever.
const newMemberTimeout = 5 * time.Minute

func (t *turn) addMember(g *group, id string, e JoinGroup) {
	r, c := e.Req, &g.classic
	t.begin(g)
	m := &member{id: id, instance: r.InstanceID, client: e.Client, fresh: true}
	if c.pending[id] != nil {
		m.armed = c.pending[id].expires // its timer runs on
	}
	m.take(r)
	if len(c.members) == 0 {
		c.kind = r.ProtocolType
	}
	if c.state == preparing && c.initial {
		c.grown = true
	}
	c.add(m)
	t.park(g, m, r)
	t.touch(g, m, newMemberTimeout)
	t.rebalance(g)
}

func (m *member) take(r *kmsg.JoinGroupRequest) {
	m.protocols = distinct(r.Protocols)
	m.rebalance, m.session = ms(max(r.RebalanceTimeoutMillis, 0)), ms(r.SessionTimeoutMillis)
}

// distinct copies the first protocol of each name: support counts members, and
// the request's bytes are the connection's.
func distinct(protocols []kmsg.JoinGroupRequestProtocol) []kmsg.JoinGroupRequestProtocol {
	seen := map[string]bool{}
	var all []kmsg.JoinGroupRequestProtocol
	for _, p := range protocols {
		if !seen[p.Name] {
			seen[p.Name] = true
			all = append(all, kmsg.JoinGroupRequestProtocol{Name: p.Name, Metadata: bytes.Clone(p.Metadata)})
		}
	}
	return all
}

// park lets the caller wait for the end of the rebalance. Whoever waited there
// before has been given up by its client.
func (t *turn) park(g *group, m *member, r *kmsg.JoinGroupRequest) {
	if m.join.to != 0 {
		old := kmsg.NewPtrJoinGroupResponse()
		old.ErrorCode, old.MemberID, old.Generation = codeRebalance, m.id, -1
		t.answerJoin(g, m, old)
	}
	m.join = waiting{t.in.From, r.Version}
	g.classic.joined++
}

// update takes what a member says of itself now.
func (t *turn) update(g *group, m *member, r *kmsg.JoinGroupRequest) {
	g.classic.count(m, -1)
	m.take(r)
	g.classic.count(m, 1)
	t.park(g, m, r)
}

// joinAgain takes one who names its member id.
func (t *turn) joinAgain(g *group, e JoinGroup) {
	r, c := e.Req, &g.classic
	if c.pending[r.MemberID] != nil && r.InstanceID == nil {
		t.addMember(g, r.MemberID, e)
		return
	}
	m, code := c.find(r.MemberID, r.InstanceID)
	if code != codeNone {
		t.refuseJoin(r, r.MemberID, code)
		return
	}
	same := m.sameProtocols(r.Protocols)
	if c.state == completing && same || c.state == stable && same && c.leader != m.id {
		resp := c.joinResponse(m) // the answer got lost: the generation stays
		resp.Version = r.Version
		t.answer(g.id, resp)
		return
	}
	t.update(g, m, r)
	t.rebalance(g)
}

// replaceStatic gives a static member's place to its successor. The group goes
// on undisturbed if it subscribes to the same.
func (t *turn) replaceStatic(g *group, old *member, id string, e JoinGroup) {
	r, c := e.Req, &g.classic
	wasLeader, leader := c.leader == old.id, c.leader
	fenced := kmsg.NewPtrJoinGroupResponse()
	fenced.ErrorCode, fenced.MemberID, fenced.Generation = codeFencedInstance, old.id, -1
	t.answerJoin(g, old, fenced)
	if old.sync.to != 0 {
		t.answerTo(old.sync.to, g.id, c.syncResponse(old, old.sync.version, codeFencedInstance))
		old.sync = waiting{}
	}
	if old.armed != 0 {
		t.timer(old.timer, 0)
	}
	before := old.metadata(c.protocol)
	m := old
	delete(c.byID, old.id)
	m.id, m.timer, m.armed, m.client = id, "", 0, e.Client
	c.byID[id] = m
	if wasLeader {
		c.leader = id
	}
	t.update(g, m, r)
	t.touch(g, m, m.session)
	switch {
	case c.state != stable:
		if c.state == completing {
			t.prepare(g)
			return
		}
		t.rebalance(g)
	case c.choose() != text(c.protocol) || !sameTopics(c.kind, before, m.metadata(c.protocol)):
		t.rebalance(g)
	default:
		t.append(g, groupRecord(g.id, c.value(), t.in.UnixMs))
		resp := c.joinResponse(m)
		if r.Version >= 9 {
			resp.SkipAssignment = wasLeader
		} else {
			// It must not take itself for the leader, and assign.
			resp.LeaderID, resp.Members = leader, nil
		}
		t.answerJoin(g, m, resp)
	}
}

// sameTopics tells whether two metadata subscribe to the same topics. What else
// is in them, as the partitions that were owned, is no reason to rebalance.
func sameTopics(kind string, a, b []byte) bool {
	if kind != consumerProtocol {
		return true
	}
	before, ok := subscription(a)
	after, ok2 := subscription(b)
	if !ok || !ok2 {
		return ok == ok2
	}
	before, after = slices.Clone(before), slices.Clone(after)
	slices.Sort(before)
	slices.Sort(after)
	return slices.Equal(slices.Compact(before), slices.Compact(after))
}
