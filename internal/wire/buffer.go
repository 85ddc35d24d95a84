package wire

import (
	"math/bits"
	"sync"
)

// Buffers come in powers of two, from 512 B to 128 MiB: the largest frame is
// 100 MiB. What is larger is made and dropped.
const (
	minClass = 9
	maxClass = 27
)

// Buffer is memory from the pools. Whoever took it owns it, alone, until it
// calls Release or passes it on; B may be appended to and then belongs to the
// class that it has grown into.
type Buffer struct {
	B []byte

	free    bool
	release func() // Release, bound once, so that an Answer needs no closure
}

var pools [maxClass + 1]sync.Pool

// Take returns an empty buffer that holds size bytes without growing.
func Take(size int) *Buffer {
	class := classAbove(size)
	if class > maxClass {
		return newBuffer(size)
	}
	b, _ := pools[class].Get().(*Buffer)
	if b == nil {
		return newBuffer(1 << class)
	}
	b.free = false
	return b
}

func newBuffer(size int) *Buffer {
	b := &Buffer{B: make([]byte, 0, size)}
	b.release = b.Release
	return b
}

// Release gives the buffer back. The owner must not touch B any more.
func (b *Buffer) Release() {
	if b.free {
		panic("wire: a buffer is released twice")
	}
	b.free = true
	class := classBelow(cap(b.B))
	if class < minClass || class > maxClass {
		return
	}
	b.B = b.B[:cap(b.B)]
	poison(b.B)
	b.B = b.B[:0]
	pools[class].Put(b)
}

// Releaser is Release as a value that costs no allocation.
func (b *Buffer) Releaser() func() { return b.release }

// Resize makes B n bytes long and keeps what fits of it. Bytes beyond the old
// length are whatever the memory held.
func (b *Buffer) Resize(n int) {
	if n <= cap(b.B) {
		b.B = b.B[:n]
		return
	}
	bigger := Take(n)
	bigger.B = bigger.B[:n]
	copy(bigger.B, b.B)
	b.B, bigger.B = bigger.B, b.B
	bigger.Release()
}

// classAbove is the smallest class that holds size bytes.
func classAbove(size int) int {
	return max(minClass, bits.Len(uint(max(size, 1)-1)))
}

// classBelow is the largest class that capacity bytes can serve.
func classBelow(capacity int) int { return bits.Len(uint(capacity)) - 1 }
