package api

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/brokerd/brokerd/internal/meta"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestDescribeCluster(t *testing.T) {
	n := startNode(t)
	versionsOf(n, 60, func(version int16) {
		req := kmsg.NewPtrDescribeClusterRequest()
		req.Version, req.EndpointType = version, brokerEndpoints
		got := ask[*kmsg.DescribeClusterResponse](n, req)
		if got.ErrorCode != 0 || got.ClusterID != "the-cluster" || got.ControllerID != 1 || len(got.Brokers) != 1 || got.Brokers[0].Host != "plain.example" {
			t.Errorf("v%d: %+v", version, got)
		}
		if version == 0 {
			if got := askOn[*kmsg.DescribeClusterResponse](n, connection("CONTROLLER"), req); got.ErrorCode != 42 {
				t.Errorf("v0 on a controller's listener: %+v", got)
			}
			return
		}
		req.EndpointType = controllerEndpoints
		if got := ask[*kmsg.DescribeClusterResponse](n, req); got.ErrorCode != 114 || got.ErrorMessage == nil || got.EndpointType != 1 {
			t.Errorf("v%d, controllers on a broker's listener: %+v", version, got)
		}
		got = askOn[*kmsg.DescribeClusterResponse](n, connection("CONTROLLER"), req)
		if got.ErrorCode != 0 || got.EndpointType != 2 || len(got.Brokers) != 1 || got.Brokers[0].Host != "127.0.0.1" || got.Brokers[0].Port != 9093 {
			t.Errorf("v%d, controllers: %+v", version, got)
		}
		req.EndpointType = 3
		if got := ask[*kmsg.DescribeClusterResponse](n, req); got.ErrorCode != 115 {
			t.Errorf("v%d, type 3: %+v", version, got)
		}
	})
}

func TestDescribeQuorum(t *testing.T) {
	n := startNode(t)
	createTopic(n, "x", 1)
	versionsOf(n, 55, func(version int16) {
		req := kmsg.NewPtrDescribeQuorumRequest()
		req.Version = version
		req.Topics = []kmsg.DescribeQuorumRequestTopic{
			{Topic: clusterMetadataTopic, Partitions: []kmsg.DescribeQuorumRequestTopicPartition{{Partition: 0}, {Partition: 1}}},
			{Topic: "x", Partitions: []kmsg.DescribeQuorumRequestTopicPartition{{Partition: 0}}},
		}
		got := ask[*kmsg.DescribeQuorumResponse](n, req)
		p := got.Topics[0].Partitions[0]
		if p.ErrorCode != 0 || p.LeaderID != 1 || p.HighWatermark < 3 || len(p.CurrentVoters) != 1 || p.CurrentVoters[0].LogEndOffset < 3 {
			t.Errorf("v%d: %+v", version, p)
		}
		if version >= 2 && (len(got.Nodes) != 1 || len(got.Nodes[0].Listeners) != 1 || got.Nodes[0].Listeners[0].Name != "CONTROLLER" || got.Nodes[0].Listeners[0].Port != 9093) {
			t.Errorf("v%d: %+v", version, got.Nodes)
		}
		if got.Topics[0].Partitions[1].ErrorCode != 3 || got.Topics[1].Partitions[0].ErrorCode != 3 {
			t.Errorf("v%d: other partitions: %+v", version, got.Topics)
		}
	})
	idle := newNode(t, false)
	idle.run()
	req := kmsg.NewPtrDescribeQuorumRequest()
	req.Topics = []kmsg.DescribeQuorumRequestTopic{{Topic: clusterMetadataTopic, Partitions: []kmsg.DescribeQuorumRequestTopicPartition{{}}}}
	if got := ask[*kmsg.DescribeQuorumResponse](idle, req); got.Topics[0].Partitions[0].ErrorCode != 6 {
		t.Errorf("without a quorum: %+v", got)
	}
}

// TestReassignments moves a partition to a broker that is not there yet.
func TestReassignments(t *testing.T) {
	n := startNode(t)
	n.submit(meta.RegisterBroker{ID: 2, ClusterID: "the-cluster", Incarnation: [16]byte{2}, BootID: "b"})
	x := createTopic(n, "x", 3)
	createTopic(n, "y", 1)
	n.submit(meta.Reassign{Topic: x.ID, Partition: 1, Target: []int32{2}})
	req := kmsg.NewPtrListPartitionReassignmentsRequest()
	for name, topics := range map[string][]kmsg.ListPartitionReassignmentsRequestTopic{
		"all":     nil,
		"by name": {{Topic: "x", Partitions: []int32{0, 1, 7}}, {Topic: "y", Partitions: []int32{0}}, {Topic: "absent", Partitions: []int32{0}}},
	} {
		req.Topics = topics
		got := ask[*kmsg.ListPartitionReassignmentsResponse](n, req)
		if len(got.Topics) != 1 || len(got.Topics[0].Partitions) != 1 {
			t.Fatalf("%s: %+v", name, got)
		}
		if p := got.Topics[0].Partitions[0]; p.Partition != 1 || fmt.Sprint(p.Replicas, p.AddingReplicas, p.RemovingReplicas) != "[2 1] [2] [1]" {
			t.Errorf("%s: %+v", name, p)
		}
	}
	req.Topics = []kmsg.ListPartitionReassignmentsRequestTopic{{Topic: "y", Partitions: []int32{0}}}
	if got := ask[*kmsg.ListPartitionReassignmentsResponse](n, req); got.ErrorCode != 0 || len(got.Topics) != 0 {
		t.Errorf("%+v", got)
	}
}

// TestDescribeTopicPartitions pages through topics of random sizes with random
// limits: together the pages are all partitions, once, in order.
func TestDescribeTopicPartitions(t *testing.T) {
	n := startNode(t)
	rng := rand.New(rand.NewPCG(5, 6))
	var want []string
	var named []kmsg.DescribeTopicPartitionsRequestTopic
	for i := range 12 {
		name := fmt.Sprintf("t%02d", i)
		made := createTopic(n, name, 1+rng.Int32N(9))
		named = append(named, kmsg.DescribeTopicPartitionsRequestTopic{Topic: name})
		for p := range made.Partitions() {
			want = append(want, fmt.Sprintf("%s-%d", name, p))
		}
	}
	rng.Shuffle(len(named), func(i, j int) { named[i], named[j] = named[j], named[i] })
	for limit := int32(1); limit < 40; limit += 1 + rng.Int32N(6) {
		for _, topics := range [][]kmsg.DescribeTopicPartitionsRequestTopic{nil, named} {
			req := kmsg.NewPtrDescribeTopicPartitionsRequest()
			req.ResponsePartitionLimit, req.Topics = limit, topics
			var got []string
			for {
				resp := ask[*kmsg.DescribeTopicPartitionsResponse](n, req)
				before := len(got)
				for _, topic := range resp.Topics {
					for _, p := range topic.Partitions {
						got = append(got, fmt.Sprintf("%s-%d", *topic.Topic, p.Partition))
						if p.ErrorCode != 0 || p.LeaderID != 1 || p.EligibleLeaderReplicas == nil || p.LastKnownELR == nil {
							t.Fatalf("%+v", p)
						}
					}
				}
				if len(got)-before > int(limit) {
					t.Fatalf("%d partitions on a page of %d", len(got)-before, limit)
				}
				if resp.NextCursor == nil {
					break
				}
				req.Cursor = &kmsg.DescribeTopicPartitionsRequestCursor{Topic: resp.NextCursor.Topic, Partition: resp.NextCursor.Partition}
			}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Fatalf("limit %d: %v", limit, got)
			}
		}
	}
	req := kmsg.NewPtrDescribeTopicPartitionsRequest()
	req.ResponsePartitionLimit, req.Topics = -1, named
	if got := ask[*kmsg.DescribeTopicPartitionsResponse](n, req); len(got.Topics) != 1 || len(got.Topics[0].Partitions) != 1 || got.NextCursor == nil {
		t.Errorf("a page of -1: %+v", got)
	}
	req.ResponsePartitionLimit = 2000
	req.Topics = []kmsg.DescribeTopicPartitionsRequestTopic{{Topic: "absent"}, {Topic: "t00"}, {Topic: "a b"}}
	got := ask[*kmsg.DescribeTopicPartitionsResponse](n, req)
	if len(got.Topics) != 3 || got.Topics[0].ErrorCode != 17 || got.Topics[1].ErrorCode != 3 || got.Topics[2].ErrorCode != 0 {
		t.Errorf("%+v", got.Topics)
	}
	req.Cursor = &kmsg.DescribeTopicPartitionsRequestCursor{Topic: "t00", Partition: -5}
	if got := ask[*kmsg.DescribeTopicPartitionsResponse](n, req); len(got.Topics) != 1 || got.Topics[0].ErrorCode != 42 {
		t.Errorf("a cursor at -5: %+v", got.Topics)
	}
}
