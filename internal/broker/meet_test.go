package broker

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/brokerd/brokerd/internal/controller"
	"github.com/brokerd/brokerd/internal/wire"
)

// told is the answer of a node of a table test.
func told(node int32, cluster string, more ...func(*wire.DescribeNodeResponse)) *wire.DescribeNodeResponse {
	r := &wire.DescribeNodeResponse{Node: node, ClusterID: cluster, Leader: -1, Controllers: "us", Incarnation: [16]byte{byte(node), 1}}
	if cluster != "" {
		r.Directory = [16]byte{byte(node), 2}
	}
	for _, f := range more {
		f(r)
	}
	return r
}

func open(r *wire.DescribeNodeResponse)  { r.Open = true }
func state(r *wire.DescribeNodeResponse) { r.Open, r.HasState = true, true }

func TestDecide(t *testing.T) {
	voters := []seed{{1, "a:1"}, {2, "b:1"}, {3, "c:1"}}
	nobody := func(s ...string) []string { return s }
	for _, c := range []struct {
		name    string
		self    *wire.DescribeNodeResponse
		answers [3]*wire.DescribeNodeResponse // of a:1, b:1, c:1
		broker  bool                          // no controller
		want    string
		missing []string
	}{
		{"the first alone", told(1, ""), [3]*wire.DescribeNodeResponse{}, false, "wait", nobody("2@b:1", "3@c:1")},
		{"two of three", told(1, ""), [3]*wire.DescribeNodeResponse{1: told(2, "")}, false, "wait", nobody("3@c:1")},
		{"the lowest of all names it", told(1, ""), [3]*wire.DescribeNodeResponse{1: told(2, ""), 2: told(3, "")}, false, "name", nil},
		{"the others do not", told(2, ""), [3]*wire.DescribeNodeResponse{0: told(1, ""), 2: told(3, "")}, false, "wait", nil},
		{"they take the name over", told(2, ""), [3]*wire.DescribeNodeResponse{0: told(1, "X"), 2: told(3, "")}, false, "format X", nil},
		{"also of one alone", told(2, ""), [3]*wire.DescribeNodeResponse{2: told(3, "X")}, false, "format X", nil},
		{"but not of two", told(2, ""), [3]*wire.DescribeNodeResponse{0: told(1, "Y"), 2: told(3, "X")}, false, "wait", nobody("different clusters: X, Y")},
		{"formatted, one not yet", told(2, "X"), [3]*wire.DescribeNodeResponse{0: told(1, "X"), 2: told(3, "")}, false, "wait", nil},
		{"all formatted: the others open", told(2, "X"), [3]*wire.DescribeNodeResponse{0: told(1, "X"), 2: told(3, "X")}, false, "open", nil},
		{"the lowest waits for them", told(1, "X"), [3]*wire.DescribeNodeResponse{1: told(2, "X", open), 2: told(3, "X")}, false, "wait", nil},
		{"and founds", told(1, "X"), [3]*wire.DescribeNodeResponse{1: told(2, "X", open), 2: told(3, "X", open)}, false, "found 1,2,3", nil},
		{"a wiped lowest asks for the name", told(1, ""), [3]*wire.DescribeNodeResponse{1: told(2, "X", state)}, false, "format X", nil},
		{"and joins", told(1, "X"), [3]*wire.DescribeNodeResponse{1: told(2, "X", state)}, false, "open", nil},
		{"a late starter beside live data", told(1, "X"), [3]*wire.DescribeNodeResponse{1: told(2, "X", open), 2: told(3, "X", state)}, false, "open", nil},
		{"one is of another cluster", told(1, "X"), [3]*wire.DescribeNodeResponse{1: told(2, "Y"), 2: told(3, "X")}, false, "wait", nobody("2@b:1 belongs to cluster Y, not X")},
		{"a living one is", told(1, "X"), [3]*wire.DescribeNodeResponse{1: told(2, "Y", state)}, false, "refuse", nil},
		{"they disagree", told(1, ""), [3]*wire.DescribeNodeResponse{1: told(2, "", func(r *wire.DescribeNodeResponse) { r.Controllers = "them" }), 2: told(3, "")}, false, "wait", nobody("2@b:1 takes them for the controllers, not us")},
		{"another node answers", told(1, ""), [3]*wire.DescribeNodeResponse{1: told(7, ""), 2: told(3, "")}, false, "wait", nobody("2@b:1 calls itself node 7")},
		{"the same node twice", told(1, ""), [3]*wire.DescribeNodeResponse{1: told(1, ""), 2: told(3, "")}, false, "wait", nobody("2@b:1 leads to this very node")},
		{"a broker without a cluster", told(9, ""), [3]*wire.DescribeNodeResponse{told(1, ""), told(2, ""), told(3, "")}, true, "wait", nobody("a controller that has formed a cluster")},
		{"a broker that was formatted", told(9, "X"), [3]*wire.DescribeNodeResponse{}, true, "open", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			var answers []heard
			for i, s := range voters {
				h := heard{seed: s, is: c.answers[i]}
				if h.is == nil && s.id != c.self.Node {
					h.err = errors.New("connection refused")
				}
				answers = append(answers, h)
			}
			v := meeting{self: *c.self, controller: !c.broker}.decide(answers)
			if got := v.String(); got != c.want {
				t.Errorf("%s, not %s", got, c.want)
			}
			missing := strings.Join(v.missing, "; ")
			for _, m := range c.missing {
				if !strings.Contains(missing, m) {
					t.Errorf("%q is not among %q", m, missing)
				}
			}
			if c.want == "wait" && len(v.missing) != len(c.missing) {
				t.Errorf("missing: %q", missing)
			}
		})
	}
}

func (v verdict) String() string {
	switch {
	case v.refuse != nil:
		return "refuse"
	case v.name:
		return "name"
	case v.format != "":
		return "format " + v.format
	case len(v.voters) > 0:
		var ids []string
		for _, s := range v.voters {
			ids = append(ids, fmt.Sprint(s.Node))
		}
		return "found " + strings.Join(ids, ",")
	case v.open:
		return "open"
	}
	return "wait"
}

// TestDecideBySeedAddresses: controller.quorum.bootstrap.servers has no ids; a
// node finds itself among the answers.
func TestDecideBySeedAddresses(t *testing.T) {
	seeds := []seed{{-1, "a:1"}, {-1, "b:1"}}
	self := told(4, "X")
	answers := []heard{{seed: seeds[0], is: told(4, "X")}, {seed: seeds[1], is: told(5, "X", open)}}
	if v := (meeting{self: *self, controller: true}).decide(answers); v.String() != "found 4,5" || v.voters[0].Address != "a:1" || v.voters[0].Directory != self.Directory {
		t.Errorf("%s: %+v", v, v.voters)
	}
	answers[1].is.Node = 4 // by mistake
	if v := (meeting{self: *self, controller: true}).decide(answers); v.String() != "wait" || !strings.Contains(v.missing[0], "same node.id 4") {
		t.Errorf("%s: %q", v, v.missing)
	}
	stranger := told(6, "X") // not among the seeds: it joins
	answers[1].is.Node = 5
	if v := (meeting{self: *stranger, controller: true}).decide(answers); v.String() != "open" {
		t.Errorf("%s: %q", v, v.missing)
	}
}

// disk is one node of the model of first creation.
type disk struct {
	told    wire.DescribeNodeResponse
	running bool
	heard   []heard // answers of its last round, not acted on yet
}

// TestFirstCreation lets three nodes start, ask, act on what they heard a while
// ago, die and lose their disks, in random order. A group is founded only while
// no disk remembers one, and if nothing more happens there is one in the end.
func TestFirstCreation(t *testing.T) {
	for s := range uint64(3000) {
		firstCreation(t, s)
		if t.Failed() {
			t.Fatalf("seed %d", s)
		}
	}
}

func firstCreation(t *testing.T, s uint64) {
	rng := rand.New(rand.NewPCG(s, 11))
	nodes := make([]*disk, 3)
	fresh := func(i int) *disk {
		r := told(int32(i+1), "")
		r.Incarnation = [16]byte{byte(i + 1), byte(rng.Uint32()), byte(rng.Uint32()), byte(rng.Uint32())}
		return &disk{told: *r}
	}
	for i := range nodes {
		nodes[i] = fresh(i)
	}
	ask := func(n *disk) {
		n.heard = nil
		for i, m := range nodes {
			h := heard{seed: seed{int32(i + 1), "x:1"}, err: errors.New("refused")}
			if m.running && m != n {
				is := m.told
				h.is, h.err = &is, nil
			}
			n.heard = append(n.heard, h)
		}
	}
	remembers := func() bool { return slices.ContainsFunc(nodes, func(n *disk) bool { return n.told.HasState }) }
	act := func(n *disk) {
		if n.heard == nil || n.told.HasState || n.told.Open {
			return
		}
		v := meeting{self: n.told, controller: true}.decide(n.heard)
		n.heard = nil
		switch {
		case v.refuse != nil:
			n.running = false
		case v.name || v.format != "":
			if n.told.ClusterID = v.format; v.name {
				n.told.ClusterID = fmt.Sprint(rng.Uint32())
			}
			n.told.Directory = [16]byte{byte(rng.Uint32()), byte(rng.Uint32()), 1}
		case len(v.voters) > 0:
			if remembers() {
				t.Errorf("a group is founded beside one that is remembered: %+v", nodes)
			}
			n.told.HasState, n.told.Open = true, true
			for _, m := range nodes { // it calls on those that it knows
				m.told.HasState = m.told.HasState || m.running && m.told.Open && slices.ContainsFunc(v.voters, func(s controller.Server) bool { return s.Directory == m.told.Directory })
			}
		case v.open:
			n.told.Open = true
		}
	}
	for range 60 {
		i := rng.IntN(3)
		switch n := nodes[i]; {
		case !n.running:
			n.running = rng.IntN(2) == 0
		case rng.IntN(8) == 0: // it dies, and maybe its disk too
			n.running, n.told.Open, n.heard = false, false, nil
			if rng.IntN(3) == 0 {
				nodes[i] = fresh(i)
			}
		case rng.IntN(2) == 0:
			ask(n)
		default:
			act(n)
		}
	}
	for _, n := range nodes {
		n.running = true
	}
	for range 20 {
		for _, n := range nodes {
			ask(n)
			act(n)
		}
	}
	clusters := map[string]bool{}
	for _, n := range nodes {
		clusters[n.told.ClusterID] = true
	}
	if len(clusters) == 1 && !remembers() {
		t.Errorf("no group in the end: %+v %+v %+v", *nodes[0], *nodes[1], *nodes[2])
	}
}
