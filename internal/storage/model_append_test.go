package storage

import (
	"bytes"
	"errors"
	"slices"
	"time"

	"github.com/brokerd/brokerd/internal/record"
)

func (m *model) newBatch(l *modelLog, spec record.Spec) record.Batch {
	var rs []record.Record
	now := time.Now().UnixMilli()
	size := m.rng.IntN(100)
	if m.rng.IntN(6) == 0 {
		size = m.rng.IntN(2000)
	}
	for range 1 + m.rng.IntN(4) {
		rs = append(rs, record.Record{Timestamp: max(0, now-500+m.rng.Int64N(1000)), Value: bytes.Repeat([]byte{byte(m.rng.IntN(256))}, size)})
	}
	if m.rng.IntN(8) == 0 {
		spec.Codec = record.Codec(1 + m.rng.IntN(4))
	}
	b, err := record.Build(spec, rs...)
	if err != nil {
		m.failf("%v", err)
	}
	return b
}

func (m *model) tiny(spec record.Spec) record.Batch {
	b, err := record.Build(spec, record.Record{Timestamp: time.Now().UnixMilli(), Value: []byte("x")})
	if err != nil {
		m.failf("%v", err)
	}
	return b
}

// next makes what a random producer sends next.
func (m *model) next(l *modelLog) record.Batch {
	if m.rng.IntN(2) == 0 {
		return m.newBatch(l, record.Spec{})
	}
	id := int64(1 + m.rng.IntN(3))
	c := l.client[id]
	if c == nil {
		c = &modelClient{}
		l.client[id] = c
	}
	if c.inTxn && m.rng.IntN(3) == 0 {
		c.inTxn = false
		b, err := record.BuildMarker(nil, id, c.epoch, time.Now().UnixMilli(), record.Marker{Commit: m.rng.IntN(2) == 0})
		if err != nil {
			m.failf("%v", err)
		}
		return b
	}
	if !c.inTxn && m.rng.IntN(8) == 0 {
		c.epoch, c.seq = c.epoch+1, 0
	}
	c.inTxn = c.inTxn || m.rng.IntN(3) == 0
	b := m.newBatch(l, record.Spec{Producer: &record.Producer{ID: id, Epoch: c.epoch, Sequence: c.seq}, Transactional: c.inTxn})
	c.seq += b.Count()
	return b
}

func timesOf(b record.Batch) (out []int64) {
	_ = b.Each(record.Limits{}, func(r record.Record) error { // built by ourselves
		out = append(out, r.Timestamp)
		return nil
	})
	return out
}

func (m *model) append(l *modelLog) {
	if l.epoch < 0 {
		m.lead(l, true)
	}
	if l.log == nil || m.cut.isDead() || !m.usable() {
		return
	}
	m.follow()
	if l.log.View().Epoch != l.epoch { // after a restart the controller says who leads
		m.lead(l, m.rng.IntN(2) == 0)
		if l.log.View().Epoch != l.epoch {
			return
		}
	}
	if l.follows() {
		m.replicate(l)
		return
	}
	if m.rng.IntN(6) == 0 && m.appendRefused(l) {
		return
	}
	if m.rng.IntN(3) == 0 {
		m.appendEach(l)
		return
	}
	var p []byte
	var bs []record.Batch
	for range 1 + m.rng.IntN(3)/2*m.rng.IntN(4) {
		b := m.next(l)
		if int64(len(b)) > l.config.SegmentBytes {
			defer m.syncClients(l) // not sent
			break
		}
		p = append(p, b...)
	}
	for rest := p; len(rest) > 0; {
		b, after, err := record.Next(rest)
		if err != nil {
			m.failf("%v", err)
		}
		bs, rest = append(bs, b), after
	}
	if len(bs) == 0 {
		m.syncClients(l)
		return
	}
	base := l.end()
	a, err := l.log.Append(l.epoch, p)
	took := bs[:a.Batches]
	if err == nil && (len(took) != len(bs) || a.Base != base) {
		m.failf("append: %+v, want %d batches at %d, first %d/%d seq %d%s", a, len(bs), base, bs[0].ProducerID(), bs[0].ProducerEpoch(), bs[0].BaseSequence(), l.describe())
	}
	for _, b := range took {
		l.batches = append(l.batches, modelBatch{b, timesOf(b)})
	}
	if len(took) > 0 && a.Next != l.end() {
		m.failf("append: %+v, end is %d", a, l.end())
	}
	if err != nil {
		if !m.down(err) && !errors.Is(err, ErrDiskFull) {
			m.failf("append: %v%s", err, l.describe())
		}
		l.maybe = planned(bs[a.Batches:], l.end())
		m.syncClients(l)
	}
}

// appendEach sends several pieces at once: good ones, the same again, and some
// that must be refused. Each is answered as if it had come alone.
func (m *model) appendEach(l *modelLog) {
	var pieces []Piece
	var want []record.Batch // of the pieces; nil: refused
	var original []int      // of the pieces; -1: it is none's duplicate
	add := func(b, expect record.Batch, of int) {
		pieces, want, original = append(pieces, Piece{Bytes: b}), append(want, expect), append(original, of)
	}
	for range 2 + m.rng.IntN(5) {
		b := m.next(l)
		if int64(len(b)) > l.config.SegmentBytes {
			defer m.syncClients(l) // not sent
			break
		}
		add(b, b, -1)
		if b.ProducerID() < 0 || b.Control() {
			continue
		}
		of := len(pieces) - 1
		if m.rng.IntN(3) == 0 {
			gap := m.tiny(record.Spec{Producer: &record.Producer{ID: b.ProducerID(), Epoch: b.ProducerEpoch(), Sequence: lastSequence(b) + 7}, Transactional: b.Transactional()})
			if int64(len(gap)) <= l.config.SegmentBytes {
				add(gap, nil, -1)
			}
		}
		if m.rng.IntN(3) == 0 {
			add(slices.Clone(b), nil, of)
		}
	}
	if len(pieces) == 0 {
		m.syncClients(l)
		return
	}
	m.cover.hit("append-each")
	l.log.AppendEach(l.epoch, pieces)
	for i := range pieces {
		p, b := &pieces[i], want[i]
		switch {
		case p.Err != nil && !errors.Is(p.Err, ErrOutOfOrder):
			if !m.down(p.Err) && !errors.Is(p.Err, ErrDiskFull) {
				m.failf("append each: piece %d: %v", i, p.Err)
			}
			var rest []record.Batch
			for k := i; k < len(pieces); k++ {
				if pieces[k].Err == nil {
					m.failf("append each: piece %d is taken after %d failed with %v", k, i, p.Err)
				}
				if want[k] != nil {
					rest = append(rest, want[k])
				}
			}
			m.cover.hit("append-each-failed")
			l.maybe = planned(rest, l.end())
			m.syncClients(l)
			return
		case original[i] >= 0:
			if o := &pieces[original[i]]; p.Err != nil || !p.Duplicate || p.Base != o.Base || p.Next != o.Next || p.Batches != 1 {
				m.failf("append each: duplicate %d of %+v: %+v, %v", i, o.Appended, p.Appended, p.Err)
			}
		case b == nil:
			if !errors.Is(p.Err, ErrOutOfOrder) {
				m.failf("append each: gap in sequences at %d: %+v, %v", i, p.Appended, p.Err)
			}
		default:
			base := l.end()
			if p.Err != nil || p.Base != base || p.Duplicate || p.Batches != 1 || p.Next != base+int64(b.Count()) {
				m.failf("append each: piece %d: %+v, %v, want it at %d%s", i, p.Appended, p.Err, base, l.describe())
			}
			l.batches = append(l.batches, modelBatch{b, timesOf(b)})
		}
	}
}

// planned lists batches that a failed append may have written.
func planned(bs []record.Batch, end int64) (out []modelBatch) {
	for _, b := range bs {
		if b.BaseOffset() != end {
			break
		}
		out = append(out, modelBatch{b, timesOf(b)})
		end = b.NextOffset()
	}
	return out
}

// appendRefused sends what must be refused, or answered as a duplicate.
func (m *model) appendRefused(l *modelLog) bool {
	ps, _ := replay(l.batches)
	for id, p := range ps {
		if len(p.seen) == 0 || p.last < l.start {
			continue
		}
		s := p.seen[m.rng.IntN(len(p.seen))]
		if s.last < l.start {
			continue // forgotten where the state was made anew from the log
		}
		i := slices.IndexFunc(l.batches, func(b modelBatch) bool { return b.LastOffset() == s.last })
		if int64(len(l.batches[i].Batch)) > l.config.SegmentBytes {
			continue // the setting has changed
		}
		again := slices.Clone(l.batches[i].Batch)
		a, err := l.log.Append(l.epoch, again)
		if m.down(err) || errors.Is(err, ErrDiskFull) {
			return true
		}
		if err != nil || !a.Duplicate || a.Base != l.batches[i].BaseOffset() || a.Next != l.batches[i].NextOffset() || a.Batches != 1 {
			m.failf("duplicate of %d: %+v, %v", l.batches[i].BaseOffset(), a, err)
		}
		gap := m.tiny(record.Spec{Producer: &record.Producer{ID: id, Epoch: p.epoch, Sequence: p.lastSeq + 5}, Transactional: p.txnStart >= 0})
		if _, err = l.log.Append(l.epoch, gap); !errors.Is(err, ErrOutOfOrder) && !m.down(err) && !errors.Is(err, ErrDiskFull) {
			m.failf("gap in sequences: %v", err)
		}
		if p.epoch > 0 {
			old := m.tiny(record.Spec{Producer: &record.Producer{ID: id, Epoch: p.epoch - 1, Sequence: 0}})
			if _, err = l.log.Append(l.epoch, old); !errors.Is(err, ErrProducerEpoch) && !m.down(err) && !errors.Is(err, ErrDiskFull) {
				m.failf("stale producer epoch: %v", err)
			}
		}
		m.cover.hit("duplicate")
		return true
	}
	if _, err := l.log.Append(l.epoch-1, m.tiny(record.Spec{})); !errors.Is(err, ErrFenced) && !m.down(err) && !errors.Is(err, ErrDiskFull) {
		m.failf("stale epoch: %v", err)
	}
	return true
}

// follows: the log is a follower in epochs divisible by three.
func (l *modelLog) follows() bool { return l.epoch%3 == 0 }

func (m *model) replicate(l *modelLog) {
	var p []byte
	var bs []modelBatch
	end := l.end()
	last := int32(0)
	if n := len(l.batches); n > 0 {
		last = l.batches[n-1].LeaderEpoch()
	}
	for _, e := range l.log.view.Load().epochs {
		last = max(last, e.epoch)
	}
	for range 1 + m.rng.IntN(3) {
		b := m.next(l)
		if int64(len(b)) > l.config.SegmentBytes {
			defer m.syncClients(l) // not sent
			break
		}
		if m.rng.IntN(10) == 0 {
			end += m.rng.Int64N(5)
		}
		b.SetBaseOffset(end)
		if last < l.epoch && m.rng.IntN(3) == 0 {
			last += 1 + m.rng.Int32N(l.epoch-last)
		}
		b.SetLeaderEpoch(last)
		end = b.NextOffset()
		p = append(p, b...)
		bs = append(bs, modelBatch{b, timesOf(b)})
	}
	if len(bs) == 0 {
		m.syncClients(l)
		return
	}
	a, err := l.log.Replicate(l.epoch, p)
	l.batches = append(l.batches, bs[:a.Batches]...)
	if err == nil && (a.Batches != len(bs) || a.Next != end) {
		m.failf("replicate: %+v", a)
	}
	if err != nil {
		if !m.down(err) && !errors.Is(err, ErrDiskFull) {
			m.failf("replicate: %v", err)
		}
		l.maybe = bs[a.Batches:]
		m.syncClients(l)
	}
}
