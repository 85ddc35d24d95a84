package catalog

import (
	"context"

	"github.com/brokerd/brokerd/internal/meta"
)

// Store publishes the current image to lock-free readers.
type Store struct{ _ int }

// Image loads the current image: hold one per request.
func (s *Store) Image() *meta.Image { panic("catalog: under construction") }

// Await returns an image that includes index.
func (s *Store) Await(ctx context.Context, index uint64) (*meta.Image, error) {
	panic("catalog: under construction")
}

// Watch sees every change from now on, coalesced.
func (s *Store) Watch() *Watch { panic("catalog: under construction") }

// Watch is one watcher's pending set of changes.
type Watch struct{ _ int }

// Next waits for a change: the latest image with the union of changes since
// the last call. The first call gives the image as it is, with all of it changed.
func (w *Watch) Next(ctx context.Context) (*meta.Image, meta.Changes, error) {
	panic("catalog: under construction")
}

// Close ends the watch; Next returns an error from then on.
func (w *Watch) Close() { panic("catalog: under construction") }
