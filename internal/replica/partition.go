package replica

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/brokerd/brokerd/internal/conf"
	"github.com/brokerd/brokerd/internal/isr"
	"github.com/brokerd/brokerd/internal/step"
	"github.com/brokerd/brokerd/internal/storage"
	"github.com/brokerd/brokerd/internal/wire"
)

// Partition is one opened partition of this broker: from its first use until it
// leaves the broker.
type Partition struct {
	id    step.PartitionID
	topic string
	m     *Manager
	log   *storage.Log // set before opened is closed

	// opened is closed when the log is open, or openErr says why not.
	opened   chan struct{}
	openErr  error
	left     chan struct{} // closed once the files are given up
	asideErr error         // why its data could not be set aside; before left is closed

	unsettled atomic.Bool // it could not take its role, for a reason that may pass

	traffic traffic

	throttledOut, throttledIn atomic.Bool // as a leader, as a follower

	// state is what the append and read paths look at without a lock.
	state atomic.Pointer[state]

	// shared: consumers have been sent to followers, who hear of the watermark at once.
	shared atomic.Bool
	// doubted is the newest doubt; changed under mu.
	doubted atomic.Int64
	// watched is the entries of the followers' sessions; changed under mu.
	watched atomic.Pointer[[]*asked]

	// mu is held for memory only. Commit to the log's view is memory.
	mu        sync.Mutex
	leader    *isr.Leader // nil unless leading
	following *following  // nil unless following
	committed ticketQueue // acks=all: wait for the high watermark
	durable   ticketQueue // acks=1 under fsync: wait for the own group commit
	waiters   list[Waiter]
	doubts    []*doubt      // in order
	eff       isr.Effects   // scratch of one step
	want      want          // what the image asks for
	have      want          // what has been done about it
	settling  bool          // one goroutine is at it
	moved     bool          // its log is in another directory since have was done
	synced    chan struct{} // closed by the next group commit; nil: nobody waits
}

// state is immutable: a change stores another one.
type state struct {
	err        error // why nothing is served: ErrNotLeader and others; nil: leading
	follows    bool  // though err is set, a consumer may read up to the watermark
	quiet      bool  // clients are not served any more, replicas are: before a stop
	epoch      int32
	start      int64 // epoch start: "latest" is unknown until the watermark passed it
	underMin   bool
	durability storage.Durability
	conf       *conf.Topic
}

// ID names the partition.
func (p *Partition) ID() step.PartitionID { return p.id }

// Topic is the topic's name.
func (p *Partition) Topic() string { return p.topic }

// Log is the partition's log, for those who describe it.
func (p *Partition) Log() *storage.Log { return p.log }

// Epoch is the leader epoch of the role that is published now.
func (p *Partition) Epoch() int32 { return p.state.Load().epoch }

// leading gives the state of a partition that serves, and checks the epoch that
// the asker believes in (-1: it does not say).
func (p *Partition) leading(epoch int32) (*state, error) {
	st, err := p.feeding(epoch)
	if err == nil && st.quiet {
		return nil, ErrNotLeader
	}
	return st, err
}

// feeding is leading for replicas: what a stopping leader waits for is that they
// fetch what was written last.
func (p *Partition) feeding(epoch int32) (*state, error) {
	st := p.state.Load()
	if st.err != nil {
		return nil, st.err
	}
	if err := st.fence(epoch); err != nil {
		return nil, err
	}
	return st, nil
}

// fence compares the epoch that an asker believes in with ours.
func (st *state) fence(epoch int32) error {
	switch {
	case epoch >= 0 && epoch < st.epoch:
		return ErrFencedEpoch
	case epoch > st.epoch:
		return ErrUnknownEpoch
	}
	return nil
}

func (p *Partition) queueOf(a Acks) *ticketQueue {
	if a == AcksAll {
		return &p.committed
	}
	return &p.durable
}

// woken is what a step has finished and asks for; it is told after unlocking.
type woken struct {
	tickets   list[Ticket]
	waiters   list[Waiter]
	confirmed []*doubt
	proposes  *Partition // who proposes, nil: nobody
	proposal  isr.Proposal
	news      *Partition // whose followers have something to hear, nil: nobody's
	urgent    bool       // at once
}

func (w *woken) empty() bool {
	return w.tickets.head == nil && w.waiters.head == nil && w.confirmed == nil && w.proposes == nil && w.news == nil
}

// takeLocked acts on the effects of a step of the leader as far as memory goes:
// the view gets the high watermark, and who waited for it leaves the queues.
func (p *Partition) takeLocked(out *woken) {
	if p.eff.Broken != "" {
		p.breakLocked(out)
		return
	}
	if p.eff.Propose {
		out.proposes, out.proposal = p, p.eff.Proposal
	}
	if p.eff.Moved {
		p.log.Commit(p.eff.HighWatermark)
		out.hear(p, p.shared.Load())
	}
	if p.committed.head != nil {
		p.popCommittedLocked(out)
	}
	if p.durable.head != nil {
		p.durable.pop(p.leader.Durable(), &out.tickets)
	}
	if p.waiters.head != nil {
		p.takeWaitersLocked(&out.waiters)
	}
	if len(p.doubts) > 0 {
		p.confirmLocked(out)
	}
}

// popCommittedLocked acknowledges acks=all. The watermark may have come in time
// and the ISR be too small by now: that is another answer.
func (p *Partition) popCommittedLocked(out *woken) {
	first := out.tickets.tail
	p.committed.pop(p.leader.HighWatermark(), &out.tickets)
	if !p.leader.UnderMinISR() {
		return
	}
	l := out.tickets.head
	if first != nil {
		l = first.next
	}
	for ; l != nil; l = l.next {
		l.of.Err = ErrNotEnoughAfter
	}
}

// breakLocked fences this partition alone: a data-safety rule does not hold
// (D10). It serves nothing more; the operator finds the rule in the log.
func (p *Partition) breakLocked(out *woken) {
	p.m.log.Error("partition fenced: a data-safety rule is broken; its files are kept as they are",
		"topic", p.topic, "partition", p.id.Index, "rule", p.eff.Broken, "core", fmt.Sprint(p.leader))
	p.resignLocked(ErrBroken, out)
}

// resignLocked ends the leadership: everybody who waits hears err at once.
func (p *Partition) resignLocked(err error, out *woken) {
	st := *p.state.Load()
	st.err, st.follows = err, false
	p.state.Store(&st)
	p.leader = nil
	p.committed.fail(err, &out.tickets)
	p.durable.fail(err, &out.tickets)
	p.takeAllWaitersLocked(&out.waiters)
	p.failDoubtsLocked(err, out)
	out.hear(p, true)
}

// hear notes that p's followers have something to hear.
func (w *woken) hear(p *Partition, urgent bool) {
	if len(p.watchers()) > 0 {
		w.news, w.urgent = p, w.urgent || urgent
	}
}

// tell completes what a step finished. No lock is held.
func (w *woken) tell(h *wire.Handoff) {
	w.tickets.drain(func(t *Ticket) { t.Owner.Completed(t, h) })
	w.waiters.drain(func(x *Waiter) { x.Owner.Woken(x, h) })
	for _, d := range w.confirmed {
		d.tell(h)
	}
	if p := w.proposes; p != nil {
		p.m.insync.propose(p, w.proposal)
	}
	if w.news != nil {
		w.news.markWatchers(w.urgent, h)
	}
}

// failed looks at an error of the log on its way out: one that takes the log out
// of service for good ends following, and is told to the controller, once.
func (p *Partition) failed(err error) error {
	if outOfService(err) {
		p.leaveLane() // before the controller hears of it
		p.m.lose(p.id, p.topic, err)
	}
	return err
}
