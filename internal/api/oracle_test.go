package api

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/wire"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestOracle asks a real Kafka and us the same and compares codes and texts. It
// needs one: scripts/kafka broker DIR PORT, then BROKERD_ORACLE=127.0.0.1:PORT.
func TestOracle(t *testing.T) {
	addr := os.Getenv("BROKERD_ORACLE")
	if addr == "" {
		t.Skip("BROKERD_ORACLE names no Kafka")
	}
	n := startNode(t)
	suffix := fmt.Sprint(time.Now().UnixNano())
	for _, q := range oracleQuestions(suffix) {
		answer, err := kafkaAnswer(addr, q.req)
		if err != nil {
			t.Logf("%s\n  Kafka does not answer: %v", q.name, err)
			continue
		}
		theirs := q.brief(answer)
		resp := q.req.ResponseKind()
		n.decode(n.serve(callOf(connection("PLAINTEXT"), q.req)), q.req.GetVersion(), resp)
		ours := q.brief(resp)
		for i := range theirs {
			a, b := strings.ReplaceAll(theirs[i], suffix, ""), strings.ReplaceAll(ours[i], suffix, "")
			if a == b {
				continue
			}
			codeA, _, _ := strings.Cut(a, " ")
			codeB, _, _ := strings.Cut(b, " ")
			if codeA != codeB && !differs(q.name) {
				t.Errorf("%s %d\n  Kafka %s\n  ours  %s", q.name, i, a, b)
			} else {
				t.Logf("%s %d\n  Kafka %s\n  ours  %s", q.name, i, a, b)
			}
		}
	}
}

// question is one request with what to compare of its answer.
type question struct {
	name  string
	req   kmsg.Request
	brief func(kmsg.Response) []string
}

// differs names the questions that we answer otherwise on purpose: settings that
// no broker has are refused, where the topic is missing that is said before the
// setting is looked at, names beside ids are answered too, and there are no
// loggers with levels.
func differs(question string) bool {
	for _, prefix := range []string{"alter 4 1", "alter 2 absent", "alter 2 a/b", "metadata v12", "metadata v13", "list [8]"} {
		if strings.HasPrefix(question, prefix) {
			return true
		}
	}
	return false
}

func line(code int16, text *string) string { return fmt.Sprintf("%d %q", code, str(text)) }

func oracleQuestions(suffix string) []question {
	x, dotted := "x"+suffix, "a.b"+suffix
	var list []question
	add := func(name string, req kmsg.Request, brief func(kmsg.Response) []string) {
		list = append(list, question{name: name, req: req, brief: brief})
	}
	topics := func(name string, topics ...kmsg.CreateTopicsRequestTopic) {
		req := kmsg.NewPtrCreateTopicsRequest()
		req.Version, req.TimeoutMillis, req.Topics = 7, 10000, topics
		add(name, req, func(r kmsg.Response) (out []string) {
			byName := map[string]int{}
			got := r.(*kmsg.CreateTopicsResponse).Topics
			for i, topic := range got {
				byName[topic.Topic] = i
			}
			for _, topic := range topics {
				g := got[byName[topic.Topic]]
				out = append(out, fmt.Sprintf("%s %d %d", line(g.ErrorCode, g.ErrorMessage), g.NumPartitions, g.ReplicationFactor))
			}
			return out
		})
	}
	topics("create", newTopic(x, 2, 1), newTopic(dotted, 1, 1))
	gap := assigned("y", []int32{1}, []int32{1})
	gap.ReplicaAssignment[1].Partition = 2
	both, both2 := assigned("y", []int32{1}), assigned("y", []int32{1})
	both.ReplicationFactor, both2.NumPartitions = 1, 1
	null := newTopic("y", 1, 1, "retention.ms", "")
	null.Configs[0].Value = nil
	for _, topic := range []kmsg.CreateTopicsRequestTopic{
		newTopic(x, 1, 1), newTopic("a_b"+suffix, 1, 1), newTopic("", 1, 1), newTopic("..", 1, 1), newTopic("a/b", 1, 1),
		newTopic(strings.Repeat("a", 250), 1, 1), newTopic("__cluster_metadata", 1, 1),
		newTopic("y", 0, 1), newTopic("y", -2, 1), newTopic("y", 1, 0), newTopic("y", 1, 3), newTopic("y", 10001, 1),
		newTopic("y", 1, 1, "retention.ms", "soon"), newTopic("y", 1, 1, "retentoin.ms", "1"), newTopic("y", 1, 1, "min.insync.replicas", "0"),
		newTopic("y", 1, 1, "cleanup.policy", "shred"), newTopic("y", 1, 1, "retention.ms", "-5"),
		null, both, both2, gap, assigned("y", []int32{}), assigned("y", []int32{2}), assigned("y", []int32{1, 1}), assigned("y", []int32{1}, []int32{1, 2}),
	} {
		topics(fmt.Sprintf("create %.20q %d/%d %d", topic.Topic, topic.NumPartitions, topic.ReplicationFactor, len(topic.Configs)), topic)
	}
	dup := newTopic("dup", 1, 1)
	topics("create twice", dup, dup)

	for _, topic := range []kmsg.CreatePartitionsRequestTopic{
		{Topic: x, Count: 2}, {Topic: x, Count: 1}, {Topic: x, Count: -1}, {Topic: x, Count: 0}, {Topic: "absent", Count: 3}, {Topic: x, Count: 20002},
		{Topic: x, Count: 4, Assignment: []kmsg.CreatePartitionsRequestTopicAssignment{{Replicas: []int32{1}}}},
		{Topic: x, Count: 3, Assignment: []kmsg.CreatePartitionsRequestTopicAssignment{{Replicas: []int32{5}}}},
		{Topic: x, Count: 3, Assignment: []kmsg.CreatePartitionsRequestTopicAssignment{{Replicas: []int32{1, 1}}}},
		{Topic: x, Count: 3},
	} {
		req := kmsg.NewPtrCreatePartitionsRequest()
		req.Version, req.TimeoutMillis, req.Topics = 3, 10000, []kmsg.CreatePartitionsRequestTopic{topic}
		add(fmt.Sprintf("grow to %d %v", topic.Count, topic.Assignment), req, func(r kmsg.Response) []string {
			g := r.(*kmsg.CreatePartitionsResponse).Topics[0]
			return []string{line(g.ErrorCode, g.ErrorMessage)}
		})
	}
	grow2 := kmsg.NewPtrCreatePartitionsRequest()
	grow2.Version, grow2.Topics = 3, []kmsg.CreatePartitionsRequestTopic{{Topic: x, Count: 9}, {Topic: x, Count: 10}}
	add("grow twice", grow2, func(r kmsg.Response) []string {
		g := r.(*kmsg.CreatePartitionsResponse).Topics[0]
		return []string{line(g.ErrorCode, g.ErrorMessage)}
	})
	list = append(list, configQuestions(x)...)
	list = append(list, lookQuestions(x)...)

	for _, topic := range []kmsg.DeleteTopicsRequestTopic{
		{Topic: ptr("absent")}, {TopicID: [16]byte{9}}, {}, {Topic: ptr(x), TopicID: [16]byte{9}}, {Topic: ptr(x)}, {Topic: ptr(x)},
	} {
		req := kmsg.NewPtrDeleteTopicsRequest()
		req.Version, req.TimeoutMillis, req.Topics = 6, 10000, []kmsg.DeleteTopicsRequestTopic{topic}
		add(fmt.Sprintf("delete %s", str(topic.Topic)), req, func(r kmsg.Response) (out []string) {
			for _, g := range r.(*kmsg.DeleteTopicsResponse).Topics {
				out = append(out, line(g.ErrorCode, g.ErrorMessage))
			}
			return out
		})
	}
	return list
}

func configQuestions(x string) (list []question) {
	for _, changes := range [][]string{
		{"retention.ms", "=", "5"}, {"retention.ms", "+", "1"}, {"retention.ms", "/", "1"}, {"retention.ms", "=", "soon"}, {"cleanup.policy", "+", "compact"},
		{"cleanup.policy", "/", "compact"}, {"no.such", "=", "1"}, {"no.such", "-", ""}, {"retention.ms", "=", "1", "retention.ms", "-", ""},
		{"min.compaction.lag.ms", "=", "10", "max.compaction.lag.ms", "=", "5"},
	} {
		for _, r := range []meta.Resource{topicResource(x), topicResource("absent"), topicResource("a/b"), {Type: 4, Name: "1"}, {Type: 4, Name: "x"}, {Type: 99, Name: "x"}} {
			req := kmsg.NewPtrIncrementalAlterConfigsRequest()
			req.Version, req.ValidateOnly = 1, r.Type == 4
			a := kmsg.IncrementalAlterConfigsRequestResource{ResourceType: kmsg.ConfigResourceType(r.Type), ResourceName: r.Name}
			for i := 0; i < len(changes); i += 3 {
				c := kmsg.IncrementalAlterConfigsRequestResourceConfig{Name: changes[i], Op: kmsg.IncrementalAlterConfigOp(strings.Index("=-+/", changes[i+1]))}
				if c.Op != opDelete {
					c.Value = &changes[i+2]
				}
				a.Configs = append(a.Configs, c)
			}
			req.Resources = append(req.Resources, a)
			list = append(list, question{name: fmt.Sprintf("alter %d %s %v", r.Type, r.Name, changes), req: req, brief: func(r kmsg.Response) []string {
				g := r.(*kmsg.IncrementalAlterConfigsResponse).Resources[0]
				return []string{line(g.ErrorCode, g.ErrorMessage)}
			}})
		}
	}
	for _, r := range []meta.Resource{topicResource("absent"), topicResource("a/b"), {Type: 4, Name: "2"}, {Type: 4, Name: "x"}, {Type: 8, Name: "2"}, {Type: 99, Name: "x"}} {
		req := kmsg.NewPtrDescribeConfigsRequest()
		req.Version, req.Resources = 4, []kmsg.DescribeConfigsRequestResource{{ResourceType: kmsg.ConfigResourceType(r.Type), ResourceName: r.Name}}
		list = append(list, question{name: fmt.Sprintf("describe %d %s", r.Type, r.Name), req: req, brief: func(r kmsg.Response) []string {
			g := r.(*kmsg.DescribeConfigsResponse).Resources[0]
			return []string{line(g.ErrorCode, g.ErrorMessage)}
		}})
	}
	none := kmsg.NewPtrDescribeConfigsRequest()
	none.Version, none.Resources = 4, []kmsg.DescribeConfigsRequestResource{{ResourceType: 2, ResourceName: x, ConfigNames: []string{}}}
	list = append(list, question{name: "describe none of the settings", req: none, brief: func(r kmsg.Response) []string {
		return []string{fmt.Sprint(len(r.(*kmsg.DescribeConfigsResponse).Resources[0].Configs) > 0)}
	}})
	alter := kmsg.NewPtrAlterConfigsRequest()
	one := kmsg.AlterConfigsRequestResource{ResourceType: 2, ResourceName: x, Configs: []kmsg.AlterConfigsRequestResourceConfig{{Name: "retention.ms"}}}
	alter.Version, alter.Resources = 2, []kmsg.AlterConfigsRequestResource{one}
	list = append(list, question{name: "alter to null", req: alter, brief: alterBrief})
	twice := kmsg.NewPtrAlterConfigsRequest()
	one.Configs = nil
	twice.Version, twice.Resources = 2, []kmsg.AlterConfigsRequestResource{one, one}
	return append(list, question{name: "alter twice", req: twice, brief: alterBrief})
}

func alterBrief(r kmsg.Response) []string {
	g := r.(*kmsg.AlterConfigsResponse).Resources[0]
	return []string{line(g.ErrorCode, g.ErrorMessage)}
}

func lookQuestions(x string) (list []question) {
	for _, e := range []int8{1, 2, 3} {
		req := kmsg.NewPtrDescribeClusterRequest()
		req.Version, req.EndpointType, req.IncludeClusterAuthorizedOperations = 1, e, true
		list = append(list, question{name: fmt.Sprintf("cluster %d", e), req: req, brief: func(r kmsg.Response) []string {
			g := r.(*kmsg.DescribeClusterResponse)
			return []string{fmt.Sprint(line(g.ErrorCode, g.ErrorMessage), " ", g.ClusterAuthorizedOperations, len(g.Brokers))}
		}})
	}
	page := kmsg.NewPtrDescribeTopicPartitionsRequest()
	page.ResponsePartitionLimit = 1
	page.Topics = []kmsg.DescribeTopicPartitionsRequestTopic{{Topic: x}, {Topic: "absent"}, {Topic: "a b"}}
	list = append(list, question{name: "page", req: page, brief: func(r kmsg.Response) (out []string) {
		g := r.(*kmsg.DescribeTopicPartitionsResponse)
		for _, topic := range g.Topics {
			out = append(out, fmt.Sprint(topic.ErrorCode, " ", str(topic.Topic), len(topic.Partitions), topic.AuthorizedOperations))
		}
		return append(out, fmt.Sprint(g.NextCursor != nil))
	}})
	for version := int16(0); version <= 13; version++ {
		req := metadataFor(version, "absent", "a b", x, "..", "")
		req.IncludeTopicAuthorizedOperations = version >= 8
		if version < 4 { // else it would be made
			req.Topics = req.Topics[1:]
		}
		if version >= 12 {
			req.Topics = append(req.Topics, kmsg.MetadataRequestTopic{Topic: ptr("both"), TopicID: [16]byte{5}})
		}
		list = append(list, question{name: fmt.Sprintf("metadata v%d", version), req: req, brief: func(r kmsg.Response) []string {
			g := r.(*kmsg.MetadataResponse)
			byName := map[string]string{}
			for _, topic := range g.Topics {
				byName[str(topic.Topic)] = fmt.Sprint(topic.ErrorCode, " ", len(topic.Partitions), topic.AuthorizedOperations, topic.IsInternal)
			}
			return []string{fmt.Sprint(g.ErrorCode, " ", byName)}
		}})
	}
	for _, types := range [][]int8{{99}, {8}, {16}} {
		req := &kmsg.ListConfigResourcesRequest{Version: 1, ResourceTypes: types}
		list = append(list, question{name: fmt.Sprint("list ", types), req: req, brief: func(r kmsg.Response) []string {
			g := r.(*kmsg.ListConfigResourcesResponse)
			return []string{fmt.Sprint(g.ErrorCode, " ", len(g.ConfigResources))}
		}})
	}
	bad := apiVersions(3, "-x")
	return append(list, question{name: "bad software", req: bad, brief: func(r kmsg.Response) []string {
		g := r.(*kmsg.ApiVersionsResponse)
		return []string{fmt.Sprint(g.ErrorCode, " ", len(g.ApiKeys))}
	}})
}

// kafkaAnswer sends one request to a Kafka and reads its answer.
func kafkaAnswer(addr string, req kmsg.Request) (kmsg.Response, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return nil, err
	}
	h := wire.Header{Key: req.Key(), Version: req.GetVersion(), Correlation: 77, ClientID: []byte("oracle")}
	version := 1
	if req.IsFlexible() {
		version = 2
	}
	frame := req.AppendTo(h.AppendHeader(make([]byte, 4), version))
	binary.BigEndian.PutUint32(frame, uint32(len(frame)-4))
	if _, err := conn.Write(frame); err != nil {
		return nil, err
	}
	var size [4]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		return nil, err
	}
	body := make([]byte, binary.BigEndian.Uint32(size[:]))
	if _, err := io.ReadFull(conn, body); err != nil {
		return nil, err
	}
	resp := req.ResponseKind()
	resp.SetVersion(req.GetVersion())
	body = body[4:]
	if resp.IsFlexible() && req.Key() != apiVersionsKey {
		body = body[1:]
	}
	return resp, resp.ReadFrom(body)
}
