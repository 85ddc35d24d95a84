package meta

import (
	"slices"

	"github.com/brokerd/brokerd/internal/step"
)

func (c RegisterBroker) apply(e *Editor) Result {
	if e.im.clusterID != "" && c.ClusterID != e.im.clusterID {
		return failf(ErrClusterID, "this is %s, the broker is of %s", e.im.clusterID, c.ClusterID)
	}
	if c.ID < 0 || c.Incarnation.IsZero() {
		return failf(ErrInvalidBroker, "id %d, incarnation %s", c.ID, c.Incarnation)
	}
	old, known := e.broker(c.ID)
	seen := int64(0)
	if known {
		seen = old.Epoch
	}
	if c.Seen != seen {
		return failf(ErrDuplicateBroker, "broker %d registered meanwhile, at %d", c.ID, seen)
	}
	for i, dir := range c.Dirs {
		if dir.IsZero() || dir == LostDir || slices.Contains(c.Dirs[:i], dir) || e.ownerOf(dir, c.ID) >= 0 {
			return failf(ErrInvalidBroker, "directory id %s is zero or used twice", dir)
		}
	}
	e.putBroker(&Broker{
		ID: c.ID, Epoch: int64(e.im.index), Incarnation: c.Incarnation, State: Fenced,
		Rack: c.Rack, Endpoints: slices.Clone(c.Endpoints), Dirs: slices.Clone(c.Dirs),
		BootID: c.BootID, Voter: c.Voter,
	})
	e.leaveFormerLife(c, old)
	return Result{Epoch: int64(e.im.index)}
}

func (e *Editor) ownerOf(dir step.TopicID, but int32) int32 {
	for _, b := range e.im.brokers {
		if b.ID != but && slices.Contains(b.Dirs, dir) {
			return b.ID
		}
	}
	return -1
}

// leaveFormerLife takes a broker that registers anew out of every ISR, and out
// of the ELR where its tail may be gone (S1, S2).
func (e *Editor) leaveFormerLife(c RegisterBroker, old *Broker) {
	safe, lostDir := false, false
	toldAll := false // of every log that has files somebody noted where it lies
	if old != nil {
		toldAll = c.CleanEpoch == old.Epoch
		sameBoot := c.BootID != "" && c.BootID == old.BootID && !c.DiskError
		safe = c.CleanEpoch == old.Epoch || sameBoot
		for _, dir := range old.Dirs {
			lostDir = lostDir || !slices.Contains(c.Dirs, dir)
		}
	}
	e.sweep(c.ID, func(t *Topic, i int32, p part, pos int) {
		ch := e.changeOf(t, p)
		ch.isr &^= bit(pos)
		ch.heal = offline
		if !c.first {
			// A repair counts from here on; the broker reports again what is still bad.
			ch.heal |= corrupt
			gone := p.away(pos, c.Dirs)
			if lostDir && !toldAll && p.unplaced(pos) {
				gone, ch.set = true, e.intern(p.set.placed(pos, LostDir))
			}
			if gone && len(p.set.ids) == 1 {
				ch.harm = offline // its data did not come: it would lead with nothing
			}
		}
		whole := safe || c.Intact && e.fsynced(t, c.DefaultISR)
		if !whole || e.moved(p, pos, c.Dirs, lostDir) {
			ch.unclean = bit(pos)
		}
		ch.rescue = e.rescues(t)
		e.alter(t, i, &ch)
	})
}

// moved says whether a replica's directory did not come back: then its data did
// not either. Of a replica whose directory nobody noted that is not known.
func (e *Editor) moved(p part, pos int, dirs []step.TopicID, lostDir bool) bool {
	if p.unplaced(pos) {
		return lostDir
	}
	return p.away(pos, dirs)
}

// LostDir, Kafka's id for a directory that is lost, stands for the directory of a
// replica of which nobody had noted where it lay when one did not come back: it may
// have been that one, so an only replica must not lead before it is found.
var LostDir = step.TopicID{15: 1}

// unplaced says that nobody has noted where a replica lies.
func (p part) unplaced(pos int) bool { return p.set.dir(pos).IsZero() }

// away says that a replica is known to lie in none of its broker's directories.
func (p part) away(pos int, dirs []step.TopicID) bool {
	return !p.unplaced(pos) && !slices.Contains(dirs, p.set.dirs[pos])
}

// sweep visits every partition that has a replica on a broker. f may alter it.
func (e *Editor) sweep(broker int32, f func(t *Topic, i int32, p part, pos int)) {
	for name := range e.byName.from("") {
		id, _ := e.names.get(name)
		t, _ := e.topic(id)
		for i := range t.n {
			p := *t.at(i)
			if pos := p.set.pos(broker); pos >= 0 {
				f(t, i, p, pos)
			}
		}
	}
}

func (c UnregisterBroker) apply(e *Editor) Result {
	b, bad := e.brokerAt(c.ID, c.Epoch)
	if bad.Err != nil {
		return bad
	}
	if b.State != Fenced {
		return failf(ErrInvalidState, "broker %d is %s: only a fenced broker can be unregistered", c.ID, b.State)
	}
	e.dropBroker(c.ID)
	return Result{}
}

// brokerAt finds the life of a broker that a command speaks of.
func (e *Editor) brokerAt(id int32, epoch int64) (*Broker, Result) {
	b, ok := e.broker(id)
	if !ok {
		return nil, failf(ErrUnknownBroker, "broker %d", id)
	}
	if b.Epoch != epoch {
		return nil, failf(ErrStaleBroker, "broker %d is at epoch %d, not %d", id, b.Epoch, epoch)
	}
	return b, Result{}
}

func (c SetBrokerState) apply(e *Editor) Result {
	b, bad := e.brokerAt(c.ID, c.Epoch)
	if bad.Err != nil {
		return bad
	}
	if b.State == c.State {
		return Result{}
	}
	allowed := c.State == Fenced ||
		c.State == Active && b.State == Fenced ||
		c.State == ControlledShutdown && b.State == Active
	if !allowed {
		return failf(ErrInvalidState, "broker %d cannot go from %s to %s", c.ID, b.State, c.State)
	}
	next := *b
	next.State = c.State
	e.putBroker(&next)
	var of *Topic // whose setting rescue is
	var rescue bool
	move := func(t *Topic, i int32, p part, leaves mask) {
		if t != of {
			of, rescue = t, e.rescues(t)
		}
		ch := e.changeOf(t, p)
		ch.isr &^= leaves
		ch.rescue = rescue
		e.alter(t, i, &ch)
	}
	switch {
	case c.State == Active:
		e.sweep(c.ID, func(t *Topic, i int32, p part, pos int) {
			if p.leaderPos() < 0 {
				move(t, i, p, 0)
			}
		})
	default: // a broker that was shutting down has left already: nothing moves twice
		e.sweep(c.ID, func(t *Topic, i int32, p part, pos int) {
			if p.isr.has(pos) {
				move(t, i, p, bit(pos))
			}
		})
	}
	return Result{}
}

func (c ReportFault) apply(e *Editor) Result {
	if _, bad := e.brokerAt(c.Broker, c.BrokerEpoch); bad.Err != nil {
		return bad
	}
	for _, id := range c.Partitions {
		t, p, pos, ok := e.replicaOf(id, c.Broker)
		if !ok {
			continue // deleted or moved away meanwhile
		}
		ch := e.changeOf(t, p)
		ch.isr &^= bit(pos)
		ch.unclean = bit(pos)
		ch.rescue = e.rescues(t)
		if len(p.set.ids) == 1 {
			ch.harm = offline
			if c.Corrupt {
				ch.harm = corrupt
			}
		}
		e.alter(t, id.Index, &ch)
	}
	return Result{}
}

func (c NoteFull) apply(e *Editor) Result {
	b, bad := e.brokerAt(c.Broker, c.BrokerEpoch)
	if bad.Err != nil {
		return bad
	}
	next := *b
	if next.Full = b.Among(c.Dirs); len(next.Full) != len(c.Dirs) {
		return failf(ErrInvalidBroker, "broker %d has no such directories, or they are named twice: %v", c.Broker, c.Dirs)
	}
	if slices.Equal(next.Full, b.Full) {
		return Result{}
	}
	e.putBroker(&next)
	e.sweep(c.Broker, func(t *Topic, i int32, p part, _ int) {
		ch := e.changeOf(t, p)
		e.alter(t, i, &ch)
	})
	return Result{}
}

func (e *Editor) replicaOf(id step.PartitionID, broker int32) (t *Topic, p part, pos int, ok bool) {
	t, ok = e.topic(id.Topic)
	if !ok || id.Index < 0 || id.Index >= t.n {
		return nil, part{}, 0, false
	}
	p = *t.at(id.Index)
	pos = p.set.pos(broker)
	return t, p, pos, pos >= 0
}

func (c AssignDir) apply(e *Editor) Result {
	b, bad := e.brokerAt(c.Broker, c.BrokerEpoch)
	if bad.Err != nil {
		return bad
	}
	if !slices.Contains(b.Dirs, c.Dir) {
		return failf(ErrInvalidBroker, "broker %d has no directory %s", c.Broker, c.Dir)
	}
	for _, id := range c.Partitions {
		t, p, pos, ok := e.replicaOf(id, c.Broker)
		if !ok {
			continue
		}
		ch := e.changeOf(t, p)
		ch.set = e.intern(p.set.placed(pos, c.Dir))
		if p.away(pos, b.Dirs) && !c.first {
			ch.heal = offline // it was found in another directory
		}
		e.alter(t, id.Index, &ch)
	}
	return Result{}
}
