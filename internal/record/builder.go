package record

import (
	"encoding/binary"
	"math"
	"slices"
)

// Producer marks a batch of an idempotent or transactional producer.
type Producer struct {
	ID       int64
	Epoch    int16
	Sequence int32 // of the first record; -1 on a marker
}

// Spec is what a batch says of itself. The zero value is a plain one.
type Spec struct {
	BaseOffset    int64
	LeaderEpoch   int32 // 0 until the log sets it
	Codec         Codec
	Level         int       // of the codec; 0 is its default
	Producer      *Producer // nil: none
	Transactional bool
	Control       bool
}

// Build makes a batch of records, whose offsets follow one another.
func Build(s Spec, records ...Record) (Batch, error) {
	var b Builder
	for _, r := range records {
		if err := b.Append(r); err != nil {
			return nil, err
		}
	}
	return b.Build(nil, s)
}

// Builder collects records for one batch. The zero value is ready; it keeps
// its buffer across Reset. It copies what it is given.
type Builder struct {
	records []byte
	packed  []byte // the records, compressed: kept for its room
	count   int32
	last    int64 // offset delta of the last record, if there is one
	first   int64 // timestamp of the first
	max     int64
}

// Reset forgets the records.
func (b *Builder) Reset() {
	*b = Builder{records: b.records[:0], packed: b.packed[:0]}
}

// Count is the number of records.
func (b *Builder) Count() int { return int(b.count) }

// Size is how long the batch would be, uncompressed.
func (b *Builder) Size() int { return HeaderSize + len(b.records) }

// Append adds a record behind the last one. Its Offset is not used.
func (b *Builder) Append(r Record) error {
	next := int64(0)
	if b.count > 0 {
		next = b.last + 1
	}
	return b.AppendAt(next, r)
}

// AppendAt adds a record at an offset delta above the last one's: what
// compaction leaves has gaps. ErrTooLarge: the batch would pass 2 GiB.
func (b *Builder) AppendAt(delta int64, r Record) error {
	if b.count > 0 && delta <= b.last || delta < 0 || delta > math.MaxInt32 {
		return invalid("offset delta %d after %d", delta, b.last)
	}
	if b.count == 0 {
		b.first, b.max = r.Timestamp, r.Timestamp
	}
	return b.add(delta, r.Timestamp, r)
}

// add encodes a record whose place was checked. ms is its timestamp.
func (b *Builder) add(delta, ms int64, r Record) error {
	size := bodySize(delta, ms-b.first, r)
	if size > math.MaxInt32-int64(b.Size())-binary.MaxVarintLen32 {
		return ErrTooLarge
	}
	b.records = appendRecord(b.records, size, delta, ms-b.first, r)
	b.max = max(b.max, ms)
	b.last = delta
	b.count++
	return nil
}

// Build appends the batch to dst and returns it alone, without what dst held.
// The records stay until Reset. An empty builder makes an empty batch of one
// offset, which only compaction may write.
func (b *Builder) Build(dst []byte, s Spec) (Batch, error) {
	start := len(dst)
	dst = slices.Grow(dst, HeaderSize+len(b.records))[:start+HeaderSize]
	clear(dst[start:])
	h := Batch(dst[start:])
	h.SetBaseOffset(s.BaseOffset)
	h.SetLeaderEpoch(s.LeaderEpoch)
	h.setAttributes(s.attributes())
	producer := Producer{ID: -1, Epoch: -1, Sequence: -1}
	if s.Producer != nil {
		producer = *s.Producer
	}
	h[offMagic] = 2
	binary.BigEndian.PutUint32(h[offLastDelta:], uint32(b.last))
	binary.BigEndian.PutUint64(h[offBaseTimestamp:], uint64(b.first))
	h.setMaxTimestamp(b.max)
	binary.BigEndian.PutUint64(h[offProducerID:], uint64(producer.ID))
	binary.BigEndian.PutUint16(h[offProducerEpoch:], uint16(producer.Epoch))
	binary.BigEndian.PutUint32(h[offBaseSequence:], uint32(producer.Sequence))
	binary.BigEndian.PutUint32(h[offCount:], uint32(b.count))

	dst, err := Compress(dst, s.Codec, s.Level, b.records)
	if err != nil {
		return nil, err
	}
	return finish(Batch(dst[start:]))
}

// finish writes length and CRC of a batch whose other bytes are there.
func finish(b Batch) (Batch, error) {
	if len(b) > math.MaxInt32 {
		return nil, ErrTooLarge
	}
	binary.BigEndian.PutUint32(b[offLength:], uint32(len(b)-lengthOverhead))
	b.seal()
	return b, nil
}

func (s Spec) attributes() int16 {
	a := int16(s.Codec) & attrCodec
	if s.Transactional {
		a |= attrTransactional
	}
	if s.Control {
		a |= attrControl
	}
	return a
}

// Recompress appends to dst the same batch with another codec: offsets, times,
// producer and flags stay, length and CRC are new. It returns the batch alone.
func Recompress(dst []byte, b Batch, c Codec, level int, l Limits) (out Batch, err error) {
	if len(b) < HeaderSize {
		return nil, ErrIncomplete
	}
	err = b.withRecords(l, func(p []byte) error {
		start := len(dst)
		dst = append(dst, b[:HeaderSize]...)
		Batch(dst[start:]).setAttributes(b.Attributes()&^attrCodec | int16(c)&attrCodec)
		packed, err := Compress(dst, c, level, p)
		if err == nil {
			out, err = finish(Batch(packed[start:]))
		}
		return err
	})
	return out, err
}

func bodySize(delta, stamp int64, r Record) int64 {
	n := 1 + varintSize(stamp) + varintSize(delta) + fieldSize(r.Key) + fieldSize(r.Value) +
		varintSize(int64(len(r.Headers)))
	for _, h := range r.Headers {
		n += varintSize(int64(len(h.Key))) + int64(len(h.Key)) + fieldSize(h.Value)
	}
	return n
}

func appendRecord(p []byte, size, delta, stamp int64, r Record) []byte {
	p = binary.AppendVarint(p, size)
	p = append(p, 0) // attributes
	p = binary.AppendVarint(p, stamp)
	p = binary.AppendVarint(p, delta)
	p = appendField(p, r.Key)
	p = appendField(p, r.Value)
	p = binary.AppendVarint(p, int64(len(r.Headers)))
	for _, h := range r.Headers {
		p = binary.AppendVarint(p, int64(len(h.Key)))
		p = append(p, h.Key...) // never null
		p = appendField(p, h.Value)
	}
	return p
}

func appendField(p, v []byte) []byte {
	if v == nil {
		return binary.AppendVarint(p, -1)
	}
	return append(binary.AppendVarint(p, int64(len(v))), v...)
}

func fieldSize(v []byte) int64 {
	if v == nil {
		return 1
	}
	return varintSize(int64(len(v))) + int64(len(v))
}

func varintSize(v int64) int64 {
	u := uint64(v)<<1 ^ uint64(v>>63)
	n := int64(1)
	for ; u >= 0x80; u >>= 7 {
		n++
	}
	return n
}
