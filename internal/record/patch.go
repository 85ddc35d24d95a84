package record

import "encoding/binary"

// SetLogAppendTime makes ms the time of every record (LogAppendTime) and
// recomputes the CRC.
func (b Batch) SetLogAppendTime(ms int64) {
	b.setAttributes(b.Attributes() | attrLogAppendTime)
	b.setMaxTimestamp(ms)
	b.seal()
}

// SetCreateTime makes the producer's times count and hi, which Timestamps
// found, the largest of them. It does nothing where the header says so already.
func (b Batch) SetCreateTime(hi int64) {
	if !b.LogAppendTime() && b.MaxTimestamp() == hi {
		return
	}
	b.setAttributes(b.Attributes() &^ attrLogAppendTime)
	b.setMaxTimestamp(hi)
	b.seal()
}

func (b Batch) setAttributes(a int16) { binary.BigEndian.PutUint16(b[offAttributes:], uint16(a)) }
func (b Batch) setMaxTimestamp(ms int64) {
	binary.BigEndian.PutUint64(b[offMaxTimestamp:], uint64(ms))
}

// seal writes the CRC.
func (b Batch) seal() { binary.BigEndian.PutUint32(b[offCRC:], b.checksum()) }
