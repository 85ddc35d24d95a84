package group

import (
	"cmp"
	"slices"

	"github.com/brokerd/brokerd/internal/step"
)

// The assignors: what shall be whose. All are functions of what they are given.

// subscriber is a member as an assignor sees it.
type subscriber struct {
	id       string
	instance string         // "" : none
	rack     string         // "" : unknown
	topics   []step.TopicID // sorted
	owned    parts          // its last target
}

// topicsToAssign is what an assignor knows of topics: how many partitions each
// has, and in which racks one is; nil: nobody knows.
type topicsToAssign struct {
	sizes map[step.TopicID]int32
	racks func(id step.TopicID, partition int32) []string
}

// assignors are the known ones by name.
var assignors = map[string]func(members []subscriber, cluster topicsToAssign) map[string]parts{
	"uniform": assignUniform,
	"range":   assignRange,
}

// KnowsAssignor tells whether there is an assignor of that name.
func KnowsAssignor(name string) bool { return assignors[name] != nil }

// assignRange gives each member of a topic a range of it: members in the order
// of instance and id, the first ones one more where it does not come out even.
// Topics with as many partitions and the same members are assigned alike.
func assignRange(members []subscriber, cluster topicsToAssign) map[string]parts {
	ordered := slices.Clone(members)
	slices.SortFunc(ordered, func(a, b subscriber) int {
		if (a.instance == "") != (b.instance == "") {
			return cmp.Compare(b.instance, a.instance) // static members first
		}
		return cmp.Or(cmp.Compare(a.instance, b.instance), cmp.Compare(a.id, b.id))
	})
	all := map[string]parts{}
	takers := map[step.TopicID][]string{}
	for _, m := range ordered {
		all[m.id] = parts{}
		for _, id := range m.topics {
			takers[id] = append(takers[id], m.id)
		}
	}
	for _, id := range sortedTopics(takers) {
		list := takers[id]
		next, n := int32(0), int32(len(list))
		for i, member := range list {
			quota := cluster.sizes[id] / n
			if int32(i) < cluster.sizes[id]%n {
				quota++
			}
			for range quota {
				all[member][id] = append(all[member][id], next)
				next++
			}
		}
	}
	return all
}

func subscribes(m subscriber, id step.TopicID) bool {
	_, ok := slices.BinarySearchFunc(m.topics, id, compareTopics)
	return ok
}
