//go:build cluster

package cluster

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/brokerd/brokerd/test/harness"
)

// run runs brokerd against nodes, and expects an exit code.
func run(t *testing.T, c *harness.Cluster, code int, args ...string) string {
	t.Helper()
	cmd := exec.Command(harness.Binary(t), append(args, "-b", strings.Join(addrs(c), ","))...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if _, ended := err.(*exec.ExitError); err != nil && !ended {
		t.Fatal(err)
	}
	if got := cmd.ProcessState.ExitCode(); got != code {
		t.Fatalf("brokerd %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), got, code, &out, &errs)
	}
	return out.String() + errs.String()
}

// joining lets node 1 begin alone, and the others look for it.
func joining(t *testing.T, nodes int) *harness.Cluster {
	seed := ""
	return harness.Start(t, harness.Options{Nodes: nodes, NoStart: true, Each: func(n *harness.Node) map[string]string {
		if n.ID == 1 {
			seed = fmt.Sprintf("127.0.0.1:%d", n.ControllerPort)
			return map[string]string{"controller.quorum.voters": "1@" + seed}
		}
		return map[string]string{"controller.quorum.voters": "", "controller.quorum.bootstrap.servers": seed}
	}})
}

// join starts a node and gives it a vote.
func join(t *testing.T, c *harness.Cluster, n *harness.Node) {
	t.Helper()
	n.Launch()
	n.WaitReady()
	var q struct {
		Members []struct {
			Node      int
			Directory string
			Voter     bool
		}
	}
	eventually(t, fmt.Sprintf("node %d is a member", n.ID), func() error {
		text := run(t, c, 0, "quorum", "status", "-o", "json")
		if err := json.Unmarshal([]byte(text), &q); err != nil {
			return err
		}
		for _, m := range q.Members {
			if m.Node == n.ID {
				return nil
			}
		}
		return fmt.Errorf("%s", text)
	})
	for _, m := range q.Members {
		if m.Node == n.ID && !m.Voter {
			run(t, c, 0, "quorum", "add", fmt.Sprint(n.ID), m.Directory)
		}
	}
}

// TestGrowAndShrink: a cluster goes from one node to three, to five, and back to
// one that is not the first, while acks=all is written to it; internal topics grow
// by themselves. Each removal is interrupted once and run again. Nothing
// acknowledged is missing in the end, and the group goes on where it was.
func TestGrowAndShrink(t *testing.T) {
	whole := joining(t, 5)
	at := func(nodes ...*harness.Node) *harness.Cluster { return &harness.Cluster{Nodes: nodes} }
	n := whole.Nodes
	n[0].Launch()
	n[0].WaitReady()
	one := at(n[0])
	run(t, one, 0, "topics", "create", "kept", "-p", "4", "-r", "1")
	l := startLoad(t, whole, "kept", 4)
	l.await(t, 50)
	commitAll(t, one, "kept", "readers")
	allInSync(t, one, "__consumer_offsets", 1)

	three := at(n[:3]...)
	join(t, one, n[1])
	join(t, one, n[2])
	allInSync(t, three, "__consumer_offsets", 3)
	run(t, three, 0, "topics", "alter", "kept", "--replication-factor", "3")
	allInSync(t, three, "kept", 3)
	l.await(t, 50)
	t.Logf("three nodes, %d records", l.count())

	join(t, three, n[3])
	join(t, three, n[4])
	agree(t, n, 5)
	l.await(t, 50)
	run(t, whole, 6, "node", "replace", "1", "--with", "9") // no such node
	left := n
	for _, leaving := range []*harness.Node{n[0], n[1], n[4], n[2]} {
		left = slices.DeleteFunc(slices.Clone(left), func(o *harness.Node) bool { return o == leaving })
		removeNode(t, at(left...), leaving, l)
	}
	last := at(left...)
	allInSync(t, last, "kept", 1)
	allInSync(t, last, "__consumer_offsets", 1)
	l.await(t, 50)
	l.finish()
	for _, err := range l.errs {
		t.Error(err)
	}
	t.Logf("longest time without an acknowledgement: %v", l.gap)
	audit(t, last, "kept", 4, l.acked)
	offsets, err := kadm.NewClient(client(t, addrs(last)...)).FetchOffsets(within(t), "readers")
	if err != nil || len(offsets["kept"]) != 4 {
		t.Fatalf("committed offsets: %v %v", offsets, err)
	}
}

// removeNode takes a node out: the command is killed on its way, run again, run
// once more when the node has been stopped.
func removeNode(t *testing.T, left *harness.Cluster, leaving *harness.Node, l *load) {
	t.Helper()
	words := []string{"node", "decommission", fmt.Sprint(leaving.ID)}
	if len(left.Nodes) < 3 {
		text := run(t, left, 6, words...)
		if !strings.Contains(text, "--fewer-replicas") {
			t.Errorf("does not say what to do: %s", text)
		}
		words = append(words, "--fewer-replicas")
	}
	cmd := exec.Command(harness.Binary(t), append(slices.Clone(words), "-b", strings.Join(addrs(left), ","))...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(20 * time.Millisecond) // somewhere on its way, or not yet
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	run(t, left, 0, words...)
	l.await(t, 50)
	leaving.Stop()
	eventually(t, fmt.Sprintf("node %d is forgotten", leaving.ID), func() error {
		if text := run(t, left, 0, words...); !strings.Contains(text, "is removed") {
			return fmt.Errorf("%s", text)
		}
		return nil
	})
	agree(t, left.Nodes, len(left.Nodes))
	l.await(t, 50)
	t.Logf("node %d is gone, %d records", leaving.ID, l.count())
}

// commitAll reads a topic in a group, and commits.
func commitAll(t *testing.T, c *harness.Cluster, topic, group string) {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(addrs(c)...), kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic),
		kgo.DisableAutoCommit(), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	seen := map[int32]bool{}
	for len(seen) < 4 {
		f := cl.PollFetches(within(t))
		if err := f.Err0(); err != nil {
			t.Fatal(err)
		}
		f.EachRecord(func(r *kgo.Record) { seen[r.Partition] = true })
	}
	if err := cl.CommitUncommittedOffsets(within(t)); err != nil {
		t.Fatal(err)
	}
}
