package record

import "encoding/binary"

// HeaderSize is the length of a v2 batch header, in bytes.
//
//	 0 baseOffset      8 | 8 batchLength 4 | 12 partitionLeaderEpoch 4 | 16 magic 1
//	17 crc32c          4 |21 attributes  2 | 23 lastOffsetDelta      4
//	27 baseTimestamp   8 |35 maxTimestamp 8| 43 producerId           8
//	51 producerEpoch   2 |53 baseSequence 4| 57 recordCount          4 | 61 records…
//
// batchLength counts from byte 12. The CRC covers byte 21 to the end, so base
// offset and leader epoch may be patched without touching it.
const HeaderSize = 61

const (
	offBaseOffset     = 0
	offLength         = 8
	offLeaderEpoch    = 12
	offMagic          = 16
	offCRC            = 17
	offAttributes     = 21
	offLastDelta      = 23
	offBaseTimestamp  = 27
	offMaxTimestamp   = 35
	offProducerID     = 43
	offProducerEpoch  = 51
	offBaseSequence   = 53
	offCount          = 57
	lengthOverhead    = 12
	attrCodec         = 0x07
	attrLogAppendTime = 1 << 3
	attrTransactional = 1 << 4
	attrControl       = 1 << 5
	attrDeleteHorizon = 1 << 6
)

// Batch is one v2 record batch, from its base offset to its end. The accessors
// trust that it has at least HeaderSize bytes: Next and Verify check that.
type Batch []byte

func (b Batch) BaseOffset() int64      { return int64(binary.BigEndian.Uint64(b[offBaseOffset:])) }
func (b Batch) Length() int32          { return int32(binary.BigEndian.Uint32(b[offLength:])) }
func (b Batch) LeaderEpoch() int32     { return int32(binary.BigEndian.Uint32(b[offLeaderEpoch:])) }
func (b Batch) Magic() int8            { return int8(b[offMagic]) }
func (b Batch) CRC() uint32            { return binary.BigEndian.Uint32(b[offCRC:]) }
func (b Batch) Attributes() int16      { return int16(binary.BigEndian.Uint16(b[offAttributes:])) }
func (b Batch) LastOffsetDelta() int32 { return int32(binary.BigEndian.Uint32(b[offLastDelta:])) }
func (b Batch) BaseTimestamp() int64   { return int64(binary.BigEndian.Uint64(b[offBaseTimestamp:])) }
func (b Batch) MaxTimestamp() int64    { return int64(binary.BigEndian.Uint64(b[offMaxTimestamp:])) }
func (b Batch) ProducerID() int64      { return int64(binary.BigEndian.Uint64(b[offProducerID:])) }
func (b Batch) ProducerEpoch() int16   { return int16(binary.BigEndian.Uint16(b[offProducerEpoch:])) }
func (b Batch) BaseSequence() int32    { return int32(binary.BigEndian.Uint32(b[offBaseSequence:])) }
func (b Batch) Count() int32           { return int32(binary.BigEndian.Uint32(b[offCount:])) }

// LastOffset is the offset of the last record, base offset included.
func (b Batch) LastOffset() int64 { return b.BaseOffset() + int64(b.LastOffsetDelta()) }

// NextOffset is the offset after the batch.
func (b Batch) NextOffset() int64 { return b.LastOffset() + 1 }

func (b Batch) Codec() Codec           { return Codec(b.Attributes() & attrCodec) }
func (b Batch) LogAppendTime() bool    { return b.Attributes()&attrLogAppendTime != 0 }
func (b Batch) Transactional() bool    { return b.Attributes()&attrTransactional != 0 }
func (b Batch) Control() bool          { return b.Attributes()&attrControl != 0 }
func (b Batch) HasDeleteHorizon() bool { return b.Attributes()&attrDeleteHorizon != 0 }

// SetBaseOffset and SetLeaderEpoch patch bytes outside the CRC.
func (b Batch) SetBaseOffset(o int64)  { binary.BigEndian.PutUint64(b[offBaseOffset:], uint64(o)) }
func (b Batch) SetLeaderEpoch(e int32) { binary.BigEndian.PutUint32(b[offLeaderEpoch:], uint32(e)) }

// Codec is the compression of a batch's records.
type Codec int8

const (
	None Codec = iota
	Gzip
	Snappy
	LZ4
	Zstd
)

// Aborted is an aborted transaction of one producer in one partition.
type Aborted struct {
	ProducerID int64
	First      int64 // first offset of the transaction
	Last       int64 // offset of the abort marker
	LastStable int64 // last stable offset when the marker was written
}
