package group

import (
	"cmp"
	"maps"
	"slices"
)

// sorted gives the keys of m in order: the same inputs must give the same
// effects.
func sorted[K cmp.Ordered, V any](m map[K]V) []K {
	return slices.Sorted(maps.Keys(m))
}

// sortedPartitions gives the partitions of m by topic and number.
func sortedPartitions[V any](m map[partition]V) []partition {
	return slices.SortedFunc(maps.Keys(m), func(a, b partition) int {
		return cmp.Or(cmp.Compare(a.topic, b.topic), cmp.Compare(a.index, b.index))
	})
}
