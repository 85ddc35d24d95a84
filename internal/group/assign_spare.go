package group

// giveBack spares members moves that are not needed for the balance: it looks for
// rounds in which each gives one of a topic to the next, and for ways from one
// member to another that may do with one more, that end with fewer taken from who
// had them. Shortest paths find them (Bellman and Ford), over members and topics:
//
//	member ──gives one: 1 if it had that one──► topic ──takes one: -1 if it had one──► member
func (u *uniform) giveBack() {
	for found := true; found; {
		found = false
		for from := -1; !found && from < len(u.members) && u.tries <= tries; from++ {
			found = u.spared(from)
		}
	}
}

// arc is one of a cell's gets more or less.
type arc struct {
	cell *cell
	n    int
}

// spared takes a round, or a way from a member, that costs less than nothing;
// from -1: rounds only.
func (u *uniform) spared(from int) bool {
	dist, by, moved := u.shortest(from)
	members := len(u.members)
	before := func(at int) int {
		if at < members {
			return members + by[at].cell.topic
		}
		return by[at].cell.member
	}
	switch {
	case u.tries > tries:
		return false
	case moved >= 0: // still shorter after as many steps as there are places: a round
		for range dist {
			moved = before(moved)
		}
		round := []arc{by[moved]}
		for at := before(moved); at != moved; at = before(at) {
			round = append(round, by[at])
		}
		return u.pushed(round)
	case from < 0:
		return false
	}
	for to := range members {
		if dist[to] >= 0 {
			continue
		}
		if u.tries++; u.tries > tries {
			return false
		}
		var way []arc
		for at := to; at != from; at = before(at) {
			way = append(way, by[at])
		}
		if u.pushed(way) {
			return true
		}
	}
	return false
}

// shortest finds what it costs at least to get to members and topics, by which
// arcs, and what still got nearer at the end; from -1: from any.
func (u *uniform) shortest(from int) (dist []int, by []arc, moved int) {
	const far = 1 << 30
	members := len(u.members)
	dist, by = make([]int, members+len(u.topics)), make([]arc, members+len(u.topics))
	for i := range dist {
		if from >= 0 && i != from {
			dist[i] = far
		}
	}
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
	return dist, by, moved
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
