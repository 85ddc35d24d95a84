package replica

import (
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/step"
	"github.com/brokerd/brokerd/internal/storage"
)

// lost is the partitions whose logs cannot be served until a restart: bad below
// what was acknowledged (S4), of a newer release, not readable, or in a directory
// that did not come back. Those of failed directories are not in it. It holds at
// most one entry per partition of this broker.
type lost struct {
	mu   sync.Mutex
	byID map[step.PartitionID]Lost

	again map[step.PartitionID]bool // begun anew already in this life
}

// Lost is a partition that this broker cannot serve, though its directories work.
type Lost struct {
	ID    step.PartitionID
	Topic string
	Err   error
}

// lose notes a partition whose log is out of service for good, and tells the
// operator and the controller once. Of any other error it says false.
func (m *Manager) lose(id step.PartitionID, topic string, err error) bool {
	if !outOfService(err) {
		return false
	}
	corrupt := errors.Is(err, storage.ErrCorrupt)
	if m.lost.put(Lost{id, topic, err}) {
		text := "partition is offline: its log is left as it is"
		switch {
		case corrupt:
			text = "partition is corrupt below what was acknowledged: nothing is cut; it is fetched anew when another replica leads, else it needs an operator"
		case errors.Is(err, storage.ErrUnreadable):
			text = "partition is offline: look at owner and mode of its directory and at the disk, then restart the broker"
		}
		m.log.Error(text, "topic", topic, "partition", id.Index, "err", err)
		if p := m.topics.open(id); p != nil {
			p.leaveLane()
		}
		m.report(Fault{Corrupt: corrupt, Partitions: []step.PartitionID{id}})
	}
	return true
}

// outOfService says whether an error means that one log, in a directory that
// works, cannot be used any more.
func outOfService(err error) bool {
	return errors.Is(err, storage.ErrCorrupt) || errors.Is(err, storage.ErrNewer) || errors.Is(err, storage.ErrUnreadable)
}

// put notes a partition; false when it is known already.
func (s *lost) put(l Lost) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.byID[l.ID]; known {
		return false
	}
	if s.byID == nil {
		s.byID = map[step.PartitionID]Lost{}
	}
	s.byID[l.ID] = l
	return true
}

// begun says whether a replica has had its one chance to be begun anew, which
// begin takes.
func (s *lost) begun(id step.PartitionID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.again[id]
}

func (s *lost) begin(id step.PartitionID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.again == nil {
		s.again = map[step.PartitionID]bool{}
	}
	s.again[id] = true
}

func (s *lost) forget(id step.PartitionID) {
	s.mu.Lock()
	delete(s.byID, id)
	s.mu.Unlock()
}

// loseUnopened takes in what the store could not bring back at its start.
func (m *Manager) loseUnopened(im *meta.Image) {
	for _, u := range m.store.Unopened() {
		t, ok := im.TopicNamed(u.Topic)
		if !ok || !u.ID.Topic.IsZero() && u.ID.Topic != t.ID {
			continue // of a topic that is gone
		}
		id := step.PartitionID{Topic: t.ID, Index: u.ID.Index}
		if rec, ok := t.Partition(id.Index); ok && rec.HasReplica(m.self) {
			m.lose(id, t.Name, u.Err)
		}
	}
}

// LostTo is why a partition is lost, nil if it is not.
func (m *Manager) LostTo(id step.PartitionID) error {
	m.lost.mu.Lock()
	defer m.lost.mu.Unlock()
	return m.lost.byID[id].Err
}

// Lost lists the partitions of this broker that it cannot serve until a restart,
// though their directories work, by name.
func (m *Manager) Lost() []Lost {
	im := m.catalog.Image()
	m.lost.mu.Lock()
	out := make([]Lost, 0, len(m.lost.byID))
	for id, l := range m.lost.byID {
		if _, _, ok := m.ours(im, id); ok {
			out = append(out, l)
		}
	}
	m.lost.mu.Unlock()
	slices.SortFunc(out, func(a, b Lost) int {
		if c := strings.Compare(a.Topic, b.Topic); c != 0 {
			return c
		}
		return int(a.ID.Index - b.ID.Index)
	})
	return out
}
