package replica

import (
	"fmt"

	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/step"
	"github.com/brokerd/brokerd/internal/storage"
)

// Partition gives partition i of t, opening it at its first use. It answers
// ErrUnknownPartition, ErrNotLeader or an error of the log directory; whether
// this broker leads is checked again by whatever is asked of the partition.
//
// The first use does not wait for the watcher: the image that the request holds
// is enough, so a topic serves as soon as somebody can see it.
func (m *Manager) Partition(t *meta.Topic, i int32) (*Partition, error) {
	p := m.topics.open(step.PartitionID{Topic: t.ID, Index: i})
	if p == nil {
		return m.openPartition(t, i)
	}
	select {
	case <-p.opened:
	default:
		<-p.opened // the first user is at it: one store.Log, one fence
	}
	if p.openErr == nil && p.unsettled.Load() {
		p.settle()
	}
	return p, p.openErr
}

// openPartition is the slow path.
func (m *Manager) openPartition(t *meta.Topic, i int32) (*Partition, error) {
	select {
	case <-m.started:
	default:
		return nil, ErrNotLeader // D5
	}
	rec, ok := t.Partition(i)
	switch {
	case m.closed.Load():
		return nil, ErrNotLeader
	case !ok:
		return nil, ErrUnknownPartition
	case !rec.HasReplica(m.self):
		return nil, ErrNotLeader
	case m.missing[step.PartitionID{Topic: t.ID, Index: i}]:
		return nil, storage.ErrDirFailed
	}
	if err := m.LostTo(step.PartitionID{Topic: t.ID, Index: i}); err != nil {
		return nil, err // the next start looks again
	}
	h, err := m.host(t.ID, t.Name)
	if err != nil {
		return nil, err
	}
	return m.occupy(h, i)
}

// occupy opens partition i of a topic, or waits until whoever came first has.
func (m *Manager) occupy(h *hosted, i int32) (*Partition, error) {
	slot := h.slot(i)
	p := &Partition{
		id: step.PartitionID{Topic: h.id, Index: i}, topic: h.name, m: m,
		opened: make(chan struct{}), left: make(chan struct{}),
	}
	p.state.Store(&state{err: ErrNotLeader, epoch: -1})
	if !slot.CompareAndSwap(nil, p) {
		if p = slot.Load(); p == nil {
			return nil, ErrNotLeader // its opening failed just now
		}
		<-p.opened
		return p, p.openErr
	}
	if p.openErr = p.open(h); p.openErr != nil {
		slot.Store(nil)
	} else {
		h.warmed(i)
	}
	close(p.opened)
	return p, p.openErr
}

// open runs once, on the goroutine of the first user. The image is loaded after
// the partition became visible in its slot: a change that the watcher handled
// before that is in it, any later one finds the slot. Files of one that is not
// ours any more go, as nobody else is at them meanwhile; of a topic that is deleted,
// with the topic.
func (p *Partition) open(h *hosted) error {
	im := p.m.catalog.Image()
	w := p.m.wanted(im, p.id, nil)
	if w.gone {
		if _, ok := im.Topic(p.id.Topic); ok && h.warmed(p.id.Index) {
			p.m.deleteCold(h, p.id.Index)
		}
		return ErrUnknownPartition
	}
	log, err := p.m.store.Log(p.id, p.topic, storageConfig(w.conf))
	if err != nil {
		return p.failed(fmt.Errorf("open %s-%d: %w", p.topic, p.id.Index, err))
	}
	p.log = log
	p.ask(w)
	p.settle()
	return nil
}

// host finds or makes the entry of a topic. A deleted topic of the same name
// gives its directories up first.
func (m *Manager) host(id step.TopicID, name string) (*hosted, error) {
	for range 3 {
		h, taken := m.topics.host(id, name)
		if taken == nil {
			return h, nil
		}
		if _, ok := m.catalog.Image().Topic(taken.id); ok {
			return nil, ErrUnknownPartition // ours is the one that is deleted
		}
		m.remove(taken)
	}
	return nil, ErrNotLeader
}
