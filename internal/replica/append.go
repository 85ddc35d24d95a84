package replica

import (
	"errors"

	"github.com/brokerd/brokerd/internal/isr"
	"github.com/brokerd/brokerd/internal/record"
	"github.com/brokerd/brokerd/internal/storage"
	"github.com/brokerd/brokerd/internal/wire"
)

// Append writes one batch as the leader and registers t for its acknowledgement.
// waiting: t.Owner will hear; otherwise t.Err and the rest of t are the result
// already. batch is patched in place; it is not needed after Append returns.
//
// No partition lock is held around the write: the log itself refuses an epoch
// that has been fenced. What the lock guards is memory, afterwards.
func (p *Partition) Append(batch []byte, opt AppendOptions, t *Ticket) (waiting bool) {
	t.p, t.Base, t.AppendTime, t.Start, t.Err = nil, -1, -1, -1, nil
	st, err := p.leading(-1)
	if err != nil {
		t.Err = err
		return false
	}
	if opt.Acks == AcksAll && st.underMin {
		t.Err = ErrNotEnoughReplicas
		return false
	}
	b, release, err := prepare(batch, opt, st.conf, p.m.nowMs)
	if err != nil {
		return p.refuse(t, err)
	}
	if b == nil {
		return false // an empty set
	}
	size := int64(len(b)) // b may be gone after release
	a, err := p.log.Append(st.epoch, b)
	if release != nil {
		release()
	}
	if err != nil {
		return p.refuse(t, p.failed(err))
	}
	t.Base, t.AppendTime, t.Start = a.Base, a.AppendTime, a.Start
	if !a.Duplicate {
		p.traffic.records.Add(a.Next - a.Base)
		p.traffic.bytesIn.Add(size)
	}
	return p.appended(st, a, opt.Acks, t)
}

// refuse fails the ticket. Where the records or their producer were the reason,
// the answer tells where the log starts, as Kafka's does: a producer can tell
// from it a bad batch from a log that was emptied.
func (p *Partition) refuse(t *Ticket, err error) (waiting bool) {
	t.Err = err
	p.traffic.refused.Add(1)
	for _, is := range refusals {
		if errors.Is(err, is) {
			t.Start = p.log.View().Start
			break
		}
	}
	return false
}

var refusals = []error{ErrInvalidRecord, ErrInvalidTimestamp, record.ErrInvalid, storage.ErrOutOfOrder, storage.ErrProducerEpoch, storage.ErrTxnState}

// appended tells the core and queues the ticket. If the leadership moved since
// the write, the ticket fails at once; correctness came from the fence.
func (p *Partition) appended(st *state, a storage.Appended, acks Acks, t *Ticket) (waiting bool) {
	var out woken
	p.mu.Lock()
	if p.leader == nil || p.leader.Epoch() != st.epoch {
		p.mu.Unlock()
		t.Err = p.gone()
		return false
	}
	if !a.Duplicate {
		p.eff = isr.Effects{}
		p.leader.Appended(p.m.now(), st.epoch, a.Next, &p.eff)
		p.takeLocked(&out)
	}
	waiting = p.queueLocked(st, a, acks, t)
	p.mu.Unlock()
	if !a.Duplicate {
		p.markWatchers(true, nil) // first of all: the producer waits for the followers
	}
	if !out.empty() {
		p.tell(&out)
	}
	return waiting
}

// queueLocked decides whether the batch is acknowledged already. A duplicate
// waits like the original: its answer says that the original is safe.
func (p *Partition) queueLocked(st *state, a storage.Appended, acks Acks, t *Ticket) bool {
	if p.leader == nil { // broken a moment ago
		t.Err = ErrBroken
		return false
	}
	switch {
	case acks == AcksNone,
		acks == AcksLeader && st.durability == storage.ISR,
		acks == AcksLeader && a.Next <= p.leader.Durable():
		return false
	case acks == AcksAll && a.Next <= p.leader.HighWatermark():
		if p.leader.UnderMinISR() {
			t.Err = ErrNotEnoughAfter
		}
		return false
	}
	t.p, t.need, t.acks = p, a.Next, acks
	p.queueOf(acks).add(t)
	return true
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
	many := out.tickets.head != out.tickets.tail || out.waiters.head != out.waiters.tail
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
	f := p.following
	p.mu.Unlock()
	if f != nil {
		f.lane.poke() // its next fetch waits for this
	}
}
