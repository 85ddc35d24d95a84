package meta

import (
	"cmp"
	"slices"
)

// sorted gives the keys of m in order. It and unordered are the only places in
// this package that range over a map: two nodes must see the same sequence.
func sorted[K cmp.Ordered, V any](m map[K]V) []K {
	keys := unordered(m, make([]K, 0, len(m)))
	slices.Sort(keys)
	return keys
}

// unordered appends the keys of m to keys; the caller sorts them.
func unordered[K comparable, V any](m map[K]V, keys []K) []K {
	for k := range m {
		keys = append(keys, k)
	}
	return keys
}
