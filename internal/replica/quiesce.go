package replica

import (
	"context"
	"sync"

	"github.com/brokerd/brokerd/internal/wire"
)

// Quiesce takes nothing more up from clients: appends and reads are refused as
// NOT_LEADER and fetches that wait are answered. Replicas are served: they have to
// fetch what was written last. It returns when all that has been written is
// acknowledged, or ctx ends. So a clean stop, which gives the leaderships away
// next, makes nobody send a record twice.
func (m *Manager) Quiesce(ctx context.Context) {
	m.closed.Store(true)
	for {
		var w ackWait
		m.eachOpen(func(p *Partition) { p.quiesce(&w) })
		if !w.wait(ctx) {
			return
		}
	}
}

// ackWait waits for the last tickets of many partitions: it queues behind them.
type ackWait struct {
	tickets []*Ticket
	done    sync.WaitGroup
}

// Completed implements TicketOwner.
func (w *ackWait) Completed(*Ticket, *wire.Handoff) { w.done.Done() }

// wait says whether there was something to wait for and it came: then more may
// have been queued meanwhile.
func (w *ackWait) wait(ctx context.Context) bool {
	if len(w.tickets) == 0 {
		return false
	}
	defer context.AfterFunc(ctx, w.giveUp)()
	w.done.Wait()
	return ctx.Err() == nil
}

func (w *ackWait) giveUp() {
	for _, t := range w.tickets {
		if t.Cancel() {
			w.done.Done()
		}
	}
}

func (p *Partition) quiesce(w *ackWait) {
	var out woken
	p.mu.Lock()
	if st := *p.state.Load(); st.err == nil {
		st.quiet = true
		p.state.Store(&st)
	}
	p.takeAllWaitersLocked(&out.waiters)
	for _, acks := range []Acks{AcksLeader, AcksAll} {
		if q := p.queueOf(acks); q.tail != nil {
			t := &Ticket{p: p, need: q.tail.of.need, Options: AppendOptions{Acks: acks}, Owner: w}
			w.done.Add(1)
			w.tickets = append(w.tickets, t)
			q.add(t)
		}
	}
	p.mu.Unlock()
	p.tell(&out)
}
