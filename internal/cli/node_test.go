package cli

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/brokerd/brokerd/pkg/client"
)

// scene makes a cluster state from lines: replicas, then / and those in sync. The
// first in sync leads. Brokers are 1 to n, in racks a, b, a, b …
func scene(n int, partitions ...string) *clusterState {
	s := &clusterState{draining: map[int32]bool{}, minISR: map[string]int{"t": 2}}
	for i := range n {
		s.live = append(s.live, client.Broker{ID: int32(i + 1), Rack: string(rune('a' + i%2))})
	}
	s.known = s.live
	t := client.TopicDescription{Name: "t"}
	for i, line := range partitions {
		all, synced, _ := strings.Cut(line, "/")
		p := client.PartitionDescription{Partition: int32(i), Leader: -1, Replicas: numbers(all), ISR: numbers(synced)}
		if len(p.ISR) > 0 {
			p.Leader = p.ISR[0]
		}
		t.Partitions = append(t.Partitions, p)
	}
	s.topics = []client.TopicDescription{t}
	return s
}

func numbers(text string) (out []int32) {
	for _, c := range strings.TrimSpace(text) {
		out = append(out, c-'0')
	}
	return out
}

func assigned(list []client.Assignment) string {
	var out []string
	for _, a := range list {
		out = append(out, fmt.Sprintf("%d:%s", a.Partition.Partition, join(a.Replicas, "")))
	}
	return strings.Join(out, " ")
}

func TestDrainStep(t *testing.T) {
	for _, c := range []struct {
		name    string
		s       *clusterState
		orders  string
		elect   int
		waiting int
	}{
		{"leads by preference", scene(3, "123/123", "231/231"), "0:231", 0, 0},
		{"in sync before others", scene(3, "123/13"), "0:321", 0, 0},
		{"leads though another is first", scene(3, "213/123"), "", 1, 0},
		{"the first is not in sync", scene(3, "213/13"), "0:321", 0, 0},
		{"nobody else", scene(3, "123/1"), "", 0, 1},
		{"nothing to do", scene(3, "231/231", "23/23"), "", 0, 0},
	} {
		orders, elect, waiting := (&nodeJob{node: 1}).drainStep(c.s)
		if got := assigned(orders); got != c.orders || len(elect) != c.elect || waiting != c.waiting {
			t.Errorf("%s: orders %q, %d elections, %d waiting", c.name, got, len(elect), waiting)
		}
	}
}

func TestBlockers(t *testing.T) {
	s := scene(3, "123/123", "123/12", "123/1", "1/1", "231/23")
	got := strings.Join(s.blockers(1), "\n")
	want := "t-1: 1 of 3 replicas would be in sync, and acks=all needs 2\nt-2: node 1 has its only replica in sync\nt-3: node 1 has its only replica in sync"
	if got != want {
		t.Errorf("%s", got)
	}
}

func TestNextMoves(t *testing.T) {
	for _, c := range []struct {
		name  string
		s     *clusterState
		with  int32
		fewer bool
		limit int
		want  string // or the error
	}{
		{"to who has least, of another rack", scene(4, "12/12", "12/12", "34/34"), -1, false, 9, "0:32 1:32"},
		{"to the named one", scene(4, "12/12", "21/21"), 4, false, 9, "0:42 1:24"},
		{"which has it already", scene(4, "142/142"), 4, false, 9, "0:342"},
		{"as many as may move", scene(4, "12/12", "12/12"), -1, false, 1, "0:32"},
		{"nobody is left", scene(2, "12/12"), -1, false, 9, "t-0: 2 replicas need as many brokers, 1 can take them"},
		{"fewer are accepted", scene(2, "12/12"), -1, true, 9, "0:2"},
		{"never none", scene(1, "1/1"), -1, true, 9, "t-0: 1 replicas need as many brokers, 0 can take them"},
	} {
		list, err := (&nodeJob{node: 1, with: c.with, fewer: c.fewer}).nextMoves(c.s, c.limit)
		got := assigned(list)
		if err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestFairShare(t *testing.T) {
	got := assigned(fairShare(scene(3, "213/213", "231/231", "321/321", "231/23", "312/312", "321/321"), 1))
	if got != "0:123 2:132" {
		t.Errorf("%q", got)
	}
}

func TestPlanFactor(t *testing.T) {
	for n, want := range map[int]string{1: "0:1 1:2", 2: "", 3: "0:123 1:231", 4: `topic "t": 4 replicas need as many brokers, 3 can take them`} {
		list, err := planFactor(scene(3, "12/12", "23/23"), "t", n)
		got := assigned(list)
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%d replicas: %q, want %q", n, got, want)
		}
	}
	d := client.PartitionDescription{ISR: []int32{3}}
	if got := fewerReplicas(d, []int32{1, 2, 3}, 2); !slices.Equal(got, []int32{1, 3}) {
		t.Errorf("one in sync goes, one that is not stays: %v", got)
	}
}
