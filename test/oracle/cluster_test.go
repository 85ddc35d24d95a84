//go:build oracle

package oracle

import (
	"fmt"
	"strings"
	"testing"

	"github.com/brokerd/brokerd/test/raw"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestMetadata asks for all topics, for some, by name and by id.
func TestMetadata(t *testing.T) {
	p := newPair(t)
	p.topic("md", 2)
	p.topic("md2", 1)
	type asked = func(*side) kmsg.MetadataRequestTopic
	named := func(n string) asked {
		return func(*side) kmsg.MetadataRequestTopic { return kmsg.MetadataRequestTopic{Topic: &n} }
	}
	byID := func(n string) asked {
		return func(s *side) kmsg.MetadataRequestTopic { return kmsg.MetadataRequestTopic{TopicID: s.id(n)} }
	}
	for v := int16(0); v <= 13; v++ {
		ask := func(name string, change func(*kmsg.MetadataRequest), topics ...asked) {
			t.Helper()
			p.ask("metadata "+name, v, func(s *side) kmsg.Request {
				req := kmsg.NewPtrMetadataRequest()
				for _, topic := range topics {
					req.Topics = append(req.Topics, topic(s))
				}
				req.AllowAutoTopicCreation = v >= 4
				if change != nil {
					change(req)
				}
				return req
			})
		}
		ask("of all", func(r *kmsg.MetadataRequest) { r.Topics = nil })
		ask("of an empty list", func(r *kmsg.MetadataRequest) { r.Topics = []kmsg.MetadataRequestTopic{} })
		ask("of two", nil, named("md"), named("md2"))
		ask("of one twice", nil, named("md"), named("md"))
		ask("of unknown ones", nil, named("md"), named("absent"), named("a b"), named(".."), named(""))
		ask("without creation", func(r *kmsg.MetadataRequest) { r.AllowAutoTopicCreation = false }, named("absent"))
		ask("with what one may", func(r *kmsg.MetadataRequest) {
			r.IncludeClusterAuthorizedOperations, r.IncludeTopicAuthorizedOperations = v <= 10 && v >= 8, v >= 8
		}, named("md"), named("absent"))
		ask("with what one may, all there", func(r *kmsg.MetadataRequest) {
			r.IncludeClusterAuthorizedOperations, r.IncludeTopicAuthorizedOperations = v <= 10 && v >= 8, v >= 8
		}, named("md"))
		if v < 10 {
			continue
		}
		ask("by id", nil, byID("md"))
		ask("by an unknown id", nil, byID("absent"), byID("md2"))
		ask("of nothing", nil, func(*side) kmsg.MetadataRequestTopic { return kmsg.MetadataRequestTopic{} })
		ask("by name and id", nil, func(s *side) kmsg.MetadataRequestTopic {
			return kmsg.MetadataRequestTopic{Topic: ptr("md"), TopicID: s.id("md")}
		})
		ask("by name and the id of another", nil, func(s *side) kmsg.MetadataRequestTopic {
			return kmsg.MetadataRequestTopic{Topic: ptr("md"), TopicID: s.id("md2")}
		})
	}
}

// TestDescribeTopicPartitions goes through topics in pages.
func TestDescribeTopicPartitions(t *testing.T) {
	p := newPair(t)
	p.topic("tp", 5)
	p.topic("tq", 3)
	ask := func(name string, limit int32, cursor *kmsg.DescribeTopicPartitionsRequestCursor, topics ...string) {
		t.Helper()
		p.ask("page "+name, 0, func(*side) kmsg.Request {
			req := kmsg.NewPtrDescribeTopicPartitionsRequest()
			req.ResponsePartitionLimit, req.Cursor = limit, cursor
			for _, topic := range topics {
				req.Topics = append(req.Topics, kmsg.DescribeTopicPartitionsRequestTopic{Topic: topic})
			}
			return req
		})
	}
	at := func(topic string, partition int32) *kmsg.DescribeTopicPartitionsRequestCursor {
		return &kmsg.DescribeTopicPartitionsRequestCursor{Topic: topic, Partition: partition}
	}
	ask("whole", 2000, nil, "tp", "tq")
	ask("of one", 10, nil, "tq")
	for limit := int32(-1); limit <= 9; limit++ {
		ask(fmt.Sprintf("of %d", limit), limit, nil, "tq", "tp")
	}
	for _, c := range []*kmsg.DescribeTopicPartitionsRequestCursor{at("tp", 0), at("tp", 3), at("tq", 1), at("tq", 2)} {
		for _, limit := range []int32{3, 100} {
			ask(fmt.Sprintf("of %d from %s %d", limit, c.Topic, c.Partition), limit, c, "tp", "tq")
			ask(fmt.Sprintf("of %d of all from %s %d", limit, c.Topic, c.Partition), limit, c)
		}
	}
	for _, c := range []*kmsg.DescribeTopicPartitionsRequestCursor{at("tp", 9), at("tp", -1), at("tpa", 2), at("absent", 0), at("", 0), at("z", 0)} {
		ask(fmt.Sprintf("from an odd cursor %s %d", c.Topic, c.Partition), 3, c, "tp", "tq")
	}
	ask("of all", 2000, nil)
	ask("of one twice", 2000, nil, "tp", "tp")
	ask("of unknown ones", 2000, nil, "tp", "absent", "a b", "..")
	ask("of a nameless one", 2000, nil, "tp", "")
}

// TestDescribeCluster asks both listeners.
func TestDescribeCluster(t *testing.T) {
	p := newPair(t)
	for _, where := range []string{"", " at the controller"} {
		if where != "" {
			p.toControllers()
		}
		for v := int16(0); v <= 2; v++ {
			for _, kind := range []int8{1, 2, 3, 0} {
				for _, more := range []bool{false, true} {
					p.ask(fmt.Sprintf("cluster %d %v%s", kind, more, where), v, func(*side) kmsg.Request {
						req := kmsg.NewPtrDescribeClusterRequest()
						req.EndpointType, req.IncludeClusterAuthorizedOperations, req.IncludeFencedBrokers = kind, more, more && v >= 2
						return req
					})
				}
			}
		}
	}
}

// toControllers goes on at the controllers' listeners.
func (p *pair) toControllers() {
	p.t.Helper()
	p.each(func(s *side) {
		s.addr = "127.0.0.1:" + s.controllerPort
		s.redial(p.t)
	})
}

// TestQuorum asks for the state of the quorum.
func TestQuorum(t *testing.T) {
	p := newPair(t)
	for v := int16(0); v <= 2; v++ {
		for _, topic := range []string{"__cluster_metadata", "absent", ""} {
			for _, partition := range []int32{0, 1, -1} {
				name := "of"
				if topic != "__cluster_metadata" || partition != 0 {
					name = "refused"
				}
				p.ask(fmt.Sprintf("quorum %s %q %d", name, topic, partition), v, func(*side) kmsg.Request {
					req := kmsg.NewPtrDescribeQuorumRequest()
					req.Topics = []kmsg.DescribeQuorumRequestTopic{{Topic: topic, Partitions: []kmsg.DescribeQuorumRequestTopicPartition{{Partition: partition}}}}
					return req
				})
			}
		}
		p.ask("quorum refused nothing asked", v, func(*side) kmsg.Request { return kmsg.NewPtrDescribeQuorumRequest() })
	}
}

// TestReassignments: there are none.
func TestReassignments(t *testing.T) {
	p := newPair(t)
	p.topic("ra", 2)
	for name, topics := range map[string][]kmsg.ListPartitionReassignmentsRequestTopic{
		"of all": nil, "of none": {}, "of one": {{Topic: "ra", Partitions: []int32{0, 1}}}, "of unknown ones": {{Topic: "absent", Partitions: []int32{0}}, {Topic: "ra", Partitions: []int32{7}}},
	} {
		p.ask("reassignments "+name, 0, func(*side) kmsg.Request {
			req := kmsg.NewPtrListPartitionReassignmentsRequest()
			req.TimeoutMillis, req.Topics = 5000, topics
			return req
		})
	}
}

// TestLogDirs asks where replicas are.
func TestLogDirs(t *testing.T) {
	p := newPair(t)
	p.filled("ld")
	for v := int16(0); v <= 5; v++ {
		for name, topics := range map[string][]kmsg.DescribeLogDirsRequestTopic{
			"of all": nil, "of none": {}, "of one": {{Topic: "ld", Partitions: []int32{0, 1, 2}}}, "of one twice": {{Topic: "ld", Partitions: []int32{1, 1}}},
			"of unknown ones": {{Topic: "absent", Partitions: []int32{0}}, {Topic: "ld", Partitions: []int32{7}}},
		} {
			p.ask("log directories "+name, v, func(*side) kmsg.Request {
				req := kmsg.NewPtrDescribeLogDirsRequest()
				req.Topics = topics
				return req
			})
		}
	}
}

// TestMovesBetweenLogDirs moves replicas to where they are, and to where they cannot
// be: either side has one log directory.
func TestMovesBetweenLogDirs(t *testing.T) {
	p := newPair(t)
	p.filled("moved")
	long := strings.Repeat("l", 220)
	p.topic(long, 1)
	for v := int16(0); v <= 2; v++ {
		for _, c := range []struct {
			name, topic string
			dir         func(*side) string
			partitions  []int32
		}{
			{"to where it is", "moved", func(s *side) string { return s.dir }, []int32{0, 1}},
			{"to no directory", "moved", func(s *side) string { return s.dir + "/nowhere" }, []int32{0}},
			{"to a name without a root", "moved", func(*side) string { return "data" }, []int32{0}},
			{"to no name", "moved", func(*side) string { return "" }, []int32{0}},
			{"what is unknown", "moved", func(s *side) string { return s.dir }, []int32{7, -1, 0}},
			{"what is nowhere", "nowhere", func(s *side) string { return s.dir }, []int32{0}},
			{"what is nowhere to no directory", "nowhere", func(s *side) string { return s.dir + "/nowhere" }, []int32{0}},
			{"no partition", "moved", func(s *side) string { return s.dir }, []int32{}},
			{"with a name too long for the copy", long, func(s *side) string { return s.dir }, []int32{0}},
		} {
			p.ask("move "+c.name, v, func(s *side) kmsg.Request {
				req := kmsg.NewPtrAlterReplicaLogDirsRequest()
				req.Dirs = []kmsg.AlterReplicaLogDirsRequestDir{{Dir: c.dir(s), Topics: []kmsg.AlterReplicaLogDirsRequestDirTopic{{Topic: c.topic, Partitions: c.partitions}}}}
				return req
			})
		}
	}
}

// TestApiVersions introduces itself in every way.
func TestApiVersions(t *testing.T) {
	p := newPair(t)
	for v := int16(0); v <= 5; v++ {
		for _, names := range [][2]string{{"apache-kafka-java", "4.4.0"}, {"a", "1"}, {"", "1"}, {"a", ""}, {"-x", "1"}, {"x-", "1"}, {"x y", "1"}, {"ü", "1"}, {"x", ".1"}, {"x.y-z", "1-2"}} {
			p.ask(fmt.Sprintf("versions for %q %q", names[0], names[1]), v, func(*side) kmsg.Request {
				req := kmsg.NewPtrApiVersionsRequest()
				req.ClientSoftwareName, req.ClientSoftwareVersion = names[0], names[1]
				return req
			})
		}
	}
	for _, c := range []struct {
		name    string
		cluster func(*side) *string
		node    int32
	}{
		{"rightly led", func(s *side) *string { return &s.cluster }, 1}, {"led to another node", func(s *side) *string { return &s.cluster }, 2},
		{"led to another cluster", func(*side) *string { return ptr("x") }, 1}, {"led to no cluster", func(*side) *string { return ptr("") }, 1},
		{"with a cluster alone", func(s *side) *string { return &s.cluster }, -1}, {"with a node alone", func(*side) *string { return nil }, 1},
	} {
		p.ask("versions "+c.name, 5, func(s *side) kmsg.Request {
			req := kmsg.NewPtrApiVersionsRequest()
			req.ClientSoftwareName, req.ClientSoftwareVersion, req.ClusterID, req.NodeID = "x", "1", c.cluster(s), c.node
			return req
		})
	}
	p.tooNew(t)
}

// tooNew asks in a version that nobody knows, and reads the answer as version 0.
func (p *pair) tooNew(t *testing.T) {
	var facts [2]map[string]string
	for i, s := range []*side{p.theirs, p.ours} {
		resp := &kmsg.ApiVersionsResponse{}
		if err := s.conn.Send(raw.Frame(99, 1, kmsg.NewPtrApiVersionsRequest())); err != nil {
			t.Fatal(err)
		}
		body, err := s.conn.Receive()
		if err != nil {
			t.Fatal(err)
		}
		if err := resp.ReadFrom(body[4:]); err != nil {
			t.Fatal(err)
		}
		facts[i] = flatten(s, resp)
		theRun.meeting(18, 0).codes[resp.ErrorCode] = true
	}
	p.compare("versions too new v99", facts[0], facts[1])
}
