package record

import (
	"slices"
	"sync"
	"time"
)

// places are where batches are decompressed: as many at once as there are (B6),
// each into a buffer that stays with the places.
//
//	take   wait for a place; the buffer that was used last, nil if all are in use
//	give   it is the last one again; those that nobody needs any more go
//
// So there are no more buffers than places, and few are large where few batches are
// open at once. A sync.Pool had more of them, and lost them to the collector: one
// that grows anew leaves as much garbage as it has bytes.
type places struct {
	free chan struct{}

	mu     sync.Mutex
	spares []spare // by when they were used, the last one last
}

type spare struct {
	p    []byte
	used time.Time
}

// unusedFor is how long a buffer may lie there while others are used.
const unusedFor = time.Minute

func newPlaces(n int) *places { return &places{free: make(chan struct{}, n)} }

func (pl *places) take() []byte {
	pl.free <- struct{}{}
	pl.mu.Lock()
	defer pl.mu.Unlock()
	last := len(pl.spares) - 1
	if last < 0 {
		return nil
	}
	p := pl.spares[last].p
	pl.spares = slices.Delete(pl.spares, last, last+1)
	return p
}

func (pl *places) give(p []byte) {
	now := time.Now()
	pl.mu.Lock()
	old := 0
	for old < len(pl.spares) && now.Sub(pl.spares[old].used) > unusedFor {
		old++
	}
	pl.spares = append(slices.Delete(pl.spares, 0, old), spare{p[:0], now})
	pl.mu.Unlock()
	<-pl.free
}
