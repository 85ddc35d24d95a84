package catalog

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/brokerd/brokerd/internal/invariant"
	"github.com/brokerd/brokerd/internal/meta"
)

// Store publishes the current image to lock-free readers.
type Store struct {
	image atomic.Pointer[meta.Image]

	mu      sync.Mutex
	watches []*Watch
	waiting []*waiter
}

// waiter is one Await. done has room for its one message.
type waiter struct {
	index uint64
	done  chan *meta.Image
}

// NewStore returns a store that holds the image of an empty cluster.
func NewStore() *Store {
	s := &Store{}
	s.image.Store(meta.New())
	return s
}

// Image loads the current image: hold one per request.
func (s *Store) Image() *meta.Image { return s.image.Load() }

// Await returns an image that includes index, which is that of an entry with
// commands: entries of raft's own never reach the image.
func (s *Store) Await(ctx context.Context, index uint64) (*meta.Image, error) {
	if im := s.Image(); im.Index() >= index {
		return im, nil
	}
	w := &waiter{index: index, done: make(chan *meta.Image, 1)}
	s.mu.Lock()
	if im := s.Image(); im.Index() >= index {
		s.mu.Unlock()
		return im, nil
	}
	s.waiting = append(s.waiting, w)
	s.mu.Unlock()
	select {
	case im := <-w.done:
		return im, nil
	case <-ctx.Done():
		s.mu.Lock()
		if i := slices.Index(s.waiting, w); i >= 0 {
			s.waiting = slices.Delete(s.waiting, i, i+1)
		}
		s.mu.Unlock()
		return nil, ctx.Err()
	}
}

// publish makes im the current image. Only the FSM calls it.
func (s *Store) publish(im *meta.Image, c meta.Changes) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.Image().Index()
	invariant.Check(im.Index() >= now, "I1: image of entry %d after %d", im.Index(), now)
	s.image.Store(im)
	for _, w := range s.watches {
		w.set.Add(&c)
		w.wakeLocked()
	}
	s.waiting = slices.DeleteFunc(s.waiting, func(w *waiter) bool {
		if w.index > im.Index() {
			return false
		}
		w.done <- im
		return true
	})
}

// Watch sees every change from now on, coalesced.
func (s *Store) Watch() *Watch {
	w := &Watch{store: s, wake: make(chan struct{}, 1), closed: make(chan struct{})}
	s.mu.Lock()
	defer s.mu.Unlock()
	all := meta.Diff(meta.New(), s.Image())
	w.set.Add(&all)
	w.wakeLocked()
	s.watches = append(s.watches, w)
	return w
}
