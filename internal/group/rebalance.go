package group

import (
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/brokerd/brokerd/internal/invariant"
)

// rebalance begins a new generation, if one is not under way, and ends it when
// nobody is missing.
func (t *turn) rebalance(g *group) {
	if g.classic.state != preparing {
		t.prepare(g)
		return
	}
	t.unawaited(g)
}

// prepare asks all members to join again.
func (t *turn) prepare(g *group) {
	c := &g.classic
	if c.state == completing {
		for _, m := range c.members {
			t.answerSync(g, m, codeRebalance)
		}
	}
	t.syncDone(g)
	c.initial = c.state == empty
	c.enter(preparing, t.in.UnixMs)
	switch {
	case c.initial:
		c.grown = false
		c.left = max(c.rebalanceTimeout()-t.cfg.InitialDelay, 0)
		t.joinTimer(g, t.cfg.InitialDelay)
	case c.everybodyJoined():
		t.complete(g)
	default:
		t.joinTimer(g, c.rebalanceTimeout())
	}
}

func (t *turn) joinTimer(g *group, after time.Duration) {
	g.classic.joinAt = t.now.Add(after)
	t.timer(timerKey(keyJoin, g.id, ""), g.classic.joinAt)
}

// joinDue ends a rebalance whose time is up. The initial delay grows by itself
// while members come, up to the rebalance timeout.
func (t *turn) joinDue(g *group) {
	c := &g.classic
	switch {
	case c.state != preparing || c.joinAt == 0:
	case t.now < c.joinAt:
		t.timer(timerKey(keyJoin, g.id, ""), c.joinAt)
	case c.initial && c.grown && c.left > 0:
		c.grown = false
		more := min(t.cfg.InitialDelay, c.left)
		c.left -= more
		t.joinTimer(g, more)
	default:
		t.complete(g)
	}
}

// complete makes the next generation of those who joined.
func (t *turn) complete(g *group) {
	c := &g.classic
	if c.joinAt != 0 {
		c.joinAt = 0
		t.timer(timerKey(keyJoin, g.id, ""), 0)
	}
	for _, m := range append([]*member(nil), c.members...) {
		if m.join.to == 0 && m.instance == nil {
			t.drop(g, m)
		}
	}
	if len(c.members) > 0 && !c.electJoined() {
		// Only static members are left and none has joined: their sessions decide.
		t.joinTimer(g, c.rebalanceTimeout())
		return
	}
	c.initial = false
	c.generation++
	c.protocol = nil
	if len(c.members) == 0 {
		c.leader = ""
		c.enter(empty, t.in.UnixMs)
		c.readTopics()
		t.append(g, groupRecord(g.id, c.value(), t.in.UnixMs))
		return
	}
	protocol := c.choose()
	invariant.Check(c.support[protocol] == len(c.members), "group %q: its members have no protocol in common", g.id)
	c.protocol = &protocol
	c.enter(completing, t.in.UnixMs)
	c.readTopics()
	for _, m := range c.members {
		m.fresh, m.unsent = false, true
		c.unsent++
		t.touch(g, m, m.session)
		t.answerJoin(g, m, c.joinResponse(m))
	}
	c.syncAt = t.now.Add(c.rebalanceTimeout())
	t.timer(timerKey(keySync, g.id, ""), c.syncAt)
}

// electJoined keeps a leader who has joined, or takes the first who has.
func (c *classic) electJoined() bool {
	if m := c.byID[c.leader]; m != nil && m.join.to != 0 {
		return true
	}
	for _, m := range c.members {
		if m.join.to != 0 {
			c.leader = m.id
			return true
		}
	}
	return false
}

// joinResponse is what m hears of the present generation.
func (c *classic) joinResponse(m *member) *kmsg.JoinGroupResponse {
	r := kmsg.NewPtrJoinGroupResponse()
	r.Generation, r.LeaderID, r.MemberID = c.generation, c.leader, m.id
	r.ProtocolType, r.Protocol = kmsg.StringPtr(c.kind), c.protocol
	if c.leader == m.id {
		r.Members = c.roster()
	}
	return r
}

// roster is what the leader needs to assign.
func (c *classic) roster() []kmsg.JoinGroupResponseMember {
	list := make([]kmsg.JoinGroupResponseMember, len(c.members))
	for i, m := range c.members {
		list[i] = kmsg.NewJoinGroupResponseMember()
		list[i].MemberID, list[i].InstanceID, list[i].ProtocolMetadata = m.id, m.instance, m.metadata(c.protocol)
	}
	return list
}

func (t *turn) answerJoin(g *group, m *member, r *kmsg.JoinGroupResponse) {
	if m.join.to == 0 {
		return
	}
	r.Version = m.join.version
	t.answerTo(m.join.to, g.id, r)
	m.join = waiting{}
	g.classic.joined--
}

func (t *turn) answerSync(g *group, m *member, code int16) {
	if m.sync.to == 0 {
		return
	}
	t.answerTo(m.sync.to, g.id, g.classic.syncResponse(m, m.sync.version, code))
	m.sync = waiting{}
	t.touch(g, m, m.session)
}

// drop takes a member out of the group and answers whoever waits there.
func (t *turn) drop(g *group, m *member) {
	r := kmsg.NewPtrJoinGroupResponse()
	r.ErrorCode, r.Generation = codeUnknownMember, -1
	t.answerJoin(g, m, r)
	if m.sync.to != 0 {
		t.answerTo(m.sync.to, g.id, g.classic.syncResponse(m, m.sync.version, codeUnknownMember))
		m.sync = waiting{}
	}
	if m.armed != 0 {
		t.timer(m.timer, 0)
	}
	g.classic.remove(m)
}

// touch begins a member's session anew. Its timer is set only when it would
// fire too late: a heartbeat costs none.
func (t *turn) touch(g *group, m *member, d time.Duration) {
	m.expires = t.now.Add(d)
	if m.timer == "" {
		m.timer = timerKey(keySession, g.id, m.id)
	}
	if m.armed == 0 || m.expires < m.armed {
		m.armed = m.expires
		t.timer(m.timer, m.armed)
	}
}

// sessionDue drops who was silent, unless it waits for us.
func (t *turn) sessionDue(g *group, id string) {
	c := &g.classic
	if p := c.pending[id]; p != nil {
		if t.now < p.expires {
			t.timer(timerKey(keySession, g.id, id), p.expires)
			return
		}
		delete(c.pending, id)
		t.unawaited(g)
		t.settle(g)
		return
	}
	m := c.byID[id]
	if m == nil || m.armed == 0 {
		return
	}
	m.armed = 0
	if t.now < m.expires {
		m.armed = m.expires
		t.timer(m.timer, m.armed)
		return
	}
	if !m.fresh && (m.join.to != 0 || m.sync.to != 0) {
		return // its answer begins the next session
	}
	t.drop(g, m)
	t.lost(g)
}

// lost goes on after members are gone.
func (t *turn) lost(g *group) {
	if s := g.classic.state; s == stable || s == completing {
		t.prepare(g)
		return
	}
	t.unawaited(g)
}

// unawaited ends a rebalance when it waits for nobody any more.
func (t *turn) unawaited(g *group) {
	if c := &g.classic; c.state == preparing && !c.initial && c.everybodyJoined() {
		t.complete(g)
	}
}

// restore makes the soft half of a group from the durable one.
func (t *turn) restore(g *group) {
	if g.consumer != nil {
		t.restoreConsumer(g)
		return
	}
	if g.meta == nil {
		return
	}
	v, err := parseGroup(g.meta)
	invariant.Check(err == nil, "group %q: replayed and not readable: %v", g.id, err)
	c := &g.classic
	*c = classic{generation: v.Generation, kind: v.ProtocolType, protocol: v.Protocol, sinceMs: v.CurrentStateTimestamp}
	for _, s := range v.Members {
		m := &member{
			id: s.MemberID, instance: s.InstanceID, client: Client{s.ClientID, s.ClientHost},
			rebalance: ms(s.RebalanceTimeoutMillis), session: ms(s.SessionTimeoutMillis), assigned: s.Assignment,
		}
		if v.Protocol != nil {
			m.protocols = []kmsg.JoinGroupRequestProtocol{{Name: *v.Protocol, Metadata: s.Subscription}}
		}
		c.add(m)
		t.touch(g, m, m.session)
	}
	if v.Leader != nil && c.byID[*v.Leader] != nil {
		c.leader = *v.Leader
	}
	if len(c.members) > 0 {
		c.state = stable
	}
	c.readTopics()
	if len(c.members) > t.cfg.MaxSize || v.Leader == nil && len(c.members) > 0 { // no leader: see downgrade
		t.prepare(g)
	}
}

// begin moves a group that nobody knew into the log.
func (t *turn) begin(g *group) {
	if g.consumer != nil { // without members: see join
		t.endConsumer(g)
	}
	if g.meta == nil {
		v := kmsg.NewGroupMetadataValue()
		v.CurrentStateTimestamp = t.in.UnixMs
		t.append(g, groupRecord(g.id, &v, t.in.UnixMs))
	}
}
