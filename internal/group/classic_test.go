package group

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/brokerd/brokerd/internal/step"
)

func want[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Fatalf("%s: got %v, want %v", what, got, want)
	}
}

func TestMemberIDRequired(t *testing.T) {
	b := newBed(t)
	a := b.client("t")
	token := a.join()
	want(t, "id", a.id[:2], "c-")
	want(t, "length of the id", len(a.id), len("c-")+36)
	b.advance(3 * time.Second)
	want(t, "error", a.joined(token).ErrorCode, 0)
	want(t, "generation", a.gen, 1)
	if got := len(b.log); got != 1 {
		t.Fatalf("%d records, want the empty group's only", got)
	}
	// A pending member that never comes back holds a rebalance until its session ends.
	r := kmsg.NewPtrJoinGroupRequest()
	r.Version, r.Group, r.SessionTimeoutMillis, r.ProtocolType = 5, "g", 20_000, "consumer"
	r.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range", Metadata: a.metadata()}}
	b.send(JoinGroup{Client: Client{"d", ""}, Req: r})
	again := a.join()
	want(t, "answer of the same generation", a.joined(again).Generation, 1)
	a.protocol = []string{"sticky", "range"}
	again = a.join()
	b.advance(19 * time.Second)
	if b.answers[again] != nil {
		t.Fatal("rebalance ended without the pending member")
	}
	b.advance(time.Second)
	want(t, "generation", a.joined(again).Generation, 2)
}

// What was answered does not change with the group: an answer is sent when what
// it rests on is committed, outside the step.
func TestAnswersAreTheirOwn(t *testing.T) {
	b := newBed(t)
	a := b.client("t")
	joining := a.join()
	b.advance(3 * time.Second)
	joined := a.joined(joining)
	synced := b.answers[a.sync(map[string]string{a.id: "all"})].(*kmsg.SyncGroupResponse)
	want(t, "leave", a.leave(), codeNone)
	r := kmsg.NewPtrJoinGroupRequest()
	r.Version, r.Group, r.SessionTimeoutMillis, r.ProtocolType = 3, "g", 20_000, "connect"
	r.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "other"}}
	b.send(JoinGroup{Client: Client{"d", ""}, Req: r})
	want(t, "kind of the group", b.describe().ProtocolType, "connect")
	want(t, "kind joined", *joined.ProtocolType, "consumer")
	want(t, "kind synced", *synced.ProtocolType, "consumer")
}

// The bytes of a request are the connection's: what is kept of them is a copy.
func TestRequestBytesAreCopied(t *testing.T) {
	b := newBed(t)
	r := kmsg.NewPtrJoinGroupRequest()
	r.Version, r.Group, r.ProtocolType = 3, "g", "connect"
	r.SessionTimeoutMillis, r.RebalanceTimeoutMillis = 20_000, 60_000
	r.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "p", Metadata: []byte("mine")}}
	joining := b.send(JoinGroup{Client: Client{"c", ""}, Req: r})
	clear(r.Protocols[0].Metadata)
	b.advance(3 * time.Second)
	joined := b.answers[joining].(*kmsg.JoinGroupResponse)
	want(t, "metadata", string(joined.Members[0].ProtocolMetadata), "mine")
	s := kmsg.NewPtrSyncGroupRequest()
	s.Version, s.Group, s.MemberID, s.Generation = 3, "g", joined.MemberID, joined.Generation
	s.GroupAssignment = []kmsg.SyncGroupRequestGroupAssignment{{MemberID: joined.MemberID, MemberAssignment: []byte("all")}}
	synced := b.answers[b.send(SyncGroup{s})].(*kmsg.SyncGroupResponse)
	clear(s.GroupAssignment[0].MemberAssignment)
	want(t, "assignment answered", string(synced.MemberAssignment), "all")
	want(t, "assignment kept", string(b.describe().Members[0].MemberAssignment), "all")
}

func TestOldJoinNeedsNoID(t *testing.T) {
	b := newBed(t)
	a := b.client("t")
	a.version = 0
	token := a.join()
	b.advance(3 * time.Second)
	want(t, "error", a.joined(token).ErrorCode, 0)
	want(t, "rebalance timeout", b.m.groups["g"].classic.members[0].rebalance, 10*time.Second)
}

func TestInitialDelayGrows(t *testing.T) {
	b := newBed(t)
	a, c := b.client("t"), b.client("t")
	ta := a.join()
	b.advance(2 * time.Second)
	tc := c.join()
	b.advance(2 * time.Second)
	if b.answers[ta] != nil {
		t.Fatal("the delay did not grow by the second member")
	}
	b.advance(2 * time.Second)
	b.finish([]*client{a, c}, []step.Token{ta, tc})

	// From then on there is no delay.
	d := b.client("t")
	td := d.join()
	want(t, "heartbeat", a.beat(), codeRebalance)
	ta, tc = a.join(), c.join()
	b.finish([]*client{a, c, d}, []step.Token{ta, tc, td})
	want(t, "generation", a.gen, 2)
}

func TestJoinIsChecked(t *testing.T) {
	b := newBed(t)
	b.form(b.client("t"))
	for _, c := range []struct {
		name   string
		change func(*kmsg.JoinGroupRequest)
		code   int16
	}{
		{"no group id", func(r *kmsg.JoinGroupRequest) { r.Group = "" }, codeInvalidGroupID},
		{"short session", func(r *kmsg.JoinGroupRequest) { r.SessionTimeoutMillis = 5999 }, codeInvalidSession},
		{"long session", func(r *kmsg.JoinGroupRequest) { r.SessionTimeoutMillis = 1_800_001 }, codeInvalidSession},
		{"unknown group", func(r *kmsg.JoinGroupRequest) { r.Group, r.MemberID = "h", "x" }, codeUnknownMember},
		{"unknown member", func(r *kmsg.JoinGroupRequest) { r.MemberID = "x" }, codeUnknownMember},
		{"unknown instance", func(r *kmsg.JoinGroupRequest) { r.MemberID, r.InstanceID = "x", kmsg.StringPtr("i") }, codeUnknownMember},
		{"other kind", func(r *kmsg.JoinGroupRequest) { r.ProtocolType = "connect" }, codeInconsistentProtocol},
		{"no common protocol", func(r *kmsg.JoinGroupRequest) { r.Protocols[0].Name = "mine" }, codeInconsistentProtocol},
		{"no protocol, new group", func(r *kmsg.JoinGroupRequest) { r.Group, r.Protocols = "h", nil }, codeInconsistentProtocol},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := kmsg.NewPtrJoinGroupRequest()
			r.Version, r.Group, r.SessionTimeoutMillis, r.ProtocolType = 9, "g", 10_000, "consumer"
			r.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range"}}
			c.change(r)
			want(t, "error", b.answers[b.send(JoinGroup{Req: r})].(*kmsg.JoinGroupResponse).ErrorCode, c.code)
			if b.m.groups["h"] != nil {
				t.Fatal("a refused join made a group")
			}
		})
	}
}

func TestProtocolOfMostVotes(t *testing.T) {
	b := newBed(t)
	x, y, z := b.client("t"), b.client("t"), b.client("t")
	x.protocol = []string{"only", "range", "sticky"}
	y.protocol = []string{"sticky", "range"}
	z.protocol = []string{"sticky", "range"}
	b.form(x, y, z)
	want(t, "protocol", b.describe().Protocol, "sticky")
}

func TestGroupMaxSize(t *testing.T) {
	b := newBed(t, func(c *Config) { c.MaxSize = 2 })
	a, c, d := b.client("t"), b.client("t"), b.client("t")
	b.form(a, c)
	want(t, "third", d.joined(d.join()).ErrorCode, codeGroupFull)
	want(t, "first", a.beat(), 0)

	// Those who got an id while there was room, but come too late, are refused too.
	b = newBed(t, func(c *Config) { c.MaxSize = 1 })
	a, d = b.client("t"), b.client("t")
	ta, td := a.join(), d.join()
	want(t, "late", d.joined(td).ErrorCode, codeGroupFull)
	b.advance(3 * time.Second)
	want(t, "in time", a.joined(ta).ErrorCode, 0)
}

func TestSilentMemberIsDropped(t *testing.T) {
	b := newBed(t)
	a, c := b.client("t"), b.client("t")
	b.form(a, c)
	for range 4 {
		b.advance(3 * time.Second)
		a.beat()
	}
	want(t, "heartbeat", a.beat(), codeRebalance)
	want(t, "the silent one", c.beat(), codeUnknownMember)
	b.finish([]*client{a}, []step.Token{a.join()})
	b.advance(11 * time.Second)
	b.wantState("Empty", 0)
	b.reload()
	b.wantState("Empty", 0)
}

func TestMemberThatDoesNotRejoin(t *testing.T) {
	b := newBed(t)
	a, c := b.client("t"), b.client("t")
	b.form(a, c)
	c.session = 10_000
	a.topics = []string{"u"}
	token := a.join()
	for range 21 { // c lives, but never joins again
		b.advance(3 * time.Second)
		if c.beat() == codeUnknownMember {
			break
		}
	}
	want(t, "error", a.joined(token).ErrorCode, 0)
	want(t, "members", len(a.joined(token).Members), 1)
}

func TestMemberThatNeverSyncs(t *testing.T) {
	b := newBed(t)
	a, c := b.client("t"), b.client("t")
	ta, tc := a.join(), c.join()
	b.advance(6 * time.Second)
	a.joined(ta)
	c.joined(tc)
	waiting := c.sync(nil)
	for range 21 {
		b.advance(3 * time.Second)
		a.beat()
	}
	_, code := c.synced(waiting)
	want(t, "follower's sync", code, codeRebalance)
	want(t, "leader", a.beat(), codeUnknownMember)
}

func TestSyncIsChecked(t *testing.T) {
	b := newBed(t)
	a := b.client("t")
	b.form(a)
	for _, c := range []struct {
		name   string
		change func(*kmsg.SyncGroupRequest)
		code   int16
	}{
		{"again", func(*kmsg.SyncGroupRequest) {}, 0},
		{"no group id", func(r *kmsg.SyncGroupRequest) { r.Group = "" }, codeInvalidGroupID},
		{"unknown group", func(r *kmsg.SyncGroupRequest) { r.Group = "h" }, codeUnknownMember},
		{"unknown member", func(r *kmsg.SyncGroupRequest) { r.MemberID = "x" }, codeUnknownMember},
		{"generation", func(r *kmsg.SyncGroupRequest) { r.Generation-- }, codeIllegalGeneration},
		{"protocol", func(r *kmsg.SyncGroupRequest) { *r.Protocol = "x" }, codeInconsistentProtocol},
		{"no protocol", func(r *kmsg.SyncGroupRequest) { r.Protocol = nil }, codeInconsistentProtocol},
		{"kind", func(r *kmsg.SyncGroupRequest) { *r.ProtocolType = "x" }, codeInconsistentProtocol},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := kmsg.NewPtrSyncGroupRequest()
			r.Version, r.Group, r.MemberID, r.Generation = 5, "g", a.id, a.gen
			r.ProtocolType, r.Protocol = kmsg.StringPtr("consumer"), kmsg.StringPtr("range")
			c.change(r)
			resp := b.answers[b.send(SyncGroup{r})].(*kmsg.SyncGroupResponse)
			want(t, "error", resp.ErrorCode, c.code)
			if c.code == 0 {
				want(t, "assignment", string(resp.MemberAssignment), "of "+a.id)
			}
		})
	}
}

func TestJoinDuringCompleting(t *testing.T) {
	b := newBed(t)
	a, c := b.client("t"), b.client("t")
	ta, tc := a.join(), c.join()
	b.advance(6 * time.Second)
	a.joined(ta)
	c.joined(tc)
	follower := c.sync(nil)
	want(t, "heartbeat", c.beat(), 0)
	want(t, "commit", a.commit("t", 0, 1), codeRebalance)
	d := b.client("t")
	td := d.join()
	_, code := c.synced(follower)
	want(t, "waiting follower", code, codeRebalance)
	want(t, "commit", a.commit("t", 0, 1), 0)
	b.finish([]*client{a, c, d}, []step.Token{a.join(), c.join(), td})
}

func TestStaticMember(t *testing.T) {
	b := newBed(t)
	a, s := b.client("t"), b.client("t")
	s.instance = kmsg.StringPtr("i")
	b.form(s, a)
	old := *s

	// It comes back with the same subscription: nothing moves, its predecessor is fenced.
	s.id = ""
	resp := s.joined(s.join())
	want(t, "generation", resp.Generation, 1)
	want(t, "leader skips the assignment", resp.SkipAssignment, true)
	want(t, "roster", len(resp.Members), 2)
	want(t, "new id", s.id != old.id && s.id[:2] == "i-", true)
	want(t, "old one", old.beat(), codeFencedInstance)
	want(t, "old one's commit", old.commit("t", 0, 1), codeFencedInstance)
	want(t, "the others", a.beat(), 0)
	got, code := s.synced(s.sync(nil))
	want(t, "assignment", got, "of "+old.id)
	want(t, "sync", code, 0)

	// Before version 9 it must not take itself for the leader.
	s.id, s.version = "", 5
	s.joined(s.join())
	want(t, "leader", s.leader, false)

	// Another subscription is a rebalance.
	s.id, s.topics = "", []string{"t", "u"}
	token := s.join()
	want(t, "the others", a.beat(), codeRebalance)
	ta := a.join()
	b.finish([]*client{s, a}, []step.Token{token, ta})

	// It survives a coordinator, and only an operator or its session removes it.
	b.reload()
	want(t, "after a reload", s.beat(), 0)
	r := kmsg.NewPtrLeaveGroupRequest()
	r.Version, r.Group = 3, "g"
	r.Members = []kmsg.LeaveGroupRequestMember{{InstanceID: kmsg.StringPtr("i")}, {InstanceID: kmsg.StringPtr("j")}, {MemberID: "x"}}
	left := b.answers[b.send(LeaveGroup{r})].(*kmsg.LeaveGroupResponse)
	want(t, "left", left.Members[0].ErrorCode, 0)
	want(t, "unknown instance", left.Members[1].ErrorCode, codeUnknownMember)
	want(t, "unknown member", left.Members[2].ErrorCode, codeUnknownMember)
	want(t, "heartbeat", s.beat(), codeUnknownMember)
}

func TestLeave(t *testing.T) {
	b := newBed(t)
	a, c := b.client("t"), b.client("t")
	want(t, "no group", a.leave(), codeUnknownMember)
	b.form(a, c)
	want(t, "leave", c.leave(), 0)
	want(t, "again", c.leave(), codeUnknownMember)
	b.finish([]*client{a}, []step.Token{a.join()})
	want(t, "last", a.leave(), 0)
	b.wantState("Empty", 0)
	want(t, "generation", b.m.groups["g"].classic.generation, 3)
}

func TestLostAnswers(t *testing.T) {
	b := newBed(t)
	a, c := b.client("t"), b.client("t")
	ta := a.join()
	first, second := c.join(), c.join()
	want(t, "given up", c.joined(first).ErrorCode, codeRebalance)
	b.advance(6 * time.Second)
	b.finish([]*client{a, c}, []step.Token{ta, second})
	want(t, "same generation", c.joined(c.join()).Generation, 1)
	b.wantState("Stable", 2)
}

func TestReloadKeepsSessions(t *testing.T) {
	b := newBed(t)
	a, c := b.client("t"), b.client("t")
	b.form(a, c)
	b.reload()
	want(t, "heartbeat", a.beat(), 0)
	b.advance(9 * time.Second)
	want(t, "heartbeat", a.beat(), 0)
	b.advance(2 * time.Second)
	want(t, "the other was silent", a.beat(), codeRebalance)
}

func TestEarlyTimer(t *testing.T) {
	b := newBed(t)
	a := b.client("t")
	b.form(a)
	for _, key := range sorted(b.timers) {
		b.send(TimerFired{key})
	}
	for _, key := range []string{"join:1:g", "sync:1:g", "session:1:gx", "session:9:g", "session", "x:-1:"} {
		b.send(TimerFired{key})
	}
	b.wantState("Stable", 1)
}

func TestOddProtocols(t *testing.T) {
	b := newBed(t)
	a, c := b.client("t"), b.client("t")
	a.protocol = []string{"", "range", "range", ""}
	c.protocol = []string{"", "", ""}
	b.form(a, c)
	want(t, "protocol", b.describe().Protocol, "")
}

func TestRequestsBufferIsFree(t *testing.T) {
	b := newBed(t)
	buf := []byte("mine")
	r := kmsg.NewPtrJoinGroupRequest()
	r.Group, r.SessionTimeoutMillis, r.ProtocolType = "g", 10_000, "connect"
	r.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "p", Metadata: buf}}
	token := b.send(JoinGroup{Req: r})
	b.advance(3 * time.Second)
	id := b.answers[token].(*kmsg.JoinGroupResponse).MemberID
	s := kmsg.NewPtrSyncGroupRequest()
	s.Group, s.MemberID, s.Generation = "g", id, 1
	s.GroupAssignment = []kmsg.SyncGroupRequestGroupAssignment{{MemberID: id, MemberAssignment: buf}}
	b.send(SyncGroup{s})
	copy(buf, "gone")
	m := b.describe().Members[0]
	want(t, "metadata", string(m.ProtocolMetadata), "mine")
	want(t, "assignment", string(m.MemberAssignment), "mine")
}

// What members were given stays to be seen while they join anew, as in Kafka.
func TestDescribeWhilePreparing(t *testing.T) {
	b := newBed(t)
	a := b.client("t")
	b.form(a)
	before := string(b.describe().Members[0].MemberAssignment)
	b.client("t").join()
	b.wantState("PreparingRebalance", 2)
	m := b.describe().Members[0]
	want(t, "assignment", string(m.MemberAssignment), before)
	want(t, "metadata", len(m.ProtocolMetadata), 0)
	if before == "" {
		t.Fatal("nothing was assigned")
	}
}
