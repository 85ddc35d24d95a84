package controller

import (
	"fmt"
	"slices"
	"testing"

	"github.com/brokerd/brokerd/internal/conf"
	"github.com/brokerd/brokerd/internal/meta"
)

// drain marks a broker as about to go.
func drain(t *testing.T, im *meta.Image, id string) *meta.Image {
	t.Helper()
	yes := "true"
	return apply(t, im, meta.AlterConfig{
		Resource: meta.Resource{Type: meta.BrokerResource, Name: id}, Set: map[string]*string{conf.Draining: &yes}})
}

// TestGrow: a topic of the first broker alone gets two more replicas when there
// are three brokers, once, and none on one that is about to go.
func TestGrow(t *testing.T) {
	act := meta.Active
	for _, c := range []struct {
		name     string
		states   []meta.BrokerState
		racks    []string
		draining string
		want     int // replicas
		first    []int32
	}{
		{"alone", []meta.BrokerState{act}, nil, "", 1, []int32{1}},
		{"two", []meta.BrokerState{act, act}, nil, "", 2, []int32{1, 2}},
		{"three", []meta.BrokerState{act, act, act}, nil, "", 3, []int32{1, 2, 3}},
		{"four", []meta.BrokerState{act, act, act, act}, nil, "", 3, []int32{1, 2, 3}},
		{"racks", []meta.BrokerState{act, act, act, act}, []string{"a", "a", "b", "c"}, "", 3, []int32{1, 3, 4}},
		{"a fenced one", []meta.BrokerState{act, act, meta.Fenced}, nil, "", 2, []int32{1, 2}},
		{"one that goes", []meta.BrokerState{act, act, act}, nil, "2", 2, []int32{1, 3}},
	} {
		t.Run(c.name, func(t *testing.T) {
			im := world(t, c.states, c.racks...)
			do := func(cmds ...meta.Command) {
				t.Helper()
				im = apply(t, im, cmds...)
			}
			do(meta.CreateTopic{ID: tid(9), Name: "in", Internal: true, Assignments: [][]int32{{1}, {1}, {1}, {1}}})
			if c.draining != "" {
				im = drain(t, im, c.draining)
			}
			g := growing{topics: []string{"in", "not there"}}
			cmds := g.plan(im)
			if n := map[bool]int{true: 0, false: 4}[c.want == 1]; len(cmds) != n {
				t.Fatalf("%d commands, want %d", len(cmds), n)
			}
			if again := g.plan(im); len(again) != len(cmds) { // the proposal may not have been taken
				t.Fatalf("%d commands, then %d, of one image", len(cmds), len(again))
			}
			do(cmds...)
			topic, _ := im.TopicNamed("in")
			load := map[int32]int{}
			for i := range topic.Partitions() {
				p, _ := topic.Partition(i)
				if len(p.Replicas) != c.want || i == 0 && !slices.Equal(p.Replicas, c.first) {
					t.Errorf("partition %d: %v, want %d replicas, %v first", i, p.Replicas, c.want, c.first)
				}
				for _, id := range p.Replicas[1:] {
					load[id]++
				}
			}
			if c.name == "four" && fmt.Sprint(load) != "map[2:3 3:3 4:2]" {
				t.Errorf("uneven: %v", load)
			}
			if again := g.plan(im); len(again) > 0 {
				t.Errorf("grows again: %v", again)
			}
		})
	}
}

// TestPlaceBesideDraining: who is about to go gets replicas only where the others
// are too few, and then leads nothing.
func TestPlaceBesideDraining(t *testing.T) {
	im := drain(t, world(t, []meta.BrokerState{meta.Active, meta.Active, meta.Active}), "2")
	for rf, want := range map[int16]bool{1: false, 2: false, 3: true} {
		for start := range 3 {
			got, err := PlaceReplicas(im, Placement{Partitions: 3, ReplicationFactor: rf, Start: start})
			if err != nil {
				t.Fatal(err)
			}
			for _, ids := range got {
				if slices.Contains(ids, 2) != want || ids[0] == 2 {
					t.Errorf("factor %d: %v", rf, got)
				}
			}
		}
	}
}
