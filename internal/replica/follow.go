package replica

import (
	"errors"
	"fmt"
	"time"

	"github.com/brokerd/brokerd/internal/isr"
	"github.com/brokerd/brokerd/internal/record"
	"github.com/brokerd/brokerd/internal/storage"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// take does what the leader's reply for one partition asks for, and queues its
// next question. While the lane is at it, the partition's role cannot change.
func (w *work) take(f *following, r *kmsg.FetchResponseTopicPartition) {
	if f.asked.Correlation > w.replied {
		return // R8: the reply was under way when we asked this
	}
	if !w.l.begin(f) {
		return
	}
	err := f.take(r)
	w.l.end()
	switch {
	case err == nil:
		f.rest, f.after = 0, time.Time{}
	case errors.Is(err, errOver):
		w.l.leave(f)
		return
	default:
		w.lost(f)
		f.rest = min(max(2*f.rest, restMin), max(w.l.m.conf.ReplicaFetchBackoff, restMin))
		f.after = time.Now().Add(f.rest)
		full := errors.Is(err, storage.ErrDiskFull) // storage has told the operator, once for all partitions
		if !full && (f.rest > 8*restMin || !passing(err)) {
			w.l.log.Warn("partition does not follow; trying again", "topic", f.p.topic, "partition", f.p.id.Index, "epoch", f.epoch, "err", err)
		}
	}
	w.queueIfOpen(f)
}

// queueIfOpen names f in the next request, unless its question is still open.
func (w *work) queueIfOpen(f *following) {
	f.p.mu.Lock()
	open := f.core.Waiting()
	f.p.mu.Unlock()
	if !open {
		w.queue(f)
	}
}

// errOver ends following: another role comes, or none is possible.
var errOver = errors.New("following is over")

// passing errors are those of a leader that has not heard yet, or of one that was
// replaced: the next image ends them.
func passing(err error) bool {
	for _, k := range []error{kerr.NotLeaderForPartition, kerr.FencedLeaderEpoch, kerr.UnknownLeaderEpoch, kerr.UnknownTopicOrPartition, kerr.UnknownTopicID} {
		if errors.Is(err, k) {
			return true
		}
	}
	return false
}

func (f *following) take(r *kmsg.FetchResponseTopicPartition) error {
	switch {
	case r.ErrorCode == kerr.OffsetOutOfRange.Code && r.LogStartOffset >= 0:
		return f.reset(r)
	case r.ErrorCode != 0:
		return kerr.ErrorForCode(r.ErrorCode)
	}
	f.leaderHW.Store(r.HighWatermark)
	received := isr.Received{To: f.asked, HighWatermark: r.HighWatermark, Records: len(r.RecordBatches) > 0}
	if d := r.DivergingEpoch; d.Epoch >= 0 || d.EndOffset >= 0 {
		_, own := f.p.log.EndOf(d.Epoch)
		received.Diverged, received.LeaderEnd, received.OwnEnd = true, d.EndOffset, own
	}
	var eff isr.Effects
	if err := f.step(&eff, func() { f.core.Received(received, &eff) }); err != nil {
		return err
	}
	switch {
	case eff.Truncate:
		return f.truncate(eff.TruncateTo)
	case eff.Append:
		if err := f.append(r.RecordBatches, r.HighWatermark); err != nil {
			return err
		}
	}
	return f.raiseStart(r.LogStartOffset)
}

// step runs a step of the core and shows the high watermark that it gives.
func (f *following) step(eff *isr.Effects, run func()) error {
	p := f.p
	var out woken
	p.mu.Lock()
	if p.following != f {
		p.mu.Unlock()
		return errOver
	}
	run()
	if eff.Broken != "" {
		p.eff = *eff
		p.breakLocked(&out)
	} else if eff.Moved {
		p.log.Commit(eff.HighWatermark)
		p.takeWaitersLocked(&out.waiters)
	}
	p.mu.Unlock()
	p.tell(&out)
	if eff.Broken != "" {
		return errOver
	}
	return nil
}

// append writes the leader's batches behind our own, byte for byte.
func (f *following) append(batches []byte, leaderHW int64) error {
	if err := check(batches); err != nil {
		return fmt.Errorf("the leader sent bad data: %w", err)
	}
	p := f.p
	if err := f.reach(batches); err != nil {
		return err
	}
	a, err := p.log.Replicate(f.epoch, batches)
	if a.Batches > 0 {
		p.m.copied.in.Add(int64(len(batches)))
		f.received(int64(len(batches)))
		var eff isr.Effects
		if over := f.step(&eff, func() { f.core.Appended(p.log.View().End, leaderHW, &eff) }); over != nil {
			return over
		}
	}
	return f.over(err)
}

// check holds every batch to its checksum and shape before the first is written:
// a leader that truncated its log while it sent it is found out here.
func check(batches []byte) error {
	for rest := batches; len(rest) > 0; {
		b, after, err := record.Next(rest)
		if err != nil {
			return err
		}
		if err := b.VerifyStored(); err != nil {
			return err
		}
		rest = after
	}
	return nil
}

// reach makes an empty log begin where the first batch does, if that one holds
// our offset in its midst: the leader's log starts inside a batch.
func (f *following) reach(batches []byte) error {
	first := record.Batch(batches)
	v := f.p.log.View()
	if first.BaseOffset() >= v.End || first.NextOffset() <= v.End || v.Start != v.End {
		return nil
	}
	return f.over(f.p.log.Reset(first.BaseOffset()))
}

// over turns an error of the log that is for good into the end of following.
func (f *following) over(err error) error {
	if err == nil {
		return nil
	}
	if final(f.p.failed(err)) || errors.Is(err, storage.ErrFenced) || errors.Is(err, storage.ErrDeleted) {
		return fmt.Errorf("%w: %w", errOver, err)
	}
	return err
}

func (f *following) truncate(to int64) error {
	if err := f.p.log.Truncate(to); err != nil {
		return f.over(err)
	}
	return f.cut()
}

// cut tells the core where the log ends now.
func (f *following) cut() error {
	var eff isr.Effects
	return f.step(&eff, func() { f.core.Truncated(f.p.log.View().End) })
}

// reset begins anew where the leader's log starts: it has nothing of what we have.
func (f *following) reset(r *kmsg.FetchResponseTopicPartition) error {
	v := f.p.log.View()
	if v.End >= r.LogStartOffset {
		var eff isr.Effects // our end lies beyond the leader's: nothing there may be committed
		err := f.step(&eff, func() { f.core.Beyond(r.LogStartOffset, &eff) })
		if err != nil {
			return err
		}
	}
	f.p.m.log.Warn("the leader's log starts behind ours: beginning anew", "topic", f.p.topic, "partition", f.p.id.Index,
		"end", v.End, "start", r.LogStartOffset)
	if err := f.p.log.Reset(r.LogStartOffset); err != nil {
		return f.over(err)
	}
	return f.cut()
}

// raiseStart drops what the leader has dropped.
func (f *following) raiseStart(start int64) error {
	v := f.p.log.View()
	if to := min(start, v.HighWatermark); to > v.Start {
		_, err := f.p.log.DeleteBefore(to)
		return f.over(err)
	}
	return nil
}
