package api

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/brokerd/brokerd/internal/auth"
	"github.com/brokerd/brokerd/internal/controller"
	"github.com/brokerd/brokerd/internal/meta"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func newTopic(name string, partitions int32, rf int16, settings ...string) kmsg.CreateTopicsRequestTopic {
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = name, partitions, rf
	for i := 0; i < len(settings); i += 2 {
		t.Configs = append(t.Configs, kmsg.CreateTopicsRequestTopicConfig{Name: settings[i], Value: &settings[i+1]})
	}
	return t
}

func assigned(name string, replicas ...[]int32) kmsg.CreateTopicsRequestTopic {
	t := newTopic(name, -1, -1)
	for i, r := range replicas {
		t.ReplicaAssignment = append(t.ReplicaAssignment, kmsg.CreateTopicsRequestTopicReplicaAssignment{Partition: int32(i), Replicas: r})
	}
	return t
}

func create(n *testNode, version int16, topics ...kmsg.CreateTopicsRequestTopic) []kmsg.CreateTopicsResponseTopic {
	n.t.Helper()
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Version, req.TimeoutMillis, req.Topics = version, 20000, topics
	return ask[*kmsg.CreateTopicsResponse](n, req).Topics
}

func createTopic(n *testNode, name string, partitions int32, settings ...string) *meta.Topic {
	n.t.Helper()
	if got := create(n, 7, newTopic(name, partitions, 1, settings...)); got[0].ErrorCode != 0 {
		n.t.Fatalf("create %s: %d %s", name, got[0].ErrorCode, str(got[0].ErrorMessage))
	}
	t, ok := n.deps.Catalog.Image().TopicNamed(name)
	if !ok {
		n.t.Fatalf("%s is answered and not visible", name)
	}
	return t
}

func str(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func TestCreateTopics(t *testing.T) {
	n := startNode(t, "num.partitions", "3")
	versionsOf(n, createTopicsKey, func(version int16) {
		name := fmt.Sprintf("t%d", version)
		got := create(n, version, newTopic(name, 2, 1, "retention.ms", "1000"))[0]
		made, ok := n.deps.Catalog.Image().TopicNamed(name)
		if got.ErrorCode != 0 || !ok || made.Partitions() != 2 {
			t.Fatalf("v%d: %d %s", version, got.ErrorCode, str(got.ErrorMessage))
		}
		if p, _ := made.Partition(1); p.Leader != 1 || !p.InISR(1) {
			t.Errorf("v%d: no leader when answered: %+v", version, p)
		}
		if version >= 7 && (got.TopicID != made.ID || made.ID[6]>>4 != 4) {
			t.Errorf("v%d: topic id %v", version, got.TopicID)
		}
		if version >= 5 {
			i := slices.IndexFunc(got.Configs, func(c kmsg.CreateTopicsResponseTopicConfig) bool { return c.Name == "retention.ms" })
			if got.NumPartitions != 2 || got.ReplicationFactor != 1 || i < 0 || str(got.Configs[i].Value) != "1000" || got.Configs[i].Source != 1 {
				t.Errorf("v%d: %+v", version, got)
			}
		}
	})
	got := create(n, 7, newTopic("defaults", -1, -1), assigned("by-hand", []int32{1}, []int32{1}))
	if got[0].NumPartitions != 3 || got[0].ReplicationFactor != 1 || got[1].NumPartitions != 2 {
		t.Errorf("%+v", got)
	}
}

// TestCreateTopicsRefusals: Kafka's code, and a text that says what to do.
// TestCreateTopicsDefaults: -1 is "as configured" in every version.
func TestCreateTopicsDefaults(t *testing.T) {
	n := startNode(t)
	versionsOf(n, 19, func(version int16) {
		if got := create(n, version, newTopic(fmt.Sprintf("d%d", version), -1, -1)); got[0].ErrorCode != 0 {
			t.Errorf("v%d: %d %s", version, got[0].ErrorCode, str(got[0].ErrorMessage))
		}
	})
}

func TestCreateTopicsRefusals(t *testing.T) {
	n := startNode(t)
	createTopic(n, "test", 1)
	createTopic(n, "a.b_c", 1)
	both := assigned("x", []int32{1})
	both.ReplicationFactor = 1
	both2 := assigned("x", []int32{1})
	both2.NumPartitions = 1
	gap := assigned("x", []int32{1}, []int32{1})
	gap.ReplicaAssignment[1].Partition = 2
	twice := assigned("x", []int32{1}, []int32{1})
	twice.ReplicaAssignment[1].Partition = 0
	null := newTopic("x", 1, 1, "retention.ms", "")
	null.Configs[0].Value = nil
	tests := []struct {
		topic kmsg.CreateTopicsRequestTopic
		kafka *kerr.Error
		text  string
	}{
		{newTopic("test", 1, 1), kerr.TopicAlreadyExists, "Topic 'test' already exists."},
		{newTopic("a_b.c", 1, 1), kerr.InvalidTopicException, "Topic 'a_b.c' collides with existing topic: a.b_c"},
		{newTopic("", 1, 1), kerr.InvalidTopicException, "Topic name is invalid: the empty string is not allowed"},
		{newTopic("..", 1, 1), kerr.InvalidTopicException, "Topic name is invalid: '..' is not allowed"},
		{newTopic("../x\n", 1, 1), kerr.InvalidTopicException, "Topic name is invalid: '../x?' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"},
		{newTopic(strings.Repeat("a", 250), 1, 1), kerr.InvalidTopicException, "Topic name is invalid: the length of '" + strings.Repeat("a", 250) + "' is longer than the max allowed length 249"},
		{newTopic("__cluster_metadata", 1, 1), kerr.InvalidRequest, "Creation of internal topic __cluster_metadata is prohibited."},
		{newTopic("x", 0, 1), kerr.InvalidPartitions, "Number of partitions was set to an invalid non-positive value."},
		{newTopic("x", -2, 1), kerr.InvalidPartitions, ""},
		{newTopic("x", 1, 0), kerr.InvalidReplicationFactor, "Replication factor must be larger than 0, or -1 to use the default value."},
		{newTopic("x", 1, 3), kerr.InvalidReplicationFactor, "replication factor 3 needs 3 live brokers, 1 is registered (node 1)"},
		{newTopic("x", 10001, 1), kerr.PolicyViolation, "Excessively large number of partitions per request."},
		{newTopic("x", 1<<30, 1), kerr.PolicyViolation, ""},
		{newTopic("x", 1, 1, "retention.ms", "soon"), kerr.InvalidConfig, ""},
		{newTopic("x", 1, 1, "retentoin.ms", "1"), kerr.InvalidConfig, ""},
		{newTopic("x", 1, 1, "min.insync.replicas", "0"), kerr.InvalidConfig, ""},
		{null, kerr.InvalidConfig, "Null value not supported for topic configs: retention.ms"},
		{both, kerr.InvalidRequest, "A manual partition assignment was specified, but replication factor was not set to -1."},
		{both2, kerr.InvalidRequest, "A manual partition assignment was specified, but numPartitions was not set to -1."},
		{gap, kerr.InvalidReplicaAssignment, "partitions should be a consecutive 0-based integer sequence"},
		{twice, kerr.InvalidReplicaAssignment, "Found multiple manual partition assignments for partition 0"},
		{assigned("x", []int32{}), kerr.InvalidReplicaAssignment, "The manual partition assignment includes an empty replica list."},
		{assigned("x", []int32{2}), kerr.InvalidReplicaAssignment, "The manual partition assignment includes broker 2, but no such broker is registered."},
		{assigned("x", []int32{1, 1}), kerr.InvalidReplicaAssignment, "The manual partition assignment includes the broker 1 more than once."},
	}
	before := n.deps.Catalog.Image().Index()
	for _, test := range tests {
		got := create(n, 7, test.topic)[0]
		if got.ErrorCode != test.kafka.Code || test.text != "" && str(got.ErrorMessage) != test.text {
			t.Errorf("%.30q %d %d: %d %q, want %s %q", test.topic.Topic, test.topic.NumPartitions, test.topic.ReplicationFactor,
				got.ErrorCode, str(got.ErrorMessage), test.kafka.Message, test.text)
		}
		if got.ErrorMessage == nil || got.NumPartitions != -1 || got.TopicID != [16]byte{} || got.Configs == nil {
			t.Errorf("%.30q: %+v", test.topic.Topic, got)
		}
	}
	// Twice in one request: neither is made; what stands beside them is.
	got := create(n, 7, newTopic("dup", 1, 1), newTopic("c.d", 1, 1), newTopic("dup", 1, 1), newTopic("c_d", 1, 1))
	for i, want := range []int16{42, 0, 42, 17} {
		if got[i].ErrorCode != want {
			t.Errorf("topic %d of one request: %d %s", i, got[i].ErrorCode, str(got[i].ErrorMessage))
		}
	}
	if after := n.deps.Catalog.Image().Index(); after != before+1 {
		t.Errorf("%d entries were written", after-before)
	}
}

func TestValidateOnly(t *testing.T) {
	n := startNode(t)
	createTopic(n, "old", 1)
	before := n.deps.Catalog.Image().Index()
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Version, req.ValidateOnly, req.Topics = 7, true, []kmsg.CreateTopicsRequestTopic{newTopic("x", 5, 1), newTopic("old", 1, 1)}
	got := ask[*kmsg.CreateTopicsResponse](n, req).Topics
	if got[0].ErrorCode != 0 || got[0].NumPartitions != 5 || len(got[0].Configs) == 0 || got[1].ErrorCode != 36 {
		t.Errorf("%+v", got)
	}
	more := kmsg.NewPtrCreatePartitionsRequest()
	more.ValidateOnly, more.Topics = true, []kmsg.CreatePartitionsRequestTopic{{Topic: "old", Count: 9}}
	if got := ask[*kmsg.CreatePartitionsResponse](n, more).Topics[0]; got.ErrorCode != 0 {
		t.Errorf("%+v", got)
	}
	if after := n.deps.Catalog.Image().Index(); after != before {
		t.Error("validating wrote something")
	}
}

// deletion of a topic by either name, in any version.
func deleteTopics(n *testNode, version int16, topics ...kmsg.DeleteTopicsRequestTopic) []kmsg.DeleteTopicsResponseTopic {
	n.t.Helper()
	req := kmsg.NewPtrDeleteTopicsRequest()
	req.Version, req.TimeoutMillis, req.Topics = version, 20000, topics
	if version < 6 {
		for _, t := range topics {
			req.TopicNames = append(req.TopicNames, *t.Topic)
		}
	}
	return ask[*kmsg.DeleteTopicsResponse](n, req).Topics
}

func TestDeleteTopics(t *testing.T) {
	n := startNode(t)
	versionsOf(n, 20, func(version int16) {
		old := createTopic(n, "x", 1)
		got := deleteTopics(n, version, kmsg.DeleteTopicsRequestTopic{Topic: ptr("x")})[0]
		if _, still := n.deps.Catalog.Image().TopicNamed("x"); got.ErrorCode != 0 || str(got.Topic) != "x" || still {
			t.Errorf("v%d: %+v, still there: %v", version, got, still)
		}
		if again := createTopic(n, "x", 1); again.ID == old.ID {
			t.Errorf("v%d: the same id again", version)
		}
		deleteTopics(n, 5, kmsg.DeleteTopicsRequestTopic{Topic: ptr("x")})
	})
	byID := createTopic(n, "y", 1)
	createTopic(n, "__consumer_offsets", 1)
	got := deleteTopics(n, 6,
		kmsg.DeleteTopicsRequestTopic{TopicID: byID.ID},
		kmsg.DeleteTopicsRequestTopic{Topic: ptr("absent")},
		kmsg.DeleteTopicsRequestTopic{TopicID: [16]byte{9}},
		kmsg.DeleteTopicsRequestTopic{Topic: ptr("y"), TopicID: byID.ID},
		kmsg.DeleteTopicsRequestTopic{},
		kmsg.DeleteTopicsRequestTopic{Topic: ptr("__consumer_offsets")},
	)
	for i, want := range []int16{0, 3, 100, 42, 42, 42} {
		if got[i].ErrorCode != want || want != 0 && got[i].ErrorMessage == nil {
			t.Errorf("%d: %d %s, want %d", i, got[i].ErrorCode, str(got[i].ErrorMessage), want)
		}
	}
	if str(got[0].Topic) != "y" {
		t.Errorf("deleted by id, answered as %q", str(got[0].Topic))
	}
	z := createTopic(n, "z", 1)
	got = deleteTopics(n, 6, kmsg.DeleteTopicsRequestTopic{Topic: ptr("z")}, kmsg.DeleteTopicsRequestTopic{TopicID: z.ID})
	if got[0].ErrorCode != 42 || got[1].ErrorCode != 42 {
		t.Errorf("the same topic twice: %+v", got)
	}
	off := startNode(t, "delete.topic.enable", "false")
	createTopic(off, "z", 1)
	for version, want := range map[int16]int16{2: 42, 3: 73, 6: 73} {
		if got := deleteTopics(off, version, kmsg.DeleteTopicsRequestTopic{Topic: ptr("z")}); got[0].ErrorCode != want {
			t.Errorf("v%d with deletion disabled: %d", version, got[0].ErrorCode)
		}
	}
}

func TestCreatePartitions(t *testing.T) {
	n := startNode(t)
	createTopic(n, "x", 2)
	createTopic(n, "__consumer_offsets", 1)
	grow := func(version int16, topics ...kmsg.CreatePartitionsRequestTopic) []kmsg.CreatePartitionsResponseTopic {
		req := kmsg.NewPtrCreatePartitionsRequest()
		req.Version, req.TimeoutMillis, req.Topics = version, 20000, topics
		return ask[*kmsg.CreatePartitionsResponse](n, req).Topics
	}
	count := int32(2)
	versionsOf(n, 37, func(version int16) {
		count++
		got := grow(version, kmsg.CreatePartitionsRequestTopic{Topic: "x", Count: count})[0]
		made, _ := n.deps.Catalog.Image().TopicNamed("x")
		if p, ok := made.Partition(count - 1); got.ErrorCode != 0 || !ok || p.Leader != 1 {
			t.Errorf("v%d: %+v", version, got)
		}
	})
	one := kmsg.CreatePartitionsRequestTopicAssignment{Replicas: []int32{1}}
	tests := []struct {
		topic kmsg.CreatePartitionsRequestTopic
		want  int16
		text  string
	}{
		{kmsg.CreatePartitionsRequestTopic{Topic: "x", Count: 6}, 37, "Topic already has 6 partition(s)."},
		{kmsg.CreatePartitionsRequestTopic{Topic: "x", Count: 1}, 37, "The topic x currently has 6 partition(s); 1 would not be an increase."},
		{kmsg.CreatePartitionsRequestTopic{Topic: "x", Count: -1}, 37, ""},
		{kmsg.CreatePartitionsRequestTopic{Topic: "x", Count: 1 << 30}, 44, ""},
		{kmsg.CreatePartitionsRequestTopic{Topic: "absent", Count: 6}, 3, "This server does not host this topic-partition."},
		{kmsg.CreatePartitionsRequestTopic{Topic: "__consumer_offsets", Count: 6}, 42, ""},
		{kmsg.CreatePartitionsRequestTopic{Topic: "x", Count: 8, Assignment: []kmsg.CreatePartitionsRequestTopicAssignment{one}}, 39,
			"Attempted to add 2 additional partition(s), but only 1 assignment(s) were specified."},
		{kmsg.CreatePartitionsRequestTopic{Topic: "x", Count: 7, Assignment: []kmsg.CreatePartitionsRequestTopicAssignment{{Replicas: []int32{5}}}}, 39, ""},
		{kmsg.CreatePartitionsRequestTopic{Topic: "x", Count: 7, Assignment: []kmsg.CreatePartitionsRequestTopicAssignment{one}}, 0, ""},
	}
	for i, test := range tests {
		got := grow(3, test.topic)[0]
		if got.ErrorCode != test.want || test.text != "" && str(got.ErrorMessage) != test.text {
			t.Errorf("%d: %d %q, want %d", i, got.ErrorCode, str(got.ErrorMessage), test.want)
		}
	}
	if got := grow(3, kmsg.CreatePartitionsRequestTopic{Topic: "x", Count: 9}, kmsg.CreatePartitionsRequestTopic{Topic: "x", Count: 10}); got[0].ErrorCode != 42 || got[1].ErrorCode != 42 {
		t.Errorf("twice in one request: %+v", got)
	}
}

// TestWithoutController: administration is refused, and says so; who addressed
// the controller itself hears that this is none.
func TestWithoutController(t *testing.T) {
	n := newNode(t, false)
	n.run()
	for listener, want := range map[string]int16{"PLAINTEXT": 7, "CONTROLLER": 41} {
		req := kmsg.NewPtrAlterConfigsRequest()
		req.Resources = []kmsg.AlterConfigsRequestResource{{ResourceType: 4, ResourceName: "1"}}
		got := askOn[*kmsg.AlterConfigsResponse](n, connection(listener), req)
		if got.Resources[0].ErrorCode != want || got.Resources[0].ErrorMessage == nil {
			t.Errorf("%s: %+v", listener, got)
		}
	}
	if got := create(n, 7, newTopic("x", 1, 1))[0]; got.ErrorCode != 38 || str(got.ErrorMessage) != "replication factor 1 needs 1 live brokers, 0 are registered" {
		t.Errorf("%d %s", got.ErrorCode, str(got.ErrorMessage))
	}
	if got := ask[*kmsg.MetadataResponse](n, metadataFor(9)); got.ControllerID != -1 || len(got.Brokers) != 0 {
		t.Errorf("%+v", got)
	}
}

// TestVerdict: what clients hear of a proposal that did not go well.
func TestVerdict(t *testing.T) {
	notLeader := &controller.Committed{Err: fmt.Errorf("submit: %w", controller.ErrNotLeader)}
	for _, test := range []struct {
		v    verdict
		want *kerr.Error
	}{
		{verdict{asked: true}, kerr.RequestTimedOut},
		{verdict{notLeader, false, true}, kerr.RequestTimedOut},
		{verdict{notLeader, true, true}, kerr.NotController},
		{verdict{&controller.Committed{Err: controller.ErrBusy}, true, true}, kerr.RequestTimedOut},
		{verdict{&controller.Committed{Err: controller.ErrUnknownOutcome}, true, true}, kerr.RequestTimedOut},
		{verdict{&controller.Committed{Err: context.DeadlineExceeded}, false, true}, kerr.RequestTimedOut},
		{verdict{&controller.Committed{Results: []meta.Result{{Err: meta.ErrTopicExists}}}, false, true}, kerr.TopicAlreadyExists},
		{verdict{&controller.Committed{Results: []meta.Result{{}}}, false, true}, nil},
		{verdict{}, nil},
	} {
		if got := kafkaError(test.v.of(0)); got != test.want {
			t.Errorf("%+v: %v, want %v", test.v.committed, got, test.want)
		}
	}
}

// TestChosenBrokersHaveGone: who let us choose brokers that were fenced before the
// topic was made may try again; who chose them himself hears that they are away.
func TestChosenBrokersHaveGone(t *testing.T) {
	n := startNode(t)
	b, _ := n.deps.Catalog.Image().Broker(1)
	fence := meta.SetBrokerState{ID: 1, Epoch: b.Epoch, State: meta.Fenced}
	im := n.deps.Catalog.Image()
	n.deps.Auth = auth.AllowAll{}
	for _, c := range []struct {
		topic kmsg.CreateTopicsRequestTopic
		want  *kerr.Error
	}{
		{newTopic("placed", 1, 1), kerr.RequestTimedOut},
		{assigned("chosen", []int32{1}), kerr.InvalidReplicaAssignment},
	} {
		v := view{d: n.deps, im: im}
		req := &kmsg.CreateTopicsRequest{Topics: []kmsg.CreateTopicsRequestTopic{c.topic}}
		list := v.planTopics(req)
		if list[0].err != nil {
			t.Fatal(list[0].err)
		}
		_, _, results := meta.Apply(im, im.Index()+1, []meta.Command{fence, list[0].cmd})
		got := v.created(req, list, verdict{&controller.Committed{Results: results[1:]}, false, true}).(*kmsg.CreateTopicsResponse).Topics[0]
		if got.ErrorCode != c.want.Code {
			t.Errorf("%s: %d %s, want %d", c.topic.Topic, got.ErrorCode, str(got.ErrorMessage), c.want.Code)
		}
	}
}

// TestTimeout: a commit that takes longer than the client waits is an unknown
// outcome, and the change happens nevertheless.
func TestTimeout(t *testing.T) {
	n := startNode(t)
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Version, req.TimeoutMillis, req.Topics = 7, 20000, []kmsg.CreateTopicsRequestTopic{newTopic("x", 1, 1)}
	o := n.Serve(callOf(connection("PLAINTEXT"), req))
	resp := kmsg.NewPtrCreateTopicsResponse()
	n.decode(o.Finish(true), 7, resp) // as if the deadline had come first
	if got := resp.Topics[0].ErrorCode; got != 7 && got != 0 {
		t.Errorf("code %d", got)
	}
	for range 1000 {
		if create(n, 7, newTopic("x", 1, 1))[0].ErrorCode == kerr.TopicAlreadyExists.Code {
			return
		}
	}
	t.Error("the topic never came")
}

// TestNames: our rule for names is the one that the image keeps.
func TestNames(t *testing.T) {
	for _, name := range []string{"a", "", ".", "..", "...", "a.b", "a/b", "ä", "a b", "A-Z_09", strings.Repeat("x", 249), strings.Repeat("x", 250), "\x00"} {
		if ours, theirs := topicNameFault(name) == "", meta.CheckName(name) == ""; ours != theirs {
			t.Errorf("%.20q: api says %v, meta %v", name, ours, theirs)
		}
	}
}

func TestTopicIDsAreArguments(t *testing.T) {
	for range 1000 { // one of 64 would begin with a dash
		if id := newTopicID(); id.String()[0] == '-' || id[6]>>4 != 4 || id[8]>>6 != 2 {
			t.Fatalf("made %s", id)
		}
	}
}
