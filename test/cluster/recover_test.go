//go:build cluster

package cluster

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/brokerd/brokerd/test/harness"
)

// quorumCommand runs brokerd quorum … for a node, as its operator would.
func quorumCommand(t *testing.T, n *harness.Node, words ...string) (string, error) {
	t.Helper()
	cmd := exec.Command(harness.Binary(t), append([]string{"quorum"}, words...)...)
	cmd.Env = append(os.Environ(), "BROKERD_RUN_DIR="+filepath.Join(n.Dir, "run"))
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// TestQuorumRecover is the drill of docs/operations.md: two of three disks are lost
// for good. The quorum is made anew of the third node, the lost ones come back
// empty, as members; and an old voter that was believed lost changes nothing.
func TestQuorumRecover(t *testing.T) {
	c := harness.Start(t, harness.Options{Nodes: 3})
	one, two, three := c.Nodes[0], c.Nodes[1], c.Nodes[2]
	before := agree(t, c.Nodes, 3)
	if _, err := kadm.NewClient(client(t, c.Bootstrap())).CreateTopic(within(t), 3, 3, nil, "t"); err != nil {
		t.Fatal(err)
	}
	produce(t, c, "t", 300)
	refused := func(says string) {
		t.Helper()
		if out, err := quorumCommand(t, one, "recover", "-c", one.File(), "--yes"); err == nil || !strings.Contains(out, says) {
			t.Fatalf("%v; %q is expected of:\n%s", err, says, out)
		}
	}
	refused("is in use")
	one.Stop()
	refused("the metadata quorum is not lost")
	three.Kill()
	refused("2 of its 3 voters answer or are this node, and 2 are enough") // node 2, which waits
	two.Kill()
	out, err := quorumCommand(t, one, "recover", "-c", one.File(), "--dry-run", "-o", "json")
	var plan struct {
		Voters, Silent []string
		Index          uint64
		Recovered      bool
	}
	if err != nil || json.Unmarshal([]byte(out), &plan) != nil || len(plan.Silent) != 2 || len(plan.Voters) != 3 || plan.Index == 0 || plan.Recovered {
		t.Fatalf("%v\n%s", err, out)
	}
	if out, err := quorumCommand(t, one, "recover", "-c", one.File()); err == nil || !strings.Contains(out, "add --yes") {
		t.Fatalf("nobody confirmed: %v\n%s", err, out)
	}
	if out, err := quorumCommand(t, one, "recover", "-c", one.File(), "--yes"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	one.Restart()
	if v := agree(t, c.Nodes[:1], 1); v.cluster != before.cluster || len(v.leaders["t"]) != 3 {
		t.Fatalf("%+v, before %+v", v, before)
	}
	status := func() string {
		t.Helper()
		out, err := quorumCommand(t, one, "status", "-b", one.Addr())
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return out
	}
	if text := status(); !strings.Contains(text, "the quorum was lost and made anew of node 1") || !strings.Contains(text, "controller") {
		t.Errorf("the recovery is not recorded:\n%s", text)
	}

	// Node 2 was not lost after all: with its old metadata it is a stranger, and
	// says what to do. Node 3's disk is gone: it comes back empty.
	wipe(t, three)
	three.Restart()
	two.Launch()
	eventually(t, "node 2 says what to do", func() error {
		if !strings.Contains(two.Output(), "brokerd quorum rejoin") {
			return fmt.Errorf("it says:\n%s", two.Output())
		}
		return nil
	})
	two.Kill()
	if out, err := quorumCommand(t, two, "rejoin", "-c", two.File()); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	two.Restart()
	agree(t, c.Nodes, 3)
	if out, err := quorumCommand(t, one, "rejoin", "-c", one.File()); err == nil {
		t.Errorf("a node that runs rejoined:\n%s", out)
	}
	eventually(t, "everybody is in sync", func() error { return inSync(t, c, "t", 3) })
	produce(t, c, "t", 300)
	ends, err := kadm.NewClient(client(t, c.Bootstrap())).ListEndOffsets(within(t), "t")
	if err != nil {
		t.Fatal(err)
	}
	var have int64
	for p := range int32(3) {
		end, _ := ends.Lookup("t", p)
		have += end.Offset
	}
	if have != 600 {
		t.Errorf("%d records of 600", have)
	}

	// Three votes again: the quorum outlives node 1.
	q := quorum(t, client(t, c.Bootstrap()))
	if len(q.CurrentVoters) != 1 || len(q.Observers) != 2 {
		t.Fatalf("%+v", q)
	}
	for _, o := range q.Observers {
		dir := directoryText(o.ReplicaDirectoryID)
		if out, err := quorumCommand(t, one, "add", fmt.Sprint(o.ReplicaID), dir, "-b", one.Addr()); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	one.Kill()
	agree(t, c.Nodes[1:], 2)
	if out, err := quorumCommand(t, two, "status", "-b", two.Addr()); err != nil || !strings.Contains(out, "made anew of node 1") {
		t.Errorf("node 2 does not know of the recovery: %v\n%s", err, out)
	}
}
