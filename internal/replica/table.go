package replica

import (
	"sync"
	"sync/atomic"

	"github.com/brokerd/brokerd/internal/step"
)

// table finds the opened partitions: a read lock of one of 64 shards, an index,
// and an atomic load. What was never opened is not in it: its record is in the
// image, and there is nothing else to know.
type table struct{ shards [64]shard }

type shard struct {
	mu     sync.RWMutex
	topics map[step.TopicID]*hosted
	names  map[string]*hosted
}

// hosted is one topic of which a partition has been opened, or lies on disk.
type hosted struct {
	id   step.TopicID
	name string

	// slots is replaced when partitions are added; its elements are shared by
	// all versions, so that nobody fills a slot that is forgotten.
	slots atomic.Pointer[[]*atomic.Pointer[Partition]]

	mu     sync.Mutex
	onDisk map[int32]string // found at start, in this directory, and not opened yet
	gone   chan struct{}    // made when the removal begins, closed when its files are renamed
}

// warmed takes partition i from those that were not opened yet; false: it is none.
func (h *hosted) warmed(i int32) (was bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, was = h.onDisk[i]
	delete(h.onDisk, i)
	return was
}

func (t *table) init() {
	for i := range t.shards {
		t.shards[i].topics = make(map[step.TopicID]*hosted)
		t.shards[i].names = make(map[string]*hosted)
	}
}

// topic finds a topic by id.
func (t *table) topic(id step.TopicID) *hosted {
	s := &t.shards[id[15]%64]
	s.mu.RLock()
	h := s.topics[id]
	s.mu.RUnlock()
	return h
}

// open finds a partition that is open, or being opened.
func (t *table) open(id step.PartitionID) *Partition {
	if h := t.topic(id.Topic); h != nil {
		return h.at(id.Index)
	}
	return nil
}

// named finds the topic that holds a name, and its directories.
func (t *table) named(name string) *hosted {
	s := t.byName(name)
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.names[name]
}

// host gives the topic's entry. Another topic that still holds the name is
// returned instead, as taken: it has to be removed first.
func (t *table) host(id step.TopicID, name string) (h, taken *hosted) {
	s := t.byName(name)
	s.mu.Lock()
	h = s.names[name]
	if h == nil {
		h = &hosted{id: id, name: name, onDisk: map[int32]string{}}
		h.slots.Store(new([]*atomic.Pointer[Partition]))
		s.names[name] = h
	}
	s.mu.Unlock()
	if h.id != id {
		return nil, h
	}
	s = &t.shards[id[15]%64]
	s.mu.Lock()
	s.topics[id] = h
	s.mu.Unlock()
	return h, nil
}

// forget drops a topic whose files are renamed.
func (t *table) forget(h *hosted) {
	s := &t.shards[h.id[15]%64]
	s.mu.Lock()
	delete(s.topics, h.id)
	s.mu.Unlock()
	s = t.byName(h.name)
	s.mu.Lock()
	if s.names[h.name] == h {
		delete(s.names, h.name)
	}
	s.mu.Unlock()
}

// all lists every hosted topic.
func (t *table) all() []*hosted {
	var out []*hosted
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.RLock()
		for _, h := range s.topics {
			out = append(out, h)
		}
		s.mu.RUnlock()
	}
	return out
}

// coldIn lists the partitions of a directory that were not opened since the start.
func (t *table) coldIn(dir string) (ids []step.PartitionID) {
	for _, h := range t.all() {
		h.mu.Lock()
		for i, d := range h.onDisk {
			if d == dir {
				ids = append(ids, step.PartitionID{Topic: h.id, Index: i})
			}
		}
		h.mu.Unlock()
	}
	return ids
}

// byName picks a shard by FNV-1a of the name.
func (t *table) byName(name string) *shard {
	h := uint32(2166136261)
	for i := range len(name) {
		h = (h ^ uint32(name[i])) * 16777619
	}
	return &t.shards[h%64]
}

// at gives the partition in slot i, nil when it is cold.
func (h *hosted) at(i int32) *Partition {
	slots := *h.slots.Load()
	if int(i) >= len(slots) || i < 0 {
		return nil
	}
	return slots[i].Load()
}

// slot makes room for partition i.
func (h *hosted) slot(i int32) *atomic.Pointer[Partition] {
	if slots := *h.slots.Load(); int(i) < len(slots) {
		return slots[i]
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	slots := *h.slots.Load()
	if int(i) < len(slots) {
		return slots[i]
	}
	next := make([]*atomic.Pointer[Partition], i+1)
	for k := copy(next, slots); k < len(next); k++ {
		next[k] = new(atomic.Pointer[Partition])
	}
	h.slots.Store(&next)
	return next[i]
}

// opened lists the open partitions.
func (h *hosted) opened() []*Partition {
	var out []*Partition
	for _, s := range *h.slots.Load() {
		if p := s.Load(); p != nil {
			out = append(out, p)
		}
	}
	return out
}
