package record

import (
	"encoding/binary"
	"fmt"
	"math"
)

// SizeHeader is how many bytes of a batch Size must see: up to the magic byte.
const SizeHeader = offMagic + 1

// Size tells from the first SizeHeader bytes how long a batch is. It trusts
// nothing: compare it with the bytes that are there before allocating.
func Size(p []byte) (int64, error) {
	if len(p) < SizeHeader {
		return 0, ErrIncomplete
	}
	length := int32(binary.BigEndian.Uint32(p[offLength:]))
	switch {
	case length < SizeHeader-lengthOverhead:
		return 0, fmt.Errorf("%w: length %d", ErrCorrupt, length)
	case p[offMagic] != 2:
		return 0, fmt.Errorf("%w but %d", ErrMagic, int8(p[offMagic]))
	case length < HeaderSize-lengthOverhead:
		return 0, fmt.Errorf("%w: length %d", ErrCorrupt, length)
	}
	return int64(length) + lengthOverhead, nil
}

// Next splits the first batch from p. It looks at the structure only.
// ErrIncomplete: p ends before the batch does (also when p is empty).
func Next(p []byte) (b Batch, rest []byte, err error) {
	size, err := Size(p)
	if err != nil {
		return nil, p, err
	}
	if size > int64(len(p)) {
		return nil, p, ErrIncomplete
	}
	return Batch(p[:size:size]), p[size:], nil
}

// nextOffsetFits says that base offset and delta do not overflow.
func (b Batch) nextOffsetFits() bool {
	base := b.BaseOffset()
	return base >= 0 && base < math.MaxInt64-int64(b.LastOffsetDelta())
}
