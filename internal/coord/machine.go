package coord

import (
	"context"

	"github.com/brokerd/brokerd/internal/record"
	"github.com/brokerd/brokerd/internal/step"
)

// Machine is the pure half of a coordinator: all groups, or transactions, of one
// internal partition.
type Machine interface {
	// Step reads the state and decides; it never changes what is durable.
	Step(now step.Instant, in step.Input, out *step.Effects)
	// Replay is the only way in which durable state changes, live and at load.
	Replay(offset int64, r record.Record) error
	// Loaded tells that everything committed has been replayed: soft state
	// (sessions, timers) begins here.
	Loaded(now step.Instant, out *step.Effects)
}

// Log is the internal partition that a machine writes to.
type Log interface {
	// Append writes one batch by the rules of acks=all and does not wait. end is
	// the offset after it.
	Append(batch []byte) (base, end int64, err error)
	// Release calls done once: with nil when the high watermark has reached at,
	// with an error when the leadership is lost before. done must not block.
	Release(at int64, done func(error))
	// Scan visits every record from offset from up to the high watermark, which it
	// returns.
	Scan(ctx context.Context, from int64, f func(offset int64, r record.Record) error) (end int64, err error)
}
