//go:build cluster

package cluster

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/brokerd/brokerd/test/harness"
)

// reassign begins a move of one partition by an ordinary client.
func reassign(t *testing.T, c *harness.Cluster, topic string, replicas ...int32) {
	t.Helper()
	var req kadm.AlterPartitionAssignmentsReq
	req.Assign(topic, 0, replicas)
	resp, err := kadm.NewClient(client(t, addrs(c)...)).AlterPartitionAssignments(within(t), req)
	if err == nil {
		err = resp.Error()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// settled waits until a partition is where it should be and nothing moves.
func settled(t *testing.T, c *harness.Cluster, topic string, replicas ...int32) {
	t.Helper()
	adm := kadm.NewClient(client(t, addrs(c)...))
	eventually(t, fmt.Sprint("moved to ", replicas), func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		moving, err := adm.ListPartitionReassignments(ctx, nil)
		if err != nil {
			return err
		}
		topics, err := adm.ListTopics(ctx, topic)
		if err != nil {
			return err
		}
		p := topics[topic].Partitions[0]
		if len(moving) > 0 || !slices.Equal(p.Replicas, replicas) || !slices.Contains(p.ISR, p.Leader) {
			return fmt.Errorf("moving %v, partition %+v", moving, p)
		}
		return nil
	})
}

// TestMoveUnderLoad: the only replica of a partition goes from node to node while
// acks=all is written to it, and once the node that has it is killed on the way;
// then it grows to three. Everything acknowledged is in the end at the replicas.
func TestMoveUnderLoad(t *testing.T) {
	c := harness.Start(t, harness.Options{Nodes: 3})
	agree(t, c.Nodes, 3)
	adm := kadm.NewClient(client(t, addrs(c)...))
	if _, err := adm.CreateTopic(within(t), 1, 1, nil, "moves"); err != nil {
		t.Fatal(err)
	}
	ids := func(at int) int32 { return int32(c.Nodes[at%3].ID) }
	l := startLoad(t, c, "moves", 1)
	l.await(t, 50)
	for i := range 4 {
		reassign(t, c, "moves", ids(i))
		if i == 2 {
			from := c.Nodes[(i+2)%3]
			from.Kill()
			from.Restart()
		}
		settled(t, c, "moves", ids(i))
		l.await(t, 50)
	}
	reassign(t, c, "moves", ids(1), ids(2), ids(0))
	settled(t, c, "moves", ids(1), ids(2), ids(0))
	allInSync(t, c, "moves", 3)
	l.await(t, 50)
	electPreferred(t, c, "moves", ids(1))
	l.await(t, 50)
	l.finish()
	audit(t, c, "moves", 1, l.acked)
}

// electPreferred asks for the preferred leader until it leads.
func electPreferred(t *testing.T, c *harness.Cluster, topic string, want int32) {
	t.Helper()
	cl := client(t, addrs(c)...)
	adm := kadm.NewClient(cl)
	eventually(t, fmt.Sprint(want, " leads"), func() error {
		req := kmsg.NewPtrElectLeadersRequest()
		req.Topics = []kmsg.ElectLeadersRequestTopic{{Topic: topic, Partitions: []int32{0}}}
		resp, err := req.RequestWith(within(t), cl)
		if err != nil {
			return err
		}
		if err := kerr.ErrorForCode(resp.Topics[0].Partitions[0].ErrorCode); err != nil && err != kerr.ElectionNotNeeded {
			return err
		}
		topics, err := adm.ListTopics(within(t), topic)
		if err != nil {
			return err
		}
		if p := topics[topic].Partitions[0]; p.Leader != want {
			return fmt.Errorf("%+v", p)
		}
		return nil
	})
}
