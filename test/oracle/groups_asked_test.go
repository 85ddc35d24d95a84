//go:build oracle

package oracle

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestFindCoordinator looks for coordinators of every kind, before there is a
// topic for them and after.
func TestFindCoordinator(t *testing.T) {
	p := newPair(t)
	find := func(kind int8, keys ...string) func(*side) kmsg.Request {
		return func(*side) kmsg.Request {
			req := kmsg.NewPtrFindCoordinatorRequest()
			req.CoordinatorType, req.CoordinatorKeys = kind, keys
			if len(keys) > 0 {
				req.CoordinatorKey = keys[0]
			}
			return req
		}
	}
	p.ask("beat before there are coordinators", 4, beats("none", "x", 1, nil))
	p.ask("find before there are coordinators", 4, find(0, "none"))
	p.coordinators()
	txn := kmsg.NewPtrFindCoordinatorRequest()
	txn.CoordinatorType, txn.CoordinatorKeys = 1, []string{"t"}
	p.each(func(s *side) { s.until(t, 4, txn, "finds no coordinator of transactions") })
	for v := int16(0); v <= 6; v++ {
		p.ask("find one", v, find(0, "g"))
		p.ask("find an empty one", v, find(0, ""))
		if v >= 1 {
			p.ask("find that of transactions", v, find(1, "t"))
			p.ask("find an odd kind", v, find(9, "g"))
		}
		if v >= 4 {
			p.ask("find several", v, find(0, "g", "", "h"))
			p.ask("find none", v, find(0))
			p.ask("find one twice", v, find(0, "g", "g"))
		}
	}
}

// TestMembers lives a group's life in each version: two members, the second of
// them static where the version has such, and all that may be refused.
func TestMembers(t *testing.T) {
	p := newPair(t)
	p.coordinators()
	p.topic("g", 2)
	for v := int16(0); v <= 9; v++ {
		p.life(v)
	}
	none := p.group("life-none") // Kafka keeps it, ours does not: nobody lists it
	p.group("life-nowhere")
	p.group(nameless) // Kafka keeps it too
	for v := int16(0); v <= 9; v++ {
		p.ask("join a new group without protocols", v, joining(none, "", func(r *kmsg.JoinGroupRequest) { r.Protocols = nil }))
		p.ask("join a new group without a kind", v, joining(none, "", func(r *kmsg.JoinGroupRequest) { r.ProtocolType = "" }))
	}
}

func (p *pair) life(v int16) {
	g := p.group(fmt.Sprintf("life-%d", v))
	sv, hv, lv := min(v, 5), min(v, 4), v
	if v >= 5 {
		lv = 3 + v%3
	}
	first := p.enter(g, v, nil)
	lead := func(members ...string) func(*side, *kmsg.SyncGroupRequest) {
		return func(s *side, req *kmsg.SyncGroupRequest) {
			for i, m := range members {
				req.GroupAssignment = append(req.GroupAssignment, kmsg.SyncGroupRequestGroupAssignment{MemberID: s.member(m), MemberAssignment: assignment("g", int32(i))})
			}
		}
	}
	describe := func(when string) {
		p.t.Helper()
		p.ask("describe "+when, min(v, 6), describes(v%2 == 1, g, "life-nowhere"))
		p.ask("list "+when, min(v, 5), lists(nil, nil))
	}
	describe("while it completes")
	p.ask("commit while it completes", v, commits(v, g, first, 1, nil, spot{"g", 0, 1, nil}))
	p.ask("beat while it completes", hv, beats(g, first, 1, nil))
	p.ask("sync in a wrong generation", sv, syncs(g, first, 5, nil))
	p.ask("sync of nobody", sv, syncs(g, "nobody", 1, nil))
	p.ask("sync without a group", sv, syncs("", first, 1, nil))
	p.ask("sync an unknown group", sv, syncs("life-nowhere", first, 1, nil))
	p.ask("sync with another protocol", sv, syncs(g, first, 1, func(_ *side, r *kmsg.SyncGroupRequest) { r.Protocol = ptr("sticky") }))
	p.ask("sync with another kind", sv, syncs(g, first, 1, func(_ *side, r *kmsg.SyncGroupRequest) { r.ProtocolType = ptr("connect") }))
	p.ask("sync without protocol", sv, syncs(g, first, 1, func(_ *side, r *kmsg.SyncGroupRequest) { r.Protocol, r.ProtocolType = nil, nil }))
	p.ask("sync of the leader", sv, syncs(g, first, 1, lead(first)))
	p.ask("sync again", sv, syncs(g, first, 1, nil))
	describe("when it is stable")
	p.refused(g, first, v)

	instance := ptr("i")
	if v < 5 {
		instance = nil
	}
	second := ""
	if v == 4 {
		second = p.needed(g, v)
	}
	enter := p.begin("join of the second", v, joining(g, second, func(r *kmsg.JoinGroupRequest) { r.InstanceID, r.Reason = instance, ptr("why not") }))
	p.awaitState(g, "PreparingRebalance")
	describe("while it prepares")
	p.ask("beat while it prepares", hv, beats(g, first, 1, nil))
	p.ask("sync while it prepares", sv, syncs(g, first, 1, nil))
	p.ask("commit while it prepares", v, commits(v, g, first, 1, nil, spot{"g", 0, 2, ptr("m")}))
	again := p.begin("join of the first again", v, joining(g, first, nil))
	again()
	_, ours := enter()
	second = p.ours.members[ours.(*kmsg.JoinGroupResponse).MemberID]
	waits := p.begin("sync of the second", sv, syncs(g, second, 2, func(_ *side, r *kmsg.SyncGroupRequest) { r.InstanceID = instance }))
	p.ask("sync of the leader of two", sv, syncs(g, first, 2, lead(first, second)))
	waits()
	describe("of two")
	p.ask("beat of the second", hv, beats(g, second, 2, instance))
	p.ask("commit of the second", v, commits(v, g, second, 2, func(r *kmsg.OffsetCommitRequest) { r.InstanceID = instance }, spot{"g", 1, 5, ptr("x")}))
	if instance != nil {
		second = p.static(g, v, second, instance)
	}
	p.ask("delete what has members", min(v, 3), deletes(g))
	p.ask("delete offsets that are subscribed to", 0, deleteOffsets(g, []int32{0, 9}, "g"))
	p.ask("commit of nobody in particular", v, commits(v, g, "", -1, nil, spot{"g", 0, 1, nil}))

	if lv >= 3 {
		p.ask("leave in company", lv, leaving(g, leaver{first, nil}, leaver{"nobody", nil}))
	} else {
		p.ask("leave", lv, leaving(g, leaver{first, nil}))
		p.ask("leave as the second", lv, leaving(g, leaver{second, nil}))
	}
	if lv >= 3 && instance == nil {
		p.ask("leave as the second", lv, leaving(g, leaver{second, nil}))
	} else if lv >= 3 {
		p.ask("leave with a stranger's instance", lv, leaving(g, leaver{"", ptr("stranger")}))
		p.ask("leave by the instance and a wrong id", lv, leaving(g, leaver{"nobody", instance}))
		last := leaver{"", instance}
		if v >= 8 {
			last.member = second
		}
		p.ask("leave by the instance", lv, leaving(g, last))
	}
	describe("when it is empty")
	p.ask("leave once more", lv, leaving(g, leaver{first, nil}))
	p.ask("fetch what is left", min(v+1, 9), fetches(min(v+1, 9), g, nil, "g", "nowhere"))
	p.ask("delete offsets", 0, deleteOffsets(g, []int32{0, 9}, "g", "nowhere"))
	p.ask("delete", min(v, 3), deletes(g))
	p.ask("delete again", min(v, 3), deletes(g))
	describe("when it is gone")
}

// enter is the way of the first member into its group.
func (p *pair) enter(g string, v int16, change func(*kmsg.JoinGroupRequest)) (member string) {
	p.t.Helper()
	id := ""
	if v >= 4 {
		id = p.needed(g, v)
	}
	_, ours := p.ask("join", v, joining(g, id, func(r *kmsg.JoinGroupRequest) {
		if r.Reason = ptr("to work"); change != nil {
			change(r)
		}
	}))
	if ours == nil {
		p.t.Fatalf("join v%d is not answered", v)
	}
	return p.ours.members[ours.(*kmsg.JoinGroupResponse).MemberID]
}

// needed joins without an id, and is given one to join with.
func (p *pair) needed(g string, v int16) (member string) {
	p.t.Helper()
	_, ours := p.ask("join without id", v, joining(g, "", nil))
	return p.ours.members[ours.(*kmsg.JoinGroupResponse).MemberID]
}

// awaitState waits until a request that was sent earlier has been taken.
func (p *pair) awaitState(g, state string) {
	p.t.Helper()
	p.each(func(s *side) {
		for range 1000 {
			resp, _ := s.do(p.t, 5, describes(false, g)(s))
			if resp != nil && resp.(*kmsg.DescribeGroupsResponse).Groups[0].State == state {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
		p.t.Fatalf("%s: %s is never %s", s.name, g, state)
	})
}

// refused is all that a stable group of one does not let happen.
func (p *pair) refused(g, first string, v int16) {
	p.t.Helper()
	hv, lv := min(v, 4), min(v, 5)
	for _, c := range []struct {
		name   string
		change func(*kmsg.JoinGroupRequest)
	}{
		{"without a group", func(r *kmsg.JoinGroupRequest) { r.Group = "" }},
		{"as nobody", func(r *kmsg.JoinGroupRequest) { r.MemberID = "nobody" }},
		{"an unknown group as nobody", func(r *kmsg.JoinGroupRequest) { r.Group, r.MemberID = "life-nowhere", "nobody" }},
		{"with a short session", func(r *kmsg.JoinGroupRequest) { r.SessionTimeoutMillis = 5999 }},
		{"with a long session", func(r *kmsg.JoinGroupRequest) { r.SessionTimeoutMillis = 1_800_001 }},
		{"with another kind", func(r *kmsg.JoinGroupRequest) { r.ProtocolType = "connect" }},
		{"without a kind", func(r *kmsg.JoinGroupRequest) { r.ProtocolType = "" }},
		{"without protocols", func(r *kmsg.JoinGroupRequest) { r.Protocols = nil }},
		{"with other protocols", func(r *kmsg.JoinGroupRequest) { r.Protocols[0].Name, r.Protocols[1].Name = "a", "b" }},
	} {
		p.ask("join "+c.name, v, joining(g, first, c.change))
	}
	for _, c := range []struct {
		group, member string
		generation    int32
	}{{g, first, 1}, {g, first, 2}, {g, first, 0}, {g, "nobody", 1}, {"", first, 1}, {"life-nowhere", first, 1}, {g, "", 1}} {
		name := fmt.Sprintf("as %s of %q in %d", c.member, strings.ReplaceAll(c.group, g, "the group"), c.generation)
		p.ask("beat "+name, hv, beats(c.group, c.member, c.generation, nil))
		p.ask("commit "+name, v, commits(v, c.group, c.member, c.generation, nil, spot{"g", 0, 7, ptr("seven")}))
	}
	p.ask("leave without a group", lv, leaving("", leaver{first, nil}))
	p.ask("leave an unknown group", lv, leaving("life-nowhere", leaver{first, nil}))
	p.ask("leave as nobody", lv, leaving(g, leaver{"nobody", nil}))
}

// static is what a member with an instance id meets, and who takes its place.
func (p *pair) static(g string, v int16, second string, instance *string) (successor string) {
	p.t.Helper()
	hv := min(v, 4)
	p.ask("beat with a wrong instance", hv, beats(g, second, 2, ptr("stranger")))
	p.ask("beat as another than the instance", hv, beats(g, "nobody", 2, instance))
	if v >= 7 {
		p.ask("commit as another than the instance", v, commits(v, g, "nobody", 2, func(r *kmsg.OffsetCommitRequest) { r.InstanceID = instance }, spot{"g", 1, 5, nil}))
	}
	p.ask("sync as another than the instance", 5, syncs(g, "nobody", 2, func(_ *side, r *kmsg.SyncGroupRequest) { r.InstanceID = instance }))
	p.ask("join as another than the instance", v, joining(g, "nobody", func(r *kmsg.JoinGroupRequest) { r.InstanceID = instance }))
	_, ours := p.ask("join in place of the instance", v, joining(g, "", func(r *kmsg.JoinGroupRequest) { r.InstanceID = instance }))
	p.ask("beat of who was replaced", hv, beats(g, second, 2, instance))
	third := p.ours.members[ours.(*kmsg.JoinGroupResponse).MemberID]
	for sv := int16(3); sv <= 5; sv++ {
		p.ask("sync of who replaced", sv, syncs(g, third, 2, func(_ *side, r *kmsg.SyncGroupRequest) { r.InstanceID = instance }))
	}
	for hv := int16(3); hv <= 4; hv++ {
		p.ask("beat of who replaced", hv, beats(g, third, 2, instance))
	}
	for cv := int16(7); cv <= 10; cv++ {
		p.ask("commit of who replaced", cv, commits(cv, g, third, 2, func(r *kmsg.OffsetCommitRequest) { r.InstanceID = instance }, spot{"g", 1, int64(cv), nil}))
	}
	p.ask("describe with a successor", 6, describes(true, g))
	return third
}
