//go:build oracle

package oracle

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/brokerd/brokerd/test/raw"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// coordinators has both sides make the topic of the groups, if they have not, and
// waits until each of its partitions is served.
func (p *pair) coordinators() {
	p.t.Helper()
	const name = "__consumer_offsets"
	one := kmsg.NewPtrFindCoordinatorRequest()
	one.CoordinatorKeys = []string{"any"}
	everywhere := kmsg.NewPtrDescribeGroupsRequest()
	for i := range 50 {
		everywhere.Groups = append(everywhere.Groups, string(rune('2'+i))) // hashed as what they are
	}
	where := kmsg.NewPtrMetadataRequest()
	where.Topics = []kmsg.MetadataRequestTopic{{Topic: ptr(name)}}
	p.each(func(s *side) {
		s.until(p.t, 4, one, "finds no coordinator")
		s.until(p.t, 5, everywhere, "has groups that it does not serve")
		s.ids[name] = s.until(p.t, 12, where, "knows no topic of the groups").(*kmsg.MetadataResponse).Topics[0].TopicID
	})
}

// until asks until there is no error in the answer. Nobody tells when that is.
func (s *side) until(t testing.TB, version int16, req kmsg.Request, otherwise string) kmsg.Response {
	t.Helper()
	for range 1000 {
		if resp, _ := s.do(t, version, req); resp != nil && accepted(resp) {
			return resp
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%s %s", s.name, otherwise)
	return nil
}

// group names a group, and keeps it from the tests that come later.
func (p *pair) group(name string) string {
	p.each(func(s *side) { s.groups = append(s.groups, name) })
	return name
}

// begin sends, on connections of its own, what is answered later; the function
// that it returns receives both answers and compares them.
func (p *pair) begin(name string, version int16, build func(*side) kmsg.Request) (end func() (theirs, ours kmsg.Response)) {
	p.t.Helper()
	var alone [2]*raw.Conn
	var reqs [2]kmsg.Request
	for i, s := range []*side{p.theirs, p.ours} {
		c, err := raw.Dial(s.addr)
		if err != nil {
			p.t.Fatalf("%s: %v", s.name, err)
		}
		reqs[i] = build(s)
		if err := c.Send(raw.Frame(version, 7, reqs[i])); err != nil {
			p.t.Fatalf("%s: %v", s.name, err)
		}
		alone[i] = c
	}
	return func() (theirs, ours kmsg.Response) {
		p.t.Helper()
		return p.hear(name, version, reqs[1], func(i int, s *side) (kmsg.Response, string) {
			defer alone[i].Close()
			_ = alone[i].SetDeadline(time.Now().Add(answerLimit)) // a TCP connection takes deadlines
			body, err := alone[i].Receive()
			if err != nil {
				return nil, "no answer"
			}
			resp := reqs[i].ResponseKind()
			resp.SetVersion(version)
			body = body[4:]
			if resp.IsFlexible() {
				body = body[1:]
			}
			if err := resp.ReadFrom(body); err != nil {
				p.t.Fatalf("%s answers what cannot be read: %v", s.name, err)
			}
			return resp, ""
		})
	}
}

// member is the id of a member that is asked for by its role: on each side it has
// the one that it was given.
func (s *side) member(id string) string {
	if given, ok := s.given[id]; ok {
		return given
	}
	return id
}

// uuidSize is the end of the ids that brokers give.
const uuidSize = 36

// learnMember names an id that a side gave: what it is made of, and its turn.
func (s *side) learnMember(id string) {
	if madeOf(id) == "" || s.members[id] != "" {
		return
	}
	role := fmt.Sprintf("%smember %d", madeOf(id), len(s.members)+1)
	s.members[id] = role
	s.given[role] = id
}

// madeOf is what an id that a broker gave begins with; of another it is empty. A
// broker's id for a consumer looks like that of a topic, and begins with nothing.
func madeOf(id string) string {
	if _, err := base64.RawURLEncoding.DecodeString(id); err == nil && len(id) == 22 {
		return "consumer "
	}
	i := len(id) - uuidSize
	if i <= 0 || strings.Count(id[i:], "-") != 4 {
		return ""
	}
	return id[:i]
}

// joining is a JoinGroup by a member that has an id, or none.
func joining(group, member string, change func(*kmsg.JoinGroupRequest)) func(*side) kmsg.Request {
	return func(s *side) kmsg.Request {
		req := kmsg.NewPtrJoinGroupRequest()
		req.Group, req.MemberID = group, s.member(member)
		req.SessionTimeoutMillis, req.RebalanceTimeoutMillis, req.ProtocolType = 60_000, 50_000, "consumer"
		req.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range", Metadata: subscription("g")}, {Name: "sticky", Metadata: subscription("g")}}
		if change != nil {
			change(req)
		}
		return req
	}
}

// subscription is what a consumer says that it wants.
func subscription(topics ...string) []byte {
	m := kmsg.NewConsumerMemberMetadata()
	m.Topics = topics
	return m.AppendTo(nil)
}

// assignment is what the leader gives a member.
func assignment(topic string, partitions ...int32) []byte {
	a := kmsg.NewConsumerMemberAssignment()
	a.Topics = []kmsg.ConsumerMemberAssignmentTopic{{Topic: topic, Partitions: partitions}}
	return a.AppendTo(nil)
}

func syncs(group, member string, generation int32, change func(*side, *kmsg.SyncGroupRequest)) func(*side) kmsg.Request {
	return func(s *side) kmsg.Request {
		req := kmsg.NewPtrSyncGroupRequest()
		req.Group, req.MemberID, req.Generation = group, s.member(member), generation
		req.ProtocolType, req.Protocol = ptr("consumer"), ptr("range")
		if change != nil {
			change(s, req)
		}
		return req
	}
}

func beats(group, member string, generation int32, instance *string) func(*side) kmsg.Request {
	return func(s *side) kmsg.Request {
		req := kmsg.NewPtrHeartbeatRequest()
		req.Group, req.MemberID, req.Generation, req.InstanceID = group, s.member(member), generation, instance
		return req
	}
}

// leaver is a member as it leaves.
type leaver struct {
	member   string
	instance *string
}

func leaving(group string, who ...leaver) func(*side) kmsg.Request {
	return func(s *side) kmsg.Request {
		req := kmsg.NewPtrLeaveGroupRequest()
		req.Group = group
		for _, l := range who {
			req.MemberID = s.member(l.member)
			m := kmsg.NewLeaveGroupRequestMember()
			m.MemberID, m.InstanceID, m.Reason = s.member(l.member), l.instance, ptr("it is late")
			req.Members = append(req.Members, m)
		}
		return req
	}
}

func describes(operations bool, groups ...string) func(*side) kmsg.Request {
	return func(*side) kmsg.Request {
		req := kmsg.NewPtrDescribeGroupsRequest()
		req.Groups, req.IncludeAuthorizedOperations = groups, operations
		return req
	}
}

func lists(states, types []string) func(*side) kmsg.Request {
	return func(*side) kmsg.Request {
		req := kmsg.NewPtrListGroupsRequest()
		req.StatesFilter, req.TypesFilter = states, types
		return req
	}
}

func deletes(groups ...string) func(*side) kmsg.Request {
	return func(*side) kmsg.Request {
		req := kmsg.NewPtrDeleteGroupsRequest()
		req.Groups = groups
		return req
	}
}

// spot is an offset to commit.
type spot struct {
	topic     string
	partition int32
	at        int64
	metadata  *string
}

func commits(version int16, group, member string, generation int32, change func(*kmsg.OffsetCommitRequest), spots ...spot) func(*side) kmsg.Request {
	return func(s *side) kmsg.Request {
		req := kmsg.NewPtrOffsetCommitRequest()
		req.Group, req.MemberID, req.Generation = group, s.member(member), generation
		for i, o := range spots {
			t := kmsg.NewOffsetCommitRequestTopic()
			if t.Topic = o.topic; version >= 10 {
				t.Topic, t.TopicID = "", s.id(o.topic)
			}
			if n := len(req.Topics); i > 0 && spots[i-1].topic == o.topic { // a topic comes once
				t, req.Topics = req.Topics[n-1], req.Topics[:n-1]
			}
			q := kmsg.NewOffsetCommitRequestTopicPartition()
			q.Partition, q.Offset, q.LeaderEpoch, q.Metadata = o.partition, o.at, 0, o.metadata
			t.Partitions = append(t.Partitions, q)
			req.Topics = append(req.Topics, t)
		}
		if change != nil {
			change(req)
		}
		return req
	}
}

// fetches asks for the offsets of a group; of all when no topic is named.
func fetches(version int16, group string, change func(*side, *kmsg.OffsetFetchRequest), topics ...string) func(*side) kmsg.Request {
	return func(s *side) kmsg.Request {
		req := kmsg.NewPtrOffsetFetchRequest()
		g := kmsg.NewOffsetFetchRequestGroup()
		req.Group, g.Group = group, group
		for _, topic := range topics {
			req.Topics = append(req.Topics, kmsg.OffsetFetchRequestTopic{Topic: topic, Partitions: []int32{0, 1, 9}})
			t := kmsg.NewOffsetFetchRequestGroupTopic()
			if t.Topic = topic; version >= 10 {
				t.Topic, t.TopicID = "", s.id(topic)
			}
			t.Partitions = []int32{0, 1, 9}
			g.Topics = append(g.Topics, t)
		}
		req.Groups = append(req.Groups, g)
		if change != nil {
			change(s, req)
		}
		return req
	}
}

func deleteOffsets(group string, partitions []int32, topics ...string) func(*side) kmsg.Request {
	return func(*side) kmsg.Request {
		req := kmsg.NewPtrOffsetDeleteRequest()
		req.Group = group
		for _, topic := range topics {
			t := kmsg.NewOffsetDeleteRequestTopic()
			t.Topic = topic
			for _, i := range partitions {
				t.Partitions = append(t.Partitions, kmsg.OffsetDeleteRequestTopicPartition{Partition: i})
			}
			req.Topics = append(req.Topics, t)
		}
		return req
	}
}
