package coord

import (
	"context"
	"errors"

	"github.com/brokerd/brokerd/internal/record"
	"github.com/brokerd/brokerd/internal/step"
)

// Why a Submit is not answered by the machine.
var (
	ErrNotCoordinator = errors.New("this broker does not coordinate the group")
	ErrLoading        = errors.New("the coordinator is loading its log")
	// ErrUnavailable: what the answer rests on was not committed in time, or could
	// not be written. What was written may be committed yet.
	ErrUnavailable = errors.New("the coordinator cannot commit to its log")
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

// Log is the internal partition that a machine writes to, under one leadership.
type Log interface {
	// Leads reports whether that leadership still lasts.
	Leads() bool
	// Append writes one batch by the rules of acks=all and does not wait for its
	// commit. end is the offset after it.
	Append(batch []byte) (base, end int64, err error)
	// Committed is the high watermark.
	Committed() int64
	// Release calls done once: with nil when the high watermark has reached at,
	// with an error when the leadership ended before. done must not block. It may
	// run before Release returns.
	Release(at int64, done func(err error, h Hand))
	// Confirm calls done once: with nil when it is sure that this leadership lasted
	// after Confirm was called, so that nothing had been committed under a later one;
	// with an error when it ended. While it cannot be known it waits. done must not
	// block. It may run before Confirm returns.
	Confirm(done func(err error, h Hand))
	// Scan waits until all that the log held when it was opened, by this leadership
	// too, is committed, and visits every record of it. Control records are left out.
	Scan(ctx context.Context, f func(offset int64, r record.Record) error) error
}

// Hand is what somebody who completes many answers in a row passes through to
// those who send them; nil: nobody does. This package does not look at it.
type Hand = any

// Done is told the answer of a Submit, once, holding no lock. It must not block.
type Done func(body any, err error, h Hand)
