package record

import (
	"encoding/binary"
	"errors"
	"sync"

	"github.com/pierrec/lz4/v4"
)

// An LZ4 frame, all numbers little-endian:
//
//	magic 4 | FLG 1 | BD 1 | content size 8? | header checksum 1 |
//	{ size 4, top bit: not compressed | data | checksum 4? }… | 0 4 | content checksum 4?
const (
	lz4Magic           = 0x184D2204
	lz4ContentChecksum = 1 << 2
	lz4ContentSize     = 1 << 3
	lz4BlockChecksum   = 1 << 4
	lz4Independent     = 1 << 5
)

var errLZ4 = errors.New("broken frame")

type unLZ4 struct {
	src source
	z   *lz4.Reader
}

func newUnLZ4() *unLZ4 {
	u := &unLZ4{z: lz4.NewReader(nil)}
	// One block after the other: no goroutine. The option cannot fail on a new reader.
	_ = u.z.Apply(lz4.ConcurrencyOption(1))
	return u
}

var unLZ4s = sync.Pool{New: func() any { return newUnLZ4() }}

func unlz4(dst, src []byte, room int) ([]byte, error) {
	linked, err := lz4Frame(src)
	if err != nil {
		return dst, err
	}
	var u *unLZ4
	if linked {
		// The library keeps the last 64 KiB of a linked frame across Reset: from
		// a pool, one batch could copy the data of another.
		u = newUnLZ4()
	} else {
		u = unLZ4s.Get().(*unLZ4)
		defer unLZ4s.Put(u)
	}
	u.src.Reset(src)
	u.z.Reset(&u.src)
	defer func() {
		u.src.Reset(nil)
		u.z.Reset(&u.src)
	}()
	return readAll(dst, u.z, room)
}

// lz4Frame checks that src is exactly one frame, as Kafka's clients read it (no
// skippable, legacy or further frame), and says whether its blocks are linked.
func lz4Frame(src []byte) (linked bool, err error) {
	if len(src) < 7 || binary.LittleEndian.Uint32(src) != lz4Magic {
		return false, errLZ4
	}
	flags, at, tail := src[4], 7, 0
	if flags&lz4ContentSize != 0 {
		at += 8
	}
	if flags&lz4BlockChecksum != 0 {
		tail = 4
	}
	for {
		if at+4 > len(src) {
			return false, errLZ4
		}
		size := int(binary.LittleEndian.Uint32(src[at:]) &^ (1 << 31))
		at += 4
		if size == 0 {
			break
		}
		if at += size + tail; at > len(src) {
			return false, errLZ4
		}
	}
	if flags&lz4ContentChecksum != 0 {
		at += 4
	}
	if at != len(src) {
		return false, errLZ4
	}
	return flags&lz4Independent == 0, nil
}

var lz4s = sync.Pool{New: func() any { return lz4.NewWriter(nil) }}

// lz4Levels are Kafka's 1 to 17 on the library's ten. Kafka's own default, 9,
// is the fast one there too.
func lz4Level(level int) lz4.CompressionLevel {
	switch {
	case level <= 0 || level == 9:
		return lz4.Fast
	case level > 9:
		return lz4.Level9
	}
	return lz4.CompressionLevel(1 << (8 + level))
}

// lz4ed writes what Kafka's Java producer writes: independent blocks of 64 KiB,
// no checksums but the header's.
func lz4ed(dst []byte, level int, src []byte) ([]byte, error) {
	out := &appender{dst}
	z := lz4s.Get().(*lz4.Writer)
	z.Reset(out)
	if err := z.Apply(
		lz4.ConcurrencyOption(1),
		lz4.BlockSizeOption(lz4.Block64Kb),
		lz4.ChecksumOption(false),
		lz4.CompressionLevelOption(lz4Level(level)),
	); err != nil {
		return dst, err
	}
	if _, err := z.Write(src); err != nil {
		return dst, err
	}
	if err := z.Close(); err != nil {
		return dst, err
	}
	z.Reset(nil)
	lz4s.Put(z)
	return out.p, nil
}
