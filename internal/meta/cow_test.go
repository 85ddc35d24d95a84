package meta

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

// FuzzShardMap drives the sharded map and a plain one with the same steps, and
// looks at every older version again at the end: none may have moved.
func FuzzShardMap(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 255, 1, 1, 0, 255, 9})
	f.Fuzz(func(t *testing.T, steps []byte) {
		m := shardMap[int, int]{hash: func(k int) uint32 { return uint32(k * 37) }}
		plain := map[int]int{}
		type version struct {
			m     shardMap[int, int]
			plain map[int]int
		}
		var old []version
		e := m.edit()
		for i, b := range steps {
			switch k := int(b % 64); {
			case b == 255:
				m = e.done()
				old = append(old, version{m, maps.Clone(plain)})
				e = m.edit()
			case b >= 192:
				e.del(k)
				delete(plain, k)
			default:
				e.put(k, i)
				plain[k] = i
			}
			if got, ok := e.get(int(b % 64)); ok != has(plain, int(b%64)) || got != plain[int(b%64)] {
				t.Fatalf("step %d: key %d is %d %v", i, b%64, got, ok)
			}
		}
		old = append(old, version{e.done(), plain})
		for i, v := range old {
			keys := v.m.keys(cmp.Compare[int])
			if len(keys) != len(v.plain) || v.m.len() != len(v.plain) {
				t.Fatalf("version %d: %d keys and length %d, want %d", i, len(keys), v.m.len(), len(v.plain))
			}
			for _, k := range keys {
				if got, ok := v.m.get(k); !ok || got != v.plain[k] {
					t.Fatalf("version %d: key %d is %d %v, want %d", i, k, got, ok, v.plain[k])
				}
			}
		}
	})
}

func has(m map[int]int, k int) bool {
	_, ok := m[k]
	return ok
}

func TestOrder(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 1))
		var e orderEdit
		var plain []string
		var before order
		var was []string
		for i := range 6000 {
			name := fmt.Sprint("n", rng.IntN(4000))
			at, ok := slices.BinarySearch(plain, name)
			switch {
			case ok && rng.IntN(3) > 0:
				e.drop(name)
				plain = slices.Delete(plain, at, at+1)
			case !ok:
				e.add(name)
				plain = slices.Insert(plain, at, name)
			}
			if i == 3000 {
				before, was = e.order, slices.Clone(plain)
				e = orderEdit{order: before}
			}
		}
		if got := slices.Collect(e.from("")); !slices.Equal(got, plain) {
			t.Fatalf("seed %d: %d names, want %d", seed, len(got), len(plain))
		}
		if got := slices.Collect(before.from("")); !slices.Equal(got, was) {
			t.Fatalf("seed %d: an older order moved", seed)
		}
		at, _ := slices.BinarySearch(plain, "n2")
		if got := slices.Collect(e.from("n2")); !slices.Equal(got, plain[at:]) {
			t.Fatalf("seed %d: from n2", seed)
		}
	}
}
