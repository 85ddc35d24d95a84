package replica

import (
	"github.com/brokerd/brokerd/internal/isr"
	"github.com/brokerd/brokerd/internal/storage"
)

// Standings is how far the replicas of a led partition are.
type Standings struct {
	Epoch    int32
	View     storage.View
	Replicas []int32 // in order of assignment; nobody writes to it
	Of       []isr.Standing
}

// Standings describes the replicas, or answers why this broker cannot.
func (p *Partition) Standings() (Standings, error) {
	if _, err := p.leading(-1); err != nil {
		return Standings{}, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.leader == nil {
		return Standings{}, ErrNotLeader // since the look above
	}
	s := Standings{Epoch: p.leader.Epoch(), View: p.log.View(), Replicas: p.leader.Replicas()}
	now := p.m.now()
	for i := range s.Replicas {
		s.Of = append(s.Of, p.leader.Standing(now, i))
	}
	return s, nil
}

// Dirs tells the state of every log directory.
func (m *Manager) Dirs() []storage.DirState { return m.store.Dirs() }

// Stored lists what lies on disk, opened or not.
func (m *Manager) Stored() []storage.Stored { return m.store.Found() }

// HasDir is nil if dir is a log directory of this broker, and works.
func (m *Manager) HasDir(dir string) error { return m.store.HasDir(dir) }
