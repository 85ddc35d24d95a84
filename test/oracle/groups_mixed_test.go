//go:build oracle

package oracle

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestMixedGroup takes a group with members from the classic protocol to the new
// one and back, asking at each step whatever members and tools ask. Who has which
// partition is the assignors' choice: one topic of one partition leaves none.
func TestMixedGroup(t *testing.T) {
	p := newPair(t)
	p.coordinators()
	p.topic("m", 1)
	g := p.group("mixed-g")
	tell := func(when string) {
		p.t.Helper()
		p.ask("mixed: describe the classic group "+when, 6, describes(false, g))
		p.ask("mixed: describe the consumer group "+when, 1, describesConsumers(g))
		p.ask("mixed: list "+when, 5, lists(nil, nil))
	}
	on := func(topics ...string) func(*kmsg.JoinGroupRequest) {
		return func(r *kmsg.JoinGroupRequest) {
			r.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range", Metadata: subscription(topics...)}}
		}
	}
	old := p.enter(g, 9, on("m"))
	p.ask("mixed: sync", 5, syncs(g, old, 1, func(s *side, r *kmsg.SyncGroupRequest) {
		r.GroupAssignment = []kmsg.SyncGroupRequestGroupAssignment{{MemberID: s.member(old), MemberAssignment: assignment("m", 0)}}
	}))
	p.ask("mixed: commit", 9, commits(9, g, old, 1, nil, spot{"m", 0, 7, nil}))
	tell("before")
	p.ask("mixed: beat without having joined", 1, consumerBeats(g, "new", 3, nil))
	p.ask("mixed: a pattern that is none", 1, consumerBeats(g, "new", 0, func(_ *side, r *kmsg.ConsumerGroupHeartbeatRequest) { r.SubscribedTopicRegex = ptr("(") }))
	tell("when nobody came")

	p.ask("mixed: join of the other kind", 1, consumerBeats(g, "new", 0, nil))
	tell("when it changed")
	p.ask("mixed: beat of the classic member", 4, beats(g, old, 1, nil))
	p.ask("mixed: beat in a wrong generation", 4, beats(g, old, 9, nil))
	p.ask("mixed: beat of the other as a classic one", 4, beats(g, "new", 2, nil))
	p.ask("mixed: beat of nobody", 4, beats(g, "nobody", 1, nil))
	p.ask("mixed: sync that comes late", 5, syncs(g, old, 1, nil))
	p.ask("mixed: sync of the other as a classic one", 5, syncs(g, "new", 2, nil))
	p.ask("mixed: commit in the old generation", 9, commits(9, g, old, 1, nil, spot{"m", 0, 8, nil}))
	p.ask("mixed: commit in an old version", 7, commits(7, g, old, 1, nil, spot{"m", 0, 8, nil}))
	p.ask("mixed: commit in a generation to come", 9, commits(9, g, old, 9, nil, spot{"m", 0, 8, nil}))
	p.ask("mixed: commit of the other", 9, commits(9, g, "new", 2, nil, spot{"m", 0, 9, nil}))
	p.ask("mixed: commit of the other in an old version", 7, commits(7, g, "new", 2, nil, spot{"m", 0, 9, nil}))
	p.ask("mixed: commit of the other in an old epoch", 9, commits(9, g, "new", 1, nil, spot{"m", 0, 9, nil}))
	p.ask("mixed: join of the classic member again", 9, joining(g, old, on("m")))
	p.ask("mixed: sync after it", 5, syncs(g, old, 2, nil))
	p.ask("mixed: sync with another protocol", 5, syncs(g, old, 2, func(_ *side, r *kmsg.SyncGroupRequest) { r.Protocol = ptr("sticky") }))
	p.ask("mixed: sync with another kind", 5, syncs(g, old, 2, func(_ *side, r *kmsg.SyncGroupRequest) { r.ProtocolType = ptr("connect") }))
	p.ask("mixed: beat after it", 4, beats(g, old, 2, nil))
	p.ask("mixed: beat of the other after it", 1, consumerBeats(g, "new", 2, owning))
	p.ask("mixed: commit in the generation before", 9, commits(9, g, old, 1, nil, spot{"m", 0, 8, nil}))
	tell("when both are there")
	p.ask("mixed: join with another protocol", 9, joining(g, "", func(r *kmsg.JoinGroupRequest) { r.Protocols[0].Name, r.Protocols[1].Name = "x", "y" }))
	p.ask("mixed: join with another kind", 9, joining(g, "", func(r *kmsg.JoinGroupRequest) { r.ProtocolType = "connect" }))
	p.ask("mixed: join with what cannot be read", 9, joining(g, "x", func(r *kmsg.JoinGroupRequest) {
		r.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range", Metadata: []byte{0}}}
	}))
	p.ask("mixed: join as an unknown static member", 9, joining(g, "x", func(r *kmsg.JoinGroupRequest) { on("m")(r); r.InstanceID = ptr("i") }))
	p.ask("mixed: leave of strangers", 5, leaving(g, leaver{"nobody", nil}, leaver{"", ptr("i")}))

	p.ask("mixed: the other leaves", 1, consumerBeats(g, "new", -1, nil))
	tell("when it changed back")
	p.ask("mixed: beat then", 4, beats(g, old, 2, nil))
	p.ask("mixed: join then", 9, joining(g, old, on("m")))
	p.ask("mixed: sync then", 5, syncs(g, old, 4, func(s *side, r *kmsg.SyncGroupRequest) {
		r.GroupAssignment = []kmsg.SyncGroupRequestGroupAssignment{{MemberID: s.member(old), MemberAssignment: assignment("m", 0)}}
	}))
	tell("after")
	p.ask("mixed: fetch", 8, fetches(8, g, nil, "m"))
	p.ask("mixed: leave", 5, leaving(g, leaver{old, nil}))
	tell("when all left")
}

// consumerBeats is a heartbeat of the new protocol; the first says everything.
func consumerBeats(group, member string, epoch int32, change func(*side, *kmsg.ConsumerGroupHeartbeatRequest)) func(*side) kmsg.Request {
	return func(s *side) kmsg.Request {
		req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
		req.Group, req.MemberID, req.MemberEpoch, req.RebalanceTimeoutMillis = group, s.member(member), epoch, -1
		if epoch == 0 {
			req.RebalanceTimeoutMillis, req.SubscribedTopicNames = 30_000, []string{"m"}
			req.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{}
		}
		if change != nil {
			change(s, req)
		}
		return req
	}
}

// owning says that the member has no partitions.
func owning(_ *side, r *kmsg.ConsumerGroupHeartbeatRequest) {
	r.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{}
}

func describesConsumers(groups ...string) func(*side) kmsg.Request {
	return func(*side) kmsg.Request {
		req := kmsg.NewPtrConsumerGroupDescribeRequest()
		req.Groups = groups
		return req
	}
}
