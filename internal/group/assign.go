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
	topics   []step.TopicID // sorted
	owned    parts          // its last target
}

// assignors are the known ones by name.
var assignors = map[string]func(members []subscriber, sizes map[step.TopicID]int32) map[string]parts{
	"uniform": assignUniform,
	"range":   assignRange,
}

// KnowsAssignor tells whether there is an assignor of that name.
func KnowsAssignor(name string) bool { return assignors[name] != nil }

// assignRange gives each member of a topic a range of it: members in the order
// of instance and id, the first ones one more where it does not come out even.
// Topics with as many partitions and the same members are assigned alike.
func assignRange(members []subscriber, sizes map[step.TopicID]int32) map[string]parts {
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
			quota := sizes[id] / n
			if int32(i) < sizes[id]%n {
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

// assignUniform gives every member as many partitions as any other, or one more
// or less, as far as subscriptions allow, and moves as few as that takes.
func assignUniform(members []subscriber, sizes map[step.TopicID]int32) map[string]parts {
	u := &uniform{sizes: sizes, takers: map[step.TopicID][]int{}}
	alike := true
	for i, m := range members {
		u.has = append(u.has, m.owned.keep(func(id step.TopicID, p int32) bool {
			return p < sizes[id] && subscribes(m, id)
		}))
		u.load = append(u.load, u.has[i].size())
		alike = alike && slices.Equal(m.topics, members[0].topics)
		for _, id := range m.topics {
			u.takers[id] = append(u.takers[id], i)
		}
	}
	if alike {
		u.trim()
	}
	u.fill()
	if !alike {
		u.level()
	}
	all := map[string]parts{}
	for i, m := range members {
		all[m.id] = u.has[i]
	}
	return all
}

func subscribes(m subscriber, id step.TopicID) bool {
	_, ok := slices.BinarySearchFunc(m.topics, id, compareTopics)
	return ok
}

// uniform is the work of assignUniform. Members are numbers.
type uniform struct {
	sizes  map[step.TopicID]int32
	takers map[step.TopicID][]int // who subscribes to a topic
	has    []parts
	load   []int
}

// trim takes from members that all subscribe to the same what is above their
// share. Those who have most keep the odd ones.
func (u *uniform) trim() {
	total := 0
	for _, id := range sortedTopics(u.takers) {
		total += int(u.sizes[id])
	}
	n := max(len(u.has), 1)
	share, odd := total/n, total%n
	for i := range u.has {
		quota := share
		if u.load[i] > share && odd > 0 {
			quota++
			odd--
		}
		if u.load[i] <= quota {
			continue
		}
		kept := 0
		trimmed := parts{}
		for _, id := range u.has[i].topics() {
			list := u.has[i][id]
			if list = list[:min(len(list), quota-kept)]; len(list) > 0 {
				trimmed[id] = slices.Clone(list)
				kept += len(list)
			}
		}
		u.has[i], u.load[i] = trimmed, kept
	}
}

// fill gives what nobody has to whoever has least, topics with few takers first.
func (u *uniform) fill() {
	topics := sortedTopics(u.takers)
	slices.SortStableFunc(topics, func(a, b step.TopicID) int { return cmp.Compare(len(u.takers[a]), len(u.takers[b])) })
	for _, id := range topics {
		taken := make([]bool, u.sizes[id])
		for _, i := range u.takers[id] {
			for _, p := range u.has[i][id] {
				taken[p] = true
			}
		}
		h := newLeast(u, u.takers[id])
		for p := range u.sizes[id] {
			if !taken[p] {
				i := h.top()
				u.has[i].add(id, p)
				u.load[i]++
				h.sink(0)
			}
		}
	}
}

// level moves partitions from those with most to those with two less or fewer,
// over others in between where no topic is common to both.
func (u *uniform) level() {
	for {
		order := make([]int, len(u.load))
		for i := range order {
			order[i] = i
		}
		slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(u.load[b], u.load[a]) })
		moved := slices.ContainsFunc(order, func(i int) bool { return u.load[i] > 1 && u.relieve(i) })
		if !moved {
			return
		}
	}
}

// relieve finds the shortest chain from a member to one with two less, each of
// which can take a partition of the one before, and moves one along it.
func (u *uniform) relieve(from int) bool {
	type link struct {
		before int
		topic  step.TopicID
	}
	reached := map[int]link{from: {before: -1}}
	done := map[step.TopicID]bool{}
	for queue := []int{from}; len(queue) > 0; queue = queue[1:] {
		at := queue[0]
		if u.load[at] <= u.load[from]-2 {
			for at != from {
				l := reached[at]
				list := u.has[l.before][l.topic]
				p := list[len(list)-1]
				if u.has[l.before][l.topic] = list[:len(list)-1]; len(list) == 1 {
					delete(u.has[l.before], l.topic)
				}
				u.has[at].add(l.topic, p)
				u.load[l.before]--
				u.load[at]++
				at = l.before
			}
			return true
		}
		for _, id := range u.has[at].topics() {
			if done[id] {
				continue
			}
			done[id] = true
			for _, i := range u.takers[id] {
				if _, ok := reached[i]; !ok {
					reached[i] = link{at, id}
					queue = append(queue, i)
				}
			}
		}
	}
	return false
}

// least is a heap of members by load, then number.
type least struct {
	u    *uniform
	heap []int
}

func newLeast(u *uniform, members []int) *least {
	h := &least{u, slices.Clone(members)}
	for i := len(h.heap)/2 - 1; i >= 0; i-- {
		h.sink(i)
	}
	return h
}

func (h *least) top() int { return h.heap[0] }

func (h *least) less(a, b int) bool {
	x, y := h.heap[a], h.heap[b]
	return cmp.Or(cmp.Compare(h.u.load[x], h.u.load[y]), cmp.Compare(x, y)) < 0
}

func (h *least) sink(i int) {
	for {
		child := 2*i + 1
		if child >= len(h.heap) {
			return
		}
		if child+1 < len(h.heap) && h.less(child+1, child) {
			child++
		}
		if !h.less(child, i) {
			return
		}
		h.heap[i], h.heap[child] = h.heap[child], h.heap[i]
		i = child
	}
}
