package record

// A record, and a header in it. All lengths are zigzag varints; -1 is null.
//
//	length attributes(1) timestampDelta offsetDelta keyLength key valueLength value headerCount header…
//	header: keyLength key valueLength value

// walk checks n records that must fill p, with offset deltas 0 … n-1. It
// allocates nothing. Positions only rise, so a varint that reads beyond its
// record is noticed where the record must end; a broken one moves the position
// behind p (see varint).
func walk(p []byte, n int32) error {
	i := 0
	for want := range int64(n) {
		var length, delta, size int64
		length, i = varint(p, i)
		if length < 0 || length > int64(len(p)-i) {
			return invalid("record %d of %d has length %d of %d", want, n, length, len(p)-i)
		}
		end := i + int(length)
		_, i = varlong(p, i+1) // behind the attributes, of which none is in use
		delta, i = varint(p, i)
		if delta != want {
			return invalid("record %d has offset delta %d", want, delta)
		}
		size, i = varint(p, i) // key
		if size > 0 {
			if size > int64(len(p)) {
				return invalid("record %d has a key of %d bytes", want, size)
			}
			i += int(size)
		} else if size < -1 {
			return invalid("record %d has a key of %d bytes", want, size)
		}
		size, i = varint(p, i) // value
		if size > 0 {
			if size > int64(len(p)) {
				return invalid("record %d has a value of %d bytes", want, size)
			}
			i += int(size)
		} else if size < -1 {
			return invalid("record %d has a value of %d bytes", want, size)
		}
		size, i = varint(p, i) // headers
		if size != 0 {
			var ok bool
			if i, ok = walkHeaders(p, i, size); !ok {
				return invalid("record %d has broken headers", want)
			}
		}
		if i != end {
			return invalid("record %d does not end at its length", want)
		}
	}
	if i != len(p) {
		return invalid("%d bytes behind record %d", len(p)-i, n)
	}
	return nil
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
