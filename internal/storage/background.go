package storage

import "sync"

// background runs short-lived goroutines; wait ends and joins them.
type background struct {
	mu     sync.Mutex
	closed bool
	wg     sync.WaitGroup
}

// run starts f, unless the store is closing.
func (b *background) run(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closed {
		b.wg.Go(f)
	}
}

func (b *background) wait() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.wg.Wait()
}
