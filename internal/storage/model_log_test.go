package storage

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/brokerd/brokerd/internal/record"
	"github.com/brokerd/brokerd/internal/step"
)

// modelBatch is one batch that was written.
type modelBatch struct {
	record.Batch
	times []int64 // per record
}

// modelLog is the stupidest correct log: a slice of batches, and what was promised.
type modelLog struct {
	id      step.PartitionID
	topic   string
	config  Config
	log     *Log
	batches []modelBatch // all that were ever part of the log, deleted ones too
	maybe   []modelBatch // behind them, if an append was cut by a crash
	start   int64
	starts  [2]int64 // after a crash the start is between these
	hw      int64
	epoch   int32
	acked   int64        // durable: was told
	leads   []epochStart // of leaders, durable
	exact   bool         // no crash since the transactions were followed from their begin
	gone    bool         // a delete was cut: it may be there or not
	client  map[int64]*modelClient
}

// modelClient is a producer as its client sees it.
type modelClient struct {
	epoch int16
	seq   int32
	inTxn bool
}

func (m *modelLog) end() int64 {
	if len(m.batches) == 0 {
		return m.start
	}
	return max(m.start, m.batches[len(m.batches)-1].NextOffset())
}

// live lists the batches that hold something at or above the start.
func (m *modelLog) live() []modelBatch {
	i := slices.IndexFunc(m.batches, func(b modelBatch) bool { return b.NextOffset() > m.start })
	if i < 0 {
		return nil
	}
	return m.batches[i:]
}

func (m *modelLog) cut(to int64) {
	i := slices.IndexFunc(m.batches, func(b modelBatch) bool { return b.NextOffset() > to })
	if i >= 0 {
		m.batches = m.batches[:i:i]
	}
	to = min(to, m.end()) // in a gap the log ends with the batch before
	m.acked = min(m.acked, to)
	m.hw = min(m.hw, to)
	m.leads = slices.DeleteFunc(m.leads, func(e epochStart) bool { return e.start >= to })
}

// modelProducer is a producer's state by replay of everything.
type modelProducer struct {
	epoch    int16
	lastSeq  int32
	seen     []sequenced
	txnStart int64
	last     int64 // offset of its last batch
}

type modelTxn struct {
	producer, first, marker int64
	abort                   bool
}

// replay derives producers and transactions from batches.
func replay(batches []modelBatch) (map[int64]*modelProducer, []modelTxn) {
	ps := map[int64]*modelProducer{}
	var txns []modelTxn
	for _, b := range batches {
		if b.ProducerID() < 0 {
			continue
		}
		p := ps[b.ProducerID()]
		if p == nil {
			p = &modelProducer{epoch: -1, lastSeq: -1, txnStart: -1}
			ps[b.ProducerID()] = p
		}
		if b.ProducerEpoch() != p.epoch {
			p.epoch, p.seen, p.lastSeq = b.ProducerEpoch(), nil, -1
		}
		p.last = b.LastOffset()
		if b.Control() {
			k, err := b.Marker()
			if err != nil {
				panic(err)
			}
			for i := range txns {
				if t := &txns[i]; t.producer == b.ProducerID() && t.marker < 0 {
					t.marker, t.abort = b.BaseOffset(), !k.Commit
				}
			}
			p.txnStart = -1
			continue
		}
		p.lastSeq = lastSequence(b.Batch)
		p.seen = append(p.seen, sequenced{firstSeq: b.BaseSequence(), lastSeq: p.lastSeq, last: b.LastOffset(), delta: b.LastOffsetDelta()})
		if n := len(p.seen); n > rememberedBatches {
			p.seen = p.seen[n-rememberedBatches:]
		}
		if b.Transactional() && p.txnStart < 0 {
			p.txnStart = b.BaseOffset()
			txns = append(txns, modelTxn{b.ProducerID(), b.BaseOffset(), -1, false})
		}
	}
	return ps, txns
}

// checkAll compares everything that the log tells with the slice.
func (m *modelLog) checkAll() error {
	v := m.log.View()
	if v.Start != m.start || v.End != m.end() {
		return fmt.Errorf("log has %d to %d, want %d to %d", v.Start, v.End, m.start, m.end())
	}
	if !(v.Start <= v.HighWatermark && v.HighWatermark <= v.End && v.Durable <= v.End && v.LastStable <= v.HighWatermark) {
		return fmt.Errorf("I1 broken: %+v", v)
	}
	if v.Durable < m.acked {
		return fmt.Errorf("durable %d, %d was told", v.Durable, m.acked)
	}
	if v.HighWatermark != m.hw {
		return fmt.Errorf("high watermark %d, want %d", v.HighWatermark, m.hw)
	}
	if err := m.checkBytes(); err != nil {
		return err
	}
	if err := m.checkProducers(v); err != nil {
		return err
	}
	return m.checkEpochs()
}

// checkBytes reads the whole log.
func (m *modelLog) checkBytes() error {
	v := m.log.View()
	from := v.Start
	for _, want := range m.live() {
		r, err := m.log.Read(ReadSpec{From: from, Limit: v.End, MaxBytes: 1, FirstWhole: true})
		if err != nil {
			return fmt.Errorf("read %d: %w", from, err)
		}
		p, err := r.ReadAll(nil)
		r.Release()
		if err != nil {
			return fmt.Errorf("read %d: %w", from, err)
		}
		if !bytes.Equal(p, want.Batch) {
			return fmt.Errorf("at %d: %d bytes that are not the batch %d to %d of %d bytes%s", from, len(p), want.BaseOffset(), want.LastOffset(), len(want.Batch), m.describe())
		}
		from = want.NextOffset()
	}
	if from != v.End && len(m.live()) > 0 && v.End != m.start {
		return fmt.Errorf("end is %d, the last batch ends at %d", v.End, from)
	}
	return nil
}

// checkRead asks for a random range and judges the answer.
func (m *modelLog) checkRead(r ReadSpec) error {
	out, err := m.log.Read(r)
	if err != nil {
		return err
	}
	defer out.Release()
	p, err := out.ReadAll(nil)
	if err != nil {
		return err
	}
	live := m.live()
	i := slices.IndexFunc(live, func(b modelBatch) bool { return b.NextOffset() > r.From })
	size, n := 0, 0
	for ; i >= 0 && i+n < len(live) && len(p) > 0; n++ {
		b := live[i+n]
		if !bytes.HasPrefix(p, b.Batch) {
			return fmt.Errorf("%+v: batch %d is not %d to %d", r, n, b.BaseOffset(), b.LastOffset())
		}
		if b.NextOffset() > r.Limit {
			return fmt.Errorf("%+v: batch %d to %d is above the limit", r, b.BaseOffset(), b.LastOffset())
		}
		p = p[len(b.Batch):]
		size += len(b.Batch)
	}
	if len(p) > 0 {
		return fmt.Errorf("%+v: %d bytes too many", r, len(p))
	}
	if size > r.MaxBytes && (n > 1 || !r.FirstWhole) {
		return fmt.Errorf("%+v: %d bytes", r, size)
	}
	if i < 0 || i+n >= len(live) || live[i+n].NextOffset() > r.Limit || r.From >= r.Limit {
		return nil
	}
	next := live[i+n] // why is it not in the answer?
	if size+len(next.Batch) <= r.MaxBytes || n == 0 && r.FirstWhole {
		v := m.log.view.Load()
		for _, s := range v.segs {
			if n > 0 && s.base > live[i+n-1].LastOffset() && s.base <= next.BaseOffset() {
				return nil
			}
		}
		return fmt.Errorf("%+v: %d bytes in %d batches, and %d to %d would fit", r, size, n, next.BaseOffset(), next.LastOffset())
	}
	return nil
}

// checkTimes compares both searches with a walk through all records.
func (m *modelLog) checkTimes(ts, limit int64) error {
	first, top := nowhere, nowhere
	for _, b := range m.live() {
		for i, at := range b.times {
			o := b.BaseOffset() + int64(i)
			if o < m.start || o >= limit {
				continue
			}
			if first.Offset < 0 && at >= ts {
				first = At{o, at, b.LeaderEpoch()}
			}
			if at > top.Timestamp {
				top = At{o, at, b.LeaderEpoch()}
			}
		}
	}
	if got, err := m.log.FirstAtOrAfter(ts, limit); err != nil || got != first {
		return fmt.Errorf("first at or after %d below %d: %+v, %v, want %+v%s", ts, limit, got, err, first, m.describe())
	}
	if got, err := m.log.MaxTimestamp(limit); err != nil || got != top {
		return fmt.Errorf("max timestamp below %d: %+v, %v, want %+v%s", limit, got, err, top, m.describe())
	}
	return nil
}

// checkProducers compares what the log knows of producers and transactions.
func (m *modelLog) checkProducers(v View) error {
	want, txns := replay(m.batches)
	have := map[int64]Producer{}
	for _, p := range m.log.Producers() {
		have[p.ID] = p
	}
	for id, w := range want {
		p, ok := have[id]
		if !ok && w.last < m.start {
			continue // rebuilt from a log that has nothing of it any more
		}
		forgotten := len(w.seen) == 0 || w.seen[len(w.seen)-1].last < m.start
		if !ok || p.Epoch != w.epoch || p.LastSequence != w.lastSeq && !forgotten || p.TxnStart != w.txnStart && w.txnStart >= m.start {
			return fmt.Errorf("producer %d: %+v (%v), want %+v", id, p, ok, w)
		}
	}
	exact, open := v.HighWatermark, v.HighWatermark
	for _, t := range txns {
		if t.first < m.start {
			if t.marker < 0 || t.marker >= v.HighWatermark { // its marker was cut below the high watermark: an unclean election
				exact = min(exact, m.start)
			}
			continue
		}
		if t.marker < 0 {
			open = min(open, t.first)
		}
		if t.marker < 0 || t.marker >= v.HighWatermark {
			exact = min(exact, t.first)
		}
	}
	if v.LastStable < exact && v.LastStable >= m.start || v.LastStable > open {
		return fmt.Errorf("last stable %d, want %d to %d (high watermark %d) %v%s", v.LastStable, exact, open, v.HighWatermark, txns, m.describe())
	}
	return m.checkAborted(txns, v)
}

func (m *modelLog) checkAborted(txns []modelTxn, v View) error {
	got, err := m.log.Aborted(v.Start, v.LastStable)
	if err != nil {
		return err
	}
	var want []modelTxn
	for _, t := range txns {
		if t.abort && t.marker >= v.Start && t.first < v.LastStable && t.first >= m.start {
			want = append(want, t)
		}
	}
	for _, w := range want {
		if !slices.ContainsFunc(got, func(a record.Aborted) bool {
			return a.ProducerID == w.producer && a.First == w.first && a.Last == w.marker
		}) {
			return fmt.Errorf("aborted %+v is not in %+v", w, got)
		}
	}
	for _, a := range got {
		if !slices.ContainsFunc(txns, func(w modelTxn) bool {
			return w.abort && a.ProducerID == w.producer && a.Last == w.marker
		}) {
			return fmt.Errorf("aborted %+v never was", a)
		}
	}
	return nil
}

// checkEpochs compares the epoch of every batch, and of the end where a leader began there.
func (m *modelLog) checkEpochs() error {
	v := m.log.view.Load()
	for i := 1; i < len(v.epochs); i++ {
		if a, b := v.epochs[i-1], v.epochs[i]; a.epoch >= b.epoch || a.start >= b.start {
			return fmt.Errorf("I8 broken: %v", v.epochs)
		}
	}
	for _, b := range m.live() {
		if e := m.log.EpochAt(max(b.BaseOffset(), m.start)); e != b.LeaderEpoch() {
			return fmt.Errorf("epoch at %d is %d, the batch says %d: %v", b.BaseOffset(), e, b.LeaderEpoch(), v.epochs)
		}
	}
	if n := len(m.leads); n > 0 && m.leads[n-1].start == v.End && v.End > v.Start && latestEpoch(v.epochs) < m.leads[n-1].epoch {
		return fmt.Errorf("leader epoch %+v is not in %v", m.leads[n-1], v.epochs)
	}
	return nil
}

// describe prints segments and batches, for the reader of a failure.
func (m *modelLog) describe() string {
	var out bytes.Buffer
	v := m.log.view.Load()
	fmt.Fprintf(&out, "\n%+v epochs %v txns %v", v.View, v.epochs, v.txns)
	for i, s := range v.segs {
		fmt.Fprintf(&out, "\nsegment %d size %d %+v", s.base, v.sizeOf(i), v.topOf(i))
		for _, e := range v.indexOf(i) {
			fmt.Fprintf(&out, " [%d at %d top %d of %d]", s.base+int64(e.last), e.pos, e.top(), s.base+int64(e.topLast))
		}
	}
	for _, b := range m.live() {
		fmt.Fprintf(&out, "\nbatch %d to %d epoch %d producer %d/%d seq %d txn %v control %v top %d times %v", b.BaseOffset(), b.LastOffset(), b.LeaderEpoch(), b.ProducerID(), b.ProducerEpoch(), b.BaseSequence(), b.Transactional(), b.Control(), b.MaxTimestamp(), b.times)
	}
	return out.String()
}

func (v *view) indexOf(i int) []indexEntry {
	if i+1 == len(v.segs) {
		return v.index
	}
	if m := v.segs[i].index.Load(); m != nil {
		return m.entries
	}
	return nil
}

func (m *modelLog) brief() string {
	if m.log == nil {
		return "never opened"
	}
	v := m.log.view.Load()
	return fmt.Sprintf("[%d %d end %d acked %d hw %d epoch %d segs %d]", v.Start, v.Durable, v.End, m.acked, v.HighWatermark, m.epoch, len(v.segs))
}
