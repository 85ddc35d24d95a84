package api

import (
	"sync"
	"time"

	"github.com/brokerd/brokerd/internal/wire"
)

// pending is an outcome that somebody will complete.
//
//	Serve: p := later(deadline, finish)      completer: p.complete(nil)
//
// finish builds the answer and runs on whoever sends it, once; expired says that
// the deadline passed first. What the completer left for finish is visible to it.
type pending struct {
	deadline time.Time
	finish   func(expired bool) wire.Answer

	mu        sync.Mutex
	completed bool
	done      func(*wire.Handoff) // set by Notify until complete takes it
}

func later(deadline time.Time, finish func(expired bool) wire.Answer) *pending {
	return &pending{deadline: deadline, finish: finish}
}

// complete makes p ready. Further calls do nothing. It holds no lock while it
// tells the one who waits, and never blocks.
func (p *pending) complete(h *wire.Handoff) {
	p.mu.Lock()
	done := p.done
	p.completed, p.done = true, nil
	p.mu.Unlock()
	if done != nil {
		done(h)
	}
}

func (p *pending) Ready() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.completed
}

func (p *pending) Deadline() time.Time { return p.deadline }

func (p *pending) Notify(done func(*wire.Handoff)) {
	p.mu.Lock()
	completed := p.completed
	if !completed {
		p.done = done
	}
	p.mu.Unlock()
	if completed {
		done(nil)
	}
}

func (p *pending) Finish(expired bool) wire.Answer { return p.finish(expired) }

func (p *pending) Drop() {}
