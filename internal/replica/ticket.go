package replica

import "github.com/brokerd/brokerd/internal/wire"

// Acks is what a producer waits for, as it stands in the request.
type Acks int16

const (
	AcksNone   Acks = 0
	AcksLeader Acks = 1
	AcksAll    Acks = -1
)

// Ticket is one batch that waits to be acknowledged. Its owner embeds it, so
// that waiting allocates nothing; it belongs to the partition from Append until
// Completed is called or Cancel returns true.
type Ticket struct {
	link link[Ticket]
	p    *Partition
	// need is the offset that the high watermark (acks=all) or the durable end
	// (acks=1) has to reach.
	need int64

	// Owner is told when the ticket is done.
	Owner TicketOwner
	// Records and Options are what AppendEach appends. Records is patched in
	// place, and is the owner's again when AppendEach returns.
	Records []byte
	Options AppendOptions
	// Waiting: the owner will hear. Set by AppendEach.
	Waiting bool

	// Result of the append, filled by Append.
	Base, AppendTime, Start int64
	// Err is why the batch is not acknowledged; valid once done.
	Err error
}

// TicketOwner waits for tickets.
type TicketOwner interface {
	// Completed is called exactly once for a ticket that waited, holding no
	// lock. It must not block. h is nil unless many complete in a row.
	Completed(t *Ticket, h *wire.Handoff)
}

// ticketQueue holds tickets in order of need, so that a rising offset pops a
// prefix. It is bounded by the connections: each keeps at most 64 answers open.
type ticketQueue struct{ list[Ticket] }

func (q *ticketQueue) add(t *Ticket) {
	at := q.tail
	for at != nil && at.of.need > t.need {
		at = at.prev
	}
	t.link.of = t
	q.insertAfter(at, &t.link)
}

// pop moves every ticket that needs no more than reached to out.
func (q *ticketQueue) pop(reached int64, out *list[Ticket]) {
	for q.head != nil && q.head.of.need <= reached {
		q.takeTo(q.head, out)
	}
}

// fail moves every ticket to out, with err.
func (q *ticketQueue) fail(err error, out *list[Ticket]) {
	for q.head != nil {
		q.head.of.Err = err
		q.takeTo(q.head, out)
	}
}

// Cancel takes t back: its owner's deadline passed. false: it is done, or just
// being completed, and Completed is or will be called.
func (t *Ticket) Cancel() bool {
	p := t.p
	if p == nil {
		return false // it never waited
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !t.link.in {
		return false
	}
	p.queueOf(t.Options.Acks).remove(&t.link)
	t.Err = ErrTimedOut
	return true
}
