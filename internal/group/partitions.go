package group

import (
	"bytes"
	"maps"
	"slices"

	"github.com/brokerd/brokerd/internal/step"
)

// parts is a set of partitions by topic. The numbers of a topic are sorted and
// without duplicates; a topic has at least one. A set is never written to once
// it is in the state of a group.
type parts map[step.TopicID][]int32

func (s parts) has(id step.TopicID, p int32) bool {
	_, ok := slices.BinarySearch(s[id], p)
	return ok
}

// add puts one partition in; the set must be the caller's own.
func (s parts) add(id step.TopicID, p int32) {
	if at, ok := slices.BinarySearch(s[id], p); !ok {
		s[id] = slices.Insert(s[id], at, p)
	}
}

// keep gives the partitions that f wants.
func (s parts) keep(f func(id step.TopicID, p int32) bool) parts {
	kept := parts{}
	for _, id := range s.topics() {
		for _, p := range s[id] {
			if f(id, p) {
				kept[id] = append(kept[id], p)
			}
		}
	}
	return kept
}

// union gives what is in s or in o.
func (s parts) union(o parts) parts {
	all := parts{}
	for _, set := range []parts{s, o} {
		for _, id := range set.topics() {
			both := append(slices.Clone(all[id]), set[id]...)
			slices.Sort(both)
			all[id] = slices.Compact(both)
		}
	}
	return all
}

func (s parts) equal(o parts) bool { return maps.EqualFunc(s, o, slices.Equal) }

// within tells whether all of s is in o.
func (s parts) within(o parts) bool {
	return len(s.keep(func(id step.TopicID, p int32) bool { return !o.has(id, p) })) == 0
}

func (s parts) size() (n int) {
	for _, id := range s.topics() {
		n += len(s[id])
	}
	return n
}

// topics gives the topics in order.
func (s parts) topics() []step.TopicID { return sortedTopics(s) }

// sortedTopics gives the keys of m in order.
func sortedTopics[V any](m map[step.TopicID]V) []step.TopicID {
	return slices.SortedFunc(maps.Keys(m), compareTopics)
}

func compareTopics(a, b step.TopicID) int { return bytes.Compare(a[:], b[:]) }
