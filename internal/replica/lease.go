package replica

import (
	"context"
	"fmt"

	"github.com/brokerd/brokerd/internal/record"
	"github.com/brokerd/brokerd/internal/storage"
	"github.com/brokerd/brokerd/internal/wire"
)

// Lease is one leadership of a partition, for the coordinator whose state the
// partition holds: what it appends, and what it hears, is of that leader epoch.
type Lease struct {
	p     *Partition
	epoch int32
	end   int64 // of the log when the lease was given
}

// Lease gives the leadership of that epoch, if it is the current one. What an
// earlier lease of the epoch wrote is in the log by now, and is scanned.
func (p *Partition) Lease(epoch int32) (*Lease, error) {
	if _, err := p.leading(epoch); err != nil {
		return nil, err
	}
	return &Lease{p: p, epoch: epoch, end: p.log.View().End}, nil
}

// Leads reports whether the leadership lasts.
func (l *Lease) Leads() bool {
	_, err := l.p.leading(l.epoch)
	return err == nil
}

// Append writes one batch by the rules of acks=all, and does not wait. The epoch
// is looked at before and by the log: a leadership that ends in between has the
// log fenced.
func (l *Lease) Append(batch []byte) (base, end int64, err error) {
	if _, err := l.p.leading(l.epoch); err != nil {
		return 0, 0, err
	}
	t := Ticket{Owner: nobody{}}
	l.p.Append(batch, AppendOptions{Acks: AcksAll, Zstd: true}, &t)
	// Committed already and too few replicas now: committed all the same.
	if t.Err != nil && t.Base < 0 {
		return 0, 0, t.Err
	}
	return t.Base, t.Base + int64(record.Batch(batch).Count()), nil
}

// nobody waits for a ticket.
type nobody struct{}

func (nobody) Completed(*Ticket, *wire.Handoff) {}

// Committed is the high watermark.
func (l *Lease) Committed() int64 { return l.p.log.View().HighWatermark }

// Release calls done once: when the high watermark has reached at, or with an
// error when the leadership ended before. It may do so before it returns.
func (l *Lease) Release(at int64, done func(err error, h any)) {
	p := l.p
	t := &releasing{done: done}
	t.ticket = Ticket{p: p, need: at, Waiting: true, Owner: t, Options: AppendOptions{Acks: AcksAll}}
	p.mu.Lock()
	if p.leader == nil || p.leader.Epoch() != l.epoch {
		p.mu.Unlock()
		done(p.gone(), nil)
		return
	}
	if at <= p.leader.HighWatermark() {
		p.mu.Unlock()
		done(nil, nil)
		return
	}
	p.committed.add(&t.ticket)
	p.mu.Unlock()
}

// releasing is one Release that waits.
type releasing struct {
	ticket Ticket
	done   func(err error, h any)
}

func (r *releasing) Completed(t *Ticket, h *wire.Handoff) {
	err := t.Err
	if err == ErrNotEnoughAfter {
		err = nil // the watermark has passed it
	}
	if h == nil {
		r.done(err, nil)
		return
	}
	r.done(err, h)
}

// Confirm calls done once: with nil when it is sure that nothing had been committed
// under a later leader epoch when Confirm was called, with an error when the
// leadership ended before that was known. It may do so before it returns.
func (l *Lease) Confirm(done func(err error, h any)) {
	p := l.p
	d := &doubt{done: done}
	var out woken
	p.mu.Lock()
	if p.leader == nil || p.leader.Epoch() != l.epoch {
		p.mu.Unlock()
		done(p.gone(), nil)
		return
	}
	if p.m.catalog.Image().Features().Metadata < confirmLevel {
		p.mu.Unlock()
		done(nil, nil)
		return
	}
	d.at = p.m.doubts.Add(1) // here, so that they are in order
	p.doubts = append(p.doubts, d)
	p.doubted.Store(d.at)
	p.m.doubtful.add(p)
	p.confirmLocked(&out)
	p.mu.Unlock()
	for _, sure := range out.confirmed {
		sure.tell(nil)
	}
	if n := len(out.confirmed); n > 0 && out.confirmed[n-1] == d {
		return
	}
	for _, a := range p.watchers() {
		a.s.urge(d.at)
	}
}

// Scan waits until all that the log held when the lease was given is committed,
// and visits every record of it. Control records are left out.
func (l *Lease) Scan(ctx context.Context, f func(offset int64, r record.Record) error) error {
	committed := make(chan error, 1)
	l.Release(l.end, func(err error, _ any) { committed <- err })
	select {
	case err := <-committed:
		if err != nil {
			return err
		}
	case <-ctx.Done():
		return ctx.Err()
	}
	for at := l.p.log.View().Start; at < l.end; {
		if err := ctx.Err(); err != nil {
			return err
		}
		r, err := l.p.log.Read(storage.ReadSpec{From: at, Limit: l.end, MaxBytes: scanBytes, FirstWhole: true})
		if err != nil {
			return l.p.failed(err)
		}
		p, err := r.ReadAll(nil)
		r.Release()
		if err != nil {
			return fmt.Errorf("read %s-%d at %d: %w", l.p.topic, l.p.id.Index, at, err)
		}
		if len(p) == 0 {
			return nil // compaction left nothing up to the end
		}
		if at, err = visit(p, f); err != nil {
			return err
		}
	}
	return nil
}

// scanBytes is how much a scan reads at once (offsets.load.buffer.size).
const scanBytes = 5 << 20

// visit calls f with the records of whole batches, and gives the offset behind them.
func visit(p []byte, f func(offset int64, r record.Record) error) (next int64, err error) {
	for len(p) > 0 {
		var b record.Batch
		if b, p, err = record.Next(p); err != nil {
			return next, err
		}
		next = b.NextOffset()
		if b.Control() {
			continue
		}
		if err := b.Each(record.Limits{}, func(r record.Record) error { return f(r.Offset, r) }); err != nil {
			return next, err
		}
	}
	return next, nil
}
