package raw

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// Produced reads the answer to Produce: the offset of the batch.
func Produced(answer []byte, topic string) (base int64, err error) {
	at := 4 + 4 + 2 + len(topic) + 4 + 4 // correlation, topics, name, partitions, index
	if len(answer) < at+10 {
		return 0, fmt.Errorf("the answer to a produce has %d bytes", len(answer))
	}
	if code := int16(binary.BigEndian.Uint16(answer[at:])); code != 0 {
		return 0, fmt.Errorf("produce: error %d", code)
	}
	return int64(binary.BigEndian.Uint64(answer[at+2:])), nil
}

// Fetched reads the answer to Fetch: the bytes of the batches, the last of which
// may be cut.
func Fetched(answer []byte, topic string) (batches []byte, err error) {
	at := 4 + 4 + 2 + 4 // correlation, throttle, error, session
	if len(answer) < at+4 {
		return nil, fmt.Errorf("the answer to a fetch has %d bytes", len(answer))
	}
	if code := int16(binary.BigEndian.Uint16(answer[8:])); code != 0 {
		return nil, fmt.Errorf("fetch: error %d", code)
	}
	if binary.BigEndian.Uint32(answer[at:]) == 0 {
		return nil, nil
	}
	at += 4 + 2 + len(topic) + 4 + 4 // topics, name, partitions, index
	if code := int16(binary.BigEndian.Uint16(answer[at:])); code != 0 {
		return nil, fmt.Errorf("fetch: error %d of the partition", code)
	}
	at += 2 + 8 + 8 + 8 // error, high watermark, last stable, start
	aborted := int32(binary.BigEndian.Uint32(answer[at:]))
	at += 4 + 16*int(max(aborted, 0)) + 4 // preferred replica
	size := int(int32(binary.BigEndian.Uint32(answer[at:])))
	at += 4
	if size < 0 {
		return nil, nil
	}
	return answer[at : at+size], nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Check walks whole batches: offsets go on from next without a gap, and every
// CRC is right. It gives the offset after the last whole batch and the bytes of
// the whole ones.
func Check(p []byte, next int64) (after int64, whole int, err error) {
	for len(p)-whole >= 61 {
		b := p[whole:]
		size := 12 + int(int32(binary.BigEndian.Uint32(b[8:])))
		if size > len(b) {
			break
		}
		base := int64(binary.BigEndian.Uint64(b))
		last := base + int64(int32(binary.BigEndian.Uint32(b[23:])))
		switch {
		case last < next && base < next && whole == 0: // a fetch from inside of a batch begins with all of it
		case base > next:
			return 0, 0, fmt.Errorf("offset %d is missing: the next batch begins at %d", next, base)
		}
		if sum := crc32.Checksum(b[21:size], castagnoli); sum != binary.BigEndian.Uint32(b[17:]) {
			return 0, 0, fmt.Errorf("the batch at offset %d has a wrong CRC", base)
		}
		next = last + 1
		whole += size
	}
	return next, whole, nil
}
