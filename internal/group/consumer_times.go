package group

import (
	"cmp"
	"time"
)

// touchConsumer begins a member's session anew. Its timer runs on: fired too
// early, it is set again.
func (t *turn) touchConsumer(g *group, m *consumerMember) {
	session, _ := t.times(g.id)
	if m.about.classic != nil {
		session = ms(m.about.classic.session)
	}
	m.expires = t.now.Add(session)
	if m.armed == 0 || m.expires < m.armed {
		m.timer = timerKey(keyConsumerSession, g.id, m.id)
		m.armed = m.expires
		t.timer(m.timer, m.armed)
	}
}

// times is the session time-out and the heartbeat interval of a group's members.
// After a load nobody knows the group's own before its first heartbeat.
func (t *turn) times(group string) (session, heartbeat time.Duration) {
	if t.in.Cluster != nil {
		session, heartbeat = t.in.Cluster.GroupTimes(group)
	}
	return cmp.Or(session, t.cfg.Consumer.Session), cmp.Or(heartbeat, t.cfg.Consumer.Heartbeat)
}

// revoking gives a member that owes partitions its rebalance timeout, and only
// such a one (G2). Classic members have it for all that they owe: see owe.
func (t *turn) revoking(g *group, m *consumerMember) {
	key := timerKey(keyRevoke, g.id, m.id)
	switch owes := m.current.state == unrevoked && m.about.classic == nil; {
	case owes && (m.revokeAt == 0 || m.revokeEpoch != m.current.epoch):
		m.revokeEpoch = m.current.epoch
		m.revokeAt = t.now.Add(time.Duration(max(m.about.rebalance, 0)) * time.Millisecond)
		t.timer(key, m.revokeAt)
	case !owes && m.revokeAt != 0:
		m.revokeAt = 0
		t.timer(key, 0)
	}
}

// consumerDue expels a member that was silent, or that has not given up in time
// what is not its own any more.
func (t *turn) consumerDue(g *group, kind, id string) {
	if g.consumer == nil {
		return
	}
	m := g.consumer.member(id)
	switch {
	case m == nil:
	case kind == keyRevoke:
		if m.revokeAt == 0 {
			return
		}
		if t.now < m.revokeAt {
			t.timer(timerKey(keyRevoke, g.id, id), m.revokeAt)
			return
		}
		m.revokeAt = 0
		t.expel(g, m)
	case m.armed == 0:
	case t.now < m.expires:
		m.armed = m.expires
		t.timer(m.timer, m.armed)
	default:
		m.armed = 0
		t.expel(g, m)
	}
}

// restoreConsumer begins the sessions of the members that the log knows.
func (t *turn) restoreConsumer(g *group) {
	c := g.consumer
	c.seen = -1
	for _, id := range c.ids() {
		m := c.members[id]
		m.armed, m.revokeAt = 0, 0
		t.touchConsumer(g, m)
		t.revoking(g, m)
	}
}
