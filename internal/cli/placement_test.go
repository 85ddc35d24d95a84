package cli

import (
	"fmt"
	"slices"
	"testing"

	"github.com/brokerd/brokerd/pkg/client"
)

// TestProposal: whatever brokers, racks and factor, replicas and leads are even to
// within one, nobody has two of a partition, and racks are used before one has two.
func TestProposal(t *testing.T) {
	for n := 1; n <= 7; n++ {
		for racks := 0; racks <= 3; racks++ {
			for rf := 1; rf <= n; rf++ {
				if racks > 0 && (n%racks != 0) {
					continue // uneven racks cannot have even brokers
				}
				t.Run(fmt.Sprint(n, racks, rf), func(t *testing.T) { testProposal(t, n, racks, rf) })
			}
		}
	}
}

func testProposal(t *testing.T, n, racks, rf int) {
	var brokers []client.Broker
	for i := range n {
		b := client.Broker{ID: int32(i + 1)}
		if racks > 0 {
			b.Rack = string(rune('a' + i%racks))
		}
		brokers = append(brokers, b)
	}
	var now []client.Assignment
	for i := range 12 * n {
		now = append(now, client.Assignment{Partition: client.Partition{Topic: "t", Partition: int32(i)}, Replicas: make([]int32, rf)})
	}
	got, err := proposal(now, brokers, 5)
	if err != nil {
		t.Fatal(err)
	}
	load, leads := map[int32]int{}, map[int32]int{}
	for _, a := range got {
		ids := map[int32]bool{}
		where := map[string]bool{}
		for _, id := range a.Replicas {
			ids[id] = true
			where[brokers[id-1].Rack] = true
			load[id]++
		}
		leads[a.Replicas[0]]++
		if len(ids) != rf || len(where) < min(rf, max(racks, 1)) {
			t.Fatalf("%v", a)
		}
	}
	for _, b := range brokers {
		if d := leads[b.ID] - 12; d < -1 || d > 1 {
			t.Errorf("leads %v", leads)
		}
		if d := load[b.ID] - 12*rf; d < -rf || d > rf {
			t.Errorf("load %v", load)
		}
	}
}

func FuzzParseReassignment(f *testing.F) {
	f.Add(`{"version":1,"partitions":[{"topic":"t","partition":0,"replicas":[1,2],"log_dirs":["any","/d"]}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		want, err := parseReassignment(text)
		if err != nil || want.check() != nil {
			return
		}
		again, err := parseReassignment(assignmentJSON(want.parts, want.dirs))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.EqualFunc(again.parts, want.parts, func(a, b client.Assignment) bool {
			return a.Partition == b.Partition && slices.Equal(a.Replicas, b.Replicas)
		}) {
			t.Fatalf("%v, was %v", again, want)
		}
	})
}
