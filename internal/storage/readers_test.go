package storage

import (
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/brokerd/brokerd/internal/record"
	"github.com/brokerd/brokerd/internal/vfs"
)

// Readers of every kind go on while one log is appended to, rolled, committed,
// synced, cut from both sides, led anew and closed. The timestamp of each record
// is its offset, whatever was there before: so an answer is right or it is not, and
// one that was found by a view of several moments is not.
func TestReadersWhileTheLogChanges(t *testing.T) {
	s := openStore(t, vfs.NewMem())
	l := led(t, s, 0, testConfig())
	w := changer{t: t, l: l, rng: rng(7), epoch: 1}
	var all sync.WaitGroup
	for i := range uint64(3) {
		all.Go(func() {
			r := onlooker{t: t, w: &w, l: l, rng: rng(100 + i)}
			for l.usable() == nil && !t.Failed() {
				r.look()
			}
		})
	}
	for range 4000 {
		w.step()
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	all.Wait()
	if err := l.usable(); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if n := l.view.inside.Load(); n != 0 {
		t.Errorf("%d never left", n)
	}
}

// changer is the one who writes.
type changer struct {
	t     *testing.T
	l     *Log
	rng   *rand.Rand
	epoch int32
	cuts  atomic.Int64 // odd while a truncation is at work
}

func (w *changer) step() {
	w.t.Helper()
	v := w.l.View()
	between := func(lo, hi int64) int64 { return lo + w.rng.Int64N(hi-lo+1) }
	var err error
	switch n := w.rng.IntN(100); {
	case n < 70:
		_, err = w.l.Append(w.epoch, batch(w.t, 1+w.rng.IntN(4), w.rng.IntN(200), v.End))
	case n < 85:
		w.l.Commit(between(v.HighWatermark, v.End))
	case n < 90:
		_, err = w.l.DeleteBefore(between(v.Start, v.HighWatermark))
	case n < 95:
		w.epoch++
		_, err = w.l.Lead(w.epoch)
	default:
		w.cuts.Add(1)
		err = w.l.Truncate(between(max(v.Start-1, 0), v.End))
		w.cuts.Add(1)
	}
	if err != nil {
		w.t.Error(err)
	}
}

// onlooker asks one thing after the other.
type onlooker struct {
	t      *testing.T
	w      *changer
	l      *Log
	rng    *rand.Rand
	kept   *view
	keptIs view
	buf    []byte
}

func (o *onlooker) look() {
	cuts, v := o.w.cuts.Load(), o.l.View()
	if v.Start > v.HighWatermark || v.HighWatermark > v.End || v.Durable > v.End || v.LastStable > v.HighWatermark {
		o.t.Errorf("a view is of several moments: %+v", v)
	}
	at := v.Start + o.rng.Int64N(v.End-v.Start+1)
	switch o.rng.IntN(4) {
	case 0:
		o.read(at, v.End, cuts)
	case 1:
		o.find(at, v.End, cuts)
	case 2:
		o.epochs(at)
	default:
		o.keep()
	}
}

// still tells whether no truncation was at work since cuts.
func (o *onlooker) still(cuts int64) bool { return cuts%2 == 0 && o.w.cuts.Load() == cuts }

func (o *onlooker) read(from, limit, cuts int64) {
	r, err := o.l.Read(ReadSpec{From: from, Limit: limit, MaxBytes: 500, FirstWhole: true})
	if err != nil {
		if !errors.Is(err, ErrOutOfRange) && !errors.Is(err, ErrClosed) {
			o.t.Errorf("read at %d: %v", from, err)
		}
		return
	}
	defer r.Release()
	p, err := r.ReadAll(o.buf)
	if !o.still(cuts) {
		return // the bytes may be gone, or others
	}
	if err != nil || len(p) == 0 && from < limit {
		o.t.Errorf("read at %d: %d bytes, %v", from, len(p), err)
		return
	}
	for o.buf = p; len(p) > 0; {
		var b record.Batch
		if b, p, err = record.Next(p); err == nil {
			err = b.VerifyStored()
		}
		if err != nil || b.BaseTimestamp() != b.BaseOffset() || from < b.BaseOffset() || from > b.LastOffset() {
			o.t.Errorf("read at %d: %v at %d to %d of time %d", from, err, b.BaseOffset(), b.LastOffset(), b.BaseTimestamp())
			return
		}
		from = b.NextOffset()
	}
	if from > limit {
		o.t.Errorf("read up to %d, the limit was %d", from, limit)
	}
}

func (o *onlooker) find(ts, limit, cuts int64) {
	got, err := o.l.FirstAtOrAfter(ts, limit)
	if err != nil {
		if !errors.Is(err, ErrClosed) {
			o.t.Errorf("look for %d: %v", ts, err)
		}
		return
	}
	if got.Offset >= 0 && got.Offset != got.Timestamp {
		o.t.Errorf("time %d at offset %d", got.Timestamp, got.Offset)
	}
	start := o.l.View().Start // may be past ts by now
	if o.still(cuts) && max(ts, start) < limit && got.Offset != ts && (got.Offset < ts || got.Offset > start) {
		o.t.Errorf("time %d found at %+v, the log begins at %d", ts, got, start)
	}
}

func (o *onlooker) epochs(at int64) {
	e := o.l.EpochAt(at)
	if got, end := o.l.EndOf(e); got > e || end < -1 || e > o.l.View().Epoch {
		o.t.Errorf("epoch %d ends as %d at %d", e, got, end)
	}
}

// keep looks whether what it kept is what it was, and keeps another.
func (o *onlooker) keep() {
	if k, is := o.kept, &o.keptIs; k != nil {
		if k.View != is.View || k.pos != is.pos || k.bytes != is.bytes || len(k.segs) != len(is.segs) || len(k.places) != len(is.places) {
			o.t.Errorf("a view that was kept has become %+v", k.View)
		}
	}
	o.kept = o.l.view.Load()
	o.keptIs = *o.kept
}
