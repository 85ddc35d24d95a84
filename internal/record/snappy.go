package record

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/klauspost/compress/s2"
)

// Xerial framing, which snappy-java writes and Kafka takes for snappy:
//
//	82 'S' 'N' 'A' 'P' 'P' 'Y' 00 | version 4 = 1 | compatible with 4 = 1 | { length 4 | raw snappy block }…
//
// Other producers (librdkafka, sarama by default) send one raw block.
const (
	xerialMagic  = "\x82SNAPPY\x00"
	xerialHeader = xerialMagic + "\x00\x00\x00\x01\x00\x00\x00\x01"
	xerialBlock  = 32 << 10 // uncompressed bytes per block, as snappy-java has it

	// snappyRatio is more than a snappy block can gain: three bytes copy at most 64.
	snappyRatio = 22
)

var errXerial = errors.New("broken xerial frame")

func unsnappy(dst, src []byte, room int) ([]byte, error) {
	if !bytes.HasPrefix(src, []byte(xerialMagic)) {
		return unsnappyBlock(dst, src, room)
	}
	start := len(dst)
	for len(src) > 0 {
		// snappy-java lets whole streams follow one another.
		if bytes.HasPrefix(src, []byte(xerialMagic)) {
			if len(src) < len(xerialHeader) {
				return dst, errXerial
			}
			src = src[len(xerialHeader):]
			continue
		}
		if len(src) < 4 {
			return dst, errXerial
		}
		n := int64(binary.BigEndian.Uint32(src))
		if n > int64(len(src)-4) {
			return dst, errXerial
		}
		left := room - (len(dst) - start)
		dst = doubled(dst, start, min(left, xerialBlock), left)
		var err error
		if dst, err = unsnappyBlock(dst, src[4:4+n], left); err != nil {
			return dst, err
		}
		src = src[4+n:]
	}
	return dst, nil
}

// unsnappyBlock checks the announced length before it is allocated.
func unsnappyBlock(dst, src []byte, room int) ([]byte, error) {
	n, err := s2.DecodedLen(src)
	switch {
	case err != nil:
		return dst, err
	case n > snappyRatio*len(src):
		return dst, s2.ErrCorrupt
	case n > room:
		return dst, ErrTooLarge
	}
	dst = slices.Grow(dst, n)
	if _, err := s2.Decode(dst[len(dst):len(dst)+n], src); err != nil {
		return dst, err
	}
	return dst[:len(dst)+n], nil
}

func snappied(dst, src []byte) []byte {
	dst = append(dst, xerialHeader...)
	for len(src) > 0 {
		block := src[:min(len(src), xerialBlock)]
		src = src[len(block):]
		dst = slices.Grow(dst, 4+s2.MaxEncodedLen(len(block)))
		at := len(dst)
		out := s2.EncodeSnappy(dst[at+4:cap(dst)], block)
		binary.BigEndian.PutUint32(dst[at:at+4], uint32(len(out)))
		dst = dst[:at+4+len(out)]
	}
	return dst
}
