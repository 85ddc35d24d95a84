package group

import (
	"encoding/binary"
	"iter"
	"slices"
)

// giveBack spares members moves that are not needed for the balance. With the
// loads as they are, that is rounds in which each gives one of a topic to the
// next, and fewer are taken from who had them:
//
//	member ──gives one: 1 if it had that one──► topic ──takes one: -1 if it had one──► member
//
// Rounds end at the fewest moves that these loads allow. So other loads are tried
// too, of one member with one less and another with one more, and from those that
// do as well their neighbours. Where that is unfair to somebody who wants a topic,
// the one who has too much may have none of it.
func (u *uniform) giveBack() {
	u.round()
	best, fewest := u.gets(), u.taken()
	seen := map[string]bool{u.loads(): true}
	for next := [][]int{best}; len(next) > 0 && fewest > 0; next = next[1:] {
		u.set(next[0])
		for from, to := range u.shifts(fewest) {
			if !u.unseen(from, to, seen) {
				continue
			}
			fair, taken := u.shifted(from, to), u.taken()
			if fair && taken <= fewest {
				next = append(next, u.gets())
			}
			if fair && taken < fewest {
				best, fewest = u.gets(), taken
				next = [][]int{nil, best}
				break
			}
			u.set(next[0])
		}
	}
	u.set(best)
}

// work bounds how many cells giveBack looks at, so that a large group is not
// assigned for seconds to spare one partition its move.
const work = 2 << 20

// unseen tells whether loads with one less and one more are met the first time.
func (u *uniform) unseen(from, to int, seen map[string]bool) bool {
	u.load[from]--
	u.load[to]++
	key := u.loads()
	u.load[from]++
	u.load[to]--
	first := !seen[key]
	seen[key] = true
	return first
}

// shifted gives one member one less and another one more, and spares what it can;
// false: that is not possible, or unfair.
func (u *uniform) shifted(from, to int) bool {
	if !u.pass(u.chain(from, len(u.members), func(m int) bool { return m == to }, nil), 1) {
		return false
	}
	u.round()
	return u.unfairness() == 0
}

// loads tells loads apart.
func (u *uniform) loads() string {
	b := make([]byte, 0, 2*len(u.load))
	for _, n := range u.load {
		b = binary.AppendUvarint(b, uint64(n))
	}
	return string(b)
}

// taken counts what is taken from members who want it.
func (u *uniform) taken() (n int) {
	for _, cells := range u.of {
		for _, c := range cells {
			n += max(c.has-c.gets, 0)
		}
	}
	return n
}

// shifts are the members of which one may get one less and another one more, so
// that at most so many are taken: at least what members had above their loads.
// Those come first which lower that.
func (u *uniform) shifts(most int) iter.Seq2[int, int] {
	over, least := make([]int, len(u.members)), 0
	for i, cells := range u.of {
		for _, c := range cells {
			over[i] += c.has
		}
		over[i] -= u.load[i]
		least += max(over[i], 0)
	}
	return func(yield func(from, to int) bool) {
		for more := -1; more <= 1 && least+more <= most; more++ {
			for from := range u.members {
				for to := range u.members {
					if u.work++; u.work > work {
						return
					}
					if from == to || u.load[from] == 0 || b2i(over[from] >= 0)-b2i(over[to] > 0) != more {
						continue
					}
					if !yield(from, to) {
						return
					}
				}
			}
		}
	}
}

// gets is what set sets again.
func (u *uniform) gets() (all []int) {
	for _, cells := range u.of {
		for _, c := range cells {
			all = append(all, c.gets)
		}
	}
	return all
}

func (u *uniform) set(gets []int) {
	for i, cells := range u.of {
		u.load[i] = 0
		u.work += len(cells)
		for _, c := range cells {
			c.gets, gets = gets[0], gets[1:]
			u.load[i] += c.gets
		}
	}
}

// arc is one of a cell's gets more or less.
type arc struct {
	cell *cell
	n    int
}

// round takes rounds as long as there are any that cost less than nothing.
func (u *uniform) round() {
	least := make([]int, len(u.topics)) // load of a member of the topic
	for t, cells := range u.byTopic {
		least[t] = u.load[slices.MinFunc(cells, func(a, b *cell) int { return u.load[a.member] - u.load[b.member] }).member]
	}
	for {
		way := u.cheap(least)
		for _, a := range way {
			a.cell.gets += a.n
			u.load[a.cell.member] += a.n
		}
		if way == nil {
			return
		}
	}
}

// cheap finds a round that costs less than nothing (Bellman and Ford). What a
// member must not have, as it is unfair to who has least, it takes none of, and
// is well rid of.
func (u *uniform) cheap(least []int) []arc {
	members := len(u.members)
	unfair := members + len(u.topics) + 1
	dist, by := make([]int, members+len(u.topics)), make([]arc, members+len(u.topics))
	for range dist {
		moved := false
		for _, cells := range u.byTopic {
			for _, c := range cells {
				fair, topic := u.load[c.member] <= least[c.topic]+1, members+c.topic
				if d := dist[c.member] + b2i(c.gets <= c.has) - b2i(!fair)*unfair; c.gets > 0 && d < dist[topic] {
					dist[topic], by[topic], moved = d, arc{c, -1}, true
				}
				if d := dist[topic] - b2i(c.gets < c.has); fair && d < dist[c.member] {
					dist[c.member], by[c.member], moved = d, arc{c, 1}, true
				}
			}
			u.work += len(cells)
		}
		if way := u.closed(by); way != nil || !moved || u.work > work {
			return way
		}
	}
	return nil
}

// closed is a round among arcs by which members and topics were reached.
func (u *uniform) closed(by []arc) (way []arc) {
	seen := make([]int, len(by)) // from where, plus one
	for from := range by {
		at := from
		for ; by[at].cell != nil && seen[at] == 0; at = u.source(by[at]) {
			seen[at] = from + 1
		}
		if by[at].cell == nil || seen[at] != from+1 {
			continue
		}
		for end := at; len(way) == 0 || at != end; at = u.source(by[at]) {
			way = append(way, by[at])
		}
		return way
	}
	return nil
}

// source is where an arc begins: a member gives, a topic is taken from.
func (u *uniform) source(a arc) int {
	if a.n < 0 {
		return a.cell.member
	}
	return len(u.members) + a.cell.topic
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}
