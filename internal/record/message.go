package record

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// A message is a record as Kafka had it before batches: format 0 until 0.9,
// format 1 in 0.10. Messages follow one another in a set; only these converters
// know them, the log never does.
//
//	offset 8 | size 4 | crc32 4 | magic 1 | attributes 1 | timestamp 8 (format 1) |
//	key length 4 | key | value length 4 | value
//
// size counts from the CRC, the CRC (IEEE) from the magic byte. A length of -1
// is null. Attributes: codec in bits 0-2, in format 1 the broker's time in bit 3.
// A message with a codec is a wrapper: its value is a compressed set.
const (
	messageOverhead = 12 // offset and size
	messageMagic    = 16 // where the magic byte is: as in a batch
	messageBody     = messageMagic + 1
	leastMessage0   = 14 // size without key and value
	leastMessage1   = leastMessage0 + 8
)

// message aliases what it was read from.
type message struct {
	offset     int64
	magic      int8
	attributes byte
	timestamp  int64 // -1 in format 0
	key, value []byte
}

func (m *message) codec() Codec { return Codec(m.attributes & attrCodec) }

// nextMessage splits the first message from p and checks its CRC. ErrIncomplete:
// p ends before the message does (also when p is empty).
func nextMessage(p []byte) (m message, rest []byte, err error) {
	if len(p) < messageBody {
		return m, p, ErrIncomplete
	}
	size := int32(binary.BigEndian.Uint32(p[offLength:]))
	m.offset, m.magic, m.timestamp = int64(binary.BigEndian.Uint64(p)), int8(p[messageMagic]), -1
	least := int32(leastMessage0)
	switch {
	case m.magic == 1:
		least = leastMessage1
	case m.magic != 0:
		return m, p, fmt.Errorf("%w: a message of format %d among those of format 0 and 1", ErrInvalid, m.magic)
	}
	switch {
	case size < least:
		return m, p, fmt.Errorf("%w: message of %d bytes", ErrCorrupt, size)
	case int64(size) > int64(len(p)-messageOverhead):
		return m, p, ErrIncomplete
	}
	end := messageOverhead + int(size)
	m.attributes = p[messageBody]
	err = m.read(p[messageOverhead:end:end])
	return m, p[end:], err
}

// read reads p, a message from its CRC on.
func (m *message) read(p []byte) error {
	if got, want := crc32.ChecksumIEEE(p[4:]), binary.BigEndian.Uint32(p); got != want {
		return fmt.Errorf("%w: crc is %08x, the message says %08x", ErrCorrupt, got, want)
	}
	p = p[6:]
	if m.magic == 1 {
		m.timestamp = int64(binary.BigEndian.Uint64(p))
		p = p[8:]
	}
	var ok bool
	if m.key, p, ok = messageField(p); !ok {
		return fmt.Errorf("%w: a message has a broken key", ErrCorrupt)
	}
	if m.value, p, ok = messageField(p); !ok || len(p) > 0 {
		return fmt.Errorf("%w: a message has a broken value", ErrCorrupt)
	}
	return nil
}

func messageField(p []byte) (v, rest []byte, ok bool) {
	if len(p) < 4 {
		return nil, nil, false
	}
	n := int32(binary.BigEndian.Uint32(p))
	p = p[4:]
	switch {
	case n == -1:
		return nil, p, true
	case n < 0 || int(n) > len(p):
		return nil, nil, false
	}
	return p[:n:n], p[n:], true
}

// beginMessage appends m up to its value, which is for the caller to append. Size
// and CRC are missing until endMessage.
func beginMessage(dst []byte, m message) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(m.offset))
	dst = append(dst, 0, 0, 0, 0, 0, 0, 0, 0, byte(m.magic), m.attributes)
	if m.magic == 1 {
		dst = binary.BigEndian.AppendUint64(dst, uint64(m.timestamp))
	}
	dst = appendMessageField(dst, m.key)
	return append(dst, 0xff, 0xff, 0xff, 0xff)
}

// endMessage writes the lengths and the CRC of the message that began at start
// and whose value is what stands from value on.
func endMessage(dst []byte, start, value int) {
	binary.BigEndian.PutUint32(dst[value-4:], uint32(len(dst)-value))
	sealMessage(dst[start:])
}

func appendMessage(dst []byte, m message) []byte {
	start := len(dst)
	dst = beginMessage(dst, m)
	if m.value != nil {
		value := len(dst)
		dst = append(dst, m.value...)
		binary.BigEndian.PutUint32(dst[value-4:], uint32(len(m.value)))
	}
	sealMessage(dst[start:])
	return dst
}

func sealMessage(p []byte) {
	binary.BigEndian.PutUint32(p[offLength:], uint32(len(p)-messageOverhead))
	binary.BigEndian.PutUint32(p[messageOverhead:], crc32.ChecksumIEEE(p[messageMagic:]))
}

func appendMessageField(dst, v []byte) []byte {
	if v == nil {
		return append(dst, 0xff, 0xff, 0xff, 0xff)
	}
	return append(binary.BigEndian.AppendUint32(dst, uint32(len(v))), v...)
}

// messageSize is how long a message would be.
func messageSize(magic int8, r *Record) int {
	n := messageOverhead + leastMessage0 + len(r.Key) + len(r.Value)
	if magic == 1 {
		n += 8
	}
	return n
}
