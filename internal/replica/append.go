package replica

import (
	"errors"
	"sync"

	"github.com/brokerd/brokerd/internal/isr"
	"github.com/brokerd/brokerd/internal/record"
	"github.com/brokerd/brokerd/internal/storage"
	"github.com/brokerd/brokerd/internal/wire"
)

// Append writes one batch as the leader and registers t for its acknowledgement.
// waiting: t.Owner will hear; otherwise t.Err and the rest of t are the result
// already. batch is patched in place; it is not needed after Append returns.
func (p *Partition) Append(batch []byte, opt AppendOptions, t *Ticket) (waiting bool) {
	t.Records, t.Options = batch, opt
	one := [1]*Ticket{t}
	p.AppendEach(one[:])
	return t.Waiting
}

// AppendEach is Append for the Records of several tickets that came together:
// one write for all, and each has the answer that it would have had alone.
//
// No partition lock is held around the write: the log itself refuses an epoch
// that has been fenced. What the lock guards is memory, afterwards.
func (p *Partition) AppendEach(tickets []*Ticket) {
	r := runs.Get().(*run)
	p.traffic.produced.Add(int64(len(tickets)))
	st, err := p.leading(-1)
	for _, t := range tickets {
		t.p, t.Base, t.AppendTime, t.Start, t.Err, t.Waiting = nil, -1, -1, -1, nil, false
		switch {
		case err != nil:
			t.Err = err
		case t.Options.Acks == AcksAll && st.underMin:
			p.refuse(t, ErrNotEnoughReplicas)
		default:
			p.prepare(r, st, t)
		}
	}
	if len(r.tickets) > 0 {
		p.log.AppendEach(st.epoch, r.pieces)
		p.appended(st, r)
	}
	r.recycle()
}

// run is one AppendEach at work: tickets and pieces go in pairs.
type run struct {
	tickets  []*Ticket
	pieces   []storage.Piece
	releases []func()
}

var runs = sync.Pool{New: func() any { return new(run) }}

// recycle lets go of everything that belongs to a request.
func (r *run) recycle() {
	for _, release := range r.releases {
		release()
	}
	clear(r.tickets)
	clear(r.pieces)
	clear(r.releases)
	r.tickets, r.pieces, r.releases = r.tickets[:0], r.pieces[:0], r.releases[:0]
	runs.Put(r)
}

// prepare checks the batch of t and puts it into the run.
func (p *Partition) prepare(r *run, st *state, t *Ticket) {
	b, release, err := prepare(t.Records, t.Options, st.conf, p.m.nowMs)
	if err != nil {
		p.refuse(t, err)
		return
	}
	if b == nil {
		return // an empty set
	}
	if release != nil {
		r.releases = append(r.releases, release)
	}
	r.tickets = append(r.tickets, t)
	r.pieces = append(r.pieces, storage.Piece{Bytes: b})
}

// refuse fails the ticket. Where the records or their producer were the reason,
// the answer tells where the log starts, as Kafka's does: a producer can tell
// from it a bad batch from a log that was emptied.
func (p *Partition) refuse(t *Ticket, err error) {
	t.Err = err
	p.traffic.refused.Add(1)
	p.traffic.bytesRefused.Add(int64(len(t.Records)))
	for _, is := range refusals {
		if errors.Is(err, is) {
			t.Start = p.log.View().Start
			break
		}
	}
}

var refusals = []error{ErrInvalidRecord, ErrInvalidTimestamp, record.ErrInvalid, storage.ErrOutOfOrder, storage.ErrProducerEpoch, storage.ErrTxnState}

// appended tells the core and queues the tickets. If the leadership moved since
// the write, they fail at once; correctness came from the fence.
func (p *Partition) appended(st *state, r *run) {
	end, records, bytes := int64(-1), int64(0), int64(0)
	for i, t := range r.tickets {
		a := &r.pieces[i]
		if a.Err != nil {
			p.refuse(t, p.failed(a.Err))
			continue
		}
		t.Base, t.AppendTime, t.Start = a.Base, a.AppendTime, a.Start
		if !a.Duplicate {
			end = a.Next
			records += a.Next - a.Base
			bytes += int64(len(a.Bytes))
		}
	}
	if end >= 0 {
		p.traffic.records.Add(records)
		p.traffic.bytesIn.Add(bytes)
	}
	var out woken
	p.mu.Lock()
	if p.leader == nil || p.leader.Epoch() != st.epoch {
		p.mu.Unlock()
		r.fail(p.gone())
		return
	}
	if end >= 0 {
		p.eff = isr.Effects{}
		p.leader.Appended(p.m.now(), st.epoch, end, &p.eff)
		p.takeLocked(&out)
	}
	for i, t := range r.tickets {
		if t.Err == nil {
			p.queueLocked(st, &r.pieces[i].Appended, t)
		}
	}
	p.mu.Unlock()
	if end >= 0 {
		p.markWatchers(true, nil) // first of all: the producer waits for the followers
	}
	if !out.empty() {
		p.tell(&out)
	}
}

// fail gives err to the tickets that have none.
func (r *run) fail(err error) {
	for _, t := range r.tickets {
		if t.Err == nil {
			t.Err = err
		}
	}
}

// queueLocked decides whether the batch is acknowledged already. A duplicate
// waits like the original: its answer says that the original is safe.
func (p *Partition) queueLocked(st *state, a *storage.Appended, t *Ticket) {
	acks := t.Options.Acks
	switch {
	case p.leader == nil: // broken a moment ago
		t.Err = ErrBroken
		return
	case acks == AcksNone,
		acks == AcksLeader && st.durability == storage.ISR,
		acks == AcksLeader && a.Next <= p.leader.Durable():
		return
	case acks == AcksAll && a.Next <= p.leader.HighWatermark():
		if p.leader.UnderMinISR() {
			t.Err = ErrNotEnoughAfter
		}
		return
	}
	t.p, t.need, t.Waiting = p, a.Next, true
	p.queueOf(acks).add(t)
}

// gone is why a partition that led a moment ago does not any more.
func (p *Partition) gone() error {
	if st := p.state.Load(); st.err != nil {
		return st.err
	}
	return ErrNotLeader
}

// tell completes what an append of ours finished. One goes out from here; when
// there are several the writers send them, so that our own answer does not wait.
func (p *Partition) tell(out *woken) {
	many := out.tickets.head != out.tickets.tail || out.waiters.head != out.waiters.tail || len(out.confirmed) > 0
	if !many {
		out.tell(nil)
		return
	}
	h := p.m.handoffs.Get().(*wire.Handoff)
	out.tell(h)
	h.Flush()
	p.m.handoffs.Put(h)
}

// AppendOptions is what the request says about a batch.
type AppendOptions struct {
	Acks Acks
	// Zstd: the version of the request allows it.
	Zstd bool
	// Transaction: the request names a transactional id.
	Transaction bool
	// Set: the request is older than batches and brings a set of messages.
	Set bool
}

// flushed brings the end of a group commit.
func (p *Partition) flushed(end int64, out *woken) {
	p.mu.Lock()
	if p.leader != nil {
		p.eff = isr.Effects{}
		p.leader.NowDurable(p.m.now(), end, &p.eff)
		p.takeLocked(out)
	}
	_, l := p.followingLocked()
	synced := p.synced
	p.synced = nil
	p.mu.Unlock()
	if l != nil {
		l.poke() // its next fetch waits for this
	}
	if synced != nil {
		close(synced)
	}
}
