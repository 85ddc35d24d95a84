package group

// sweepGroups is how many groups one step of a sweep looks at, sweepOffsets how
// many offsets it ends: nobody waits long behind it.
const (
	sweepGroups  = 1000
	sweepOffsets = 1000
)

// startSweep looks at all groups, one after another: offsets of topics that are
// no more and expired ones go, then groups of which nothing is left.
func (t *turn) startSweep() {
	t.sweep = sorted(t.groups)
	t.swept()
}

// swept goes on with a sweep until one group wrote something: a batch belongs to
// one group, whose answers wait for it.
func (t *turn) swept() {
	if len(t.sweep) == 0 {
		t.sweep = sorted(t.groups)
	}
	for range min(sweepGroups, len(t.sweep)) {
		g := t.groups[t.sweep[0]]
		if g == nil || !t.sweepGroup(g) {
			t.sweep = t.sweep[1:]
		}
		if len(t.out.Append) > 0 {
			break
		}
	}
	if len(t.sweep) > 0 {
		t.timer(keySweep, t.now)
		return
	}
	t.timer(keySweep, t.now.Add(t.cfg.CheckInterval))
}

// sweepGroup writes what is to go of one group, and tells whether there is more.
func (t *turn) sweepGroup(g *group) (more bool) {
	left := len(g.offsets)
	for _, p := range sortedPartitions(g.offsets) {
		if !t.gone(g, p, g.offsets[p]) {
			continue
		}
		t.append(g, offsetTombstone(g.id, p, t.in.UnixMs))
		left--
		if len(t.out.Append) == sweepOffsets {
			return true
		}
	}
	c := &g.classic
	if left == 0 && len(g.staged) == 0 && !g.used() && len(c.pending) == 0 {
		t.end(g)
	}
	return false
}

// gone tells whether an offset is to go: its topic is no more, or it expired.
// What an open transaction staged, and what members subscribe to, stays (O2).
func (t *turn) gone(g *group, p partition, o offset) bool {
	if g.stagedAt(p) {
		return false
	}
	if t.orphan(p, o) {
		return true
	}
	if g.consumer != nil && g.subscribed(p.topic) {
		return false
	}
	since := o.commitMs
	switch c := &g.classic; {
	case c.state == empty && c.kind != "":
		if c.sinceMs >= 0 {
			since = c.sinceMs // the group is empty since then
		}
	case c.state == empty: // a group without members, ever
	case c.kind == consumerProtocol && c.state == stable && c.topics != nil:
		if c.topics[p.topic] {
			return false
		}
	default:
		return false
	}
	if o.expireMs >= 0 {
		return t.in.BelievedMs >= o.expireMs
	}
	return t.in.BelievedMs-since >= t.cfg.Retention.Milliseconds()
}
