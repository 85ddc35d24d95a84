package record

import (
	"encoding/binary"
	"fmt"
	"math"
)

// A record, and a header in it. All lengths are zigzag varints; -1 is null.
//
//	length attributes(1) timestampDelta offsetDelta keyLength key valueLength value headerCount header…
//	header: keyLength key valueLength value

// walk checks n records that must fill p, with offset deltas 0 … n-1. hi is their
// largest timestamp delta. It allocates nothing unless it fails.
func walk(p []byte, n int32) (hi int64, err error) {
	hi = math.MinInt64
	i := 0
	for want := range int64(n) {
		next, stamp := walkQuick(p, i, want)
		if next < 0 {
			if next, stamp, err = walkRecord(p, i, want); err != nil {
				return 0, fmt.Errorf("record %d of %d: %w", want, n, err)
			}
		}
		i = next
		hi = max(hi, stamp)
	}
	if i != len(p) {
		return 0, invalid("%d bytes behind record %d", len(p)-i, n)
	}
	return hi, nil
}

// walkQuick checks a record without headers whose numbers are short: up to the
// key's length it fits one load of eight bytes. It gives -1 for any other, good
// or bad, which walkRecord then judges. It halves the cost of a walk.
func walkQuick(p []byte, i int, want int64) (next int, stamp int64) {
	if len(p)-i < 8 {
		return -1, 0
	}
	w := binary.LittleEndian.Uint64(p[i:])
	length := w & 0x7f
	if w&0x80 != 0 {
		if w&0x8000 != 0 {
			return -1, 0
		}
		length |= w >> 1 & 0x3f80
		w >>= 8
		i++
	}
	w >>= 16 // and the attributes
	i += 2
	end := i - 1 + int(length>>1)
	zigzag := w & 0x7f // timestamp
	if w&0x80 != 0 {
		if w&0x8000 != 0 {
			return -1, 0
		}
		zigzag |= w >> 1 & 0x3f80
		w >>= 8
		i++
	}
	w >>= 8
	i++
	delta := w & 0x7f
	if w&0x80 != 0 {
		if w&0x8000 != 0 {
			return -1, 0
		}
		delta |= w >> 1 & 0x3f80
		w >>= 8
		i++
	}
	key := w >> 8 & 0xff // seven bytes at most lie before it
	i += 2
	if length&1 != 0 || delta != uint64(want)<<1 || key&0x80 != 0 {
		return -1, 0
	}
	if key&1 == 0 {
		i += int(key >> 1)
	} else if key != 1 {
		return -1, 0
	}
	if len(p)-i < 4 {
		return -1, 0
	}
	v := binary.LittleEndian.Uint32(p[i:])
	value := v & 0x7f
	i++
	if v&0x80 != 0 {
		value |= v >> 1 & 0x3f80
		i++
		if v&0x8000 != 0 {
			return -1, 0
		}
	}
	if value&1 == 0 {
		i += int(value >> 1)
	} else if value != 1 {
		return -1, 0
	}
	if i >= len(p) || p[i] != 0 || i+1 != end {
		return -1, 0
	}
	return end, int64(zigzag>>1) ^ -int64(zigzag&1)
}

// walkRecord checks one record and gives where it ends. Positions only rise, so
// a varint that reads beyond the record is noticed where the record must end; a
// broken one moves the position behind p (see varint).
func walkRecord(p []byte, i int, want int64) (end int, stamp int64, err error) {
	var length, delta, size int64
	length, i = varint(p, i)
	if length < 0 || length > int64(len(p)-i) {
		return 0, 0, invalid("length is %d of %d", length, len(p)-i)
	}
	end = i + int(length)
	stamp, i = varlong(p, i+1) // behind the attributes, of which none is in use
	delta, i = varint(p, i)
	if delta != want {
		return 0, 0, invalid("offset delta is %d", delta)
	}
	size, i = varint(p, i)
	if size < -1 || size > length {
		return 0, 0, invalid("key has %d bytes", size)
	}
	i += int(max(size, 0))
	size, i = varint(p, i)
	if size < -1 || size > length {
		return 0, 0, invalid("value has %d bytes", size)
	}
	i += int(max(size, 0))
	size, i = varint(p, i)
	if size != 0 {
		var ok bool
		if i, ok = walkHeaders(p, i, size); !ok {
			return 0, 0, invalid("headers are broken")
		}
	}
	if i != end {
		return 0, 0, invalid("it does not end at its length")
	}
	return end, stamp, nil
}

// walkHeaders skips n headers. ok: their sizes are possible; whether they end
// where the record ends is for the caller to see.
func walkHeaders(p []byte, i int, n int64) (next int, ok bool) {
	if n < 0 || n > int64(len(p)) { // a header has two bytes at least
		return i, false
	}
	for ; n > 0 && i <= len(p); n-- {
		var size int64
		if size, i = varint(p, i); size < 0 || size > int64(len(p)) {
			return i, false
		}
		i += int(size)
		if size, i = varint(p, i); size < -1 || size > int64(len(p)) {
			return i, false
		}
		i += int(max(size, 0))
	}
	return i, n == 0
}

// varint reads a zigzag varint of at most 5 bytes at p[i]. If it is broken or
// i is outside p, next is behind p, and stays there through further calls.
func varint(p []byte, i int) (v int64, next int) {
	if i < len(p) && p[i] < 0x80 {
		return int64(p[i]>>1) ^ -int64(p[i]&1), i + 1
	}
	return varintSlow(p, i, 5)
}

// varlong is varint for at most 10 bytes.
func varlong(p []byte, i int) (v int64, next int) {
	if i < len(p) && p[i] < 0x80 {
		return int64(p[i]>>1) ^ -int64(p[i]&1), i + 1
	}
	return varintSlow(p, i, 10)
}

func varintSlow(p []byte, i, most int) (v int64, next int) {
	var u uint64
	for k := range most {
		if i+k >= len(p) {
			break
		}
		c := p[i+k]
		u |= uint64(c&0x7f) << (7 * k)
		if c < 0x80 {
			return int64(u>>1) ^ -int64(u&1), i + k + 1
		}
	}
	return 0, max(i, len(p)) + 1
}
