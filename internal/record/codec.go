package record

import (
	"bytes"
	"fmt"
	"io"
	"slices"
)

func (c Codec) String() string {
	switch c {
	case None:
		return "none"
	case Gzip:
		return "gzip"
	case Snappy:
		return "snappy"
	case LZ4:
		return "lz4"
	case Zstd:
		return "zstd"
	}
	return fmt.Sprintf("codec %d", int8(c))
}

// ParseCodec reads a codec as compression.type names it.
func ParseCodec(name string) (Codec, error) {
	for c := None; c <= Zstd; c++ {
		if c.String() == name {
			return c, nil
		}
	}
	return None, fmt.Errorf("%w: %q", ErrCodec, name)
}

// Limits bound what decompression may produce. A zero field takes its default.
type Limits struct {
	MaxBytes int64 // all that comes out; default and most: 1 GiB
	MaxRatio int64 // output to input, counted above ratioFree; default 1,024
}

const (
	maxOutput    = 1 << 30
	defaultRatio = 1024
	// ratioFree is what any input may become: constant data of one batch
	// reaches ratios of 10,000 honestly.
	ratioFree = 16 << 20
)

// LimitsFor is ten times max.message.bytes.
func LimitsFor(maxMessageBytes int) Limits { return Limits{MaxBytes: 10 * int64(maxMessageBytes)} }

// output is the most that n compressed bytes may become.
func (l Limits) output(n int) int {
	most, ratio := l.MaxBytes, l.MaxRatio
	if most <= 0 || most > maxOutput {
		most = maxOutput
	}
	if ratio <= 0 {
		ratio = defaultRatio
	}
	return int(min(most, max(ratioFree, ratio*int64(n))))
}

// Decompress appends to dst what src holds. Broken data is ErrInvalid, more
// than l allows ErrTooLarge; the result is dst with what came out until then.
func Decompress(dst []byte, c Codec, src []byte, l Limits) ([]byte, error) {
	var err error
	room := l.output(len(src))
	switch c {
	case None:
		if len(src) > room {
			return dst, ErrTooLarge
		}
		return append(dst, src...), nil
	case Gzip:
		dst, err = gunzip(dst, src, room)
	case Snappy:
		dst, err = unsnappy(dst, src, room)
	case LZ4:
		dst, err = unlz4(dst, src, room)
	case Zstd:
		dst, err = unzstd(dst, src, room)
	default:
		return dst, fmt.Errorf("%w: %d", ErrCodec, int8(c))
	}
	switch err {
	case nil:
		return dst, nil
	case ErrTooLarge:
		return dst, fmt.Errorf("%w: %d bytes of %s become more than %d", ErrTooLarge, len(src), c, room)
	}
	return dst, fmt.Errorf("%w: %s: %w", ErrInvalid, c, err)
}

// Compress appends src to dst, compressed. Level 0 is the codec's default;
// others mean what Kafka's compression.<codec>.level means.
func Compress(dst []byte, c Codec, level int, src []byte) ([]byte, error) {
	switch c {
	case None:
		return append(dst, src...), nil
	case Gzip:
		return gzipped(dst, level, src)
	case Snappy:
		return snappied(dst, src), nil
	case LZ4:
		return lz4ed(dst, level, src)
	case Zstd:
		return zstded(dst, level, src)
	}
	return dst, fmt.Errorf("%w: %d", ErrCodec, int8(c))
}

// readChunk is the least room that readAll offers to a reader.
const readChunk = 4 << 10

// readAll appends what r gives to dst, up to room bytes. The buffer grows with
// what has arrived, never with what was announced.
func readAll(dst []byte, r io.Reader, room int) ([]byte, error) {
	start := len(dst)
	for {
		left := room - (len(dst) - start)
		if left == 0 {
			return dst, atEnd(r)
		}
		if cap(dst) == len(dst) {
			dst = doubled(dst, start, min(left, readChunk), left)
		}
		n, err := r.Read(dst[len(dst):min(cap(dst), len(dst)+left)])
		dst = dst[:len(dst)+n]
		if err == io.EOF {
			return dst, nil
		}
		if err != nil {
			return dst, err
		}
	}
}

// doubled makes room for n bytes and, as long as that is allowed, for as many
// as have come out: slices.Grow alone would copy a large output five times.
func doubled(dst []byte, start, n, left int) []byte {
	if cap(dst)-len(dst) >= n {
		return dst
	}
	return slices.Grow(dst, max(n, min(left, len(dst)-start)))
}

// atEnd says that r has nothing more: ErrTooLarge if it has.
func atEnd(r io.Reader) error {
	var one [1]byte
	for {
		n, err := r.Read(one[:])
		switch {
		case n > 0:
			return ErrTooLarge
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
	}
}

// appender is a dst that a compressor writes to, and a src that a decompressor reads.
type appender struct{ p []byte }

func (a *appender) Write(p []byte) (int, error) {
	a.p = append(a.p, p...)
	return len(p), nil
}

// source hides that it is a bytes.Reader from libraries that look for shortcuts.
type source struct{ bytes.Reader }
