//go:build chaos

package chaos

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// network is a namespace per node on one bridge, with the clients in the
// namespace of the test: they see all nodes, whoever else does not.
//
//	test ── bridge ─┬─ veth ─ namespace 1 (node 1)
//	                ├─ veth ─ namespace 2
//	                └─ veth ─ namespace 3
type network struct {
	t          *testing.T
	name, net  string // of the bridge; first three bytes of the addresses
	namespaces []string
	firewall   bool // nft is there: directions can be cut one by one
}

func run(name string, args ...string) error {
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}

// newNetwork makes a network, or says why this machine cannot.
func newNetwork(t *testing.T, nodes int) (*network, error) {
	n := &network{t: t, name: fmt.Sprintf("bkd%d", os.Getpid()%100000), net: fmt.Sprintf("10.%d.%d", 160+rand.IntN(90), rand.IntN(256))}
	t.Cleanup(func() { // best effort: what was not made is not there
		for _, ns := range n.namespaces {
			_ = run("ip", "netns", "del", ns)
		}
		_ = run("ip", "link", "del", n.name)
	})
	steps := [][]string{
		{"link", "add", n.name, "type", "bridge"},
		{"addr", "add", n.net + ".254/24", "dev", n.name},
		{"link", "set", n.name, "up"},
	}
	for i := range nodes {
		ns := fmt.Sprintf("%s-%d", n.name, i+1)
		n.namespaces = append(n.namespaces, ns)
		port := fmt.Sprintf("%sp%d", n.name, i+1)
		steps = append(steps, [][]string{
			{"netns", "add", ns},
			{"link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", ns},
			{"link", "set", port, "master", n.name, "up"},
			{"-n", ns, "addr", "add", n.host(i+1) + "/24", "dev", "eth0"},
			{"-n", ns, "link", "set", "eth0", "up"},
			{"-n", ns, "link", "set", "lo", "up"},
		}...)
	}
	for _, s := range steps {
		if err := run("ip", s...); err != nil {
			return nil, err
		}
	}
	n.firewall = true
	for _, ns := range n.namespaces {
		for _, rule := range []string{"add table ip cut", "add chain ip cut in { type filter hook input priority 0 ; }"} {
			if run("ip", append([]string{"netns", "exec", ns, "nft"}, strings.Fields(rule)...)...) != nil {
				n.firewall = false
			}
		}
	}
	return n, nil
}

// host is the address of a node.
func (n *network) host(node int) string { return fmt.Sprintf("%s.%d", n.net, node) }

// cut lets nothing more from one node reach another, in this direction only.
func (n *network) cut(from, to int) {
	n.t.Helper()
	n.must("ip", "netns", "exec", n.namespaces[to-1], "nft", "add", "rule", "ip", "cut", "in", "ip", "saddr", n.host(from), "drop")
}

// unplug takes a node off the bridge, for the clients too.
func (n *network) unplug(node int) {
	n.t.Helper()
	n.must("ip", "link", "set", fmt.Sprintf("%sp%d", n.name, node), "down")
}

// heal undoes every cut and plugs everybody in.
func (n *network) heal() {
	n.t.Helper()
	for i, ns := range n.namespaces {
		if n.firewall {
			n.must("ip", "netns", "exec", ns, "nft", "flush", "chain", "ip", "cut", "in")
		}
		n.must("ip", "link", "set", fmt.Sprintf("%sp%d", n.name, i+1), "up")
	}
}

func (n *network) must(name string, args ...string) {
	n.t.Helper()
	if err := run(name, args...); err != nil {
		n.t.Fatal(err)
	}
}
