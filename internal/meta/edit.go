package meta

import (
	"slices"

	"github.com/brokerd/brokerd/internal/step"
)

// Editor makes the next image out of one, across any number of entries: what
// it touches is copied once. Not for concurrent use.
type Editor struct {
	im      Image // the image in the making; its maps are those of the edits
	topics  shardEdit[step.TopicID, *Topic]
	deleted shardEdit[step.TopicID, *Topic]
	names   shardEdit[string, step.TopicID]
	folded  shardEdit[string, step.TopicID]
	configs shardEdit[string, map[string]string]
	sets    shardEdit[string, *replicaSet]
	byName  orderEdit

	fresh      map[step.TopicID]*freshTopic
	ownBrokers bool
	changed    ChangeSet
	asks       changeAsks // bound once: there may be a change per partition
}

// freshTopic is a topic that this edit has copied, with the chunks that it has.
type freshTopic struct {
	t     *Topic
	owned []uint64
}

// Edit begins the next image.
func (im *Image) Edit() *Editor {
	e := &Editor{
		im:     *im,
		topics: im.topics.edit(), deleted: im.deleted.edit(),
		names: im.names.edit(), folded: im.folded.edit(),
		configs: im.configs.edit(), sets: im.sets.edit(),
		byName: orderEdit{order: im.byName},
	}
	e.asks = changeAsks{active: e.active, full: e.full, intern: e.intern}
	return e
}

// Apply applies the commands of one raft entry. A command that does not fit
// leaves the image as it was and says so in its result.
func (e *Editor) Apply(index uint64, cmds []Command) []Result {
	e.im.index = index
	results := make([]Result, len(cmds))
	for i, cmd := range cmds {
		results[i] = e.apply(cmd)
	}
	return results
}

// Done gives the new image and what differs from the one that was edited. The
// Editor must not be used any more.
func (e *Editor) Done() (*Image, Changes) {
	im := e.im
	im.topics, im.deleted = e.topics.done(), e.deleted.done()
	im.names, im.folded = e.names.done(), e.folded.done()
	im.configs, im.sets = e.configs.done(), e.sets.done()
	im.byName = e.byName.order
	return &im, e.changed.Take()
}

// Apply is the whole step for one entry. It never panics on data.
func Apply(im *Image, index uint64, cmds []Command) (*Image, Changes, []Result) {
	e := im.Edit()
	results := e.Apply(index, cmds)
	next, changes := e.Done()
	return next, changes, results
}

func (e *Editor) apply(cmd Command) Result {
	if err := CheckLevel(cmd, e.im.features.Metadata); err != nil {
		return Result{Err: err}
	}
	return cmd.apply(e) // Malformed says what is wrong with it
}

// topic finds a living topic as this edit has it.
func (e *Editor) topic(id step.TopicID) (*Topic, bool) { return e.topics.get(id) }

// noteTopic says that a topic differs.
func (e *Editor) noteTopic(id step.TopicID) { e.changed.Add(&Changes{Topics: []step.TopicID{id}}) }

// putPart writes one partition of a living topic. The caller's t may be an
// older copy: what counts is the one that this edit holds.
func (e *Editor) putPart(t *Topic, i int32, p part) {
	f := e.fresh[t.ID]
	if f == nil {
		now, _ := e.topics.get(t.ID)
		next := *now
		next.chunks = slices.Clone(now.chunks)
		f = &freshTopic{t: &next, owned: make([]uint64, len(next.chunks)/64+1)}
		if e.fresh == nil {
			e.fresh = make(map[step.TopicID]*freshTopic)
		}
		e.fresh[t.ID] = f
		e.topics.put(t.ID, f.t)
		e.noteTopic(t.ID)
	}
	c := i / partChunk
	if b := uint64(1) << (c % 64); f.owned[c/64]&b == 0 {
		f.owned[c/64] |= b
		f.t.chunks[c] = slices.Clone(f.t.chunks[c])
	}
	*f.t.at(i) = p
}

// intern returns the one set that says the same as s.
func (e *Editor) intern(s replicaSet) *replicaSet {
	key := s.key()
	if old, ok := e.sets.get(key); ok {
		return old
	}
	s.addingIDs, s.removingIDs = s.pick(s.adding), s.pick(s.removing)
	e.sets.put(key, &s)
	return &s
}

// broker finds a registration as this edit has it.
func (e *Editor) broker(id int32) (*Broker, bool) { return e.im.Broker(id) }

func (e *Editor) active(id int32) bool {
	b, ok := e.im.Broker(id)
	return ok && b.State == Active
}

// full says whether a replica takes no records for want of space.
func (e *Editor) full(s *replicaSet, pos int) bool {
	b, ok := e.im.Broker(s.ids[pos])
	return ok && len(b.Full) > 0 && b.FullFor(s.dir(pos))
}

// putBroker writes a registration, a new one or one that differs.
func (e *Editor) putBroker(b *Broker) {
	e.ownBrokerList()
	if i, ok := findBroker(e.im.brokers, b.ID); ok {
		e.im.brokers[i] = b
	} else {
		e.im.brokers = slices.Insert(e.im.brokers, i, b)
	}
	e.changed.Add(&Changes{Brokers: []int32{b.ID}})
}

func (e *Editor) dropBroker(id int32) {
	e.ownBrokerList()
	if i, ok := findBroker(e.im.brokers, id); ok {
		e.im.brokers = slices.Delete(e.im.brokers, i, i+1)
	}
	e.changed.Add(&Changes{Brokers: []int32{id}})
}

func (e *Editor) ownBrokerList() {
	if !e.ownBrokers {
		e.im.brokers, e.ownBrokers = slices.Clone(e.im.brokers), true
	}
}

func (e *Editor) config(r Resource) map[string]string {
	m, _ := e.configs.get(r.key())
	return m
}

// putConfig replaces the settings of a resource; none left: no entry.
func (e *Editor) putConfig(r Resource, m map[string]string) {
	if equalConfig(e.config(r), m) {
		return
	}
	if len(m) == 0 {
		e.configs.del(r.key())
	} else {
		e.configs.put(r.key(), m)
	}
	e.changed.Add(&Changes{Configs: []Resource{r}})
}

// replaceTopic writes a living topic anew, with the same id and name.
func (e *Editor) replaceTopic(t *Topic) {
	old, _ := e.topics.get(t.ID)
	delete(e.fresh, t.ID)
	e.topics.put(t.ID, t)
	e.im.parts += int(t.n - old.n)
	e.noteTopic(t.ID)
}

// addTopic puts a living topic into every index.
func (e *Editor) addTopic(t *Topic) {
	e.topics.put(t.ID, t)
	e.names.put(t.Name, t.ID)
	if f, ok := folded(t.Name); ok {
		e.folded.put(f, t.ID)
	}
	e.byName.add(t.Name)
	e.im.parts += int(t.n)
	e.noteTopic(t.ID)
}

// dropTopic takes a living topic out of every index.
func (e *Editor) dropTopic(t *Topic) {
	delete(e.fresh, t.ID)
	e.topics.del(t.ID)
	e.names.del(t.Name)
	if f, ok := folded(t.Name); ok {
		e.folded.del(f)
	}
	e.byName.drop(t.Name)
	e.im.parts -= int(t.n)
	e.noteTopic(t.ID)
}
