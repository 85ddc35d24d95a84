package record

import (
	"encoding/binary"
	"math"
)

// NoHorizon says that a batch gets no delete horizon.
const NoHorizon = -1

// DeleteHorizon is the moment, in ms, from which on compaction may drop the
// tombstones and the marker of a batch (KIP-534). ok: the batch has one.
func (b Batch) DeleteHorizon() (ms int64, ok bool) {
	return b.BaseTimestamp(), b.HasDeleteHorizon()
}

// Thin appends to dst what compaction leaves of a batch: the records that keep
// wants, at their offsets. Base offset, last offset, producer, sequence, codec and
// the other flags stay, so that the batch holds its place and its producer's. With
// a horizon it is noted in the batch, where the base timestamp was. Without any
// record left it is a header. It returns the batch alone, and how many records it
// has. The builder's own records go.
func (b *Builder) Thin(dst []byte, from Batch, horizon int64, l Limits, keep func(Record) bool) (Batch, error) {
	if len(from) < HeaderSize {
		return nil, ErrIncomplete
	}
	b.Reset()
	attributes, base := from.Attributes(), from.BaseTimestamp()
	if horizon != NoHorizon {
		attributes, base = attributes|attrDeleteHorizon, horizon
	}
	b.first, b.max = base, math.MinInt64
	err := from.Each(l, func(r Record) error {
		if !keep(r) {
			return nil
		}
		stamp := r.Timestamp
		if from.LogAppendTime() {
			stamp = base // the header's largest is the time of all
		}
		return b.add(r.Offset-from.BaseOffset(), stamp, r)
	})
	if err != nil {
		return nil, err
	}
	top := b.max
	if b.count == 0 || from.LogAppendTime() {
		top = from.MaxTimestamp()
	}
	if b.count == 0 {
		attributes &^= attrCodec // a reader need not unpack nothing
	}
	start := len(dst)
	dst = append(dst, from[:HeaderSize]...)
	h := Batch(dst[start:])
	h.setAttributes(attributes)
	binary.BigEndian.PutUint64(h[offBaseTimestamp:], uint64(base))
	h.setMaxTimestamp(top)
	binary.BigEndian.PutUint32(h[offCount:], uint32(b.count))
	dst, err = Compress(dst, h.Codec(), 0, b.records)
	if err != nil {
		return nil, err
	}
	return finish(Batch(dst[start:]))
}
