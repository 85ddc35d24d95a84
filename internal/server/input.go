package server

import (
	"encoding/binary"

	"github.com/brokerd/brokerd/internal/wire"
)

const (
	// prefixBytes is the length prefix of a frame.
	prefixBytes = 4
	// readBytes is what one recv may bring: several requests, or the start of a
	// large one. [64 KiB split five requests of 16.5 KB into two runs: 1.33 times
	// the CPU per request under isr, 1.53 times under fsync. Growing to 512 KiB for
	// connections that fill it brought nothing for larger batches: 1.00 times]
	readBytes = 128 << 10
	// partialBytes is how much of an unfinished frame is copied out, so that
	// its connection waits without a read buffer.
	partialBytes = 4 << 10
	// growth is how many times what has arrived a buffer may become: a large
	// frame is copied little (up to 2 MB once, of its first 64 KiB), and a length
	// that lies buys at most this factor.
	growth = 32
)

// input is what a connection has received and not yet taken up. It belongs to
// the connection's goroutine. While nothing is there it owns no memory.
//
//	buf   [ taken up │ r … received … w │ space ]
//	rest  what stays of it while the connection waits, at most 4 KiB
type input struct {
	buf  *wire.Buffer
	r, w int
	rest *wire.Buffer
	// few holds the first bytes of a length prefix where waiting must not own
	// even a small buffer (netLink).
	few     [prefixBytes]byte
	fewSize int

	// need is the size of the frame at r, with its prefix; 0 until that is known.
	need int
	// share is what the memory budget has lent for the frame at r.
	share int64
}

// have is the number of bytes of the frame at r (and of those behind it).
func (in *input) have() int {
	switch {
	case in.buf != nil:
		return in.w - in.r
	case in.rest != nil:
		return len(in.rest.B)
	}
	return in.fewSize
}

// peek shows the first bytes that are there, up to n.
func (in *input) peek(n int) []byte {
	switch {
	case in.buf != nil:
		return in.buf.B[in.r:min(in.w, in.r+n)]
	case in.rest != nil:
		return in.rest.B[:min(len(in.rest.B), n)]
	}
	return in.few[:min(in.fewSize, n)]
}

// size reads the length prefix. ok is false while it is not there.
func (in *input) size() (n int32, ok bool) {
	p := in.peek(prefixBytes)
	if len(p) < prefixBytes {
		return 0, false
	}
	return int32(binary.BigEndian.Uint32(p)), true
}

// next takes the frame at r out, without its prefix, if it is there whole. It
// stays valid until the next call of space, park or drop.
func (in *input) next() (frame []byte, ok bool) {
	if in.need == 0 || in.have() < in.need {
		return nil, false
	}
	in.unpark(0)
	frame = in.buf.B[in.r+prefixBytes : in.r+in.need : in.r+in.need]
	in.r += in.need
	in.need = 0
	return frame, true
}

// follows shows the start of the frame at r, behind its prefix, if it is there whole.
func (in *input) follows() (start []byte, ok bool) {
	size, ok := in.size()
	if !ok || size <= wire.FixedHeader || int(size) > in.have()-prefixBytes {
		return nil, false
	}
	return in.buf.B[in.r+prefixBytes:][:wire.FixedHeader], true
}

// space gives room to receive into, first bytes at most first long where the
// input owns no buffer yet. It never ends beyond a frame larger than a read
// buffer, so that such a frame's memory goes when the frame goes.
func (in *input) space(first int) []byte {
	in.unpark(first)
	if in.r == in.w {
		in.r, in.w = 0, 0
	}
	size := len(in.buf.B)
	if in.r > 0 && (in.w == size || in.r+in.need > size) {
		in.w = copy(in.buf.B, in.buf.B[in.r:in.w])
		in.r = 0
	}
	if in.w == size {
		in.buf.Resize(max(min(in.need, growth*size), size+1))
		in.buf.B = in.buf.B[:cap(in.buf.B)]
		size = len(in.buf.B)
	}
	if in.need > readBytes {
		size = min(size, in.r+in.need)
	}
	return in.buf.B[in.w:size]
}

// received says that n bytes have come into space.
func (in *input) received(n int) { in.w += n }

// unpark makes sure that there is a buffer, with what was waiting in it.
func (in *input) unpark(first int) {
	if in.buf != nil {
		return
	}
	in.buf = wire.Take(max(first, in.have()+1))
	in.buf.B = in.buf.B[:cap(in.buf.B)]
	switch {
	case in.rest != nil:
		in.w = copy(in.buf.B, in.rest.B)
		in.rest.Release()
		in.rest = nil
	default:
		in.w = copy(in.buf.B, in.few[:in.fewSize])
	}
	in.r, in.fewSize = 0, 0
}

// park is called before the connection waits: it gives the read buffer back,
// unless a frame that the budget has been charged for is under way in it.
func (in *input) park() {
	if in.buf == nil {
		return
	}
	left := in.buf.B[in.r:in.w]
	switch {
	case len(left) == 0:
	case len(left) <= partialBytes:
		in.rest = wire.Take(len(left))
		in.rest.B = append(in.rest.B, left...)
	case len(left) <= len(in.buf.B)/2 && in.need <= len(in.buf.B)/2:
		smaller := wire.Take(max(len(left), in.need))
		n := len(left)
		smaller.B = append(smaller.B, left...)[:cap(smaller.B)]
		in.buf.Release()
		in.buf, in.r, in.w = smaller, 0, n
		return
	default:
		return
	}
	in.buf.Release()
	in.buf, in.r, in.w = nil, 0, 0
}

// trim gives an empty buffer back that is not an ordinary read buffer, or any
// empty one where the next wait must own none.
func (in *input) trim(keepReadBuffer bool) {
	if in.buf != nil && in.r == in.w && !(keepReadBuffer && len(in.buf.B) == readBytes) {
		in.buf.Release()
		in.buf, in.r, in.w = nil, 0, 0
	}
}

// left takes out everything that has been received and not taken up.
func (in *input) left() []byte { return append([]byte(nil), in.peek(in.have())...) }

// drop gives all memory back.
func (in *input) drop() {
	if in.buf != nil {
		in.buf.Release()
	}
	if in.rest != nil {
		in.rest.Release()
	}
	share := in.share
	*in = input{share: share}
}
