package api

import (
	"fmt"
	"testing"

	"github.com/brokerd/brokerd/internal/auth"
	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/step"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// addBrokers registers brokers that nobody runs; they are fenced.
func (n *testNode) addBrokers(ids ...int32) {
	n.t.Helper()
	for _, id := range ids {
		n.submit(meta.RegisterBroker{
			ID: id, ClusterID: "the-cluster", Incarnation: step.TopicID{1, byte(id)}, Dirs: []step.TopicID{{2, byte(id)}}, BootID: "other",
			Endpoints: []meta.Endpoint{{Listener: "PLAINTEXT", Host: fmt.Sprint("b", id), Port: 9092}},
		})
	}
}

func move(topic string, partition int32, replicas []int32) kmsg.AlterPartitionAssignmentsRequestTopic {
	return kmsg.AlterPartitionAssignmentsRequestTopic{Topic: topic, Partitions: []kmsg.AlterPartitionAssignmentsRequestTopicPartition{
		{Partition: partition, Replicas: replicas},
	}}
}

func (n *testNode) move(version int16, sameFactor bool, topics ...kmsg.AlterPartitionAssignmentsRequestTopic) *kmsg.AlterPartitionAssignmentsResponse {
	n.t.Helper()
	req := kmsg.NewPtrAlterPartitionAssignmentsRequest()
	req.Version, req.Topics, req.AllowReplicationFactorChange = version, topics, !sameFactor
	return ask[*kmsg.AlterPartitionAssignmentsResponse](n, req)
}

func TestReassign(t *testing.T) {
	n := startNode(t)
	n.addBrokers(2, 3)
	id := createTopic(n, "t", 2).ID
	part := func() meta.Partition {
		topic, _ := n.deps.Catalog.Image().Topic(id)
		p, _ := topic.Partition(0)
		return p
	}
	versionsOf(n, 45, func(version int16) {
		got := n.move(version, false, move("t", 0, []int32{2, 3}))
		if c := got.Topics[0].Partitions[0].ErrorCode; got.ErrorCode != 0 || c != 0 || got.Topics[0].Topic != "t" {
			t.Fatalf("v%d: %+v", version, got)
		}
		if p := part(); fmt.Sprint(p.Replicas, p.Adding, p.Removing, p.Leader) != "[2 3 1] [2 3] [1] 1" {
			t.Fatalf("v%d: %+v", version, p)
		}
		list := kmsg.NewPtrListPartitionReassignmentsRequest()
		if l := ask[*kmsg.ListPartitionReassignmentsResponse](n, list).Topics; len(l) != 1 || len(l[0].Partitions) != 1 || fmt.Sprint(l[0].Partitions[0].AddingReplicas) != "[2 3]" {
			t.Fatalf("v%d: %+v", version, l)
		}
		if c := n.move(version, false, move("t", 0, nil)).Topics[0].Partitions[0].ErrorCode; c != 0 {
			t.Fatalf("v%d: cancel: %d", version, c)
		}
		if p := part(); fmt.Sprint(p.Replicas, p.Adding, p.Removing, p.Leader) != "[1] [] [] 1" {
			t.Fatalf("v%d: cancelled: %+v", version, p)
		}
	})
	for _, refused := range []struct {
		topic kmsg.AlterPartitionAssignmentsRequestTopic
		kafka *kerr.Error
		text  string
	}{
		{move("t", 0, nil), kerr.NoReassignmentInProgress, ""},
		{move("t", 0, []int32{}), kerr.InvalidReplicaAssignment, "The manual partition assignment includes an empty replica list."},
		{move("t", 0, []int32{2, 2}), kerr.InvalidReplicaAssignment, "The manual partition assignment includes the broker 2 more than once."},
		{move("t", 0, []int32{9}), kerr.InvalidReplicaAssignment, "The manual partition assignment includes broker 9, but no such broker is registered."},
		{move("t", 2, []int32{2}), kerr.UnknownTopicOrPartition, "Unable to find partition t:2."},
		{move("x", 0, []int32{2}), kerr.UnknownTopicOrPartition, "Unable to find a topic named x."},
		{move("t", 0, []int32{2, 3}), kerr.InvalidReplicationFactor, ""},
	} {
		got := n.move(1, true, refused.topic).Topics[0].Partitions[0]
		if got.ErrorCode != refused.kafka.Code || refused.text != "" && str(got.ErrorMessage) != refused.text {
			t.Errorf("%+v: %d %q", refused.topic, got.ErrorCode, str(got.ErrorMessage))
		}
	}
	denied := n.rebuild(func(d *Deps) { d.Auth = notOn{auth.Alter} })
	if got := denied.move(1, false, move("t", 0, []int32{2})); got.ErrorCode != kerr.ClusterAuthorizationFailed.Code || part().Adding != nil {
		t.Errorf("%+v", got)
	}
}

func (n *testNode) elect(version int16, kind int8, topics ...kmsg.ElectLeadersRequestTopic) *kmsg.ElectLeadersResponse {
	n.t.Helper()
	req := kmsg.NewPtrElectLeadersRequest()
	req.Version, req.ElectionType, req.Topics = version, kind, topics
	return ask[*kmsg.ElectLeadersResponse](n, req)
}

func TestElectLeaders(t *testing.T) {
	n := startNode(t)
	n.addBrokers(2)
	id := createTopic(n, "t", 2).ID
	named := func(i ...int32) kmsg.ElectLeadersRequestTopic {
		return kmsg.ElectLeadersRequestTopic{Topic: "t", Partitions: i}
	}
	versionsOf(n, 43, func(version int16) {
		got := n.elect(version, 0, named(0, 7))
		p := got.Topics[0].Partitions
		if got.ErrorCode != 0 || p[0].ErrorCode != kerr.ElectionNotNeeded.Code || p[1].ErrorCode != kerr.UnknownTopicOrPartition.Code {
			t.Fatalf("v%d: %+v", version, got)
		}
	})
	if got := n.elect(2, 0, kmsg.ElectLeadersRequestTopic{Topic: "x", Partitions: []int32{0}}); got.Topics[0].Partitions[0].ErrorCode != kerr.UnknownTopicOrPartition.Code {
		t.Errorf("%+v", got)
	}
	if got := n.elect(2, 0); len(got.Topics) != 0 || got.ErrorCode != 0 {
		t.Errorf("nothing needs an election: %+v", got)
	}
	if got := n.elect(2, 9, named(0)); got.ErrorCode != kerr.InvalidRequest.Code || got.Topics[0].Partitions[0].ErrorCode != kerr.InvalidRequest.Code {
		t.Errorf("%+v", got)
	}
	// Partition 0 is to be led by 2, which is not there: 1 leads on.
	n.submit(meta.Reassign{Topic: id, Target: []int32{2, 1}})
	if got := n.elect(2, 0); len(got.Topics) != 1 || got.Topics[0].Partitions[0].ErrorCode != kerr.PreferredLeaderNotAvailable.Code {
		t.Errorf("%+v", got)
	}
	if got := n.elect(2, 1, named(0)); got.Topics[0].Partitions[0].ErrorCode != kerr.ElectionNotNeeded.Code {
		t.Errorf("%+v", got)
	}
	// The data of partition 1 is bad: only an operator gives it a leader again.
	me, _ := n.deps.Catalog.Image().Broker(1)
	n.submit(meta.ReportFault{Broker: 1, BrokerEpoch: me.Epoch, Corrupt: true, Partitions: []step.PartitionID{{Topic: id, Index: 1}}})
	if got := n.elect(2, 0, named(1)); got.Topics[0].Partitions[0].ErrorCode != kerr.PreferredLeaderNotAvailable.Code {
		t.Errorf("%+v", got)
	}
	if got := n.elect(2, 1); len(got.Topics) != 1 || got.Topics[0].Partitions[0].ErrorCode != 0 || got.Topics[0].Partitions[0].Partition != 1 {
		t.Errorf("%+v", got)
	}
	denied := n.rebuild(func(d *Deps) { d.Auth = notOn{auth.Alter} })
	if got := denied.elect(0, 0, named(1)); got.Topics[0].Partitions[0].ErrorCode != kerr.ClusterAuthorizationFailed.Code {
		t.Errorf("%+v", got)
	}
}

// notOn allows everything but one operation.
type notOn struct{ operation auth.Operation }

func (d notOn) Allows(_ *meta.Image, q auth.Question) bool { return q.Operation != d.operation }
func (notOn) Enabled() bool                                { return true }
