package isr

import "github.com/brokerd/brokerd/internal/step"

// Leader decides what is committed while this broker leads.
type Leader struct {
	cfg  Config
	rec  Record // committed state: as the controller's log has it
	self int    // our bit

	start   int64 // epoch start: our end when the leadership began
	end     int64 // own log end
	durable int64 // own durable end, ≤ end
	hw      int64 // never falls

	// pending is the ISR we asked for, at most one; meaningful if asked.
	asked   bool
	pending Mask
	named   []Member // pending with the lives that had fetched when it was first asked for

	followers []progress // by replica, our own entry unused; nil with one replica
}

// NewLeader begins a leadership. It may raise the high watermark at once: with
// one replica everything durable is committed.
func NewLeader(now step.Instant, cfg Config, rec Record, log Log, out *Effects) *Leader {
	l := &Leader{
		cfg: cfg, rec: rec, self: index(rec.Replicas, cfg.Self),
		start: log.End, end: log.End, durable: log.Durable, hw: log.HighWatermark,
	}
	out.check(l.self >= 0, "R12: the leader is no replica")
	out.check(len(rec.Replicas) <= MaxReplicas, "R12: too many replicas")
	if out.Broken != "" {
		return l
	}
	if len(rec.Replicas) > 1 {
		l.followers = make([]progress, len(rec.Replicas))
		for i := range l.followers {
			l.followers[i] = newProgress(now)
		}
	}
	l.advance(now, out)
	l.expand(now, out)
	l.checkOffsets(out)
	return l
}

// Epoch is the leader epoch of this leadership.
func (l *Leader) Epoch() int32 { return l.rec.LeaderEpoch }

// EpochStart is where the log ended when the leadership began. Until the high
// watermark has passed it, "latest" is not known (KIP-207).
func (l *Leader) EpochStart() int64 { return l.start }

// HighWatermark is the offset below which everything is committed.
func (l *Leader) HighWatermark() int64 { return l.hw }

// Durable is the own durable end.
func (l *Leader) Durable() int64 { return l.durable }

// UnderMinISR reports whether acks=all must be refused and the watermark is frozen.
func (l *Leader) UnderMinISR() bool { return l.rec.ISR.Count() < l.rec.MinISR }

// Appended tells that the own log reaches end. Appends of one log may tell it in
// any order. An append under another epoch is none of ours.
func (l *Leader) Appended(now step.Instant, epoch int32, end int64, out *Effects) {
	if epoch != l.rec.LeaderEpoch || end <= l.end {
		return
	}
	l.end = end
	if !l.cfg.Fsync {
		l.advance(now, out)
	}
	l.checkOffsets(out)
}

// NowDurable tells that a group commit reached end. It can come before the
// Appended of the same bytes: the flusher does not wait for their appender.
func (l *Leader) NowDurable(now step.Instant, end int64, out *Effects) {
	if end <= l.durable {
		return
	}
	// A group commit may tell of an append before Appended does, which is no news
	// then: so both kinds of durability advance here.
	l.durable = end
	l.end = max(l.end, end)
	l.advance(now, out)
	l.checkOffsets(out)
}

// SetFsync changes what counts as our own copy: the topic's durability was
// altered. A watermark that the weaker rule raised is not taken back.
func (l *Leader) SetFsync(now step.Instant, fsync bool, out *Effects) {
	if l.cfg.Fsync != fsync {
		l.cfg.Fsync = fsync
		l.advance(now, out)
	}
}

// Altered brings the controller's record as it came out of the local image. A
// record of another leader epoch needs another Leader, not this call.
func (l *Leader) Altered(now step.Instant, rec Record, out *Effects) {
	if rec.LeaderEpoch != l.rec.LeaderEpoch || rec.PartitionEpoch < l.rec.PartitionEpoch {
		return
	}
	if rec.PartitionEpoch == l.rec.PartitionEpoch {
		if without("only the log ends a proposal") {
			l.asked = false
		}
		same := l.rec // D4: nothing else counts
		same.Eligible, same.BrokerEpochs = rec.Eligible, rec.BrokerEpochs
		l.remap(now, same)
		l.rec = same
		l.advance(now, out)
		l.expand(now, out)
		return
	}
	l.remap(now, rec)
	l.rec, l.asked = rec, false
	l.self = index(rec.Replicas, l.cfg.Self)
	out.check(l.self >= 0 && rec.ISR.Has(l.self), "R12: the leader is not in its ISR")
	if out.Broken != "" {
		return
	}
	l.advance(now, out)
	l.expand(now, out)
	l.checkOffsets(out)
}

// advance raises the high watermark as far as R5 and D2 allow.
func (l *Leader) advance(now step.Instant, out *Effects) {
	if l.UnderMinISR() && !without("frozen below min ISR") {
		return
	}
	hw := l.own()
	maximal := l.maximal()
	for i := range l.followers {
		if i == l.self || !(maximal.Has(i) || l.holdsBack(now, i)) {
			continue
		}
		hw = min(hw, l.followers[i].offset)
	}
	if hw > l.hw {
		l.hw = hw
		out.move(hw)
	}
}

// own is how far our own copy counts.
func (l *Leader) own() int64 {
	if l.cfg.Fsync {
		return l.durable
	}
	return l.end
}

// maximal is every replica that the controller may count as in sync.
func (l *Leader) maximal() Mask {
	if l.asked {
		return l.rec.ISR | l.pending
	}
	return l.rec.ISR
}

func (l *Leader) checkOffsets(out *Effects) {
	out.check(l.durable <= l.end, "R5: durable end beyond the end")
	out.check(l.hw <= l.end, "R5: high watermark beyond the end")
}
