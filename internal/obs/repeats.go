package obs

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

const (
	maxRepeats = 256 // messages that Repeats remembers; they are constants, so few
	burst      = 20  // lines of one message that pass within an interval
)

// repeats thins out lines that come again and again: of one message at one level
// some pass in an interval, and the first line after it carries how many did
// not ("repeated"). Errors always pass: a human must act.
type repeats struct {
	next  slog.Handler
	every time.Duration
	state *repeatState // shared by all handlers that descend from one
}

type repeatState struct {
	mu   sync.Mutex
	seen map[repeatKey]*repeat
}

type repeatKey struct {
	level   slog.Level
	message string
}

type repeat struct {
	since   time.Time // when the interval began
	passed  int
	dropped int64
}

// NewRepeats wraps a handler. When it has to remember too many messages it
// forgets all of them, and each may pass again.
func NewRepeats(next slog.Handler, every time.Duration) slog.Handler {
	return &repeats{next, every, &repeatState{seen: map[repeatKey]*repeat{}}}
}

func (h *repeats) Enabled(ctx context.Context, l slog.Level) bool { return h.next.Enabled(ctx, l) }

func (h *repeats) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= slog.LevelError {
		return h.next.Handle(ctx, r)
	}
	pass, dropped := h.state.admit(repeatKey{r.Level, r.Message}, r.Time, h.every)
	if !pass {
		return nil
	}
	if dropped > 0 {
		r = r.Clone()
		r.AddAttrs(slog.Int64("repeated", dropped))
	}
	return h.next.Handle(ctx, r)
}

func (s *repeatState) admit(k repeatKey, now time.Time, every time.Duration) (pass bool, dropped int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.seen[k]
	if !ok {
		if len(s.seen) >= maxRepeats {
			clear(s.seen)
		}
		e = &repeat{since: now}
		s.seen[k] = e
	}
	if now.Sub(e.since) >= every {
		dropped = e.dropped
		*e = repeat{since: now}
	}
	if e.passed < burst {
		e.passed++
		return true, dropped
	}
	e.dropped++
	return false, 0
}

func (h *repeats) WithAttrs(a []slog.Attr) slog.Handler {
	return &repeats{h.next.WithAttrs(a), h.every, h.state}
}

func (h *repeats) WithGroup(name string) slog.Handler {
	return &repeats{h.next.WithGroup(name), h.every, h.state}
}
