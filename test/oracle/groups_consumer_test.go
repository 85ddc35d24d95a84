//go:build oracle

package oracle

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestConsumerGroups lives the life of a group that the coordinator assigns
// (KIP-848), in each version, with all that may be refused.
func TestConsumerGroups(t *testing.T) {
	p := newPair(t)
	p.coordinators()
	p.topic("c", 4)
	p.topic("c-too", 2)
	for v := int16(0); v <= 1; v++ {
		p.turnedAway(v)
		p.unnamed(v)
		p.served(v)
	}
	p.byExpression()
}

// pulse is a heartbeat of a consumer; a whole one says all, as who joins must.
func pulse(g, member string, epoch int32, change func(*side, *kmsg.ConsumerGroupHeartbeatRequest)) func(*side) kmsg.Request {
	return func(s *side) kmsg.Request {
		req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
		req.Group, req.MemberID, req.MemberEpoch = g, s.member(member), s.epoch(epoch)
		if change != nil {
			change(s, req)
		}
		return req
	}
}

// epoch is one of a consumer group as a side counts them.
func (s *side) epoch(n int32) int32 {
	if n > 0 {
		n += s.before
	}
	return n
}

// whole subscribes to c and has some of its partitions.
func whole(owned ...int32) func(*side, *kmsg.ConsumerGroupHeartbeatRequest) {
	return func(s *side, r *kmsg.ConsumerGroupHeartbeatRequest) {
		r.RebalanceTimeoutMillis, r.SubscribedTopicNames, r.ServerAssignor = 45_000, []string{"c"}, ptr("range")
		r.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{}
		if len(owned) > 0 {
			r.Topics = append(r.Topics, kmsg.ConsumerGroupHeartbeatRequestTopic{TopicID: s.id("c"), Partitions: owned})
		}
	}
}

// and makes one change after another.
func and(all ...func(*side, *kmsg.ConsumerGroupHeartbeatRequest)) func(*side, *kmsg.ConsumerGroupHeartbeatRequest) {
	return func(s *side, r *kmsg.ConsumerGroupHeartbeatRequest) {
		for _, change := range all {
			change(s, r)
		}
	}
}

func instanced(id string) func(*side, *kmsg.ConsumerGroupHeartbeatRequest) {
	return func(_ *side, r *kmsg.ConsumerGroupHeartbeatRequest) { r.InstanceID = ptr(id) }
}

func consumers(operations bool, groups ...string) func(*side) kmsg.Request {
	return func(*side) kmsg.Request {
		req := kmsg.NewPtrConsumerGroupDescribeRequest()
		req.Groups, req.IncludeAuthorizedOperations = groups, operations
		return req
	}
}

// turnedAway is what a request may not say, whatever the group.
func (p *pair) turnedAway(v int16) {
	p.t.Helper()
	g := p.group(fmt.Sprintf("consumers-none-%d", v))
	for _, c := range []struct {
		name   string
		group  string
		member string
		epoch  int32
		change func(*kmsg.ConsumerGroupHeartbeatRequest)
	}{
		{"without a group", "", "a", 0, nil},
		{"without an id, later", g, "", 1, nil},
		{"with an empty instance", g, "a", 0, func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.InstanceID = ptr("") }},
		{"with an empty rack", g, "a", 0, func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.RackID = ptr("") }},
		{"in epoch -3", g, "a", -3, nil},
		{"in epoch -2 without an instance", g, "a", -2, nil},
		{"without a rebalance timeout", g, "a", 0, func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.RebalanceTimeoutMillis = -1 }},
		{"with no list of partitions", g, "a", 0, func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.Topics = nil }},
		{"with partitions", g, "a", 0, func(r *kmsg.ConsumerGroupHeartbeatRequest) {
			r.Topics = append(r.Topics, kmsg.ConsumerGroupHeartbeatRequestTopic{Partitions: []int32{1}})
		}},
		{"without a subscription", g, "a", 0, func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.SubscribedTopicNames = nil }},
		{"with an odd assignor", g, "a", 0, func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.ServerAssignor = ptr("odd") }},
		{"later, to no group", g, "a", 1, nil},
		{"to leave no group", g, "a", -1, nil},
		{"to leave no group for a while", g, "a", -2, func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.InstanceID = ptr("i") }},
	} {
		p.ask("consumer beats "+c.name, v, pulse(c.group, c.member, c.epoch, and(whole(), func(_ *side, r *kmsg.ConsumerGroupHeartbeatRequest) {
			if c.change != nil {
				c.change(r)
			}
		})))
	}
	p.ask("describe consumers that are not there", v, consumers(true, g))
	p.ask("describe consumers without a name", v, consumers(false, ""))
	p.ask("describe no consumers", v, consumers(false))
}

// unnamed joins without an id: version 0 is given one, version 1 is refused.
func (p *pair) unnamed(v int16) {
	p.t.Helper()
	g := p.group(fmt.Sprintf("consumers-unnamed-%d", v))
	_, ours := p.ask("consumer joins without an id", v, pulse(g, "", 0, whole()))
	r, ok := ours.(*kmsg.ConsumerGroupHeartbeatResponse)
	if !ok || r.MemberID == nil {
		return
	}
	member := p.ours.members[*r.MemberID]
	p.ask("consumer with a given id beats", v, pulse(g, member, 1, nil))
	p.ask("describe a consumer with a given id", v, consumers(true, g))
	p.ask("consumer with a given id leaves", v, pulse(g, member, -1, nil))
}

// served is two members, the second of them static, from the first join to the end.
func (p *pair) served(v int16) {
	p.t.Helper()
	g := p.group(fmt.Sprintf("consumers-%d", v))
	describe := func(when string) {
		p.t.Helper()
		p.ask("describe consumers "+when, v, consumers(when != "of one", g))
		p.ask("list consumers "+when, 5, lists(nil, []string{"consumer"}))
	}
	beat := func(name, member string, epoch int32, change func(*side, *kmsg.ConsumerGroupHeartbeatRequest)) {
		p.t.Helper()
		p.ask("consumer "+name, v, pulse(g, member, epoch, change))
	}
	racked := func(_ *side, r *kmsg.ConsumerGroupHeartbeatRequest) { r.RackID = ptr("here") }
	beat("joins", "a", 0, and(whole(), racked))
	describe("of one")
	beat("beats", "a", 1, nil)
	beat("beats with what it has", "a", 1, whole(0, 1, 2, 3))
	beat("joins again", "a", 0, and(whole(), racked))
	p.ask("describe consumers as a classic group", 5, describes(true, g))
	p.ask("describe consumers as a classic group", 6, describes(true, g))
	p.ask("beat of the classic kind", 4, beats(g, "a", 1, nil))

	beat("joins as the second", "b", 0, and(whole(), instanced("i")))
	describe("while one waits for the other")
	beat("has to give some up", "a", 1, nil)
	describe("while one gives some up")
	beat("beats meanwhile", "b", 2, instanced("i"))
	beat("has given nothing up yet", "a", 1, whole(0, 1, 2, 3))
	beat("has given some up", "a", 1, whole(2, 3)) // static members come first
	beat("gets the rest", "b", 2, and(whole(), instanced("i")))
	beat("has the rest", "b", 2, and(whole(0, 1), instanced("i")))
	describe("of two")
	p.misled(g, v)
	p.consumersOffsets(g)

	more := func(_ *side, r *kmsg.ConsumerGroupHeartbeatRequest) {
		r.SubscribedTopicNames = []string{"c", "c-too", "nowhere"}
	}
	beat("subscribes to more", "a", 2, and(whole(2, 3), more))
	describe("of unlike subscriptions")
	beat("leaves for a while", "b", -2, instanced("i"))
	describe("while one is away")
	beat("comes back", "c", 0, and(whole(), instanced("i")))
	describe("when it is back")
	p.ask("delete consumers", 2, deletes(g))
	beat("leaves", "a", -1, nil)
	beat("leaves twice", "a", -1, nil)
	beat("leaves as an instance", "c", -1, instanced("i"))
	describe("when all are gone")
	p.ask("delete consumers that are gone", 2, deletes(g))
	describe("after deletion")
}

// misled is what members of a group of two are not let do.
func (p *pair) misled(g string, v int16) {
	p.t.Helper()
	for _, c := range []struct {
		name, member string
		epoch        int32
		change       func(*side, *kmsg.ConsumerGroupHeartbeatRequest)
	}{
		{"of nobody", "nobody", 2, nil},
		{"of nobody who leaves", "nobody", -1, nil},
		{"ahead of its epoch", "a", 9, nil},
		{"in the epoch before, with more than it had", "a", 1, whole(0, 1, 2, 3)},
		{"in the epoch before, with nothing said", "a", 1, nil},
		{"far ahead", "a", 1000, nil},
		{"as an instance of nobody", "a", 2, instanced("stranger")},
		{"as another one's instance", "a", 2, instanced("i")},
		{"that joins as another one's instance", "d", 0, and(whole(), instanced("i"))},
		{"that leaves as another one's instance", "a", -1, instanced("i")},
		{"that leaves for a while as another one's instance", "a", -2, instanced("i")},
		{"that leaves for a while as nobody's instance", "a", -2, instanced("stranger")},
		{"with an odd assignor", "a", 2, func(_ *side, r *kmsg.ConsumerGroupHeartbeatRequest) { r.ServerAssignor = ptr("odd") }},
	} {
		p.ask("consumer's beat "+c.name, v, pulse(g, c.member, c.epoch, c.change))
	}
}

// consumersOffsets commits and fetches as members, whose epoch is the generation.
func (p *pair) consumersOffsets(g string) {
	p.t.Helper()
	at := spot{"c", 0, 7, ptr("m")}
	for v := int16(8); v <= 10; v++ {
		for _, c := range []struct {
			member string
			epoch  int32
		}{{"a", 2}, {"a", 1}, {"a", 3}, {"a", -1}, {"nobody", 2}, {"", -1}, {"", 2}} {
			p.ask(fmt.Sprintf("consumer %q commits in %d", c.member, c.epoch), v, func(s *side) kmsg.Request {
				return commits(v, g, c.member, s.epoch(c.epoch), nil, at)(s)
			})
		}
	}
	for v := int16(9); v <= 10; v++ {
		for _, c := range []struct {
			member *string
			epoch  int32
		}{{ptr("a"), 2}, {ptr("a"), 1}, {ptr("a"), 3}, {ptr("nobody"), 2}, {nil, -1}, {ptr("a"), -1}} {
			p.ask(fmt.Sprintf("consumer %s fetches in %d", text(c.member), c.epoch), v, fetches(v, g, func(s *side, r *kmsg.OffsetFetchRequest) {
				r.Groups[0].MemberID, r.Groups[0].MemberEpoch = c.member, s.epoch(c.epoch)
			}, "c"))
		}
	}
	p.ask("delete offsets that consumers subscribe to", 0, deleteOffsets(g, []int32{0}, "c", "c-too"))
}

// byExpression subscribes by a regular expression, of version 1. Kafka resolves
// it beside the heartbeats, so it is asked until the member has something.
func (p *pair) byExpression() {
	p.t.Helper()
	const v = 1
	g := p.group("consumers-by-expression")
	subscribed := func(expression string) func(*side, *kmsg.ConsumerGroupHeartbeatRequest) {
		return func(_ *side, r *kmsg.ConsumerGroupHeartbeatRequest) {
			r.SubscribedTopicNames, r.SubscribedTopicRegex = nil, ptr(expression)
		}
	}
	p.ask("consumer joins by no expression", v, pulse(g, "a", 0, and(whole(), subscribed("["))))
	p.ask("consumer joins by an expression", v, pulse(g, "a", 0, and(whole(), subscribed("c-t.*"))))
	p.each(func(s *side) {
		for range 1000 {
			resp, _ := s.do(p.t, v, consumers(false, g)(s))
			m := resp.(*kmsg.ConsumerGroupDescribeResponse).Groups[0].Members
			if len(m) == 1 && len(m[0].Assignment.TopicPartitions) > 0 {
				return
			}
			beat := pulse(g, "a", m[0].MemberEpoch-s.before, nil)(s)
			if r, _ := s.do(p.t, v, beat); !accepted(r) {
				p.t.Fatalf("%s: %v", s.name, r)
			}
		}
		p.t.Fatalf("%s: the expression gives nothing", s.name)
	})
	p.ask("describe consumers by an expression", v, consumers(true, g))
	p.ask("consumer by an expression leaves", v, pulse(g, "a", -1, nil))
}
