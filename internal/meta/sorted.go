package meta

import "slices"

// sorted gives the keys of m in the order of less. It is the only place in this
// package that ranges over a map: two nodes must see the same sequence.
func sorted[K comparable, V any](m map[K]V, less func(a, b K) int) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, less)
	return keys
}
