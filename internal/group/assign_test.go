package group

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/brokerd/brokerd/internal/step"
)

func sizesOf(n ...int32) map[step.TopicID]int32 {
	sizes := map[step.TopicID]int32{}
	for i, size := range n {
		sizes[step.TopicID{byte(i + 1)}] = size
	}
	return sizes
}

func TestAssignRange(t *testing.T) {
	sizes := sizesOf(3, 3)
	topics := []step.TopicID{{1}, {2}}
	got := assignRange([]subscriber{{id: "b", topics: topics}, {id: "c", topics: topics}, {id: "z", instance: "i", topics: topics[:1]}}, topicsToAssign{sizes: sizes})
	for member, want := range map[string]parts{
		"z": {{1}: {0}}, "b": {{1}: {1}, {2}: {0, 1}}, "c": {{1}: {2}, {2}: {2}},
	} {
		if !got[member].equal(want) {
			t.Errorf("%s has %v, want %v", member, got[member], want)
		}
	}
}

// TestAssignUniform lets members come, go and subscribe otherwise. Every
// partition that somebody wants has one taker; no partition could move to where
// there are two less; a partition moves only to make that so.
func TestAssignUniform(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 2))
		alike := seed%2 == 0
		sizes := sizesOf(int32(rng.IntN(9)), int32(1+rng.IntN(30)), int32(1+rng.IntN(5)), 7)
		var members []subscriber
		for round := range 12 {
			if len(members) > 0 && rng.IntN(3) == 0 {
				members = slices.Delete(members, 0, 1)
			} else {
				m := subscriber{id: fmt.Sprint("m", round)}
				for i := range 4 {
					if alike || rng.IntN(2) == 0 {
						m.topics = append(m.topics, step.TopicID{byte(i + 1)})
					}
				}
				members = append(members, m)
			}
			got := assignUniform(members, topicsToAssign{sizes: sizes})
			checkUniform(t, members, sizes, got)
			if alike {
				checkMoves(t, members, sizes, got)
			}
			for i := range members {
				members[i].owned = got[members[i].id]
			}
			again := assignUniform(members, topicsToAssign{sizes: sizes})
			for _, m := range members {
				if !again[m.id].equal(got[m.id]) {
					t.Fatalf("seed %d: nothing changed, and %s went from %v to %v", seed, m.id, got[m.id], again[m.id])
				}
			}
		}
	}
}

func checkUniform(t *testing.T, members []subscriber, sizes map[step.TopicID]int32, got map[string]parts) {
	t.Helper()
	for id, n := range sizes {
		takers := 0
		for _, m := range members {
			if subscribes(m, id) {
				takers++
			} else if len(got[m.id][id]) > 0 {
				t.Fatalf("%s has partitions of what it does not want", m.id)
			}
		}
		for p := range n {
			owners := 0
			for _, m := range members {
				if got[m.id].has(id, p) {
					owners++
				}
			}
			if owners != min(1, takers) {
				t.Fatalf("%d of %d takers have one partition", owners, takers)
			}
		}
	}
	for _, a := range members {
		for _, b := range members {
			for id := range got[a.id] {
				if subscribes(b, id) && got[a.id].size() > got[b.id].size()+1 {
					t.Fatalf("%s has %d, %s %d", a.id, got[a.id].size(), b.id, got[b.id].size())
				}
			}
		}
	}
}

// checkMoves: where all want the same, what is kept is the most that a balance
// leaves to keep.
func checkMoves(t *testing.T, members []subscriber, sizes map[step.TopicID]int32, got map[string]parts) {
	t.Helper()
	total, kept, most := 0, 0, 0
	for _, n := range sizes {
		total += int(n)
	}
	share, odd := total/max(len(members), 1), total%max(len(members), 1)
	for _, m := range members {
		kept += m.owned.keep(got[m.id].has).size()
		most += min(m.owned.size(), share)
		if m.owned.size() > share && odd > 0 {
			most++
			odd--
		}
	}
	if kept != most {
		t.Fatalf("%d partitions stay, %d could", kept, most)
	}
}

func BenchmarkAssignUniform(b *testing.B) {
	sizes := sizesOf(5000, 5000)
	members := make([]subscriber, 1000)
	for i := range members {
		members[i] = subscriber{id: fmt.Sprint("m", i), topics: []step.TopicID{{1}, {2}}}
	}
	for b.Loop() {
		for i, got := 0, assignUniform(members, topicsToAssign{sizes: sizes}); i < len(members); i++ {
			members[i].owned = got[members[i].id]
		}
		members[0].owned = nil
	}
}

// What moves goes to members in a rack of the partition, and what is kept is what
// is near, as far as the shares allow.
func TestAssignUniformRacks(t *testing.T) {
	racks := func(_ step.TopicID, p int32) []string { return []string{[]string{"a", "b", "c"}[p%3]} }
	cluster := topicsToAssign{sizesOf(6), racks}
	topics := []step.TopicID{{1}}
	one := subscriber{id: "one", rack: "b", topics: topics}
	two := subscriber{id: "two", rack: "a", topics: topics}
	three := subscriber{id: "three", topics: topics}
	got := assignUniform([]subscriber{one, two, three}, cluster)
	for member, want := range map[string]parts{"one": {{1}: {1, 4}}, "two": {{1}: {0, 3}}, "three": {{1}: {2, 5}}} {
		if !got[member].equal(want) {
			t.Errorf("%s has %v, want %v", member, got[member], want)
		}
	}
	one.owned = parts{{1}: {0, 1, 2, 3, 4, 5}}
	got = assignUniform([]subscriber{one, two}, cluster)
	if one, two := got["one"], got["two"]; !one.has(step.TopicID{1}, 1) || !one.has(step.TopicID{1}, 4) || two.size() != 3 {
		t.Errorf("%v %v", one, two)
	}
}

func BenchmarkAssignUniformMixed(b *testing.B) {
	sizes := sizesOf(1000, 1000, 500, 2000)
	members := make([]subscriber, 1000)
	for i := range members {
		members[i] = subscriber{id: fmt.Sprint("m", i), topics: [][]step.TopicID{{{1}, {2}}, {{2}, {3}}, {{3}, {4}}, {{1}, {4}}}[i%4]}
	}
	for b.Loop() {
		got := assignUniform(members, topicsToAssign{sizes: sizes})
		for i := range members {
			members[i].owned = got[members[i].id]
		}
		members[0].owned = nil
	}
}
