package api

import (
	"encoding/binary"
	"sync/atomic"

	"github.com/brokerd/brokerd/internal/record"
	"github.com/brokerd/brokerd/internal/replica"
	"github.com/brokerd/brokerd/internal/wire"
)

// Fetch 0-3 is answered with messages of format 0 (versions 0 and 1) or 1, made
// from the batches in the log while the answer is built.
//
//	v1 throttle; v2 format 1; v3 a limit for the whole answer
//
// Before version 3 a partition's bytes are cut off at its limit, wherever that
// is: so a client learns that a message is larger than it asked for. From 3 on
// the first message of an answer always comes whole.

// fetchBatchesSince is the first version that takes batches as they are.
const fetchBatchesSince = 4

// An answer in messages is memory until the client has taken it. One has at most
// oldAnswerBytes, all of them together oldAnswersBytes; but the first message of
// an answer always comes, or a client could not go on.
const (
	oldAnswerBytes  = 4 << 20
	oldAnswersBytes = 64 << 20
)

// oldAnswers counts the bytes of the answers that have not left, and of those that
// are being made.
type oldAnswers struct{ held atomic.Int64 }

// take gives the next answer at most so many bytes, which it gives back.
func (o *oldAnswers) take(most int) int {
	for {
		held := o.held.Load()
		n := max(min(int64(most), oldAnswerBytes, oldAnswersBytes-held), 0)
		if o.held.CompareAndSwap(held, held+n) {
			return int(n)
		}
	}
}

func (f *fetchCall) old() bool { return f.reply.Version < fetchBatchesSince }

// oldPartition writes a partition with what it has, as far as room goes, and
// gives how much that was. The error is known last.
//
//	index:4 error:2 watermark:8 messages
func (f *fetchCall) oldPartition(e *encoder, p *fetching) {
	e.int32(p.partition)
	start := len(e.b)
	e.int16(0)
	e.int64(p.read.View.HighWatermark)
	e.int32(0)
	data := len(e.b)
	err := p.err
	if err == nil && p.size > 0 {
		e.b, err = f.downgrade(e.b, p)
	}
	p.read.Range.Release()
	if err != nil {
		code := dataCode(err)
		f.reply.Failures.Add(f.reply.Key, code)
		e.b = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint16(e.b[:start], uint16(code)), ^uint64(0))
		e.int32(0)
		return
	}
	n := len(e.b) - data
	binary.BigEndian.PutUint32(e.b[data-4:], uint32(n))
	if n > 0 {
		f.oldBytes += n
		p.p.Sent(int64(n))
	}
}

// downgrade appends the partition's batches as messages. What makes no message,
// as markers do, is read over, or the client would ask for it for ever.
func (f *fetchCall) downgrade(dst []byte, p *fetching) ([]byte, error) {
	left := max(f.oldRoom-f.oldBytes, 0)
	if left == 0 && f.oldBytes > 0 {
		return dst, nil // it would be unpacked for nothing
	}
	d := record.Downgrade{From: p.offset, MaxBytes: min(int(p.maxBytes), left), FirstWhole: f.oldBytes == 0, Limits: p.p.Limits()}
	if f.reply.Version >= 2 {
		d.Magic = 1
	}
	d.Cut = f.reply.Version < 3 && int(p.maxBytes) <= left
	buf := wire.Take(int(p.read.Range.Len()))
	defer buf.Release()
	for p.read.Range.Len() > 0 {
		batches, err := p.read.Range.ReadAll(buf.B)
		p.read.Range.Release()
		if err != nil {
			return dst, err
		}
		buf.B = batches[:0]
		before, from := len(dst), d.From
		dst, d.From, err = d.Append(dst, batches)
		if err != nil || len(dst) > before || d.From == from { // the last: no room
			return dst, err
		}
		err = p.p.Read(replica.ReadRequest{
			Offset: d.From, MaxBytes: int(p.maxBytes), FirstWhole: true, Epoch: -1, LastEpoch: -1, Bound: f.bound,
		}, &p.read)
		if err != nil {
			return dst, err
		}
	}
	return dst, nil
}
