package api

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/wire"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func metadataFor(version int16, names ...string) *kmsg.MetadataRequest {
	req := kmsg.NewPtrMetadataRequest()
	req.Version = version
	req.Topics = []kmsg.MetadataRequestTopic{}
	for _, name := range names {
		req.Topics = append(req.Topics, kmsg.MetadataRequestTopic{Topic: &name})
	}
	return req
}

func TestMetadata(t *testing.T) {
	n := startNode(t)
	x := createTopic(n, "x", 3)
	createTopic(n, "y", 1)
	versionsOf(n, 3, func(version int16) {
		got := ask[*kmsg.MetadataResponse](n, metadataFor(version, "x", "x"))
		if len(got.Brokers) != 1 || got.Brokers[0].Host != "plain.example" || got.Brokers[0].Port != 9092 || len(got.Topics) != 1 {
			t.Fatalf("v%d: %+v", version, got)
		}
		p := got.Topics[0].Partitions
		if len(p) != 3 || p[2].Leader != 1 || p[2].Partition != 2 || !slices.Equal(p[2].Replicas, []int32{1}) || !slices.Equal(p[2].ISR, []int32{1}) || len(p[2].OfflineReplicas) != 0 {
			t.Errorf("v%d: %+v", version, p)
		}
		if version >= 1 && (got.ControllerID != 1 || str(got.Brokers[0].Rack) != "r1") {
			t.Errorf("v%d: controller %d, rack %q", version, got.ControllerID, str(got.Brokers[0].Rack))
		}
		if version >= 2 && str(got.ClusterID) != "the-cluster" {
			t.Errorf("v%d: cluster %q", version, str(got.ClusterID))
		}
		if version >= 7 && p[0].LeaderEpoch < 0 {
			t.Errorf("v%d: leader epoch %d", version, p[0].LeaderEpoch)
		}
		if version >= 10 && got.Topics[0].TopicID != x.ID {
			t.Errorf("v%d: id %v", version, got.Topics[0].TopicID)
		}
		// Null is all, empty is none; version 0 knew no null.
		all := kmsg.NewPtrMetadataRequest()
		all.Version = version
		if version == 0 {
			all.Topics = []kmsg.MetadataRequestTopic{}
		}
		if got := ask[*kmsg.MetadataResponse](n, all); len(got.Topics) != 2 {
			t.Errorf("v%d: all topics are %d", version, len(got.Topics))
		}
		if version > 0 {
			if got := ask[*kmsg.MetadataResponse](n, metadataFor(version)); len(got.Topics) != 0 {
				t.Errorf("v%d: no topics are %d", version, len(got.Topics))
			}
		}
	})
}

// TestMetadataListener: the address of the listener asked on, and of no other.
func TestMetadataListener(t *testing.T) {
	n := startNode(t)
	createTopic(n, "x", 1)
	got := askOn[*kmsg.MetadataResponse](n, connection("OTHER"), metadataFor(9, "x"))
	if got.Brokers[0].Host != "other.example" || got.Brokers[0].Port != 9192 || got.Topics[0].Partitions[0].Leader != 1 {
		t.Errorf("%+v", got)
	}
	for version, want := range map[int16]int16{5: 5, 6: 72} {
		got = askOn[*kmsg.MetadataResponse](n, connection("CONTROLLER"), metadataFor(version, "x"))
		p := got.Topics[0].Partitions[0]
		if len(got.Brokers) != 0 || got.ControllerID != -1 || p.ErrorCode != want || p.Leader != -1 || !slices.Equal(p.Replicas, []int32{1}) {
			t.Errorf("v%d: %+v", version, got)
		}
	}
}

func TestMetadataErrors(t *testing.T) {
	n := startNode(t, "auto.create.topics.enable", "false")
	x := createTopic(n, "x", 1)
	req := metadataFor(12, "x", "absent", "no such", "")
	req.AllowAutoTopicCreation = true
	req.Topics = append(req.Topics,
		kmsg.MetadataRequestTopic{TopicID: x.ID}, kmsg.MetadataRequestTopic{TopicID: [16]byte{1}}, kmsg.MetadataRequestTopic{})
	got := ask[*kmsg.MetadataResponse](n, req).Topics
	for i, want := range []int16{0, 3, 17, 17, 0, 100, 42} {
		if got[i].ErrorCode != want {
			t.Errorf("%d: code %d, want %d", i, got[i].ErrorCode, want)
		}
	}
	if str(got[1].Topic) != "absent" || str(got[4].Topic) != "x" || got[5].Topic != nil || got[5].TopicID != [16]byte{1} {
		t.Errorf("%+v", got)
	}
	req = metadataFor(10)
	req.Topics = append(req.Topics, kmsg.MetadataRequestTopic{TopicID: x.ID, Topic: ptr("x")})
	if got := ask[*kmsg.MetadataResponse](n, req).Topics[0]; got.ErrorCode != kerr.InvalidRequest.Code {
		t.Errorf("id in version 10: %+v", got)
	}
}

func TestAuthorizedOperations(t *testing.T) {
	n := startNode(t)
	createTopic(n, "x", 1)
	req := metadataFor(8, "x")
	if got := ask[*kmsg.MetadataResponse](n, req); got.AuthorizedOperations != -2147483648 || got.Topics[0].AuthorizedOperations != -2147483648 {
		t.Errorf("not asked for, answered: %+v", got)
	}
	req.IncludeClusterAuthorizedOperations, req.IncludeTopicAuthorizedOperations = true, true
	if got := ask[*kmsg.MetadataResponse](n, req); got.AuthorizedOperations != 8096 || got.Topics[0].AuthorizedOperations != 3576 {
		t.Errorf("cluster %d, topic %d; Kafka without an authorizer says 8096 and 3576", got.AuthorizedOperations, got.Topics[0].AuthorizedOperations)
	}
}

// TestAutoCreate: the first answer has the topic, leader and all.
func TestAutoCreate(t *testing.T) {
	n := startNode(t, "num.partitions", "2")
	versionsOf(n, 3, func(version int16) {
		req := metadataFor(version, fmt.Sprintf("auto%d", version))
		req.AllowAutoTopicCreation = true
		got := ask[*kmsg.MetadataResponse](n, req).Topics[0]
		if got.ErrorCode != 0 || len(got.Partitions) != 2 || got.Partitions[1].Leader != 1 {
			t.Errorf("v%d: %+v", version, got)
		}
	})
	for _, name := range []string{"__consumer_offsets", "__cluster_metadata", "..", "not allowed"} {
		req := metadataFor(4, name)
		req.AllowAutoTopicCreation = true
		got := ask[*kmsg.MetadataResponse](n, req).Topics[0]
		if _, made := n.deps.Catalog.Image().TopicNamed(name); made || got.ErrorCode == 0 {
			t.Errorf("%s was made: %+v", name, got)
		}
	}
	got := ask[*kmsg.MetadataResponse](n, metadataFor(4, "not-wanted")).Topics[0]
	if got.ErrorCode != kerr.UnknownTopicOrPartition.Code {
		t.Errorf("not allowed to create: %+v", got)
	}
	few := startNode(t, "default.replication.factor", "3")
	req := metadataFor(4, "x")
	req.AllowAutoTopicCreation = true
	if got := ask[*kmsg.MetadataResponse](few, req).Topics[0]; got.ErrorCode != kerr.InvalidReplicationFactor.Code {
		t.Errorf("three replicas on one broker: %+v", got)
	}
}

// TestAutoCreateOnce: many ask for one name at once, one creation is proposed.
func TestAutoCreateOnce(t *testing.T) {
	n := startNode(t)
	before := n.deps.Catalog.Image().Index()
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			c := connection("PLAINTEXT")
			c.ID = uint64(i)
			req := metadataFor(9, "one")
			req.AllowAutoTopicCreation = true
			if got := askOn[*kmsg.MetadataResponse](n, c, req).Topics[0]; got.ErrorCode != 0 || got.Partitions[0].Leader != 1 {
				t.Errorf("%+v", got)
			}
		})
	}
	all.Wait()
	if n := n.deps.Catalog.Image().Index() - before; n > 3 {
		t.Errorf("%d entries for one topic", n)
	}
}

// TestAutoCreateLimit: a connection that makes topics in a loop is slowed down,
// and told to come again.
func TestAutoCreateLimit(t *testing.T) {
	n := startNode(t)
	c := connection("PLAINTEXT")
	req := metadataFor(9)
	req.AllowAutoTopicCreation = true
	for i := range autoBurst + 50 {
		req.Topics = append(req.Topics, kmsg.MetadataRequestTopic{Topic: ptr(fmt.Sprintf("typo-%d", i))})
	}
	made := 0
	for _, topic := range askOn[*kmsg.MetadataResponse](n, c, req).Topics {
		switch topic.ErrorCode {
		case 0:
			made++
		case kerr.LeaderNotAvailable.Code:
		default:
			t.Errorf("%s: %d", str(topic.Topic), topic.ErrorCode)
		}
	}
	if made < autoBurst || made > autoBurst+20 {
		t.Errorf("%d topics were made", made)
	}
	auto := n.route(3).Closed
	auto(c)
	if got := askOn[*kmsg.MetadataResponse](n, c, req).Topics[autoBurst+49]; got.ErrorCode != 0 {
		t.Errorf("the budget of a connection outlives it: %+v", got)
	}
}

// TestMetadataFenced: a fenced broker is not listed, its replicas are offline.
func TestMetadataFenced(t *testing.T) {
	n := startNode(t)
	n.submit(
		meta.RegisterBroker{ID: 2, ClusterID: "the-cluster", Incarnation: [16]byte{2}, BootID: "b2", Dirs: nil,
			Endpoints: []meta.Endpoint{{Listener: "PLAINTEXT", Host: "two", Port: 9092}}},
	)
	if got := create(n, 7, assigned("x", []int32{1, 2})); got[0].ErrorCode != 0 {
		t.Fatalf("%d %s", got[0].ErrorCode, str(got[0].ErrorMessage))
	}
	got := ask[*kmsg.MetadataResponse](n, metadataFor(9, "x"))
	p := got.Topics[0].Partitions[0]
	if len(got.Brokers) != 1 || p.Leader != 1 || !slices.Equal(p.OfflineReplicas, []int32{2}) || !slices.Equal(p.ISR, []int32{1}) {
		t.Errorf("%+v", got)
	}
	req := kmsg.NewPtrDescribeClusterRequest()
	req.Version, req.EndpointType, req.IncludeFencedBrokers = 2, 1, true
	if got := ask[*kmsg.DescribeClusterResponse](n, req); len(got.Brokers) != 2 || got.Brokers[0].IsFenced || !got.Brokers[1].IsFenced {
		t.Errorf("%+v", got)
	}
	req.IncludeFencedBrokers = false
	if got := ask[*kmsg.DescribeClusterResponse](n, req); len(got.Brokers) != 1 {
		t.Errorf("%+v", got)
	}
}

// TestAutoCreateSlow: a creation that takes longer than a second is answered
// with "come again"; who asks meanwhile joins it, and who comes later sees it.
func TestAutoCreateSlow(t *testing.T) {
	n := startNode(t)
	var calls []*wire.Call
	var made *pending
	slow := func(c *wire.Call) wire.Outcome {
		calls = append(calls, c)
		made = later(time.Now().Add(time.Hour), func(bool) wire.Answer {
			resp := kmsg.NewPtrCreateTopicsResponse()
			resp.Topics = []kmsg.CreateTopicsResponseTopic{{Topic: "slow", ErrorCode: kerr.TopicAlreadyExists.Code}}
			return c.Reply().Answer(resp)
		})
		return made
	}
	m := newMetadata(n.deps.withDefaults(), slow)
	req := metadataFor(9, "slow")
	req.AllowAutoTopicCreation = true
	began := time.Now()
	first := m.serve(callOf(connection("PLAINTEXT"), req))
	second := m.serve(callOf(connection("PLAINTEXT"), req))
	if first.Ready() || second.Ready() || len(calls) != 1 || calls[0].Key != createTopicsKey {
		t.Fatalf("%d creations", len(calls))
	}
	if wait := first.Deadline().Sub(began); wait < visibleWithin || wait > 2*visibleWithin {
		t.Errorf("waits for %v", wait)
	}
	resp := kmsg.NewPtrMetadataResponse()
	n.decode(first.Finish(true), 9, resp)
	if resp.Topics[0].ErrorCode != kerr.LeaderNotAvailable.Code {
		t.Errorf("after the deadline: %+v", resp.Topics)
	}
	createTopic(n, "slow", 1) // somebody else was faster in the end
	woken := make(chan struct{})
	second.Notify(func(*wire.Handoff) { close(woken) })
	made.complete(nil)
	<-woken
	n.decode(second.Finish(false), 9, resp)
	if resp.Topics[0].ErrorCode != 0 || len(resp.Topics[0].Partitions) != 1 {
		t.Errorf("after the creation: %+v", resp.Topics)
	}
	if len(m.auto.inFlight) != 0 {
		t.Errorf("%d creations are still in flight", len(m.auto.inFlight))
	}
}
