package storage

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/brokerd/brokerd/internal/record"
	"github.com/brokerd/brokerd/internal/vfs"
)

// Append writes batches as the leader of epoch: it assigns offsets, patches
// base offset and leader epoch in place, checks producer sequences. batches are
// one or more whole v2 batches whose CRC and shape the caller has verified.
// With several, the first that is refused ends the append, and so does one that
// is a duplicate: Appended says how many were taken. The caller goes on with
// the rest.
func (l *Log) Append(epoch int32, batches []byte) (Appended, error) {
	return l.append(epoch, batches, fromClient)
}

// AppendMarker writes the control batch that ends a transaction. strict asks
// for TV2's rule: its epoch must be above the producer's; the same epoch without
// an open transaction means it was applied before, and is a Duplicate.
func (l *Log) AppendMarker(epoch int32, batch []byte, strict bool) (Appended, error) {
	if strict {
		return l.append(epoch, batch, fromStrictCoordinator)
	}
	return l.append(epoch, batch, fromClient)
}

// Replicate writes batches as a follower: offsets are kept and must rise.
func (l *Log) Replicate(epoch int32, batches []byte) (Appended, error) {
	return l.append(epoch, batches, fromLeader)
}

type origin uint8

const (
	fromClient origin = iota
	fromStrictCoordinator
	fromLeader
)

func (l *Log) append(epoch int32, batches []byte, from origin) (Appended, error) {
	one := ones.Get().(*[1]Piece)
	one[0] = Piece{Bytes: batches}
	l.appendPieces(epoch, one[:], from)
	got, err := one[0].Appended, one[0].Err
	one[0] = Piece{}
	ones.Put(one)
	return got, err
}

// ones is for those who come with one piece: followers do, for every fetch.
var ones = sync.Pool{New: func() any { return new([1]Piece) }}

// Piece is one of several appends that came together, and what became of it.
type Piece struct {
	Bytes []byte // whole v2 batches, as for Append
	Appended
	Err error

	planned int   // of its batches, not yet written
	next    int64 // end of the log behind them
}

// AppendEach is Append for several pieces, in order: each has its own answer, as
// if it had come alone, but they share one write and one view. A refused piece
// does not keep the next ones away.
func (l *Log) AppendEach(epoch int32, pieces []Piece) {
	l.appendPieces(epoch, pieces, fromClient)
}

func (l *Log) appendPieces(epoch int32, pieces []Piece, from origin) {
	now := time.Now()
	if err := l.home().room(now); err != nil {
		failAll(pieces, err)
		return
	}
	l.writeMu.Lock()
	a := appender{l: l, t: l.tail, c: l.config.Load(), now: now, epoch: epoch, from: from, pieces: pieces, vector: l.vector[:0]}
	if err := l.writable(epoch); err != nil {
		failAll(pieces, err)
	} else {
		a.run()
	}
	clear(a.vector[:cap(a.vector)]) // holds no request's memory
	l.vector = a.vector[:0]
	v := l.view.enter()
	defer l.view.leave()
	l.writeMu.Unlock()
	if a.wrote {
		l.afterAppend(v, a.c, a.rolled)
	}
	for i := range pieces {
		pieces[i].Start = v.Start
	}
}

func failAll(pieces []Piece, err error) {
	for i := range pieces {
		pieces[i].Err, pieces[i].AppendTime = err, noTimestamp
	}
}

// writable is the fence: only the leader of the newest epoch, or who follows it, writes.
func (l *Log) writable(epoch int32) error {
	if err := l.usable(); err != nil {
		return err
	}
	if v := l.View(); epoch != v.Epoch {
		return fmt.Errorf("append of epoch %d to %s, which is at epoch %d: %w", epoch, l.name(), v.Epoch, ErrFenced)
	}
	if l.closing {
		return ErrClosed
	}
	if l.cutting {
		return fmt.Errorf("%s is being truncated: %w", l.name(), ErrFenced)
	}
	return nil
}

// afterAppend tells who must know, holding nothing.
func (l *Log) afterAppend(v *view, c *Config, rolled bool) {
	if c.Durability == Fsync || rolled || c.FlushMessages > 0 && v.End-v.Durable >= c.FlushMessages {
		l.home().flusher.mark(l)
	}
	if c.FlushInterval > 0 && c.Durability == ISR && !l.flushDue.Swap(true) {
		l.home().keeper.later(time.Now().Add(c.FlushInterval), func() {
			l.flushDue.Store(false)
			l.home().flusher.mark(l)
		})
	}
	l.home().keeper.touch(l, v)
	if rolled && c.Compact {
		l.home().cleaner.plan()
	}
	if v.pos >= aheadFrom {
		v.segs[len(v.segs)-1].allocateAhead(v.pos)
	}
}

// appender is one append: it plans on a copy of the tail, writes as much as one
// segment takes in one call, and makes the copy the tail.
//
//	pieces  [ done ┊ first … at ┊ to come ]    planned since the last write: first … at
//	vector    one slice for each of these, the newest still growing (group, size)
type appender struct {
	l     *Log
	t     tail
	c     *Config
	now   time.Time
	epoch int32
	from  origin

	pieces    []Piece
	first, at int
	vector    [][]byte
	group     []byte // of the piece at hand: planned, not yet written, and what follows
	size      int64  // bytes of group that were planned
	failed    error  // of a write
	wrote     bool
	rolled    bool
}

// run takes the pieces one by one. What is out of the ordinary first writes what
// is planned: its answer then depends on nothing that may still fail. After a
// write that failed none of the rest is tried.
func (a *appender) run() {
	for a.at = range a.pieces {
		p := &a.pieces[a.at]
		p.AppendTime = noTimestamp
		if a.c.LogAppendTime && a.from == fromClient {
			p.AppendTime = a.now.UnixMilli()
		}
		a.group, a.size = p.Bytes, 0
		if p.Err = a.failed; p.Err == nil {
			p.Err = a.piece(p)
		}
		a.closeGroup()
	}
	_ = a.flush() // the pieces have it
}

func (a *appender) piece(p *Piece) error {
	for rest := p.Bytes; len(rest) > 0; {
		b, after, err := record.Next(rest)
		if err == nil {
			err = a.plan(b)
		}
		if err == errEnough {
			return nil
		}
		if err != nil {
			if failed := a.flush(); failed != nil {
				return failed
			}
			return err
		}
		rest = after
	}
	return nil
}

// closeGroup puts what was planned of the piece at hand into the vector.
func (a *appender) closeGroup() {
	if a.size > 0 {
		a.vector = append(a.vector, a.group[:a.size])
		a.group, a.size = a.group[a.size:], 0
	}
}

// errEnough ends a piece before a batch that needs no writing.
var errEnough = errors.New("enough")

// plan takes one batch into the group.
func (a *appender) plan(b record.Batch) error {
	if int64(len(b)) > min(a.c.SegmentBytes, maxRelative) {
		return fmt.Errorf("batch of %d bytes, segment.bytes is %d: %w", len(b), a.c.SegmentBytes, ErrTooLarge)
	}
	if err := a.offsets(b); err != nil {
		return err
	}
	if a.t.seg == nil || a.rollDue(b) {
		if err := a.roll(); err != nil {
			return err
		}
	}
	if err := a.producer(b); err != nil {
		return err
	}
	a.note(b)
	return nil
}

// offsets gives a client's batch its place, or checks that a leader's batch has one.
func (a *appender) offsets(b record.Batch) error {
	if a.from != fromLeader {
		b.SetBaseOffset(a.t.end)
		b.SetLeaderEpoch(a.epoch)
		if at := a.pieces[a.at].AppendTime; at != noTimestamp {
			b.SetLogAppendTime(at)
		}
	} else {
		if b.BaseOffset() < a.t.end {
			return fmt.Errorf("batch at offset %d, the log ends at %d: %w", b.BaseOffset(), a.t.end, ErrOutOfRange)
		}
		if e := b.LeaderEpoch(); e > a.epoch || e < latestEpoch(a.t.epochs) {
			return fmt.Errorf("batch of epoch %d after epoch %d, leader has %d: %w", e, latestEpoch(a.t.epochs), a.epoch, ErrFenced)
		}
	}
	return nil
}

// producer checks and advances the state of the batch's producer.
func (a *appender) producer(b record.Batch) error {
	id := b.ProducerID()
	if id < 0 {
		return nil
	}
	if b.Control() {
		return a.marker(b)
	}
	if p := a.l.producers.m[id]; p != nil && a.from != fromLeader {
		if s, ok := p.find(b); ok {
			d := Appended{Base: s.last - int64(s.delta), Next: s.last + 1, AppendTime: noTimestamp}
			if a.c.LogAppendTime {
				d.AppendTime = s.time
			}
			return a.duplicate(d)
		}
		if err := p.check(b); err != nil {
			return err
		}
	}
	a.t.txns = a.l.producers.data(b, a.t.txns)
	return nil
}

// duplicate ends a piece at a batch that the log has already: the first of a piece
// is answered so, a later one waits for the caller to come again. The original
// may be planned only, so it is written first.
func (a *appender) duplicate(of Appended) error {
	p := &a.pieces[a.at]
	if p.Batches+p.planned == 0 {
		if err := a.flush(); err != nil {
			return err
		}
		of.Duplicate, of.Batches = true, 1
		p.Appended = of
	}
	return errEnough
}

// data advances a producer by a data batch and gives the open transactions after it.
func (ps *producers) data(b record.Batch, txns []txn) []txn {
	p := ps.touch(b.ProducerID())
	begins := b.Transactional() && p.txnStart < 0
	p.advance(b)
	if begins {
		return beginTxn(txns, p.id, b.BaseOffset())
	}
	return txns
}

func (a *appender) marker(b record.Batch) error {
	m, err := b.Marker()
	if err != nil {
		return nil // a control batch of another kind changes no producer
	}
	if a.from != fromLeader {
		p := a.l.producers.m[b.ProducerID()]
		if p == nil {
			fresh := newProducer(b.ProducerID())
			p = &fresh
		}
		done, err := p.checkMarker(b, m.CoordinatorEpoch, a.from == fromStrictCoordinator)
		if err != nil {
			return err
		}
		if done {
			return a.duplicate(Appended{Base: a.t.end, Next: a.t.end, AppendTime: noTimestamp})
		}
	}
	a.t.mark(&a.l.producers, b, m, a.l.View().HighWatermark)
	return nil
}

// note takes the batch into index, places and sums of the planned tail.
func (a *appender) note(b record.Batch) {
	p := &a.pieces[a.at]
	if p.Batches+p.planned == 0 {
		p.Base = b.BaseOffset()
	}
	a.t.note(b, a.c.IndexIntervalBytes, a.l.View().HighWatermark)
	a.size += int64(len(b))
	p.planned++
	p.next = a.t.end
}

// flush writes what was planned by one call and makes it the end of the log. An
// error is that of every piece that has a part in it.
func (a *appender) flush() error {
	a.closeGroup()
	if len(a.vector) == 0 {
		return nil
	}
	err := a.l.write(a.vector, a.l.tail.pos, a.t.seg)
	a.vector = a.vector[:0]
	if err != nil {
		a.l.producers.revert()
		a.t, a.failed = a.l.tail, err
		a.settle(func(p *Piece) { p.Err = err })
		return err
	}
	a.l.tail = a.t
	a.l.producers.keep()
	a.l.publishTailLocked()
	a.settle(func(p *Piece) {
		p.Next = p.next
		p.Batches += p.planned
	})
	a.wrote = true
	return nil
}

// settle tells the pieces that had a part in a write.
func (a *appender) settle(tell func(*Piece)) {
	for i := a.first; i <= a.at; i++ {
		if p := &a.pieces[i]; p.planned > 0 {
			tell(p)
			p.planned = 0
		}
	}
	a.first = a.at
}

// write puts the vector at pos of the active segment and notes the file as dirty.
// A write that fails leaves the log as it was, or the directory is given up (S3).
func (l *Log) write(vector [][]byte, pos int64, s *segment) error {
	h, err := l.store.files.get(s, vfs.Write)
	if err != nil {
		return l.home().broken(fmt.Errorf("open %s: %w", s.path(logSuffix), err))
	}
	defer h.release()
	err = vfs.WriteVector(h.File, vector, pos)
	if err == nil {
		l.noteDirty(s, h)
		return nil
	}
	err = fmt.Errorf("write %s: %w", s.path(logSuffix), err)
	l.noteDirty(s, h) // the cut is to be synced
	if cut := h.Truncate(pos); cut != nil {
		return l.home().fail(errors.Join(err, cut))
	}
	if isFull(err) {
		l.home().setFull(true)
		return errors.Join(ErrDiskFull, err)
	}
	return l.home().fail(err)
}
