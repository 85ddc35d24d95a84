package group

import (
	"slices"

	"github.com/brokerd/brokerd/internal/step"
)

// consumer is a group whose members the coordinator assigns partitions to
// (KIP-848).
//
//	subscriptions, topics ──► epoch ──► target assignment ──► each member on its own:
//
//	STABLE ──target moved──► UNREVOKED ──gave up what is not its own──► UNRELEASED ──others did too──► STABLE
//
// All but what is marked soft is what the log says: a step writes records and
// applies them at once by what Replay uses; replayed once more they change nothing.
type consumer struct {
	epoch   int32 // goes up with every change of members, subscriptions and topics
	hash    int64 // of the topics subscribed to when it did
	placed  int32 // the epoch that the targets are for
	members map[string]*consumerMember
	regexes map[string]resolved

	static map[string]string        // group.instance.id → member
	held   map[step.PartitionID]int // how many members a partition is assigned to, or still revoked from (G1)

	// What a thousand members would have to be looked at for; nil: to be found anew.
	order []string       // the members by id; never written to, so who ranges over it may end some
	names map[string]int // what the group subscribes to, and how many members do

	seen int64 // soft: the state of the topics that hash was last compared with
}

// consumerMember is one member. Its three records come and go together.
type consumerMember struct {
	id      string
	about   about
	target  parts
	current current

	known, aimed, based bool // which of the records 5, 7 and 8 are in the log

	timer   string       // soft: of the session
	expires step.Instant // soft
	armed   step.Instant // soft: when the timer fires; 0: it is not set

	revokeAt    step.Instant // soft: when it must have given up partitions, or joined or synced; 0: it owes nothing
	revokeEpoch int32        // soft: of the member, when that began
}

// ids gives the members in order.
func (c *consumer) ids() []string {
	if c.order == nil {
		c.order = slices.DeleteFunc(sorted(c.members), func(id string) bool { return !c.members[id].known })
	}
	return c.order
}

// introduce takes what a member says of itself, or that it has gone.
func (c *consumer) introduce(m *consumerMember, a about, known bool) {
	c.count(m, -1)
	was := m.known
	m.about, m.known = a, known
	c.count(m, 1)
	if c.order == nil || was == known {
		return
	}
	at, _ := slices.BinarySearch(c.order, m.id)
	if known {
		c.order = slices.Insert(slices.Clone(c.order), at, m.id)
	} else {
		c.order = slices.Delete(slices.Clone(c.order), at, at+1)
	}
}

// count adds n to the subscribers of what a member subscribes to.
func (c *consumer) count(m *consumerMember, n int) {
	if c.names == nil || !m.known {
		return
	}
	for _, name := range c.subscription(&m.about) {
		if c.names[name] += n; c.names[name] == 0 {
			delete(c.names, name)
		}
	}
}

func (c *consumer) member(id string) *consumerMember {
	if m := c.members[id]; m != nil && m.known {
		return m
	}
	return nil
}

// reconciled tells whether a member has all of the newest target, and no more.
func (c *consumer) reconciled(m *consumerMember) bool {
	return m.current.state == memberStable && m.current.epoch == c.placed
}

func (c *consumer) stateName() string {
	ids := c.ids()
	switch {
	case len(ids) == 0:
		return "Empty"
	case c.epoch > c.placed:
		return "Assigning"
	case slices.ContainsFunc(ids, func(id string) bool { return !c.reconciled(c.members[id]) }):
		return "Reconciling"
	}
	return "Stable"
}

// topicNames is what the group subscribes to.
func (c *consumer) topicNames() map[string]int {
	if c.names == nil {
		c.names = map[string]int{}
		for _, id := range c.ids() {
			c.count(c.members[id], 1)
		}
	}
	return c.names
}

// subscription is what one member subscribes to, sorted.
func (c *consumer) subscription(a *about) []string {
	if a.regex == nil {
		return a.topics
	}
	all := append(slices.Clone(a.topics), c.regexes[*a.regex].topics...)
	slices.Sort(all)
	return slices.Compact(all)
}

// take applies one record to a group. Doing it twice is doing it once.
func (g *group) take(f fact) {
	if f.key == keyConsumer && f.gone {
		g.consumer = nil
		return
	}
	if g.consumer == nil {
		if f.gone || f.key == keyConsumerTopics {
			return
		}
		g.consumer = &consumer{
			members: map[string]*consumerMember{}, regexes: map[string]resolved{},
			static: map[string]string{}, held: map[step.PartitionID]int{}, seen: -1,
		}
	}
	c := g.consumer
	switch f.key {
	case keyConsumer:
		c.epoch, c.hash = f.epoch, f.hash
	case keyTarget:
		c.placed = f.epoch
	case keyRegex:
		c.names = nil
		c.regexes[f.name] = f.regex
		if f.gone {
			delete(c.regexes, f.name)
		}
	case keyMember, keyMemberTarget, keyMemberCurrent:
		c.takeMember(f)
	}
}

func (c *consumer) takeMember(f fact) {
	m := c.members[f.name]
	if m == nil {
		m = &consumerMember{id: f.name}
		c.members[f.name] = m
	}
	switch f.key {
	case keyMember:
		if old := m.about.instance; old != nil && c.static[*old] == m.id {
			delete(c.static, *old)
		}
		c.introduce(m, f.about, !f.gone)
		if now := m.about.instance; now != nil {
			c.static[*now] = m.id
		}
	case keyMemberTarget:
		m.target, m.aimed = f.target, !f.gone
	case keyMemberCurrent:
		c.hold(m, -1)
		m.current, m.based = f.current, !f.gone
		c.hold(m, 1)
	}
	if !m.known && !m.aimed && !m.based {
		delete(c.members, m.id)
	}
}

// hold adds n to the holders of what m has.
func (c *consumer) hold(m *consumerMember, n int) {
	for _, set := range []parts{m.current.assigned, m.current.revoking} {
		for _, id := range set.topics() {
			for _, p := range set[id] {
				at := step.PartitionID{Topic: id, Index: p}
				if c.held[at] += n; c.held[at] == 0 {
					delete(c.held, at)
				}
			}
		}
	}
}

// taken tells whether another member than m has a partition, or may still use it.
func (c *consumer) taken(m *consumerMember, id step.TopicID, p int32) bool {
	n := c.held[step.PartitionID{Topic: id, Index: p}]
	for _, set := range []parts{m.current.assigned, m.current.revoking} {
		if set.has(id, p) {
			n--
		}
	}
	return n > 0
}

// write puts facts of a group into the log, and applies them.
func (t *turn) write(g *group, facts ...fact) {
	for _, f := range facts {
		f.group = g.id
		t.append(g, f.record(t.in.UnixMs))
		g.take(f)
	}
}
