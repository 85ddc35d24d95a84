package catalog

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/brokerd/brokerd/internal/meta"
)

// ErrClosed says that a watch has been closed.
var ErrClosed = errors.New("watch is closed")

// Watch is one watcher's pending set of changes. Next is for one goroutine.
type Watch struct {
	store  *Store
	set    meta.ChangeSet // under store.mu
	wake   chan struct{}  // room for one: something is in set
	closed chan struct{}
	once   sync.Once
}

// Next waits for a change: the latest image with the union of changes since
// the last call. The first call gives the image as it is, with all of it changed.
func (w *Watch) Next(ctx context.Context) (*meta.Image, meta.Changes, error) {
	select {
	case <-w.closed:
		return nil, meta.Changes{}, ErrClosed
	default:
	}
	select {
	case <-w.closed:
		return nil, meta.Changes{}, ErrClosed
	case <-ctx.Done():
		return nil, meta.Changes{}, ctx.Err()
	case <-w.wake:
	}
	w.store.mu.Lock()
	defer w.store.mu.Unlock()
	return w.store.Image(), w.set.Take(), nil
}

// Close ends the watch; Next returns an error from then on.
func (w *Watch) Close() {
	w.once.Do(func() { close(w.closed) })
	w.store.mu.Lock()
	defer w.store.mu.Unlock()
	if i := slices.Index(w.store.watches, w); i >= 0 {
		w.store.watches = slices.Delete(w.store.watches, i, i+1)
	}
}

func (w *Watch) wakeLocked() {
	select {
	case w.wake <- struct{}{}:
	default: // it is awake already, and will find this change too
	}
}
