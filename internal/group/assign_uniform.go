package group

import (
	"cmp"
	"slices"

	"github.com/brokerd/brokerd/internal/step"
)

// assignUniform gives every member as many partitions as any other that wants
// them, or one more or less, and takes few from who has them. That these are the
// fewest is not proved: where members want different topics, what giveBack looks at
// is bounded. In the groups that were measured (uniform_test.go) they are never more
// than Kafka's assignor takes.
//
// First it is decided how many of which topic each member gets: only then which
// ones, so that what moves goes to a member in the partition's rack if it can.
func assignUniform(members []subscriber, cluster topicsToAssign) map[string]parts {
	u := newUniform(members, cluster)
	if u.alike {
		u.trim()
	}
	u.fill()
	if !u.alike {
		u.level()
		u.giveBack()
	}
	return u.choose()
}

// uniform is the work of assignUniform. Members and topics are numbers.
type uniform struct {
	members []subscriber
	cluster topicsToAssign
	topics  []step.TopicID
	byTopic [][]*cell
	of      [][]*cell // by member
	load    []int     // of a member: the sum of its gets
	alike   bool      // all want the same
	tries   int       // exchanges so far
	work    int       // cells that giveBack looked at so far
}

// cell is what a member has and gets of a topic that it wants.
type cell struct {
	member, topic int
	has, gets     int
}

func newUniform(members []subscriber, cluster topicsToAssign) *uniform {
	u := &uniform{members: members, cluster: cluster, alike: true, load: make([]int, len(members)), of: make([][]*cell, len(members))}
	number := map[step.TopicID]int{}
	for i, m := range members {
		u.alike = u.alike && slices.Equal(m.topics, members[0].topics)
		for _, id := range m.topics {
			t, ok := number[id]
			if !ok {
				t = len(u.topics)
				number[id] = t
				u.topics, u.byTopic = append(u.topics, id), append(u.byTopic, nil)
			}
			c := &cell{member: i, topic: t, has: len(u.kept(i, id))}
			c.gets = c.has
			u.load[i] += c.gets
			u.of[i], u.byTopic[t] = append(u.of[i], c), append(u.byTopic[t], c)
		}
	}
	return u
}

// kept is what a member had of a topic and what is still there.
func (u *uniform) kept(member int, id step.TopicID) []int32 {
	list := u.members[member].owned[id]
	n, _ := slices.BinarySearch(list, u.cluster.sizes[id])
	return list[:n]
}

// trim takes from members that all want the same what is above their share.
// Those who have most keep the odd ones.
func (u *uniform) trim() {
	total := 0
	for _, id := range u.topics {
		total += int(u.cluster.sizes[id])
	}
	n := max(len(u.members), 1)
	share, odd := total/n, total%n
	for i := range u.members {
		quota := share
		if u.load[i] > share && odd > 0 {
			quota++
			odd--
		}
		for _, c := range slices.Backward(u.of[i]) {
			over := min(max(u.load[i]-quota, 0), c.gets)
			c.gets -= over
			u.load[i] -= over
		}
	}
}

// fill gives what nobody has to whoever has least, topics with few takers first.
func (u *uniform) fill() {
	order := make([]int, len(u.topics))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(len(u.byTopic[a]), len(u.byTopic[b])), compareTopics(u.topics[a], u.topics[b]))
	})
	for _, t := range order {
		free := int(u.cluster.sizes[u.topics[t]])
		for _, c := range u.byTopic[t] {
			free -= c.gets
		}
		h := newLeast(u, u.byTopic[t])
		for range free {
			c := h.top()
			c.gets++
			u.load[c.member]++
			h.sink(0)
		}
	}
}

// level evens out members that want different topics. What nobody has to be
// parted from moves as far as it helps, over others in between where no topic is
// common to both; what somebody has moves only from one with two more than
// another who wants it, and only if no exchange of what is free does it.
func (u *uniform) level() {
	dead := make([]bool, len(u.members)) // nothing of theirs moves for free
	for {
		order := u.heaviest()
		lighter := func(from int) func(int) bool {
			return func(i int) bool { return u.load[i] <= u.load[from]-2 }
		}
		if slices.ContainsFunc(order, func(i int) bool { return !dead[i] && u.pass(u.chain(i, 0, lighter(i), dead), 1) }) {
			clear(dead)
			continue
		}
		at := slices.IndexFunc(order, u.unfair)
		if at < 0 {
			return
		}
		if !u.exchange(order[at]) {
			u.pass(u.chain(order[at], len(u.members), lighter(order[at]), nil), 1)
		}
		clear(dead)
	}
}

func (u *uniform) heaviest() []int {
	order := make([]int, len(u.load))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(u.load[b], u.load[a]) })
	return order
}

// unfair tells whether another member wants what i gets and has two less.
func (u *uniform) unfair(i int) bool {
	return slices.ContainsFunc(u.of[i], func(c *cell) bool {
		return c.gets > 0 && slices.ContainsFunc(u.byTopic[c.topic], func(o *cell) bool { return u.load[o.member] <= u.load[i]-2 })
	})
}

// unfairness counts what members get of topics that others want who have two less.
func (u *uniform) unfairness() (n int) {
	for _, cells := range u.byTopic {
		least := slices.MinFunc(cells, func(a, b *cell) int { return cmp.Compare(u.load[a.member], u.load[b.member]) })
		for _, c := range cells {
			if c.gets > 0 && u.load[least.member] <= u.load[c.member]-2 {
				n++
			}
		}
	}
	return n
}

// tries bounds how many exchanges are looked at, so that a large group is
// not assigned for seconds to spare one partition its move.
const tries = 4000

// exchange looks for two members whose loads differ by one and that can change
// places for free, so that there is less unfairness.
func (u *uniform) exchange(i int) bool {
	before := u.unfairness()
	try := func(from int, goal func(int) bool) bool {
		if u.tries++; u.tries > tries {
			return false
		}
		links := u.chain(from, 0, goal, nil)
		if !u.pass(links, 1) {
			return false
		}
		if u.unfairness() < before {
			return true
		}
		u.pass(links, -1)
		return false
	}
	if try(i, func(m int) bool { return u.load[m] == u.load[i]-1 }) {
		return true
	}
	for _, c := range u.of[i] {
		for _, o := range u.byTopic[c.topic] {
			if c.gets == 0 || u.load[o.member] > u.load[i]-2 {
				continue
			}
			for from := range u.members {
				if u.load[from] == u.load[o.member]+1 && try(from, func(m int) bool { return m == o.member }) {
					return true
				}
			}
		}
	}
	return false
}

// link is a step of a chain: one of a topic goes from a member to another.
type link struct{ gives, takes *cell }

// pass moves one along a chain, or with n -1 back; false: there is none.
func (u *uniform) pass(chain []link, n int) bool {
	for _, l := range chain {
		l.gives.gets -= n
		l.takes.gets += n
		u.load[l.gives.member] -= n
		u.load[l.takes.member] += n
	}
	return len(chain) > 0
}

// chain finds the way from a member to one that is a goal, which takes the fewest
// partitions from who has them, and at most limit. dead, if not nil, learns who
// is reached in vain.
func (u *uniform) chain(from, limit int, goal func(int) bool, dead []bool) []link {
	reached := map[int]link{from: {}}
	done := make([]bool, len(u.topics))
	spread := func(c *cell, to []int) []int {
		done[c.topic] = true
		for _, o := range u.byTopic[c.topic] {
			if _, ok := reached[o.member]; !ok {
				reached[o.member] = link{c, o}
				to = append(to, o.member)
			}
		}
		return to
	}
	now := []int{from}
	for cost := 0; cost <= limit && len(now) > 0; cost++ {
		var costly []*cell // one less of it is one taken from who has it
		for at := 0; at < len(now); at++ {
			i := now[at]
			if i != from && goal(i) {
				var links []link
				for ; i != from; i = links[len(links)-1].gives.member {
					links = append(links, reached[i])
				}
				return links
			}
			for _, c := range u.of[i] {
				switch {
				case c.gets == 0 || done[c.topic]:
				case c.gets <= c.has:
					costly = append(costly, c)
				default:
					now = spread(c, now)
				}
			}
		}
		now = nil
		for _, c := range costly {
			if !done[c.topic] {
				now = spread(c, now)
			}
		}
	}
	for i := range dead {
		if _, ok := reached[i]; ok {
			dead[i] = true
		}
	}
	return nil
}

// choose picks the partitions: first what is kept, then for those that move a
// member in one of their racks, then any that gets more.
func (u *uniform) choose() map[string]parts {
	all := make(map[string]parts, len(u.members))
	for _, m := range u.members {
		all[m.id] = parts{}
	}
	for t, id := range u.topics {
		taken := make([]bool, u.cluster.sizes[id])
		left := make([]int, len(u.byTopic[t]))
		give := func(k int, p int32) {
			taken[p] = true
			left[k]--
			all[u.members[u.byTopic[t][k].member].id].add(id, p)
		}
		for k, c := range u.byTopic[t] {
			left[k] = c.gets
			for _, p := range u.nearFirst(c.member, id)[:min(c.has, c.gets)] {
				give(k, p)
			}
		}
		u.giveNear(t, taken, left, give)
		k := 0
		for p := range taken {
			for ; !taken[p] && k < len(left); k++ {
				if left[k] > 0 {
					give(k, int32(p))
					break
				}
			}
		}
	}
	return all
}

// nearFirst is what a member had of a topic, those in its rack before others.
func (u *uniform) nearFirst(member int, id step.TopicID) []int32 {
	list := u.kept(member, id)
	if u.members[member].rack == "" {
		return list
	}
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b int32) int {
		x, y := u.near(member, id, a), u.near(member, id, b)
		switch {
		case x && !y:
			return -1
		case y && !x:
			return 1
		}
		return 0
	})
	return list
}

func (u *uniform) near(member int, id step.TopicID, p int32) bool {
	rack := u.members[member].rack
	return rack != "" && u.cluster.racks != nil && slices.Contains(u.cluster.racks(id, p), rack)
}

// giveNear gives partitions of a topic to members in one of their racks.
func (u *uniform) giveNear(t int, taken []bool, left []int, give func(k int, p int32)) {
	byRack := map[string][]int{}
	for k, c := range u.byTopic[t] {
		if rack := u.members[c.member].rack; rack != "" && left[k] > 0 {
			byRack[rack] = append(byRack[rack], k)
		}
	}
	if len(byRack) == 0 || u.cluster.racks == nil {
		return
	}
	for p := range taken {
		if taken[p] {
			continue
		}
		for _, rack := range u.cluster.racks(u.topics[t], int32(p)) {
			list := byRack[rack]
			for len(list) > 0 && left[list[0]] == 0 {
				list = list[1:]
			}
			if byRack[rack] = list; len(list) > 0 {
				give(list[0], int32(p))
				break
			}
		}
	}
}

// least is a heap of the cells of a topic by the load of their members, then
// number.
type least struct {
	u    *uniform
	heap []*cell
}

func newLeast(u *uniform, cells []*cell) *least {
	h := &least{u, slices.Clone(cells)}
	for i := len(h.heap)/2 - 1; i >= 0; i-- {
		h.sink(i)
	}
	return h
}

func (h *least) top() *cell { return h.heap[0] }

func (h *least) less(a, b int) bool {
	x, y := h.heap[a].member, h.heap[b].member
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
