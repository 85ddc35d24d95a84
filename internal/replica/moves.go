package replica

import (
	"errors"
	"slices"

	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/step"
	"github.com/brokerd/brokerd/internal/storage"
)

// A replica goes to another log directory of this broker while it leads or follows:
// storage copies it and crosses over. The controller knows its directory before it is
// there, so that no stop leaves the metadata pointing where nothing ever was: a start
// that finds the log where it was says so (placeFound), and one that finds only the
// copy begins nothing anew (moveOn).

// MoveReplica brings the replica of partition i of t into that log directory, in the
// background: Dirs shows how far it is.
func (m *Manager) MoveReplica(t *meta.Topic, i int32, dir string) error {
	p, err := m.Partition(t, i)
	if err != nil {
		return err
	}
	return m.store.Move(p.log, dir)
}

// Arriving is the store's callback: a log will be in dir. The channel is closed when
// the controller has heard it.
func (m *Manager) Arriving(l *storage.Log, dir string) <-chan struct{} {
	if m.assign == nil {
		return nil
	}
	heard := make(chan struct{})
	s := &m.places
	s.mu.Lock()
	if s.arrivals == nil {
		s.arrivals = map[step.PartitionID]arrival{}
	}
	s.arrivals[l.ID()] = arrival{dir, heard}
	s.mu.Unlock()
	m.place(dir, l.ID())
	return heard
}

// arrival is a log that is about to be in another directory.
type arrival struct {
	dir   string
	heard chan struct{}
}

// Moved is the store's callback: a move has ended, with an error where it was. A
// follower then fetches with those of its new directory.
func (m *Manager) Moved(l *storage.Log, err error) {
	m.places.mu.Lock()
	delete(m.places.arrivals, l.ID())
	m.places.mu.Unlock()
	if err != nil {
		m.place(l.Dir(), l.ID())
		return
	}
	if p := m.topics.open(l.ID()); p != nil {
		p.mu.Lock()
		p.moved = true
		p.mu.Unlock()
		p.settle()
	}
}

// MoveRate is the store's callback: how many bytes per second may be copied, 0: any.
func (m *Manager) MoveRate() int64 {
	if rate := m.moving.Load(); rate != unlimited {
		return max(rate, 1)
	}
	return 0
}

// stillIn keeps of a report what is still so.
func (m *Manager) stillIn(dir string, ids []step.PartitionID) []step.PartitionID {
	return slices.DeleteFunc(slices.Clone(ids), func(id step.PartitionID) bool {
		at, ok := m.store.PlaceOf(id)
		return ok && at != dir
	})
}

// heard tells those who wait for it that the controller knows of logs in dir.
func (s *places) heard(dir string, ids []step.PartitionID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		if a, ok := s.arrivals[id]; ok && a.dir == dir {
			close(a.heard)
			delete(s.arrivals, id)
		}
	}
}

// loseLone takes out of service what only a copy is left of: the directory that it
// was moving out of did not come back.
func (m *Manager) loseLone(im *meta.Image) {
	_, lone := m.store.Futures()
	f := Fault{}
	for _, u := range lone {
		_, _, ok := m.ours(im, u.ID)
		switch _, deleted := im.Deleted(u.ID.Topic); {
		case deleted:
			m.store.DropFutures(u.ID)
		case !ok:
			m.log.Warn("the copy of a partition that is not in the metadata: renamed to …-stray, nothing is deleted",
				"topic", u.Topic, "partition", u.ID.Index, "id", u.ID.Topic)
			m.store.StrayFutures(u.ID)
		case m.missing[u.ID]: // said already
		case m.lost.put(Lost{u.ID, u.Topic, u.Err}):
			m.log.Error("partition is offline", "topic", u.Topic, "partition", u.ID.Index, "err", u.Err)
			f.Partitions = append(f.Partitions, u.ID)
		}
	}
	m.report(f)
}

// moveOn goes on with the moves that the last stop has interrupted.
func (m *Manager) moveOn(im *meta.Image) {
	futures, _ := m.store.Futures()
	for _, f := range futures {
		t, _, ok := m.ours(im, f.ID)
		if !ok {
			m.store.DropFutures(f.ID) // its log was set aside, or is being deleted
			continue
		}
		if err := m.MoveReplica(t, f.ID.Index, f.Dir); err != nil && !errors.Is(err, storage.ErrClosed) {
			m.log.Error("move of a replica cannot go on; move it again, or restart the broker when what is wrong is mended",
				"topic", t.Name, "partition", f.ID.Index, "to", f.Dir, "err", err)
		}
	}
}
