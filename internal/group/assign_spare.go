package group

import "slices"

// giveBack spares members moves that are not needed for the balance: it looks for
// rounds in which each gives one of a topic to the next, and for ways between two
// whose loads may change places, that end with fewer taken from who had them.
// Shortest paths find them (Bellman and Ford), over members and topics:
//
//	member ──gives one: 1 if it had that one──► topic ──takes one: -1 if it had one──► member
func (u *uniform) giveBack() {
	for {
		found := u.pushed(u.cheapest(-1))
		for from := 0; !found && from < len(u.members); from++ {
			found = u.pushed(u.cheapest(from))
		}
		if !found {
			return
		}
	}
}

// arc is one of a cell's gets more or less.
type arc struct {
	cell *cell
	n    int
}

// cheapest finds a round, or a way from a member to one with one less, that costs
// less than nothing; from -1: rounds only.
func (u *uniform) cheapest(from int) []arc {
	const far = 1 << 30
	members := len(u.members)
	dist, by := make([]int, members+len(u.topics)), make([]arc, members+len(u.topics))
	for i := range dist {
		if from >= 0 && i != from {
			dist[i] = far
		}
	}
	moved := -1
	for range len(dist) {
		moved = -1
		for _, cells := range u.byTopic {
			for _, c := range cells {
				topic := members + c.topic
				if d := dist[c.member] + b2i(c.gets <= c.has); c.gets > 0 && dist[c.member] < far && d < dist[topic] {
					dist[topic], by[topic], moved = d, arc{c, -1}, topic
				}
				if d := dist[topic] - b2i(c.gets < c.has); dist[topic] < far && d < dist[c.member] {
					dist[c.member], by[c.member], moved = d, arc{c, 1}, c.member
				}
			}
		}
		if u.tries++; moved < 0 || u.tries > tries {
			break
		}
	}
	if u.tries > tries {
		return nil
	}
	before := func(at int) int {
		if at < members {
			return members + by[at].cell.topic
		}
		return by[at].cell.member
	}
	if moved >= 0 { // still shorter after as many steps as there are places: a round
		for range dist {
			moved = before(moved)
		}
		round := []arc{by[moved]}
		for at := before(moved); at != moved; at = before(at) {
			round = append(round, by[at])
		}
		return round
	}
	if from < 0 {
		return nil
	}
	to := slices.IndexFunc(u.load, func(n int) bool { return n == u.load[from]-1 })
	for i, n := range u.load {
		if n == u.load[from]-1 && dist[i] < dist[to] {
			to = i
		}
	}
	if to < 0 || dist[to] >= 0 {
		return nil
	}
	var way []arc
	for at := to; at != from; at = before(at) {
		way = append(way, by[at])
	}
	return way
}

// pushed moves one along arcs, unless that is unfair to somebody.
func (u *uniform) pushed(way []arc) bool {
	push := func(n int) {
		for _, a := range way {
			a.cell.gets += n * a.n
			u.load[a.cell.member] += n * a.n
		}
	}
	if push(1); len(way) == 0 || u.unfairness() == 0 {
		return len(way) > 0
	}
	push(-1)
	return false
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}
