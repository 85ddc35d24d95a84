package storage

import (
	"time"

	"github.com/brokerd/brokerd/internal/record"
)

// tail is the end of the log as the writer needs it.
type tail struct {
	seg     *segment // active, nil before the first append
	end     int64
	pos     int64
	since   int64 // bytes since the last index entry
	digest  uint32
	first   int64 // largest timestamp of the segment's first batch
	created time.Time
	jitter  time.Duration
	times   int   // entries that .timeindex would have
	newest  int64 // timestamp of the last of them
	summary
	index    []indexEntry
	indexSum uint32
	places   []place
	epochs   []epochStart
	txns     []txn
	aborted  []record.Aborted
	sealed   int64 // bytes of sealed segments
}

func newTail(end int64) tail {
	return tail{end: end, newest: noTimestamp, summary: summary{noTimestamp, noTimestamp}, first: noTimestamp}
}

// startSegment makes s the active one; what belongs to the log stays.
func (t *tail) startSegment(s *segment, now time.Time, c *Config) {
	*t = tail{seg: s, end: t.end, epochs: t.epochs, txns: t.txns, sealed: t.sealed, newest: noTimestamp,
		summary: summary{noTimestamp, noTimestamp}, first: noTimestamp, created: now, jitter: rollJitter(c)}
}

// note adds one batch at the end of the active segment. Recovery uses it too.
func (t *tail) note(b record.Batch, interval, hw int64) {
	t.noteHead(head{b, int64(len(b))}, interval, hw)
}

func (t *tail) noteHead(b head, interval, hw int64) {
	if e := b.LeaderEpoch(); e > latestEpoch(t.epochs) {
		t.epochs = assignEpoch(t.epochs, e, b.BaseOffset())
	}
	if t.pos == 0 {
		t.first = b.MaxTimestamp()
	}
	if m := b.MaxTimestamp(); m > t.top {
		t.summary = summary{m, b.LastOffset()}
	}
	if t.since > interval {
		t.addEntry(newIndexEntry(b.LastOffset()-t.seg.base, t.pos, t.topOffset-t.seg.base, t.top))
		t.since = 0
	}
	t.places = addPlace(t.places, place{b.BaseOffset(), b.NextOffset(), t.pos}, hw)
	t.digest = addDigest(t.digest, b.Batch)
	t.since += b.size
	t.pos += b.size
	t.end = b.NextOffset()
}

// mark takes a transaction marker into producer state, transactions and aborted index.
func (t *tail) mark(ps *producers, b record.Batch, m record.Marker, hw int64) {
	p := ps.touch(b.ProducerID())
	if p.txnStart >= 0 {
		if !m.Commit {
			t.aborted = append(t.aborted, record.Aborted{ProducerID: p.id, First: p.txnStart, Last: b.BaseOffset(),
				LastStable: stableWithout(t.txns, p.id, b.BaseOffset())})
		}
		t.txns = endTxn(t.txns, p.id, b.BaseOffset(), hw)
	}
	p.mark(b, m.CoordinatorEpoch)
}

func (t *tail) addEntry(e indexEntry) {
	t.index, t.indexSum = append(t.index, e), e.addTo(t.indexSum)
	if top := e.top(); top > t.newest {
		t.times++
		t.newest = top
	}
}

// age is how long the segment has waited to be rolled: by its records' times as
// Kafka does, by the clock where they have none.
func (t *tail) age(top int64, now time.Time) time.Duration {
	if t.first >= 0 {
		return time.Duration(top-t.first) * time.Millisecond
	}
	return now.Sub(t.created)
}

// sealInto makes s a sealed segment with what the tail knows of it.
func (t *tail) sealInto(s *segment) {
	s.size, s.summary, s.digest, s.aborted = t.pos, t.summary, t.digest, t.aborted
	s.index.Store(&memIndex{t.index})
	t.sealed += t.pos
}
