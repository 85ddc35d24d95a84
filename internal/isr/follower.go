package isr

import "fmt"

// Follower decides what a follower does with the leader's replies.
type Follower struct {
	cfg     Config
	rec     Record
	end     int64
	durable int64
	hw      int64

	// sent is the outstanding fetch, at most one; meaningful if waiting.
	waiting bool
	sent    Fetch
}

// Fetch is the question a follower asks. A reply that does not match all of it
// is dropped (R8).
type Fetch struct {
	Correlation int64
	LeaderEpoch int32
	Offset      int64
	LastEpoch   int32 // epoch of our last record: the leader sees a divergence by it
}

// Received is the leader's reply.
type Received struct {
	To Fetch

	// Diverged: our log is no prefix of the leader's; LeaderEnd is where the
	// leader's copy of DivergingEpoch ends, OwnEnd where ours does.
	Diverged          bool
	LeaderEnd, OwnEnd int64

	HighWatermark int64
	Records       bool // the reply has records that start at our end
}

// NewFollower begins following.
func NewFollower(cfg Config, rec Record, log Log) *Follower {
	return &Follower{cfg: cfg, rec: rec, end: log.End, durable: log.Durable, hw: log.HighWatermark}
}

// Next gives the next fetch. Under fsync it leaves only when all that the last
// reply brought is durable: the fetch offset is the durable end.
func (f *Follower) Next(correlation int64, lastEpoch int32) (Fetch, bool) {
	if f.waiting || f.cfg.Fsync && f.durable < f.end && !without("fetch after the group commit") {
		return Fetch{}, false
	}
	f.waiting = true
	f.sent = Fetch{correlation, f.rec.LeaderEpoch, f.end, lastEpoch}
	return f.sent, true
}

// Received takes a reply. The shell does what out says, then tells the new end
// by Appended or Truncated. A reply without records leaves the question open:
// the leader's session remembers it.
func (f *Follower) Received(r Received, out *Effects) {
	if !f.waiting || r.To != f.sent && !without("reply matched to its question") {
		return
	}
	f.waiting = !r.Diverged && !r.Records
	if r.Diverged {
		to := min(r.LeaderEnd, r.OwnEnd, f.end)
		if without("own end of the epoch") {
			to = min(r.LeaderEnd, f.end)
		}
		f.truncate(to, out)
		return
	}
	out.Append = r.Records
	f.follow(r.HighWatermark, out)
}

// InSync says whether this replica counts as in sync.
func (f *Follower) InSync() bool {
	i := index(f.rec.Replicas, f.cfg.Self)
	return i >= 0 && f.rec.ISR.Has(i)
}

// Waiting reports whether a question is open.
func (f *Follower) Waiting() bool { return f.waiting }

// Beyond takes the answer that our end lies beyond all that the leader has: its
// log is to be begun anew at start.
func (f *Follower) Beyond(start int64, out *Effects) {
	if f.waiting {
		f.waiting = false
		f.truncate(start, out)
	}
}

// Lost forgets the outstanding fetch: the connection broke.
func (f *Follower) Lost() { f.waiting = false }

// Appended tells that the records of the reply are in the log, with the leader's
// high watermark of that reply.
func (f *Follower) Appended(end, leaderHW int64, out *Effects) {
	out.check(end >= f.end, "R4: the end of a follower fell without a truncation")
	f.end = max(f.end, end)
	f.follow(leaderHW, out)
}

// NowDurable tells that a group commit reached end.
func (f *Follower) NowDurable(end int64) { f.durable = max(f.durable, min(end, f.end)) }

// Truncated tells that the log was cut, or begun anew.
func (f *Follower) Truncated(end int64) {
	f.end, f.waiting = end, false
	f.durable = min(f.durable, end)
}

// Altered brings a record of the same leader epoch.
func (f *Follower) Altered(rec Record) {
	if rec.LeaderEpoch == f.rec.LeaderEpoch && rec.PartitionEpoch > f.rec.PartitionEpoch {
		f.rec = rec
	}
}

func (f *Follower) truncate(to int64, out *Effects) {
	if to < f.hw && !f.rec.Unclean {
		out.check(false, fmt.Sprintf("R9: truncation to %d below the high watermark %d", to, f.hw))
		return
	}
	f.hw = min(f.hw, to) // below it only after an unclean election
	out.Truncate, out.TruncateTo = true, to
}

func (f *Follower) follow(leaderHW int64, out *Effects) {
	if hw := min(leaderHW, f.end); hw > f.hw {
		f.hw = hw
		out.move(hw)
	}
}
