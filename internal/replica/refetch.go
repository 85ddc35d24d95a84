package replica

import (
	"errors"
	"slices"

	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/step"
	"github.com/brokerd/brokerd/internal/storage"
)

// refetch begins replicas anew whose data is bad (S4), once the image shows that
// nobody counts on them any more and that another broker leads. What there was is
// set aside, not deleted. Each is begun anew once in a broker's life: a disk that
// spoils it again needs an operator, not more copies.
func (m *Manager) refetch(im *meta.Image) {
	for _, l := range m.Lost() {
		t, ok := im.Topic(l.ID.Topic)
		if !ok || !errors.Is(l.Err, storage.ErrCorrupt) {
			continue
		}
		if m.countedOn(t, l.ID.Index) { // its leader took it back before it heard that it follows no more
			m.report(Fault{Corrupt: true, Partitions: []step.PartitionID{l.ID}})
		}
		if !m.spare(t, l.ID.Index) || m.lost.begun(l.ID) {
			continue
		}
		leaves, err := m.setAside(im, t, l.ID.Index)
		if !leaves {
			continue // by a newer image it may be counted on: the next look decides
		}
		m.lost.begin(l.ID)
		if err != nil {
			m.log.Error("corrupt replica cannot be set aside: it stays offline until a restart", "topic", t.Name, "partition", l.ID.Index, "err", err)
			continue
		}
		m.lost.forget(l.ID)
		m.log.Warn("corrupt replica is begun anew from its leader", "topic", t.Name, "partition", l.ID.Index)
		m.followTopic(im, t.ID)
	}
}

// spare says whether a replica here is out of ISR and ELR, and another leads.
func (m *Manager) spare(t *meta.Topic, i int32) bool {
	p, ok := t.Partition(i)
	return ok && p.HasReplica(m.self) && p.Leader >= 0 && p.Leader != m.self && !p.InISR(m.self) && !slices.Contains(p.ELR(), m.self)
}

// countedOn says whether a replica here is in the ISR, and not alone.
func (m *Manager) countedOn(t *meta.Topic, i int32) bool {
	p, ok := t.Partition(i)
	return ok && p.InISR(m.self) && p.ISRSize() > 1
}

// setAside takes a partition out of service and renames what it has. Whoever asks
// for it next makes another one, with an empty log. It leaves what a newer image
// than im decides about.
func (m *Manager) setAside(im *meta.Image, t *meta.Topic, i int32) (leaves bool, err error) {
	id := step.PartitionID{Topic: t.ID, Index: i}
	if h := m.topics.topic(t.ID); h != nil {
		if p := h.at(i); p != nil {
			<-p.opened
			if p.openErr == nil {
				if !p.ask(want{index: im.Index(), gone: true, aside: true}) {
					return false, nil
				}
				p.settle()
				<-p.left
				h.slot(i).CompareAndSwap(p, nil)
				return true, p.asideErr
			}
		}
		h.warmed(i)
	}
	return true, m.store.Quarantine(id)
}
