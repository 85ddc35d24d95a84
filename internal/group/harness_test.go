package group

import (
	"encoding/binary"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/brokerd/brokerd/internal/record"
	"github.com/brokerd/brokerd/internal/step"
)

// logged is one record of the model log.
type logged struct {
	r         record.Record
	producer  int64 // -1: none
	marker    bool
	committed bool
}

// bed runs a machine as the runtime does: every step's batch is appended and
// replayed, timers fire when their moment comes. After every step it checks C0.
type bed struct {
	*testing.T
	m       *Machine
	shadow  *Machine // only replays
	cfg     Config
	log     []logged
	now     step.Instant
	jumped  time.Duration // the wall clock against now
	doubted time.Duration // and that much of it is not believed
	timers  map[string]step.Instant
	answers map[step.Token]any
	next    step.Token
	topics  cluster

	unchecked bool // in benchmarks
}

func newBed(t *testing.T, change ...func(*Config)) *bed {
	b := &bed{
		T: t, cfg: DefaultConfig(), now: step.Instant(time.Hour), timers: map[string]step.Instant{},
		answers: map[step.Token]any{}, topics: cluster{"t": {1}, "u": {2}},
	}
	for _, f := range change {
		f(&b.cfg)
	}
	b.m, b.shadow = New(b.cfg), New(b.cfg)
	var out step.Effects
	b.m.Loaded(b.now, &out)
	b.apply(&out)
	return b
}

// cluster is topics with four partitions each; big has a thousand.
type cluster map[string]step.TopicID

func partitionsOf(topic string) int32 {
	if topic == "big" {
		return 1000
	}
	return 4
}

// GroupTimes: the group "own" has times of its own.
func (c cluster) GroupTimes(group string) (session, heartbeat time.Duration) {
	if group == "own" {
		return 7 * time.Second, 3 * time.Second
	}
	return 0, 0
}

func (c cluster) Topic(name string) (step.TopicID, int32, bool) {
	id, ok := c[name]
	return id, partitionsOf(name), ok
}

func (c cluster) Named(id step.TopicID) (string, int32, bool) {
	for _, name := range sorted(c) {
		if c[name] == id {
			return name, partitionsOf(name), true
		}
	}
	return "", 0, false
}

func (c cluster) Each(f func(string, step.TopicID, int32)) {
	for _, name := range sorted(c) {
		f(name, c[name], partitionsOf(name))
	}
}

func (c cluster) Racks(step.TopicID, int32) []string { return nil }

func (b *bed) unix() int64 { return 1_700_000_000_000 + int64(b.now)/1e6 + b.jumped.Milliseconds() }

// send gives the machine one event and returns the caller's token.
func (b *bed) send(event any) step.Token {
	b.next++
	in := step.Input{From: b.next, Event: event, UnixMs: b.unix(), BelievedMs: b.unix() - b.doubted.Milliseconds(), Cluster: b.topics}
	binary.BigEndian.PutUint64(in.Random[8:], uint64(b.next))
	var out step.Effects
	b.m.Step(b.now, in, &out)
	b.apply(&out)
	if len(out.Append) > 0 && !b.unchecked {
		b.checkC0()
	}
	return in.From
}

func (b *bed) apply(out *step.Effects) {
	b.Helper()
	for _, r := range out.Append {
		e := logged{r: r, producer: -1}
		if out.Producer != nil {
			e.producer = out.Producer.ID
		}
		b.append(e)
	}
	for _, a := range out.Answers {
		if _, twice := b.answers[a.To]; twice || a.To == 0 {
			b.Fatalf("token %d answered twice or nobody: %+v", a.To, a.Body)
		}
		b.answers[a.To] = a.Body
	}
	for _, tm := range out.Timers {
		if tm.At == 0 {
			delete(b.timers, tm.Key)
		} else {
			b.timers[tm.Key] = tm.At
		}
	}
}

func (b *bed) append(e logged) {
	b.Helper()
	b.log = append(b.log, e)
	for _, m := range []*Machine{b.m, b.shadow} {
		if err := replay(m, int64(len(b.log)-1), e); err != nil {
			b.Fatal(err)
		}
	}
}

func replay(m *Machine, at int64, e logged) error {
	switch {
	case e.marker:
		m.ReplayMarker(e.producer, e.committed)
	case e.producer >= 0:
		return m.ReplayStaged(at, e.producer, e.r)
	default:
		return m.Replay(at, e.r)
	}
	return nil
}

// advance lets time pass, timers firing at their moments.
func (b *bed) advance(d time.Duration) {
	for end := b.now.Add(d); ; {
		key, at := "", end+1
		for _, k := range sorted(b.timers) {
			if b.timers[k] < at {
				key, at = k, b.timers[k]
			}
		}
		if key == "" {
			b.now = end
			return
		}
		b.now = max(b.now, at)
		delete(b.timers, key)
		b.send(TimerFired{key})
	}
}

// reload is a new coordinator: what waits is lost, the log is replayed.
func (b *bed) reload() {
	b.m = b.replayed()
	live := b.m.durable()
	for name, m := range map[string]*Machine{"as it happened": b.shadow, "compacted": b.compacted(false), "and without tombstones": b.compacted(true)} {
		m.checkDerived(b.T)
		if again := m.durable(); live != again {
			b.Fatalf("C0: live\n%sreplayed, %s\n%s", live, name, again)
		}
	}
	b.timers = map[string]step.Instant{}
	var out step.Effects
	b.m.Loaded(b.now, &out)
	b.apply(&out)
}

func (b *bed) replayed() *Machine {
	m := New(b.cfg)
	for i, e := range b.log {
		if err := replay(m, int64(i), e); err != nil {
			b.Fatal(err)
		}
	}
	return m
}

// compacted replays the last record of each key; bare: no tombstones either.
// Records of transactions all stay.
func (b *bed) compacted(bare bool) *Machine {
	last := map[string]int{}
	for i, e := range b.log {
		if bare = bare && e.producer < 0; e.producer < 0 {
			last[string(e.r.Key)] = i
		}
	}
	m := New(b.cfg)
	for i, e := range b.log {
		if e.producer < 0 && (last[string(e.r.Key)] != i || bare && e.r.Value == nil) {
			continue
		}
		if err := replay(m, int64(i), e); err != nil {
			b.Fatal(err)
		}
	}
	return m
}

// checkDerived: what a consumer group keeps up to date by hand is what its members
// come to.
func (m *Machine) checkDerived(t *testing.T) {
	t.Helper()
	for _, id := range sorted(m.groups) {
		c := m.groups[id].consumer
		if c == nil {
			continue
		}
		d := &consumer{members: c.members, regexes: c.regexes}
		static, held := map[string]string{}, map[step.PartitionID]int{}
		for _, id := range d.ids() {
			m := d.members[id]
			if i := m.about.instance; i != nil {
				static[*i] = id
			}
			for _, set := range []parts{m.current.assigned, m.current.revoking} {
				for topic, list := range set {
					for _, p := range list {
						held[step.PartitionID{Topic: topic, Index: p}]++
					}
				}
			}
		}
		if !maps.Equal(c.static, static) || !maps.Equal(c.held, held) ||
			c.order != nil && !slices.Equal(c.order, d.ids()) || c.names != nil && !maps.Equal(c.names, d.topicNames()) {
			t.Fatalf("group %q keeps %v %v %v %v\nits members come to %v %v %v %v", id, c.static, c.held, c.order, c.names, static, held, d.ids(), d.topicNames())
		}
	}
}

// checkC0: what is durable equals what the log gives; and a stable group is what
// a new coordinator would take it for.
func (b *bed) checkC0() {
	b.Helper()
	if live, again := b.m.durable(), b.shadow.durable(); live != again {
		b.Fatalf("C0: live\n%sreplayed\n%s", live, again)
	}
	b.m.checkDerived(b.T)
	fresh, out := b.shadow, step.Effects{}
	for _, id := range sorted(b.m.groups) {
		c := &b.m.groups[id].classic
		if c.state != stable {
			continue
		}
		if fresh.groups[id] == nil {
			b.Fatalf("group %q is stable and not in the log", id)
		}
		(&turn{Machine: fresh, now: b.now, out: &out}).restore(fresh.groups[id])
		other := &fresh.groups[id].classic
		mine, theirs := c.value(), other.value()
		mine.CurrentStateTimestamp, theirs.CurrentStateTimestamp = 0, 0
		if !reflect.DeepEqual(mine.AppendTo(nil), theirs.AppendTo(nil)) || other.state != stable {
			b.Fatalf("group %q: live %+v\na new coordinator sees %+v", id, mine, theirs)
		}
		*other = classic{} // it only replays
	}
}

// durable prints the durable state.
func (m *Machine) durable() string {
	var s strings.Builder
	for _, id := range sorted(m.groups) {
		g := m.groups[id]
		if g.meta == nil && len(g.offsets) == 0 && len(g.staged) == 0 && g.consumer == nil {
			continue
		}
		fmt.Fprintf(&s, "%s meta=%x\n", id, g.meta)
		if c := g.consumer; c != nil {
			fmt.Fprintf(&s, "  epoch %d hash %x placed %d %v\n", c.epoch, c.hash, c.placed, c.regexes)
			for _, name := range sorted(c.members) {
				m := c.members[name]
				fmt.Fprintf(&s, "  %s %x target %v %+v\n", name, m.about.append(nil), m.target, m.current)
			}
			fmt.Fprintf(&s, "  held %v static %v\n", c.held, c.static)
		}
		for _, p := range sortedPartitions(g.offsets) {
			fmt.Fprintf(&s, "  %v %+v\n", p, g.offsets[p])
		}
		for _, producer := range sorted(g.staged) {
			for _, p := range sortedPartitions(g.staged[producer]) {
				fmt.Fprintf(&s, "  staged by %d: %v %+v\n", producer, p, g.staged[producer][p])
			}
		}
	}
	return s.String()
}

// client is how tests talk as one member of group g.
type client struct {
	*bed
	id       string
	instance *string
	gen      int32
	topics   []string
	protocol []string
	version  int16
	session  int32
	leader   bool
}

func (b *bed) client(topics ...string) *client {
	return &client{bed: b, topics: topics, protocol: []string{"range"}, version: 9, session: 10_000}
}

func (c *client) metadata() []byte {
	v := kmsg.NewConsumerMemberMetadata()
	v.Topics = c.topics
	return v.AppendTo(nil)
}

func (c *client) join() step.Token {
	r := kmsg.NewPtrJoinGroupRequest()
	r.Version, r.Group, r.MemberID, r.InstanceID = c.version, "g", c.id, c.instance
	r.SessionTimeoutMillis, r.RebalanceTimeoutMillis, r.ProtocolType = c.session, 60_000, "consumer"
	for _, p := range c.protocol {
		r.Protocols = append(r.Protocols, kmsg.JoinGroupRequestProtocol{Name: p, Metadata: c.metadata()})
	}
	token := c.send(JoinGroup{Client: Client{"c", "/127.0.0.1"}, Req: r})
	if resp, ok := c.answers[token].(*kmsg.JoinGroupResponse); ok && resp.ErrorCode == codeMemberIDRequired {
		c.id = resp.MemberID
		return c.join()
	}
	return token
}

// joined takes the answer of a join.
func (c *client) joined(token step.Token) *kmsg.JoinGroupResponse {
	c.Helper()
	resp, ok := c.answers[token].(*kmsg.JoinGroupResponse)
	if !ok {
		c.Fatalf("join %d is not answered", token)
	}
	if resp.ErrorCode == 0 {
		c.id, c.gen, c.leader = resp.MemberID, resp.Generation, resp.LeaderID == resp.MemberID
	}
	return resp
}

func (c *client) sync(assign map[string]string) step.Token {
	r := kmsg.NewPtrSyncGroupRequest()
	r.Version, r.Group, r.MemberID, r.InstanceID, r.Generation = 3, "g", c.id, c.instance, c.gen
	for _, id := range sorted(assign) {
		r.GroupAssignment = append(r.GroupAssignment, kmsg.SyncGroupRequestGroupAssignment{MemberID: id, MemberAssignment: []byte(assign[id])})
	}
	return c.send(SyncGroup{r})
}

func (c *client) synced(token step.Token) (string, int16) {
	c.Helper()
	resp, ok := c.answers[token].(*kmsg.SyncGroupResponse)
	if !ok {
		c.Fatalf("sync %d is not answered", token)
	}
	return string(resp.MemberAssignment), resp.ErrorCode
}

func (c *client) beat() int16 {
	r := kmsg.NewPtrHeartbeatRequest()
	r.Version, r.Group, r.MemberID, r.InstanceID, r.Generation = 4, "g", c.id, c.instance, c.gen
	return c.answers[c.send(Heartbeat{r})].(*kmsg.HeartbeatResponse).ErrorCode
}

func (c *client) leave() int16 {
	r := kmsg.NewPtrLeaveGroupRequest()
	r.Version, r.Group, r.MemberID = 1, "g", c.id
	return c.answers[c.send(LeaveGroup{r})].(*kmsg.LeaveGroupResponse).ErrorCode
}

// commit commits as this member; a client without id commits as a tool does.
func (c *client) commit(topic string, p int32, at int64) int16 {
	r := kmsg.NewPtrOffsetCommitRequest()
	r.Version, r.Group, r.MemberID, r.InstanceID, r.Generation = 9, "g", c.id, c.instance, c.gen
	if c.id == "" {
		r.Generation = -1
	}
	rt, rp := kmsg.NewOffsetCommitRequestTopic(), kmsg.NewOffsetCommitRequestTopicPartition()
	rt.Topic, rp.Partition, rp.Offset, rp.Metadata = topic, p, at, kmsg.StringPtr("note")
	rt.Partitions = append(rt.Partitions, rp)
	r.Topics = append(r.Topics, rt)
	return c.answers[c.send(OffsetCommit{r})].(*kmsg.OffsetCommitResponse).Topics[0].Partitions[0].ErrorCode
}

// fetch gives a committed offset of group g.
func (b *bed) fetch(topic string, p int32, stable bool) (int64, int16) {
	rt := kmsg.NewOffsetFetchRequestGroupTopic()
	rt.Topic, rt.Partitions = topic, []int32{p}
	e := OffsetFetch{Version: 9, RequireStable: stable}
	e.Group = kmsg.NewOffsetFetchRequestGroup()
	e.Group.Group, e.Group.Topics = "g", append(e.Group.Topics, rt)
	rp := b.answers[b.send(e)].(*kmsg.OffsetFetchResponseGroup).Topics[0].Partitions[0]
	return rp.Offset, rp.ErrorCode
}

func (b *bed) describe() *kmsg.DescribeGroupsResponseGroup {
	return b.answers[b.send(DescribeGroup{Version: 6, Group: "g"})].(*kmsg.DescribeGroupsResponseGroup)
}

// wantState checks the state and the number of members that DescribeGroups shows.
func (b *bed) wantState(state string, members int) {
	b.Helper()
	if d := b.describe(); d.State != state || len(d.Members) != members {
		b.Fatalf("group is %s with %d members, want %s with %d", d.State, len(d.Members), state, members)
	}
}

// form makes a stable group of the clients.
func (b *bed) form(clients ...*client) {
	b.Helper()
	var tokens []step.Token
	for _, c := range clients {
		tokens = append(tokens, c.join())
	}
	b.advance(b.cfg.InitialDelay * 2)
	b.finish(clients, tokens)
}

// finish takes the answers of joins and assigns.
func (b *bed) finish(clients []*client, tokens []step.Token) {
	b.Helper()
	assign := map[string]string{}
	for i, c := range clients {
		if code := c.joined(tokens[i]).ErrorCode; code != 0 {
			b.Fatalf("join %d: error %d", i, code)
		}
		assign[c.id] = "of " + c.id
	}
	for i, c := range clients {
		if c.leader {
			tokens[i] = c.sync(assign)
		} else {
			tokens[i] = c.sync(nil)
		}
	}
	for i, c := range clients {
		if got, code := c.synced(tokens[i]); code != 0 || got != "of "+c.id {
			b.Fatalf("sync %d: %q, error %d", i, got, code)
		}
	}
	b.wantState("Stable", len(clients))
}
