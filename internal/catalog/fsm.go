package catalog

import (
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/hashicorp/raft"

	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/step"
)

// FSM is the store as raft sees it. Raft calls it from one goroutine.
type FSM struct {
	store *Store
	bytes atomic.Int64 // of entries applied since the last snapshot was begun

	// audit, set before raft starts, hears of elections that may have lost data.
	audit func(*meta.Image, []step.PartitionID)

	// err is why this process cannot go on; written once, before failed is closed.
	err    error
	failed chan struct{}
}

var _ raft.BatchingFSM = (*FSM)(nil)

// NewFSM returns the writing side of s. There is one per store.
func NewFSM(s *Store) *FSM { return &FSM{store: s, failed: make(chan struct{})} }

// Audit has f called, on raft's goroutine, with partitions that were given a
// leader whose log may lack committed records. Call it before raft starts.
func (f *FSM) Audit(heard func(*meta.Image, []step.PartitionID)) { f.audit = heard }

// Failed is closed when the FSM can not go on: then Err says why, and the image
// stays at the last entry that was understood.
func (f *FSM) Failed() <-chan struct{} { return f.failed }

// Err is nil until Failed is closed.
func (f *FSM) Err() error {
	select {
	case <-f.failed:
		return f.err
	default:
		return nil
	}
}

func (f *FSM) fail(err error) {
	if f.Err() == nil {
		f.err = err
		close(f.failed)
	}
}

// Apply applies one entry; the response is []meta.Result, one per command.
func (f *FSM) Apply(l *raft.Log) any { return f.ApplyBatch([]*raft.Log{l})[0] }

// ApplyBatch applies what has committed and publishes one image for all of it.
func (f *FSM) ApplyBatch(logs []*raft.Log) []any {
	out := make([]any, len(logs))
	var e *meta.Editor
	for i, l := range logs {
		if l.Type != raft.LogCommand {
			continue
		}
		if e == nil {
			e = f.store.Image().Edit()
		}
		f.bytes.Add(int64(len(l.Data)))
		out[i] = e.Apply(l.Index, meta.DecodeEntry(l.Data))
	}
	if e == nil {
		return out
	}
	im, changes := e.Done()
	if err := im.TooNew(); err != nil {
		f.fail(err)
	}
	if f.Err() != nil {
		return out
	}
	f.store.publish(im, changes)
	if f.audit != nil && len(changes.Unclean) > 0 {
		f.audit(im, changes.Unclean)
	}
	return out
}

// Pending is how many bytes of entries a restart would have to replay: what
// makes a snapshot worth its writing.
func (f *FSM) Pending() int64 { return f.bytes.Load() }

// Snapshot captures the image: a pointer. Applies go on while it is written.
func (f *FSM) Snapshot() (raft.FSMSnapshot, error) {
	f.bytes.Store(0)
	return snapshot{f.store.Image()}, nil
}

// Restore replaces the image with a snapshot's.
func (f *FSM) Restore(r io.ReadCloser) error {
	im, err := meta.ReadSnapshot(r)
	if errors.Is(err, meta.ErrTooNew) {
		f.fail(err)
	}
	if err != nil {
		return err
	}
	f.store.publish(im, meta.Diff(f.store.Image(), im))
	return nil
}

type snapshot struct{ im *meta.Image }

func (s snapshot) Persist(sink raft.SnapshotSink) error {
	if err := meta.WriteSnapshot(sink, s.im); err != nil {
		_ = sink.Cancel() // the write error is what counts
		return fmt.Errorf("write metadata snapshot %s: %w", sink.ID(), err)
	}
	return sink.Close()
}

func (snapshot) Release() {}
