package isr

import "github.com/brokerd/brokerd/internal/step"

// Fetched is a follower's fetch whose (offset, last epoch) is a point of our
// log: the shell has checked that, and answers the diverging ones itself.
type Fetched struct {
	Replica     int32
	BrokerEpoch int64
	LeaderEpoch int32 // the epoch that the follower follows
	Offset      int64 // its end; under fsync its durable end
}

// Fetched notes a follower's progress: it may raise the high watermark, and make
// the follower join.
func (l *Leader) Fetched(now step.Instant, f Fetched, out *Effects) error {
	i, err := l.accept(f)
	if err != nil {
		return err
	}
	l.followers[i].fetched(now, f, l.end)
	l.advance(now, out)
	l.expand(now, out)
	l.checkOffsets(out)
	return nil
}

func (l *Leader) accept(f Fetched) (int, error) {
	i := index(l.rec.Replicas, f.Replica)
	fenced := !without("fetch epoch fencing")
	switch {
	case fenced && f.LeaderEpoch < l.rec.LeaderEpoch:
		return 0, ErrFencedEpoch
	case fenced && f.LeaderEpoch > l.rec.LeaderEpoch:
		return 0, ErrUnknownEpoch
	case i < 0 || i == l.self:
		return 0, ErrNotReplica
	case i >= len(l.rec.BrokerEpochs) || l.rec.BrokerEpochs[i] != f.BrokerEpoch:
		return 0, ErrStaleBroker
	case f.Offset > l.end:
		return 0, ErrBeyondEnd
	}
	return i, nil
}

// InSync says whether the controller may count a replica as in sync.
func (l *Leader) InSync(replica int32) bool {
	i := index(l.rec.Replicas, replica)
	return i >= 0 && l.maximal().Has(i)
}

// Alive tells when the session of a follower last spoke: one that had reached
// our end, and was answered nothing since, was caught up then.
func (l *Leader) Alive(at step.Instant, replica int32) {
	i := index(l.rec.Replicas, replica)
	if i < 0 || i == l.self {
		return
	}
	f := &l.followers[i]
	if at > f.left {
		f.alive = max(f.alive, at)
	}
	if f.offset >= l.end {
		f.caughtUp = max(f.caughtUp, at)
	}
}

// Tick looks for members that lag, and for those who may join although nothing
// is written that would make them fetch. It is called for opened partitions only.
func (l *Leader) Tick(now step.Instant, out *Effects) {
	l.shrink(now, out)
	l.expand(now, out)
	l.advance(now, out) // one that was only about to join holds nothing back for ever
	l.checkOffsets(out)
}

// Refusal is why a proposal came back.
type Refusal uint8

const (
	// Definite: not applied and never will be, and the epochs we know are current.
	Definite Refusal = iota
	// Unknown: an error or a timeout that leaves open whether it was applied.
	Unknown
)

// Refused brings the controller's answer to proposal q. One to a proposal that is
// not the pending one any more says nothing of that. A success brings nothing:
// the record itself comes through Altered (D4).
func (l *Leader) Refused(q Proposal, r Refusal, out *Effects) {
	if !l.asked || q != l.proposal() {
		return
	}
	if r == Definite {
		l.asked = false
		return
	}
	l.ask(out)
}

// expand proposes everybody who may join. The leader of an unclean election
// must be alone until it says that it has recovered (E6), which any proposal of
// it does: its log is what it is.
func (l *Leader) expand(now step.Instant, out *Effects) {
	if l.asked {
		return
	}
	if l.rec.Recovering {
		l.propose(l.rec.ISR, out)
		return
	}
	with := l.rec.ISR
	for i := range l.followers {
		if l.mayJoin(now, i) {
			with = with.With(i)
		}
	}
	if with != l.rec.ISR {
		l.propose(with, out)
	}
}

func (l *Leader) shrink(now step.Instant, out *Effects) {
	if l.asked {
		return
	}
	keep := l.rec.ISR
	for i := range l.followers {
		if i != l.self && keep.Has(i) && l.lags(now, i) {
			keep = keep.Without(i)
		}
	}
	if keep != l.rec.ISR {
		l.propose(keep, out)
	}
}

// Members names who is in a mask, for a proposal. One that is repeated names the
// lives that it named first: a later life has not fetched what they had.
func (l *Leader) Members(m Mask) []Member {
	if m == l.pending && l.named != nil {
		return l.named
	}
	return l.members(m)
}

func (l *Leader) members(m Mask) []Member {
	out := make([]Member, 0, m.Count())
	for i, id := range l.rec.Replicas {
		if m.Has(i) {
			out = append(out, Member{id, l.rec.life(i)})
		}
	}
	return out
}

func (l *Leader) propose(isr Mask, out *Effects) {
	l.asked, l.pending, l.named = true, isr, l.members(isr)
	l.ask(out)
}

// ask sends the pending proposal, anew if it was sent before.
func (l *Leader) ask(out *Effects) {
	out.Propose = true
	out.Proposal = l.proposal()
	out.check(l.pending.Has(l.self), "R12: the leader proposes an ISR without itself")
}

// proposal is the pending one; the epochs cannot change while it is.
func (l *Leader) proposal() Proposal {
	return Proposal{LeaderEpoch: l.rec.LeaderEpoch, PartitionEpoch: l.rec.PartitionEpoch, ISR: l.pending}
}
