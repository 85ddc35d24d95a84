package group

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/brokerd/brokerd/internal/step"
)

// oldClient is a classic consumer that assigns as real ones do. An eager one
// gives everything up before it joins; else it joins once more when an assignment
// took something from it.
type oldClient struct {
	*client
	eager  bool
	owned  parts
	waits  step.Token // of a JoinGroup or SyncGroup; 0: none
	syncs  bool       // that is a SyncGroup
	rejoin bool
	last   int32 // the generation in which it was assigned something last
	code   int16
}

func (b *bed) old(eager bool, topics ...string) *oldClient {
	return &oldClient{client: b.client(topics...), eager: eager, owned: parts{}, rejoin: true}
}

func (c *oldClient) subscription() []byte {
	v := kmsg.NewConsumerMemberMetadata()
	v.Version, v.Topics = 1, c.topics
	for _, id := range c.owned.topics() {
		name, _, _ := c.bed.topics.Named(id)
		v.OwnedPartitions = append(v.OwnedPartitions, kmsg.ConsumerMemberMetadataOwnedPartition{Topic: name, Partitions: c.owned[id]})
	}
	return v.AppendTo(nil)
}

// acts does one thing: it joins, takes an answer, or beats.
func (c *oldClient) acts() {
	c.Helper()
	switch {
	case c.waits == 0 && c.rejoin:
		if c.eager {
			c.owned = parts{}
		}
		c.sends()
	case c.waits == 0:
		c.fails(c.beat())
	case c.answers[c.waits] == nil:
	case c.syncs:
		c.hearsSync()
	default:
		c.hearsJoin()
	}
}

func (c *oldClient) sends() {
	r := kmsg.NewPtrJoinGroupRequest()
	r.Version, r.Group, r.MemberID, r.InstanceID = 9, "g", c.id, c.instance
	r.SessionTimeoutMillis, r.RebalanceTimeoutMillis, r.ProtocolType = c.session, 20_000, "consumer"
	r.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "p", Metadata: c.subscription()}}
	c.rejoin, c.syncs = false, false
	c.waits = c.send(JoinGroup{Client: Client{"c", "/127.0.0.1"}, Req: r})
}

func (c *oldClient) hearsJoin() {
	resp := c.answers[c.waits].(*kmsg.JoinGroupResponse)
	c.waits = 0
	if resp.ErrorCode == codeMemberIDRequired {
		c.id, c.rejoin = resp.MemberID, true
		return
	}
	if c.fails(resp.ErrorCode); resp.ErrorCode != 0 {
		return
	}
	c.id, c.gen = resp.MemberID, resp.Generation
	r := kmsg.NewPtrSyncGroupRequest()
	r.Version, r.Group, r.MemberID, r.InstanceID, r.Generation = 5, "g", c.id, c.instance, c.gen
	r.ProtocolType, r.Protocol = resp.ProtocolType, resp.Protocol
	if resp.LeaderID == c.id {
		r.GroupAssignment = c.assigns(resp.Members)
	}
	c.syncs, c.waits = true, c.send(SyncGroup{r})
}

// assigns is what the leader does: partitions go round, and one that another
// member still has goes to nobody until that one gave it up.
func (c *oldClient) assigns(members []kmsg.JoinGroupResponseMember) (all []kmsg.SyncGroupRequestGroupAssignment) {
	has := map[step.PartitionID]string{}
	wants := map[string][]string{}
	for _, m := range members {
		v, _ := readSubscription(m.ProtocolMetadata)
		for _, o := range v.OwnedPartitions {
			for _, p := range o.Partitions {
				has[step.PartitionID{Topic: c.bed.topics[o.Topic], Index: p}] = m.MemberID
			}
		}
		for _, name := range v.Topics {
			wants[name] = append(wants[name], m.MemberID)
		}
	}
	gets := map[string]parts{}
	for _, name := range sorted(wants) {
		for p := range int32(4) {
			at := step.PartitionID{Topic: c.bed.topics[name], Index: p}
			to := wants[name][int(p)%len(wants[name])]
			if owner, ok := has[at]; ok && owner != to {
				continue
			}
			if gets[to] == nil {
				gets[to] = parts{}
			}
			gets[to].add(at.Topic, p)
		}
	}
	t := turn{in: step.Input{Cluster: c.bed.topics}}
	for _, m := range members {
		all = append(all, kmsg.SyncGroupRequestGroupAssignment{MemberID: m.MemberID, MemberAssignment: t.embed(gets[m.MemberID], m.ProtocolMetadata)})
	}
	return all
}

func (c *oldClient) hearsSync() {
	resp := c.answers[c.waits].(*kmsg.SyncGroupResponse)
	c.waits = 0
	if c.fails(resp.ErrorCode); resp.ErrorCode != 0 {
		return
	}
	if c.gen < c.last {
		c.Fatalf("G4: %s went from generation %d to %d", c.id, c.last, c.gen)
	}
	c.last = c.gen
	t := turn{in: step.Input{Cluster: c.bed.topics}}
	got, _, ok := t.assignment(resp.MemberAssignment)
	if !ok {
		c.Fatalf("assignment %x", resp.MemberAssignment)
	}
	c.rejoin = !c.owned.within(got)
	c.owned = got
}

func (c *oldClient) fails(code int16) {
	switch c.code = code; code {
	case 0:
	case codeRebalance:
		c.rejoin = true
	case codeIllegalGeneration:
		c.rejoin, c.owned = true, parts{}
	case codeUnknownMember, codeFencedInstance:
		c.id, c.gen, c.last, c.rejoin, c.owned = "", 0, 0, true, parts{}
	default:
		c.Fatalf("%s: error %d", c.id, code)
	}
}

// share lets members act until they share all partitions of t, and nothing moves.
func (b *bed) share(members ...interface{ acts() }) {
	b.Helper()
	for range 40 {
		for _, m := range members {
			m.acts()
		}
		b.advance(500 * time.Millisecond)
	}
}

func (c *consumerClient) acts() { c.beats() }

// The classic group of two becomes a consumer group when one of another kind
// joins, and a classic one again when that one leaves. Offsets stay, epochs and
// generations rise, nobody is thrown out.
func TestMigrateAndBack(t *testing.T) {
	for _, eager := range []bool{false, true} {
		b := newBed(t)
		one, two := b.old(eager, "t"), b.old(eager, "t")
		two.instance = kmsg.StringPtr("i")
		b.share(one, two)
		b.wantState("Stable", 2)
		p := one.owned[b.topics["t"]][0]
		want(t, "commit", one.commit("t", p, 17), codeNone)
		ids := [2]string{one.id, two.id}
		gen := one.gen

		three := b.consumer("three", "t")
		b.share(one, two, three)
		b.wantConsumers("Stable", gen+1, 3)
		for _, m := range b.consumerGroup().Members {
			want(t, "kind of "+m.MemberID, m.MemberType == 1, m.MemberID == "three")
		}
		want(t, "shares", one.owned.size()+two.owned.size()+three.owned.size(), 4)
		b.reload()
		b.share(one, two, three)
		b.wantConsumers("Stable", gen+1, 3)

		three.says(epochLeave)
		b.wantState("PreparingRebalance", 2)
		b.share(one, two)
		b.wantState("Stable", 2)
		want(t, "ids", [2]string{one.id, two.id}, ids)
		if one.gen <= gen+1 || one.owned.size() != 2 || two.owned.size() != 2 {
			t.Fatalf("generation %d, %v %v", one.gen, one.owned, two.owned)
		}
		b.wantOffset("t", p, 17)
	}
}

// A group of eager members becomes a consumer group when one of them has heard of an
// assignment that takes a partition from another, who has not. That this one gives
// it up then is nothing to who has it now.
func TestUpgradeWhilePartitionsMove(t *testing.T) {
	b := newBed(t)
	one, two, three := b.old(true, "t"), b.old(true, "t"), b.old(true, "t")
	b.share(one, two)
	id := b.topics["t"]
	want(t, "the second member had it", two.owned.has(id, 3), true)
	for i := 0; !one.owned.has(id, 3); i++ {
		if i == 20 {
			t.Fatal("the first member never hears of its new assignment")
		}
		three.acts()
		one.acts()
		if two.waits == 0 { // it joins, and hears no more
			two.acts()
		}
	}
	four := b.consumer("four", "t")
	for range 12 { // one is silent, and reads on
		four.acts()
		two.acts()
		three.acts()
		if four.owned.has(id, 3) || two.owned.has(id, 3) || three.owned.has(id, 3) {
			t.Fatalf("G1: the first member has %v, the others %v %v %v", one.owned, two.owned, three.owned, four.owned)
		}
	}
	b.share(one, two, three, four)
	want(t, "shares", [4]int{one.owned.size(), two.owned.size(), three.owned.size(), four.owned.size()}, [4]int{1, 1, 1, 1})
}

func TestMigrationPolicies(t *testing.T) {
	for _, p := range []Migration{{}, {Upgrade: true}, {Downgrade: true}} {
		b := newBed(t, func(c *Config) { c.Consumer.Migration = p })
		one, two := b.old(true, "t"), b.consumer("two", "t")
		b.share(one)
		code := two.says(epochJoin)
		want(t, fmt.Sprint(p, ": upgrade"), code == 0, p.Upgrade)
		want(t, fmt.Sprint(p, ": stays"), b.m.groups["g"].consumer != nil, p.Upgrade)

		b = newBed(t, func(c *Config) { c.Consumer.Migration = p })
		one, two = b.old(true, "t"), b.consumer("two", "t")
		two.beats()
		one.sends()
		if joins := b.answers[one.waits].(*kmsg.JoinGroupResponse).ErrorCode; p == (Migration{}) {
			want(t, "join into a group of the other kind", joins, codeInconsistentProtocol)
			continue
		}
		b.share(one, two)
		b.wantConsumers("Stable", 2, 2)
		two.says(epochLeave)
		want(t, fmt.Sprint(p, ": downgrade"), b.m.groups["g"].consumer == nil, p.Downgrade)
		b.share(one)
		want(t, fmt.Sprint(p, ": owns"), one.owned.size(), 4)
	}
}

func TestUpgradeRefused(t *testing.T) {
	join := func(b *bed, kind string, metadata, assignment []byte) {
		r := kmsg.NewPtrJoinGroupRequest()
		r.Version, r.Group, r.ProtocolType = 3, "g", kind
		r.SessionTimeoutMillis, r.RebalanceTimeoutMillis = 20_000, 60_000
		r.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "p", Metadata: metadata}}
		token := b.send(JoinGroup{Client: Client{"c", ""}, Req: r})
		b.advance(3 * time.Second)
		joined := b.answers[token].(*kmsg.JoinGroupResponse)
		s := kmsg.NewPtrSyncGroupRequest()
		s.Version, s.Group, s.MemberID, s.Generation = 3, "g", joined.MemberID, joined.Generation
		s.GroupAssignment = []kmsg.SyncGroupRequestGroupAssignment{{MemberID: joined.MemberID, MemberAssignment: assignment}}
		b.send(SyncGroup{s})
	}
	good := (&client{topics: []string{"t"}}).metadata()
	custom := kmsg.NewConsumerMemberAssignment()
	custom.UserData = []byte("x")
	for _, s := range []struct {
		name, kind           string
		metadata, assignment []byte
		max                  int
		code                 int16
	}{
		{"not consumers", "connect", good, nil, 9, codeGroupNotFound},
		{"a subscription that cannot be read", "consumer", []byte{0, 9, 0}, nil, 9, codeGroupNotFound},
		{"an assignment that cannot be read", "consumer", good, []byte{0, 1, 9}, 9, codeGroupNotFound},
		{"an assignor's own data", "consumer", good, custom.AppendTo(nil), 9, codeGroupNotFound},
		{"no room", "consumer", good, nil, 1, codeGroupFull},
		{"all right", "consumer", good, nil, 9, codeNone},
	} {
		b := newBed(t, func(c *Config) { c.Consumer.MaxSize = s.max })
		join(b, s.kind, s.metadata, s.assignment)
		want(t, s.name, b.consumer("two", "t").says(epochJoin), s.code)
		if s.code != 0 {
			b.wantState("Stable", 1)
		}
	}
}

// A static member comes back as a classic one, the last that was none, while another
// has what shall be its own. That stays with whoever has it, also when the
// coordinator changes, and then the group rebalances.
func TestDowngradeWhilePartitionsMove(t *testing.T) {
	for _, reload := range []bool{false, true} {
		b := newBed(t)
		one := b.old(true, "t")
		b.share(one)
		two := b.consumer("two", "t")
		two.instance = kmsg.StringPtr("i")
		two.beats()
		two.says(epochLeaveStatic)
		again := b.old(true, "t")
		again.instance = two.instance
		again.acts()
		want(t, "downgraded", b.m.groups["g"].consumer == nil, true)
		if reload {
			b.reload()
			again.waits, again.rejoin = 0, true
		}
		for range 12 { // the first member is silent, and reads on
			again.acts()
			want(t, "has meanwhile", again.owned.size(), 0)
		}
		b.share(one, again)
		want(t, "shares", [2]int{one.owned.size(), again.owned.size()}, [2]int{2, 2})
	}
}

// A static member takes the place of a classic one while the group rebalances, and
// subscribes to the same: what was not assigned to anybody then is assigned now.
func TestUpgradeAssignsTheRest(t *testing.T) {
	b := newBed(t)
	one, two := b.old(false, "t"), b.old(false, "t")
	two.instance = kmsg.StringPtr("i")
	b.share(one)
	for i := 0; one.owned.size() == 4; i++ {
		if i == 20 {
			t.Fatal("the first member never gives anything up")
		}
		two.acts()
		one.acts()
	}
	want(t, "nobody else has it yet", two.owned.size(), 0)
	now := b.consumer("now", "t")
	now.instance = two.instance
	b.share(one, now)
	want(t, "shares", [2]int{one.owned.size(), now.owned.size()}, [2]int{2, 2})
}

// A static member comes back as one of the other kind: it takes its place, and
// the group its kind.
func TestStaticMemberChangesKind(t *testing.T) {
	b := newBed(t)
	old := b.old(false, "t")
	old.instance = kmsg.StringPtr("i")
	b.share(old)
	now := b.consumer("now", "t")
	now.instance = old.instance
	b.share(now)
	want(t, "owns", now.owned.size(), 4)
	b.wantConsumers("Stable", now.epoch, 1)
	want(t, "the former member", old.beat(), codeFencedInstance)

	again := b.old(false, "t")
	again.instance = old.instance
	b.share(again)
	want(t, "owns again", again.owned.size(), 4)
	b.wantState("Stable", 1)
	want(t, "generation", again.gen >= now.epoch, true)
}

// A classic member in a consumer group has its own session time-out, and its
// rebalance time-out to join and to sync.
func TestClassicMembersTimeOut(t *testing.T) {
	b := newBed(t)
	one, two := b.old(false, "t"), b.consumer("two", "t")
	two.beats()
	b.share(one, two)
	b.wantConsumers("Stable", 2, 2)
	for range 3 {
		b.advance(4 * time.Second)
		two.beats()
	}
	b.wantConsumers("Stable", 3, 1) // its session has 10 s, that of the others 45
	one = b.old(false, "t")
	b.share(one, two)
	three := b.consumer("three", "t")
	for range 7 { // one is told to join, and beats on
		three.beats()
		two.beats()
		one.beat()
		b.advance(4 * time.Second)
	}
	if d := b.consumerGroup(); len(d.Members) != 2 || d.State != "Stable" {
		t.Fatalf("%+v", d)
	}
}

func TestMixedLeaves(t *testing.T) {
	b := newBed(t)
	one, two := b.old(false, "t"), b.consumer("two", "t")
	two.instance = kmsg.StringPtr("i")
	two.beats()
	b.share(one, two)
	r := kmsg.NewPtrLeaveGroupRequest()
	r.Version, r.Group = 5, "g"
	r.Members = []kmsg.LeaveGroupRequestMember{{MemberID: "nobody"}, {InstanceID: two.instance}, {MemberID: "x", InstanceID: two.instance}}
	resp := b.answers[b.send(LeaveGroup{r})].(*kmsg.LeaveGroupResponse)
	want(t, "codes", [3]int16{resp.Members[0].ErrorCode, resp.Members[1].ErrorCode, resp.Members[2].ErrorCode},
		[3]int16{codeUnknownMember, codeNone, codeFencedInstance})
	b.wantState("PreparingRebalance", 1) // only one of the classic kind is left
	b.share(one)
	want(t, "owns", one.owned.size(), 4)
}

// TestMigrationSimulation lets members of both kinds live, die and come back as
// the other kind, static and not, while answers get lost and coordinators change.
// G1 as for consumer groups. G4: generations and epochs only rise. O4: offsets
// stay. G3: when the faults end, all share the partitions.
func TestMigrationSimulation(t *testing.T) {
	// These once failed: downgraded while members were on their way, sessions that
	// ran out while syncs were refused, upgraded in the middle of a rebalance.
	all := []uint64{598, 668, 689, 850, 991, 1789, 1976, 2576, 2863, 3211}
	for seed := range uint64(*seeds) {
		all = append(all, seed)
	}
	for _, seed := range all {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { simulateMigration(t, seed) })
	}
}

// mixed is a member that is of one kind at a time.
type mixed struct {
	old    *oldClient
	now    *consumerClient
	static *string
	heard  step.Instant // when the coordinator last said, or heard, what it now knows
	silent step.Instant

	answer   step.Token // the last one of an old client
	answered step.Instant
}

// acts does one thing of an old client. What it is told now may be long past.
func (m *mixed) acts(now step.Instant) {
	if m.old.waits != 0 && m.old.waits == m.answer {
		now = max(m.heard, m.answered)
	}
	m.old.acts()
	m.heard = now
}

func (m *mixed) owns() (parts, string) {
	if m.old != nil {
		return m.old.owned, m.old.id
	}
	return m.now.owned, m.now.id
}

func (m *mixed) forget() {
	if m.old != nil {
		m.old.owned, m.old.rejoin, m.old.waits = parts{}, true, 0
		return
	}
	m.now.owned, m.now.full = parts{}, true
}

func simulateMigration(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 3))
	b := newBed(t)
	lives := 0
	eager := seed%3 == 0 // a group does not mix the two ways
	born := func(m *mixed) {
		lives++
		if m.old, m.now = nil, nil; rng.IntN(2) == 0 {
			m.old = b.old(eager, "t", "u")
			m.old.instance = m.static
			return
		}
		m.now = b.consumer(fmt.Sprint("n", lives), "t", "u")
		m.now.instance = m.static
	}
	all := make([]*mixed, 5)
	for i := range all {
		all[i] = &mixed{}
		if i < 2 {
			all[i].static = kmsg.StringPtr(fmt.Sprint("s", i))
		}
		born(all[i])
	}
	act := func(m *mixed, faults bool) {
		if faults && rng.IntN(100) == 0 {
			m.silent = b.now.Add(time.Duration(rng.IntN(30)) * time.Second)
		}
		if faults && b.now < m.silent {
			return
		}
		switch {
		case faults && rng.IntN(60) == 0:
			if m.static == nil && m.old != nil && m.old.id != "" {
				m.old.leave()
			} else if m.now != nil && m.now.epoch > 0 {
				m.now.says([]int32{epochLeave, epochLeaveStatic}[min(1, len(text(m.static)))])
			}
			born(m)
			return
		case m.old != nil && faults && rng.IntN(15) == 0 && m.old.waits != 0:
			m.old.waits, m.old.rejoin = 0, true // lost
			return
		case m.old != nil:
			m.acts(b.now)
			return
		}
		resp := m.now.ask(m.now.request())
		if faults && rng.IntN(15) == 0 {
			if m.now.full = true; m.now.epoch == epochJoin {
				m.now.owned = parts{}
			}
			return
		}
		m.heard = b.now
		m.now.hear(resp)
	}
	last := int32(0)
	check := func() {
		g := b.m.groups["g"]
		if g == nil {
			return
		}
		epoch := g.classic.generation
		if g.consumer != nil {
			epoch = g.consumer.epoch
		}
		if epoch < last {
			t.Fatalf("G4: the group went from %d to %d", last, epoch)
		}
		if g.consumer != nil || g.classic.state == stable {
			last = epoch // else nobody was assigned anything in it: it may be lost, and its number given again
		}
		owner := map[string]string{}
		for _, m := range all {
			if m.old != nil && m.old.waits != m.answer && b.answers[m.old.waits] != nil {
				m.answer, m.answered = m.old.waits, b.now
			}
			if b.now.Sub(m.heard) >= 10*time.Second {
				m.forget()
			}
			owned, id := m.owns()
			if g.consumer == nil && g.classic.byID[id] == nil || g.consumer != nil && g.consumer.member(id) == nil {
				continue // fenced: it hears it soon, and can commit nothing
			}
			for topic, list := range owned {
				for _, p := range list {
					key := fmt.Sprint(topic[0], "-", p)
					if other := owner[key]; other != "" {
						t.Fatalf("G1: %s and %s own %s", other, id, key)
					}
					owner[key] = id
				}
			}
		}
	}
	b.client("t").commit("t", 2, 99)
	for _, faults := range []bool{true, false} {
		for range 250 {
			b.advance(time.Duration(rng.IntN(1500)) * time.Millisecond)
			if faults && rng.IntN(40) == 0 {
				b.reload()
				for _, m := range all {
					if m.old != nil && m.old.waits != 0 {
						m.old.waits, m.old.rejoin = 0, true
					}
				}
			}
			check()
			for _, m := range all {
				act(m, faults)
				check()
			}
		}
	}
	n, ids := 0, []string{}
	for _, m := range all {
		owned, id := m.owns()
		n += owned.size()
		ids = append(ids, id)
	}
	slices.Sort(ids)
	if n != 8 || len(slices.Compact(ids)) != len(all) {
		t.Fatalf("G3: %d of 8 partitions are owned, members %v", n, ids)
	}
	b.wantOffset("t", 2, 99)
}
