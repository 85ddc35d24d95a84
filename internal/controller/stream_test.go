package controller

import (
	"errors"
	"testing"

	"github.com/hashicorp/raft"

	"github.com/brokerd/brokerd/internal/step"
)

// onSet is a stable store that calls a function instead of writing.
type onSet struct {
	raft.StableStore
	f func() error
}

func (s onSet) Set([]byte, []byte) error { return s.f() }

// TestBelong: a server without state takes the name of its group over, once that is
// on its disk. The streams that are open need not wait for the disk, and what is
// wrong with it is not blamed on a lost quorum.
func TestBelong(t *testing.T) {
	store := raft.NewInmemStore()
	var l *streamLayer
	broken := errors.New("no space left on device")
	stable := onSet{store, func() error {
		if !l.mu.TryLock() {
			t.Fatal("written under the lock of the streams")
		}
		l.mu.Unlock()
		return broken
	}}
	l = newStreamLayer(Options{Node: 1, Directory: tid(1), ClusterID: "here", Stores: Stores{Log: store, Stable: stable, Snapshots: raft.NewInmemSnapshotStore()}}, step.TopicID{})
	if err := l.belong(tid(5)); !errors.Is(err, broken) || errors.Is(err, ErrWrongServer) || l.recovery() == tid(5) {
		t.Errorf("a disk that is full: %v", err)
	}
	broken = nil
	if err := l.belong(tid(5)); err != nil || l.recovery() != tid(5) {
		t.Errorf("%v, of %s", err, l.recovery())
	}
	if err := store.SetUint64(keyCurrentTerm, 2); err != nil {
		t.Fatal(err)
	}
	for group, foreign := range map[step.TopicID]bool{tid(5): false, tid(6): true, {}: true} {
		if err := l.belong(group); errors.Is(err, ErrWrongServer) != foreign {
			t.Errorf("with state, called by %s: %v", group, err)
		}
	}
}
