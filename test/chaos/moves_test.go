//go:build chaos

package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/brokerd/brokerd/test/harness"
)

// moves are the faults that change who has what: partitions that move under load,
// a node that comes back with an empty disk, coordinators that end.
func (c *three) moves(random *rand.Rand, add func(string, bool, func() func())) {
	add("reassignment under load", true, func() func() {
		p := int32(random.IntN(spread))
		nodes := random.Perm(3)
		c.reassign(p, int32(nodes[0]+1), int32(nodes[1]+1))
		return func() { c.reassign(p, int32(nodes[2]+1), int32(nodes[0]+1), int32(nodes[1]+1)) }
	})
	add("wiped node", true, func() func() {
		c.settled() // what is lost here must be on the others
		n := c.Nodes[random.IntN(3)]
		n.Kill()
		if err := os.RemoveAll(filepath.Join(c.disks[n.ID-1].at, "data")); err != nil {
			c.Fatal(err)
		}
		return func() {
			n.Restart()
			c.vote(n)
			c.settled()
		}
	})
	coordinator := func() *harness.Node {
		group := c.groups[random.IntN(len(c.groups))].name
		ctx, cancel := context.WithTimeout(c.Context(), 10*time.Second)
		defer cancel()
		found := c.adm.FindGroupCoordinators(ctx, "chaos-"+group)["chaos-"+group]
		if found.Err != nil || found.NodeID < 1 || int(found.NodeID) > len(c.Nodes) {
			return c.Nodes[random.IntN(3)]
		}
		return c.Nodes[found.NodeID-1]
	}
	add("kill of a coordinator", true, func() func() {
		n := coordinator()
		n.Kill()
		return func() { n.Restart() }
	})
	add("pause of a coordinator", true, func() func() { return c.paused(coordinator()) })
	add("preferred leaders are elected", true, func() func() {
		c.insist("elect preferred leaders", func(ctx context.Context) error {
			_, err := c.adm.ElectLeaders(ctx, kadm.ElectPreferredReplica, nil) // of what has another leader already
			return err
		})
		return func() {}
	})
}

// insist repeats what may meet a cluster without a controller for a moment.
func (c *three) insist(what string, do func(context.Context) error) {
	c.Helper()
	var err error
	for end := time.Now().Add(patient); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(c.Context(), 20*time.Second)
		err = do(ctx)
		cancel()
		if err == nil {
			return
		}
	}
	c.Fatalf("%s: %v", what, err)
}

func (c *three) reassign(partition int32, replicas ...int32) {
	c.Helper()
	c.insist(fmt.Sprintf("reassign partition %d to %v", partition, replicas), func(ctx context.Context) error {
		var req kadm.AlterPartitionAssignmentsReq
		req.Assign(audited, partition, replicas)
		resp, err := c.adm.AlterPartitionAssignments(ctx, req)
		if err != nil {
			return err
		}
		return resp.Error()
	})
}

// vote gives the vote of a node's lost disk to its new one.
func (c *three) vote(n *harness.Node) {
	c.Helper()
	c.insist(fmt.Sprintf("give node %d its vote back", n.ID), func(ctx context.Context) error {
		old, fresh, err := c.selves(ctx, int32(n.ID))
		if err != nil {
			return err
		}
		if old != nil {
			req := kmsg.NewPtrRemoveRaftVoterRequest()
			req.VoterID, req.VoterDirectoryID = int32(n.ID), *old
			if resp, err := req.RequestWith(ctx, c.client); err != nil || resp.ErrorCode != 0 {
				return fmt.Errorf("remove its old self: %v, code %d", err, resp.ErrorCode)
			}
		}
		if fresh == nil {
			if old == nil {
				return nil // it votes
			}
			return errors.New("its new self is not known yet")
		}
		req := kmsg.NewPtrAddRaftVoterRequest()
		req.VoterID, req.VoterDirectoryID = int32(n.ID), *fresh
		if resp, err := req.RequestWith(ctx, c.client); err != nil || resp.ErrorCode != 0 {
			return fmt.Errorf("add its new self: %v, code %d", err, resp.ErrorCode)
		}
		return nil
	})
}

// selves gives the directory under which a node votes though it is gone, and the one
// under which it is there without a vote.
func (c *three) selves(ctx context.Context, node int32) (old, fresh *[16]byte, err error) {
	req := kmsg.NewPtrDescribeQuorumRequest()
	req.Topics = []kmsg.DescribeQuorumRequestTopic{{Topic: "__cluster_metadata", Partitions: []kmsg.DescribeQuorumRequestTopicPartition{{}}}}
	resp, err := req.RequestWith(ctx, c.client)
	if err != nil {
		return nil, nil, err
	}
	if len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 || resp.Topics[0].Partitions[0].ErrorCode != 0 {
		return nil, nil, errors.New("the quorum is not described")
	}
	q := resp.Topics[0].Partitions[0]
	for _, o := range q.Observers {
		if o.ReplicaID == node {
			fresh = &o.ReplicaDirectoryID
		}
	}
	for _, v := range q.CurrentVoters {
		if v.ReplicaID == node && fresh != nil {
			old = &v.ReplicaDirectoryID
		}
	}
	return old, fresh, nil
}
