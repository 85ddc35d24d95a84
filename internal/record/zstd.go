package record

import (
	"encoding/binary"
	"errors"
	"slices"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// zstdWindow is the largest window that a frame may ask for: Kafka's level 22.
// Decoding a whole block of bytes needs no window of its own, only the output.
const zstdWindow = 128 << 20

// unzstds decodes for everybody, as many at once as there are processors. It is
// made before main, because it keeps its workers in a channel: one that a
// synctest bubble made could not be used outside of it.
var unzstds = newUnzstd()

func newUnzstd() *zstd.Decoder {
	d, err := zstd.NewReader(nil,
		zstd.WithDecoderConcurrency(0),
		zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(zstdWindow),
		zstd.WithDecodeAllCapLimit(true)) // the output never grows beyond cap(dst)
	if err != nil {
		panic(err) // options that are constants
	}
	return d
}

var errZstd = errors.New("broken frame")

// unzstd sizes the output by the blocks that are there, not by what a frame
// header says.
func unzstd(dst, src []byte, room int) ([]byte, error) {
	bound, err := zstdBound(src, room)
	if err != nil {
		return dst, err
	}
	// One block more than allowed, so that the one that crosses the line fits and
	// is seen to: the library has no error of its own for it.
	start, offer := len(dst), min(bound, room+zstdBlock)
	dst = slices.Grow(dst, offer)
	out, err := unzstds.DecodeAll(src, dst[:start:start+offer])
	switch {
	case len(out)-start > room:
		return dst[:start], ErrTooLarge
	case err == nil:
		return dst[:len(out)], nil // out without the end of its capacity: dst is used again
	case errors.Is(err, zstd.ErrDecoderSizeExceeded) && bound > room:
		return dst[:start], ErrTooLarge // the header says so itself
	}
	return dst[:start], err
}

// zstdBound is the most that the frames of src can become, or more than enough.
//
//	frame: magic 4 | descriptor 1 | window 1? | dictionary 0-4 | content size 0-8 | block… | checksum 4?
//	block: 24 bits: last 1, type 2 (raw, one byte repeated, compressed), size 21 | data
//	skippable frame: 184D2A50 to 184D2A5F | size 4 | data
func zstdBound(src []byte, enough int) (bound int, err error) {
	for len(src) > 0 && bound <= enough {
		if len(src) < 5 {
			return 0, errZstd
		}
		magic := binary.LittleEndian.Uint32(src)
		var n, size int
		switch {
		case magic == zstdMagic:
			size, n = zstdFrame(src)
		case magic&^0xf == zstdSkippable && len(src) >= 8:
			n = 8 + int(binary.LittleEndian.Uint32(src[4:]))
		}
		if n <= 0 || n > len(src) {
			return 0, errZstd
		}
		src, bound = src[n:], bound+size
	}
	return bound, nil
}

const (
	zstdMagic     = 0xFD2FB528
	zstdSkippable = 0x184D2A50
	zstdBlock     = 128 << 10 // the most that one block becomes
)

// zstdFrame gives the bound of one frame and its length, 0 if it is broken.
func zstdFrame(src []byte) (bound, n int) {
	flags := src[4]
	single := flags>>5&1 == 1
	at := 5 + [...]int{0, 1, 2, 4}[flags&3] + [...]int{0, 2, 4, 8}[flags>>6]
	if !single || flags>>6 == 0 {
		at++ // the window, or a content size of one byte
	}
	for {
		if at+3 > len(src) {
			return 0, 0
		}
		h := int(src[at]) | int(src[at+1])<<8 | int(src[at+2])<<16
		at += 3
		size := h >> 3
		switch h >> 1 & 3 {
		case 0:
			bound, at = bound+size, at+size
		case 1:
			bound, at = bound+size, at+1
		case 2:
			bound, at = bound+zstdBlock, at+size
		default:
			return 0, 0
		}
		if h&1 == 1 {
			return bound, at + int(flags>>2&1)*4
		}
	}
}

// zstds has one pool per speed of the library. Encoders with a concurrency of
// one work on the caller's goroutine and use neither channel nor wait group.
var zstds [zstd.SpeedBestCompression + 1]sync.Pool

// zstdLevel is Kafka's (and libzstd's) default.
const zstdLevel = 3

func zstded(dst []byte, level int, src []byte) ([]byte, error) {
	if level == 0 {
		level = zstdLevel
	}
	speed := zstd.EncoderLevelFromZstd(level)
	out := &appender{dst}
	z, _ := zstds[speed].Get().(*zstd.Encoder)
	if z == nil {
		var err error
		z, err = zstd.NewWriter(nil,
			zstd.WithEncoderLevel(speed),
			zstd.WithEncoderConcurrency(1),
			zstd.WithEncoderCRC(false), // the batch has one
			zstd.WithWindowSize(1<<20),
			zstd.WithLowerEncoderMem(true),
			zstd.WithZeroFrames(true))
		if err != nil {
			return dst, err
		}
	}
	z.ResetContentSize(out, int64(len(src)))
	if _, err := z.Write(src); err != nil {
		return dst, err
	}
	if err := z.Close(); err != nil {
		return dst, err
	}
	z.Reset(nil)
	zstds[speed].Put(z)
	return out.p, nil
}
