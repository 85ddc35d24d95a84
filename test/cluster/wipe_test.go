//go:build cluster

package cluster

import (
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/brokerd/brokerd/test/harness"
)

func wipe(t *testing.T, n *harness.Node) {
	t.Helper()
	if err := os.RemoveAll(filepath.Join(n.Dir, "data")); err != nil {
		t.Fatal(err)
	}
}

// TestWipedVoter is the trap of a voter that forgot: node 3 is away while nodes 1
// and 2 commit a hundred entries, then node 1 comes back with an empty disk
// beside node 3. The two are a majority of the voters, and must not act as one.
func TestWipedVoter(t *testing.T) {
	c := harness.Start(t, harness.Options{Nodes: 3})
	before := agree(t, c.Nodes, 3)
	c.Nodes[2].Kill()
	admin := kadm.NewClient(client(t, c.Nodes[0].Addr(), c.Nodes[1].Addr()))
	var names []string
	for i := range 100 {
		names = append(names, fmt.Sprintf("t%03d", i))
		if _, err := admin.CreateTopic(within(t), 1, 1, nil, names[i]); err != nil {
			t.Fatal(err)
		}
	}
	c.Nodes[0].Kill()
	c.Nodes[1].Kill()
	wipe(t, c.Nodes[0])
	c.Nodes[0].Launch()
	c.Nodes[2].Launch()
	time.Sleep(5 * time.Second) // much longer than an election takes
	for _, n := range []*harness.Node{c.Nodes[0], c.Nodes[2]} {
		if n.ReadyAfter() != 0 {
			t.Fatalf("node %d found a controller among those who forgot:\n%s", n.ID, n.Output())
		}
		if !strings.Contains(n.Output(), "no controller yet") {
			t.Errorf("node %d does not say for whom it waits:\n%s", n.ID, n.Output())
		}
	}
	c.Nodes[1].Launch()
	for _, n := range c.Nodes {
		n.WaitReady()
	}
	v := agree(t, c.Nodes, 3)
	if v.cluster != before.cluster || len(v.leaders) < 100 {
		t.Errorf("cluster %s, once %s; %d topics of 100", v.cluster, before.cluster, len(v.leaders))
	}

	// The wiped node is a member without a vote; its old self is removed, it is
	// added, and carries the quorum with one other.
	cl := client(t, c.Bootstrap())
	q := quorum(t, cl)
	if len(q.CurrentVoters) != 3 || len(q.Observers) != 1 || q.Observers[0].ReplicaID != 1 {
		t.Fatalf("%+v", q)
	}
	remove := kmsg.NewPtrRemoveRaftVoterRequest()
	for _, voter := range q.CurrentVoters {
		if voter.ReplicaID == 1 {
			remove.VoterID, remove.VoterDirectoryID = 1, voter.ReplicaDirectoryID
		}
	}
	if resp, err := remove.RequestWith(within(t), cl); err != nil || resp.ErrorCode != 0 {
		t.Fatalf("%+v %v", resp, err)
	}
	add := kmsg.NewPtrAddRaftVoterRequest()
	add.VoterID, add.VoterDirectoryID = 1, q.Observers[0].ReplicaDirectoryID
	if resp, err := add.RequestWith(within(t), cl); err != nil || resp.ErrorCode != 0 {
		t.Fatalf("%+v %v", resp, err)
	}
	if q := quorum(t, cl); len(q.CurrentVoters) != 3 || len(q.Observers) != 0 {
		t.Fatalf("%+v", q)
	}
	c.Nodes[2].Kill()
	agree(t, c.Nodes[:2], 2)
	if _, err := kadm.NewClient(cl).CreateTopic(within(t), 1, 2, nil, "in-the-end"); err != nil {
		t.Fatal(err)
	}
}

func quorum(t *testing.T, cl *kgo.Client) kmsg.DescribeQuorumResponseTopicPartition {
	t.Helper()
	var p kmsg.DescribeQuorumResponseTopicPartition
	eventually(t, "the quorum is described", func() error {
		req := kmsg.NewPtrDescribeQuorumRequest()
		req.Topics = []kmsg.DescribeQuorumRequestTopic{{Topic: "__cluster_metadata", Partitions: []kmsg.DescribeQuorumRequestTopicPartition{{}}}}
		resp, err := req.RequestWith(within(t), cl)
		if err != nil {
			return err
		}
		if p = resp.Topics[0].Partitions[0]; p.ErrorCode != 0 {
			return fmt.Errorf("code %d", p.ErrorCode)
		}
		return nil
	})
	return p
}

// TestNotOneOfUs: a node of another cluster, and one whose number another node
// has, are refused, and change nothing.
func TestNotOneOfUs(t *testing.T) {
	c := harness.Start(t, harness.Options{Nodes: 3})
	v := agree(t, c.Nodes, 3)
	var seeds []string
	for _, n := range c.Nodes {
		seeds = append(seeds, fmt.Sprintf("127.0.0.1:%d", n.ControllerPort))
	}
	stranger := func(id int) *harness.Node {
		return harness.Start(t, harness.Options{NoStart: true, Each: func(*harness.Node) map[string]string {
			return map[string]string{"node.id": fmt.Sprint(id), "controller.quorum.voters": "", "controller.quorum.bootstrap.servers": strings.Join(seeds, ",")}
		}}).Nodes[0]
	}
	refused := func(n *harness.Node, says string) {
		t.Helper()
		n.Launch()
		if err := n.TryReady(); err == nil || !strings.Contains(n.Output(), says) {
			t.Errorf("%v; %q is expected of:\n%s", err, says, n.Output())
		}
	}
	n := stranger(7)
	if out, err := exec.Command(harness.Binary(t), "storage", "format", "-t", "6foHn9NLQpiMAirIK7EG4A", "-c", n.File()).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	refused(n, "its cluster.id is 6foHn9NLQpiMAirIK7EG4A, but node")
	refused(stranger(2), "another live broker has this id")
	if after := agree(t, c.Nodes, 3); fmt.Sprint(after) != fmt.Sprint(v) {
		t.Errorf("%+v, before %+v", after, v)
	}
	produce(t, c, createdTopic(t, c), 100)
	joins := stranger(8) // and one that is welcome
	joins.Restart()
	agree(t, c.Nodes, 4)
}

func createdTopic(t *testing.T, c *harness.Cluster) string {
	t.Helper()
	if _, err := kadm.NewClient(client(t, c.Bootstrap())).CreateTopic(within(t), 3, 3, nil, "t"); err != nil {
		t.Fatal(err)
	}
	return "t"
}

// directoryText writes a directory id as commands take it.
func directoryText(id [16]byte) string { return base64.RawURLEncoding.EncodeToString(id[:]) }
