//go:build cluster

package cluster

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/brokerd/brokerd/test/harness"
)

// names is a hosts file that only the nodes of a test see, each in a mount
// namespace of its own: what they call each other can be moved.
type names struct {
	t    *testing.T
	file string
	addr map[string]string
}

func newNames(t *testing.T) *names {
	t.Helper()
	h := &names{t: t, file: filepath.Join(t.TempDir(), "hosts"), addr: map[string]string{"localhost": "127.0.0.1"}}
	h.write()
	if out, err := exec.Command("unshare", "-m", "mount", "--bind", h.file, "/etc/hosts").CombinedOutput(); err != nil {
		t.Skipf("no mount namespaces here (root is needed): %v\n%s", err, out)
	}
	return h
}

// write changes the file in its place: its inode is what is mounted.
func (h *names) write() {
	var lines []string
	for name, addr := range h.addr {
		lines = append(lines, addr+" "+name+"\n")
	}
	slices.Sort(lines)
	if err := os.WriteFile(h.file, []byte(strings.Join(lines, "")), 0o644); err != nil {
		h.t.Fatal(err)
	}
}

func (h *names) prefix() []string {
	return []string{"unshare", "-m", "sh", "-c", `mount --bind "$0" /etc/hosts && exec "$@"`, h.file}
}

// TestPeerMoves: nodes know each other by name, over listeners of their own, each
// with an advertised address. One comes back at another address of the same name:
// its peers find it, without a change of any file, and its vote counts.
func TestPeerMoves(t *testing.T) {
	h := newNames(t)
	at := hosts(t, 5)
	listeners := func(n *harness.Node, addr string) string {
		return fmt.Sprintf("PLAINTEXT://127.0.0.1:%d,INSIDE://%s:9091,CONTROLLER://%s:9093", n.Port, addr, addr)
	}
	name := func(n *harness.Node) string { return fmt.Sprintf("node-%d.test", n.ID) }
	c := harness.Start(t, harness.Options{Nodes: 3, NoStart: true,
		Prefix: func(*harness.Node) []string { return h.prefix() },
		Each: func(n *harness.Node) map[string]string {
			h.addr[name(n)] = at[n.ID-1]
			return map[string]string{
				"listeners":                      listeners(n, at[n.ID-1]),
				"advertised.listeners":           fmt.Sprintf("PLAINTEXT://127.0.0.1:%d,INSIDE://%s:9091", n.Port, name(n)),
				"inter.broker.listener.name":     "INSIDE",
				"listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,INSIDE:PLAINTEXT,CONTROLLER:PLAINTEXT",
				"controller.quorum.voters":       "1@node-1.test:9093,2@node-2.test:9093,3@node-3.test:9093",
			}
		}})
	h.write()
	for _, n := range c.Nodes {
		n.Launch()
	}
	for _, n := range c.Nodes {
		n.WaitReady()
	}
	agree(t, c.Nodes, 3)
	if _, err := kadm.NewClient(client(t, c.Bootstrap())).CreateTopic(within(t), 3, 3, nil, "t"); err != nil {
		t.Fatal(err)
	}
	produce(t, c, "t", 100)

	// Twice: to an address where nobody was, and to one that another node had.
	for i, move := range []struct {
		node *harness.Node
		to   string
	}{{c.Nodes[1], at[3]}, {c.Nodes[2], at[1]}} {
		move.node.Kill()
		agree(t, slices.DeleteFunc(slices.Clone(c.Nodes), func(n *harness.Node) bool { return n == move.node }), 2)
		produce(t, c, "t", 100)
		h.addr[name(move.node)] = move.to
		h.write()
		move.node.Launch("--override", "listeners="+listeners(move.node, move.to))
		move.node.WaitReady()
		agree(t, c.Nodes, 3)
		eventually(t, "everybody is in sync", func() error { return inSync(t, c, "t", 3) })
		produce(t, c, "t", 100)
		if q := quorum(t, client(t, c.Bootstrap())); len(q.CurrentVoters) != 3 || len(q.Observers) != 0 {
			t.Fatalf("move %d: %+v", i, q)
		}
	}
	c.Nodes[0].Kill() // the two that moved are a majority
	agree(t, c.Nodes[1:], 2)
	produce(t, c, "t", 100)
}
