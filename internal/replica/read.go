package replica

import (
	"github.com/brokerd/brokerd/internal/record"
	"github.com/brokerd/brokerd/internal/storage"
)

// ReadRequest asks for data of one partition.
type ReadRequest struct {
	Offset     int64
	MaxBytes   int
	FirstWhole bool  // the first batch comes even if it is larger than MaxBytes
	Epoch      int32 // the leader epoch that the asker believes in; -1: it does not say
	LastEpoch  int32 // epoch of the asker's last record; -1: it does not say
	Bound      Bound
	Follower   bool // a follower may answer too (KIP-392)
}

// Reading is the answer: lock-free, of one consistent view.
type Reading struct {
	View storage.View
	// Diverged: the asker's log is no prefix of ours; Epoch and End are where it
	// has to cut. There is no data then.
	Diverged      bool
	DivergedEpoch int32
	DivergedEnd   int64
	// Range holds a file open until Release.
	Range storage.Range
}

// Read reads whole batches from the one that holds Offset on. An empty range is
// no error: the asker is at the end of what it may see.
func (p *Partition) Read(q ReadRequest, out *Reading) error {
	st, err := p.serving(q)
	if err != nil {
		return err
	}
	out.View = p.log.View()
	if st.follows && q.Offset > out.View.End {
		return ErrOffsetNotAvailable // the leader has it, we have not yet
	}
	if q.LastEpoch >= 0 {
		if diverged, err := p.diverged(q, out); diverged || err != nil {
			return err
		}
	}
	limit := q.Bound.Of(out.View)
	if q.Offset >= limit && q.Offset <= out.View.End && q.Offset >= out.View.Start {
		return nil // at the end; or, after an election, not known to be committed
	}
	out.Range, err = p.log.Read(storage.ReadSpec{
		From: q.Offset, Limit: limit, MaxBytes: q.MaxBytes, FirstWhole: q.FirstWhole,
	})
	if err != nil {
		return p.failed(err)
	}
	// The epoch is checked again at the end (J-21): a reader that was paused must
	// not answer for a leader that has been replaced.
	if now := p.state.Load(); now.epoch != st.epoch || now.err != st.err {
		out.Range.Release()
		return p.gone()
	}
	return nil
}

// serving is leading, feeding for a replica, or following where a follower may
// answer.
func (p *Partition) serving(q ReadRequest) (*state, error) {
	if q.Bound == ToEnd {
		return p.feeding(q.Epoch)
	}
	st, err := p.leading(q.Epoch)
	if err == nil || !q.Follower {
		return st, err
	}
	if st = p.state.Load(); !st.follows {
		return nil, err
	}
	return st, st.fence(q.Epoch)
}

// Nearest picks an in-sync follower that near accepts and that has what is asked
// for; the others' watermarks come from us, and soon, from now on.
func (p *Partition) Nearest(offset int64, near func(broker int32) bool) (broker int32, ok bool) {
	if _, err := p.leading(-1); err != nil {
		return -1, false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.leader == nil {
		return -1, false
	}
	now := p.m.now()
	for i, id := range p.leader.Replicas() {
		if id == p.m.self || !near(id) {
			continue
		}
		if s := p.leader.Standing(now, i); s.InISR && s.End >= offset {
			p.shared.Store(true)
			return id, true
		}
	}
	return -1, false
}

// diverged compares (last epoch, offset) with our epochs (KIP-595). An epoch of
// which we know nothing is out of range: there is nowhere to cut.
func (p *Partition) diverged(q ReadRequest, out *Reading) (bool, error) {
	epoch, end := p.log.EndOf(q.LastEpoch)
	if epoch < 0 {
		return false, storage.ErrOutOfRange
	}
	if epoch >= q.LastEpoch && end >= q.Offset {
		return false, nil
	}
	out.Diverged, out.DivergedEpoch, out.DivergedEnd = true, epoch, end
	return true, nil
}

// Special timestamps of ListOffsets.
const (
	Latest                = -1
	Earliest              = -2
	MaxTimestamp          = -3
	EarliestLocal         = -4
	LatestTiered          = -5
	EarliestPendingUpload = -6
)

// none is the answer when there is no such record.
var none = storage.At{Offset: -1, Timestamp: -1, Epoch: -1}

// OffsetFor answers a timestamp: the first record at or after it, or one of the
// special ones. Offset -1: none.
func (p *Partition) OffsetFor(ts int64, epoch int32, b Bound) (storage.At, error) {
	st, err := p.leading(epoch)
	if err != nil {
		return none, err
	}
	v := p.log.View()
	if v.HighWatermark < st.start && b != ToEnd && ts != Earliest && ts != EarliestLocal {
		return none, ErrOffsetNotAvailable // KIP-207
	}
	limit := b.Of(v)
	switch {
	case ts == Latest:
		return storage.At{Offset: limit, Timestamp: -1, Epoch: st.epoch}, nil
	case ts == Earliest, ts == EarliestLocal:
		return storage.At{Offset: v.Start, Timestamp: -1, Epoch: p.log.EpochAt(v.Start)}, nil
	case ts == LatestTiered, ts == EarliestPendingUpload:
		return none, nil // nothing is tiered, nor will be
	case ts == MaxTimestamp:
		return p.log.MaxTimestamp(limit)
	}
	return p.log.FirstAtOrAfter(ts, limit)
}

// EpochEnd answers OffsetForLeaderEpoch: the largest epoch not above asked, and
// where it ends. -1, -1: unknown.
func (p *Partition) EpochEnd(asked, current int32) (epoch int32, end int64, err error) {
	if _, err := p.leading(current); err != nil {
		return -1, -1, err
	}
	epoch, end = p.log.EndOf(asked)
	return epoch, end, nil
}

// DeleteBefore raises the log start; -1 stands for the high watermark.
func (p *Partition) DeleteBefore(offset int64) (start int64, err error) {
	st, err := p.leading(-1)
	if err != nil {
		return -1, err
	}
	if st.conf.CleanupCompact && !st.conf.CleanupDelete {
		return -1, ErrCompactOnly
	}
	v := p.log.View()
	if offset == -1 {
		offset = v.HighWatermark
	}
	if offset < 0 || offset > v.HighWatermark {
		return -1, storage.ErrOutOfRange
	}
	return p.log.DeleteBefore(offset)
}

// Aborted lists the aborted transactions that overlap [from, to).
func (p *Partition) Aborted(from, to int64) ([]record.Aborted, error) { return p.log.Aborted(from, to) }

// Producers lists the producers that wrote here and have not expired.
func (p *Partition) Producers() ([]storage.Producer, error) {
	if _, err := p.leading(-1); err != nil {
		return nil, err
	}
	return p.log.Producers(), nil
}
