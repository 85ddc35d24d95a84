package meta

import "github.com/brokerd/brokerd/internal/invariant"

// change is the one way in which leader, in-sync set and eligible leaders of a
// partition move (replication rules, 2.3). Whoever wants something fills in the
// wish, on top of changeOf, and takes what result gives:
//
//	who is full leaves → complete a reassignment → target ISR → ELR → elect → epochs
//
// It is a pure function of its fields.
type change struct {
	old     part
	set     *replicaSet // wished replicas; old.set unless they change
	isr     mask        // wished in-sync set, over set
	unclean mask        // over set: the tail may be gone, so not eligible either (S1, S2)
	setting int8        // the topic's min.insync.replicas, 0 by the default rule
	minISR  int8        // effective
	prefer  bool        // give the lead to the first replica if it may have it
	rescue  bool        // E3: the topic opts in, or an operator asks
	heal    uint8       // state bits to clear: recovering, corrupt, offline
	harm    uint8       // state bits to set: corrupt, offline
	changeAsks
}

// changeAsks is what a change asks of the image around it.
type changeAsks struct {
	active func(id int32) bool
	full   func(s *replicaSet, pos int) bool // takes no records for want of space
	intern func(replicaSet) *replicaSet
}

// changeOf is the wish that nothing changes, but what the brokers' states force.
func (e *Editor) changeOf(t *Topic, p part) change {
	return change{
		old: p, set: p.set, isr: p.isr, setting: t.minISR, minISR: p.minISR,
		changeAsks: e.asks,
	}
}

// result is the partition after the change. moved is false when nothing
// differs; unclean is true when the new leader may lack committed data.
func (c *change) result() (next part, moved, unclean bool) {
	next = c.old
	next.set, next.isr, next.minISR = c.set, c.isr, c.minISR
	next.state = next.state&^c.heal | c.harm
	w := wake{
		isr: c.old.set.moved(c.old.isr, c.set), elr: c.old.set.moved(c.old.elr, c.set),
		last: c.old.set.moved(c.old.lastKnown(), c.set), unclean: c.unclean,
		doubted: c.old.set.moved(c.old.doubted(), c.set) | c.old.set.strangers(c.set),
	}
	unclean = c.settle(&next, &w, c.old.leader())
	if next.set.complete(next.isr) { // an election from the ELR was what it still needed
		w.isr, w.elr = next.isr, next.elr
		unclean = c.settle(&next, &w, next.leader()) || unclean
	}
	next.last = w.remembered(next, unclean)

	if next.leader() != c.old.leader() || next.set.strangers(c.old.set) != 0 { // a new one, or a replica is dropped
		next.leaderEpoch++
	}
	moved = next != c.old
	if moved {
		next.partitionEpoch++
	}
	c.check(next)
	return next, moved, unclean
}

// wake is what was before a change, over the set that is.
type wake struct{ isr, elr, last, unclean, doubted mask }

// remembered is what part.last says from now on. An unclean election puts all
// others in doubt; who is in sync again has the leader's log.
func (w *wake) remembered(next part, unclean bool) mask {
	switch {
	case next.isr|next.elr == 0 && w.isr|w.elr != 0:
		return w.isr | w.elr
	case next.isr|next.elr == 0:
		return w.last
	case unclean:
		return next.set.all() &^ next.isr
	}
	return w.doubted &^ next.isr
}

// settle leaves out who is full, completes a reassignment that can be, computes the
// ELR and elects.
func (c *change) settle(p *part, w *wake, leader int32) (unclean bool) {
	p.isr = c.roomy(p.set, p.isr)
	if s := p.set; s.complete(p.isr) {
		done := c.intern(replicaSet{ids: s.pick(s.target()), dirs: s.pickDirs(s.target())})
		p.isr = s.moved(p.isr, done)
		*w = wake{s.moved(w.isr, done), s.moved(w.elr, done), s.moved(w.last, done), s.moved(w.unclean, done), s.moved(w.doubted, done)}
		p.set, p.minISR = done, effectiveMinISR(c.setting, len(done.ids))
	}

	// E1: below min ISR nobody who has all committed data is forgotten.
	p.elr = 0
	if p.isr.count() < int(p.minISR) {
		p.elr = (w.elr | w.isr) &^ p.isr &^ w.unclean
	}

	pos := p.set.pos(leader)
	if !c.mayLead(*p, pos) || c.prefer && c.mayLead(*p, 0) {
		pos = c.elect(p, w.last, &unclean)
	}
	p.state = p.state&^leaderBits | uint8(pos+1)
	return unclean
}

// roomy leaves those out of an in-sync set whose disk is full, if that leaves
// somebody who can lead: they hold back what is written to the others, and refuse
// it where they lead. The last one stays, and is read.
func (c *changeAsks) roomy(s *replicaSet, isr mask) mask {
	full, others := mask(0), false
	for i, id := range s.ids {
		switch {
		case !isr.has(i):
		case c.full(s, i):
			full |= bit(i)
		default:
			others = others || c.active(id)
		}
	}
	if !others {
		return isr
	}
	return isr &^ full
}

// mayLead says whether a replica may lead without anything else changing.
func (c *change) mayLead(p part, pos int) bool {
	return p.isr.has(pos) && c.active(p.set.ids[pos])
}

// elect is E2 and E3: the position of the next leader, or -1.
func (c *change) elect(p *part, last mask, unclean *bool) int {
	if pos := c.first(*p, p.isr); pos >= 0 {
		return pos
	}
	if p.isr != 0 {
		return -1
	}
	if pos := c.first(*p, p.elr); pos >= 0 {
		c.lead(p, pos)
		return pos
	}
	// The only replica leads whatever happened to it, or a topic of one replica
	// would stay leaderless after a power cut. Not so when its data is bad.
	if len(p.set.ids) == 1 && p.state&(corrupt|offline) == 0 && c.first(*p, 1) == 0 {
		c.lead(p, 0)
		*unclean = true
		return 0
	}
	if !c.rescue || p.state&offline != 0 {
		return -1
	}
	pos := c.first(*p, last)
	if pos < 0 {
		pos = c.first(*p, p.set.all())
	}
	if pos >= 0 {
		c.lead(p, pos)
		p.elr = 0
		p.state = p.state&^corrupt | recovering
		*unclean = true
	}
	return pos
}

// lead makes a replica the only one in sync.
func (c *change) lead(p *part, pos int) {
	p.isr = bit(pos)
	p.elr &^= p.isr
	if p.isr.count() >= int(p.minISR) {
		p.elr = 0
	}
}

// first is the first replica in assignment order that is in m and active; one that
// is full only where no other is.
func (c *change) first(p part, m mask) int {
	full := -1
	for i, id := range p.set.ids {
		switch {
		case !m.has(i) || !c.active(id):
		case !c.full(p.set, i):
			return i
		case full < 0:
			full = i
		}
	}
	return full
}

func (c *change) check(p part) {
	all := p.set.all()
	invariant.Check(p.isr&^all == 0 && p.elr&^all == 0, "R10: isr %b elr %b of %d replicas", p.isr, p.elr, len(p.set.ids))
	invariant.Check(p.isr&p.elr == 0, "R10: isr %b meets elr %b", p.isr, p.elr)
	invariant.Check(p.elr == 0 || p.isr.count() < int(p.minISR), "R10: elr %b beside a full isr %b", p.elr, p.isr)
	pos := p.leaderPos()
	invariant.Check(pos < 0 || p.isr.has(pos) && c.active(p.set.ids[pos]), "R12: leader at %d is not in isr %b or not active", pos, p.isr)
	invariant.Check(p.last&^all == 0 && p.last&(p.isr|p.elr) == 0, "E3: isr %b or elr %b is in doubt: %b", p.isr, p.elr, p.last)
	invariant.Check(p.leaderEpoch >= c.old.leaderEpoch && p.partitionEpoch >= c.old.partitionEpoch, "R13: epochs fell")
}

// alter takes a change over into the image.
func (e *Editor) alter(t *Topic, i int32, c *change) bool {
	next, moved, unclean := c.result()
	if moved {
		e.putPart(t, i, next)
	}
	if unclean {
		e.changed.Add(&Changes{Unclean: uncleanOf(t, i)})
	}
	return moved
}
