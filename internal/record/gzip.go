package record

import (
	"bytes"
	"sync"

	"github.com/klauspost/compress/gzip"
)

// ungzip is a pooled decoder; the first Reset makes it usable.
type ungzip struct {
	src bytes.Reader
	z   gzip.Reader
}

var ungzips = sync.Pool{New: func() any { return new(ungzip) }}

func gunzip(dst, src []byte, room int) ([]byte, error) {
	g := ungzips.Get().(*ungzip)
	defer ungzips.Put(g)
	g.src.Reset(src)
	defer g.src.Reset(nil)
	if err := g.z.Reset(&g.src); err != nil {
		return dst, err
	}
	return readAll(dst, &g.z, room)
}

// gzips has one pool per level, 1 to 9.
var gzips [gzip.BestCompression + 1]sync.Pool

// gzipDefault is what level -1 is in zlib.
const gzipDefault = 6

func gzipped(dst []byte, level int, src []byte) ([]byte, error) {
	if level < gzip.BestSpeed || level > gzip.BestCompression {
		level = gzipDefault
	}
	out := &appender{dst}
	z, _ := gzips[level].Get().(*gzip.Writer)
	if z == nil {
		var err error
		if z, err = gzip.NewWriterLevel(out, level); err != nil {
			return dst, err
		}
	}
	z.Reset(out)
	if _, err := z.Write(src); err != nil {
		return dst, err
	}
	if err := z.Close(); err != nil {
		return dst, err
	}
	gzips[level].Put(z)
	return out.p, nil
}
