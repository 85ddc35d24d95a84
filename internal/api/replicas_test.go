package api

import (
	"testing"

	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/record"
	"github.com/brokerd/brokerd/internal/step"
	"github.com/brokerd/brokerd/internal/vfs"
	"github.com/brokerd/brokerd/internal/wire"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestDescribeReplicas: the leader tells how far each replica is; what it does
// not know is -1, and who does not lead names the leader.
func TestDescribeReplicas(t *testing.T) {
	n := startData(t, vfs.NewMem())
	x := n.topic("x", 2, nil)
	n.produce(x, records(t, 5, record.Spec{}), 0)
	n.must(meta.RegisterBroker{ID: 2, ClusterID: "test", Incarnation: step.TopicID{2}})
	n.must(meta.CreateTopic{ID: step.TopicID{50}, Name: "two", Assignments: [][]int32{{1, 2}}})

	resp, closed := n.ask(&wire.DescribeReplicasRequest{Topics: []wire.DescribeReplicasRequestTopic{
		{Topic: "x"}, {Topic: "two", Partitions: []int32{0, 7}}, {Topic: "absent"},
	}})
	if closed != "" {
		t.Fatal(closed)
	}
	got := resp.(*wire.DescribeReplicasResponse)
	if got.ErrorCode != 0 || len(got.Topics) != 3 || got.Topics[0].TopicID != x.ID || len(got.Topics[0].Partitions) != 2 {
		t.Fatalf("%+v", got)
	}
	p := got.Topics[0].Partitions[0]
	want := wire.DescribeReplicasResponseReplica{Broker: 1, State: wire.InSync, LogEnd: 5, DurableEnd: 5}
	if p.ErrorCode != 0 || p.Leader != 1 || p.HighWatermark != 5 || p.LastStable != 5 || p.LogStart != 0 || len(p.Replicas) != 1 || p.Replicas[0] != want {
		t.Errorf("%+v", p)
	}
	two := got.Topics[1].Partitions
	unknown := wire.DescribeReplicasResponseReplica{Broker: 2, State: wire.OutOfSync, LogEnd: -1, DurableEnd: -1, LagRecords: -1, LagMillis: -1}
	if two[0].ErrorCode != 0 || len(two[0].Replicas) != 2 || two[0].Replicas[1] != unknown {
		t.Errorf("%+v", two[0])
	}
	if two[1].ErrorCode != 3 || got.Topics[2].ErrorCode != 3 {
		t.Errorf("what is not there: %+v %+v", two[1], got.Topics[2])
	}

	n.must(meta.SetBrokerState{ID: 2, Epoch: epochOf(t, n, 2), State: meta.Active})
	n.must(meta.CreateTopic{ID: step.TopicID{51}, Name: "away", Assignments: [][]int32{{2, 1}}})
	resp, _ = n.ask(&wire.DescribeReplicasRequest{Topics: []wire.DescribeReplicasRequestTopic{{Topic: "away"}}})
	if p := resp.(*wire.DescribeReplicasResponse).Topics[0].Partitions[0]; p.ErrorCode != 6 || p.Leader != 2 || len(p.Replicas) != 0 {
		t.Errorf("somebody else leads: %+v", p)
	}
	resp, _ = n.ask(&wire.DescribeReplicasRequest{Topics: []wire.DescribeReplicasRequestTopic{{Topic: "x", Partitions: make([]int32, maxDescribed+1)}}})
	if got := resp.(*wire.DescribeReplicasResponse); got.ErrorCode != 42 || got.ErrorMessage == nil {
		t.Errorf("too many: %+v", got)
	}
}

func epochOf(t *testing.T, n *dataNode, id int32) int64 {
	t.Helper()
	b, ok := n.catalog.Image().Broker(id)
	if !ok {
		t.Fatalf("broker %d is not registered", id)
	}
	return b.Epoch
}

func describeDirs(t *testing.T, n *dataNode, req *kmsg.DescribeLogDirsRequest) kmsg.DescribeLogDirsResponseDir {
	t.Helper()
	resp, closed := n.ask(req)
	if closed != "" {
		t.Fatal(closed)
	}
	dirs := resp.(*kmsg.DescribeLogDirsResponse)
	if dirs.ErrorCode != 0 || len(dirs.Dirs) != 1 || dirs.Dirs[0].Dir != "d0" || dirs.Dirs[0].ErrorCode != 0 {
		t.Fatalf("v%d: %+v", req.Version, dirs)
	}
	return dirs.Dirs[0]
}

// TestDescribeLogDirs: every replica that this broker should have is shown, with
// its size where it has files; opened, found on disk, or neither.
func TestDescribeLogDirs(t *testing.T) {
	fs := vfs.NewMem()
	n := startData(t, fs)
	x := n.topic("x", 3, nil)
	n.topic("y", 1, nil)
	n.produce(x, records(t, 5, record.Spec{}), 0)
	for version := int16(0); version <= 5; version++ {
		d := describeDirs(t, n, &kmsg.DescribeLogDirsRequest{Version: version})
		if len(d.Topics) != 2 || d.Topics[0].Topic != "x" || len(d.Topics[0].Partitions) != 3 || d.Topics[0].Partitions[0].Size == 0 ||
			d.Topics[0].Partitions[1].Size != 0 || d.Topics[0].Partitions[2].Partition != 2 || len(d.Topics[1].Partitions) != 1 {
			t.Errorf("v%d: %+v", version, d)
		}
		if version >= 4 && (d.TotalBytes <= 0 || d.UsableBytes <= 0) {
			t.Errorf("v%d: %d of %d bytes", version, d.UsableBytes, d.TotalBytes)
		}
	}
	d := describeDirs(t, n, &kmsg.DescribeLogDirsRequest{Version: 2, Topics: []kmsg.DescribeLogDirsRequestTopic{{Topic: "x", Partitions: []int32{2, 9}}, {Topic: "absent", Partitions: []int32{0}}}})
	if len(d.Topics) != 1 || len(d.Topics[0].Partitions) != 1 || d.Topics[0].Partitions[0].Partition != 2 {
		t.Errorf("one was asked for: %+v", d)
	}
	if d := describeDirs(t, n, &kmsg.DescribeLogDirsRequest{Version: 2, Topics: []kmsg.DescribeLogDirsRequestTopic{}}); len(d.Topics) != 0 {
		t.Errorf("none was asked for: %+v", d)
	}
}
