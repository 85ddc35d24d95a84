package storage

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/brokerd/brokerd/internal/record"
)

// rememberedBatches is how many batches per producer are recognized when they
// come again (P2).
const rememberedBatches = 5

// maxProducers bounds the table of one log (P9). Past it the quietest producers
// without an open transaction go, a part at a time.
const maxProducers = 1 << 16

// producer is what a log knows of one producer id. A value of fixed size: only
// a new id allocates.
type producer struct {
	id          int64
	epoch       int16 // noEpoch: none yet
	count       int8  // of batches, newest last
	coordinator int32 // epoch of the coordinator that wrote the last marker, -1
	txnStart    int64 // first offset of the open transaction, or -1
	lastTime    int64
	batches     [rememberedBatches]sequenced
}

// sequenced is a remembered batch. Its first offset is last - delta.
type sequenced struct {
	firstSeq, lastSeq int32
	last              int64
	delta             int32
	time              int64
}

const noEpoch = -1

func newProducer(id int64) producer {
	return producer{id: id, epoch: noEpoch, coordinator: -1, txnStart: -1, lastTime: noTimestamp}
}

func (p *producer) lastSeq() int32 {
	if p.count == 0 {
		return -1
	}
	return p.batches[p.count-1].lastSeq
}

// find looks for the same batch among the remembered.
func (p *producer) find(b record.Batch) (sequenced, bool) {
	if b.ProducerEpoch() == p.epoch {
		first, last := b.BaseSequence(), lastSequence(b)
		for _, s := range p.batches[:p.count] {
			if s.firstSeq == first && s.lastSeq == last {
				return s, true
			}
		}
	}
	return sequenced{}, false
}

// check says whether a data batch may follow (P1, P2, P4).
func (p *producer) check(b record.Batch) error {
	epoch, seq := b.ProducerEpoch(), b.BaseSequence()
	switch {
	case epoch < p.epoch:
		return fmt.Errorf("producer %d has epoch %d, the batch %d: %w", p.id, p.epoch, epoch, ErrProducerEpoch)
	case p.epoch == noEpoch:
	case epoch > p.epoch && seq != 0:
		return fmt.Errorf("producer %d begins epoch %d with sequence %d: %w", p.id, epoch, seq, ErrOutOfOrder)
	case epoch == p.epoch && seq != nextSequence(p.lastSeq()):
		return fmt.Errorf("producer %d sent sequence %d after %d: %w", p.id, seq, p.lastSeq(), ErrOutOfOrder)
	}
	if p.txnStart >= 0 && !b.Transactional() {
		return fmt.Errorf("producer %d has a transaction open since offset %d: %w", p.id, p.txnStart, ErrTxnState)
	}
	return nil
}

// checkMarker says whether a transaction marker may follow (P5). done: it was
// applied already, and only the answer got lost (J-12).
func (p *producer) checkMarker(b record.Batch, coordinator int32, strict bool) (done bool, err error) {
	epoch := b.ProducerEpoch()
	if strict && epoch == p.epoch && p.txnStart < 0 {
		return true, nil
	}
	if epoch < p.epoch || strict && epoch == p.epoch {
		return false, fmt.Errorf("producer %d has epoch %d, the marker %d: %w", p.id, p.epoch, epoch, ErrProducerEpoch)
	}
	if coordinator < p.coordinator {
		return false, fmt.Errorf("producer %d had a marker of coordinator epoch %d, this one has %d: %w",
			p.id, p.coordinator, coordinator, ErrCoordinatorEpoch)
	}
	return false, nil
}

// advance takes a data batch whose offsets are final.
func (p *producer) advance(b record.Batch) {
	if b.ProducerEpoch() != p.epoch {
		p.epoch, p.count = b.ProducerEpoch(), 0
	}
	if p.count == rememberedBatches {
		copy(p.batches[:], p.batches[1:])
		p.count--
	}
	p.batches[p.count] = sequenced{b.BaseSequence(), lastSequence(b), b.LastOffset(), b.LastOffsetDelta(), b.MaxTimestamp()}
	p.count++
	p.lastTime = b.MaxTimestamp()
	if b.Transactional() && p.txnStart < 0 {
		p.txnStart = b.BaseOffset()
	}
}

// mark takes a transaction marker.
func (p *producer) mark(b record.Batch, coordinator int32) {
	if b.ProducerEpoch() != p.epoch {
		p.epoch, p.count = b.ProducerEpoch(), 0
	}
	p.coordinator, p.txnStart, p.lastTime = coordinator, -1, b.MaxTimestamp()
}

// lastSequence is the sequence of a batch's last record; sequences wrap to 0.
func lastSequence(b record.Batch) int32 {
	return int32((int64(b.BaseSequence()) + int64(b.LastOffsetDelta())) % (math.MaxInt32 + 1))
}

func nextSequence(s int32) int32 {
	if s == math.MaxInt32 {
		return 0
	}
	return s + 1
}

// producers is the table of one log, under writeMu. What an append changes can
// be taken back until keep.
type producers struct {
	m    map[int64]*producer
	undo []before
}

// before is a producer as it was; absent if it was not there.
type before struct {
	producer
	absent bool
}

// touch gives the entry of an id to change, making one if there is none.
func (ps *producers) touch(id int64) *producer {
	p := ps.m[id]
	if p == nil {
		if ps.m == nil {
			ps.m = map[int64]*producer{}
		}
		if len(ps.m) >= maxProducers {
			ps.expire(math.MinInt64)
		}
		fresh := newProducer(id)
		p = &fresh
		ps.m[id] = p
		ps.undo = append(ps.undo, before{fresh, true})
		return p
	}
	ps.undo = append(ps.undo, before{producer: *p})
	return p
}

func (ps *producers) keep() { ps.undo = ps.undo[:0] }

func (ps *producers) revert() {
	for _, b := range slices.Backward(ps.undo) {
		switch p := ps.m[b.id]; {
		case b.absent:
			delete(ps.m, b.id)
		case p == nil: // evicted meanwhile
			was := b.producer
			ps.m[b.id] = &was
		default:
			*p = b.producer
		}
	}
	ps.keep()
}

// expire forgets producers without an open transaction that were quiet since
// before, and an eighth of the table, the quietest, where it is full. It gives
// how many went.
func (ps *producers) expire(before int64) (gone int) {
	var quiet []*producer
	for id, p := range ps.m {
		switch {
		case p.txnStart >= 0:
		case p.lastTime < before:
			delete(ps.m, id)
			gone++
		case len(ps.m) >= maxProducers:
			quiet = append(quiet, p)
		}
	}
	over := len(ps.m) - maxProducers*7/8
	if len(ps.m) < maxProducers || over <= 0 {
		return gone
	}
	slices.SortFunc(quiet, func(a, b *producer) int { return cmp.Compare(a.lastTime, b.lastTime) })
	for _, p := range quiet[:min(over, len(quiet))] {
		delete(ps.m, p.id)
		gone++
	}
	return gone
}

// sorted lists the table by id.
func (ps *producers) sorted() []*producer {
	out := make([]*producer, 0, len(ps.m))
	for _, p := range ps.m {
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b *producer) int { return cmp.Compare(a.id, b.id) })
	return out
}

// Producers lists the live producers, by id.
func (l *Log) Producers() []Producer {
	l.writeMu.Lock()
	defer l.writeMu.Unlock()
	var out []Producer
	for _, p := range l.producers.sorted() {
		out = append(out, Producer{ID: p.id, Epoch: p.epoch, LastSequence: p.lastSeq(), LastTimestamp: p.lastTime,
			CoordinatorEpoch: p.coordinator, TxnStart: p.txnStart})
	}
	return out
}

// Payload of the producer state file:
//
//	log offset up to which it is true 8 | producers 4 | decided but uncommitted transactions 4
//	producer:    id 8 | epoch 2 | coordinator epoch 4 | transaction start 8 | last timestamp 8 | batches 1
//	  batch:     first sequence 4 | last sequence 4 | last offset 8 | offset delta 4 | timestamp 8
//	transaction: producer id 8 | first offset 8 | marker offset 8
func producersFile(end int64, ps *producers, txns []txn) []byte {
	p := make([]byte, frameHeader, frameHeader+16+len(ps.m)*(31+28)+24*len(txns))
	p = binary.BigEndian.AppendUint64(p, uint64(end))
	p = binary.BigEndian.AppendUint32(p, uint32(len(ps.m)))
	decided := 0
	for _, t := range txns {
		if t.marker != openTxn {
			decided++
		}
	}
	p = binary.BigEndian.AppendUint32(p, uint32(decided))
	for _, e := range ps.sorted() {
		p = binary.BigEndian.AppendUint64(p, uint64(e.id))
		p = binary.BigEndian.AppendUint16(p, uint16(e.epoch))
		p = binary.BigEndian.AppendUint32(p, uint32(e.coordinator))
		p = binary.BigEndian.AppendUint64(p, uint64(e.txnStart))
		p = binary.BigEndian.AppendUint64(p, uint64(e.lastTime))
		p = append(p, byte(e.count))
		for _, s := range e.batches[:e.count] {
			p = binary.BigEndian.AppendUint32(p, uint32(s.firstSeq))
			p = binary.BigEndian.AppendUint32(p, uint32(s.lastSeq))
			p = binary.BigEndian.AppendUint64(p, uint64(s.last))
			p = binary.BigEndian.AppendUint32(p, uint32(s.delta))
			p = binary.BigEndian.AppendUint64(p, uint64(s.time))
		}
	}
	for _, t := range txns {
		if t.marker != openTxn {
			p = binary.BigEndian.AppendUint64(p, uint64(t.producer))
			p = binary.BigEndian.AppendUint64(p, uint64(t.first))
			p = binary.BigEndian.AppendUint64(p, uint64(t.marker))
		}
	}
	return producersKind.seal(p)
}

// producersAt is a producer state with the log offset up to which it is true.
type producersAt struct {
	end  int64
	ps   producers
	txns []txn
}

func parseProducers(p []byte) (*producersAt, error) {
	d := decoder{p: p}
	out := &producersAt{end: d.int64()}
	count, decided := d.int32(), d.int32()
	out.ps.m = map[int64]*producer{}
	for i := int32(0); i < count && d.ok(); i++ {
		e := producer{id: d.int64(), epoch: d.int16(), coordinator: d.int32(), txnStart: d.int64(), lastTime: d.int64(), count: int8(d.byte())}
		if e.count < 0 || e.count > rememberedBatches {
			return nil, errBadFrame
		}
		for j := range e.batches[:e.count] {
			e.batches[j] = sequenced{d.int32(), d.int32(), d.int64(), d.int32(), d.int64()}
		}
		if out.ps.m[e.id] != nil {
			return nil, errBadFrame
		}
		out.ps.m[e.id] = &e
		if e.txnStart >= 0 {
			out.txns = append(out.txns, txn{e.id, e.txnStart, openTxn})
		}
	}
	for i := int32(0); i < decided && d.ok(); i++ {
		out.txns = append(out.txns, txn{d.int64(), d.int64(), d.int64()})
	}
	if !d.done() || count < 0 || decided < 0 || out.end < 0 {
		return nil, errBadFrame
	}
	slices.SortFunc(out.txns, func(a, b txn) int { return cmp.Compare(a.first, b.first) })
	return out, nil
}
