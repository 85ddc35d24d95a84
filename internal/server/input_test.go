package server

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/brokerd/brokerd/test/captured"
)

// The input against a plain slice: whatever sizes the bytes come in, and
// wherever the connection waits in between, the frames come out as they went
// in, and memory stays within what has come.
func FuzzInput(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x03abc\x00\x00\x00\x01x"), []byte{1, 2, 3}, false)
	f.Add(bytes.Repeat([]byte("\x00\x00\x20\x00"), 5000), []byte{255, 7, 129}, true)
	f.Add([]byte("\x00\x03\x00\x00"), []byte{0, 200}, false)
	var all []byte
	for _, p := range captured.Requests() {
		all = append(binary.BigEndian.AppendUint32(all, uint32(len(p))), p...)
	}
	f.Add(all[:min(len(all), 64<<10)], []byte{90, 3, 255}, true)
	f.Fuzz(func(t *testing.T, stream, steps []byte, net bool) {
		if len(steps) == 0 {
			return
		}
		var in input
		defer in.drop()
		want := stream
		for i := 0; len(stream) > 0; i++ {
			step := int(steps[i%len(steps)])
			if step&1 == 1 {
				in.park()
				if in.buf != nil && in.have() <= partialBytes {
					t.Fatal("waits with a read buffer for", in.have())
				}
			}
			stream = receiveSome(&in, stream, (step>>1)*(1+step*step%97), net)
			for {
				size, ok := in.size()
				if ok && in.need == 0 {
					if size < 0 || size > 1<<20 {
						return // refused, as conn.measure does
					}
					in.need = prefixBytes + int(size)
				}
				frame, ok := in.next()
				if !ok {
					break
				}
				n := binary.BigEndian.Uint32(want)
				if !bytes.Equal(frame, want[4:4+n]) {
					t.Fatalf("frame of %d bytes came out wrong", n)
				}
				want = want[4+n:]
			}
			in.trim(!net)
			if in.buf != nil && cap(in.buf.B) > 2*max(readBytes, growth*max(in.have(), readBytes)) {
				t.Fatalf("%d bytes of memory for %d", cap(in.buf.B), in.have())
			}
		}
		if !bytes.Equal(in.left(), want) {
			t.Fatal("the rest is not what was left")
		}
	})
}

// receiveSome brings up to n bytes of the stream in, as the two links do.
func receiveSome(in *input, stream []byte, n int, net bool) []byte {
	n = max(1, min(n, len(stream)))
	if net && in.buf == nil && in.have() < prefixBytes {
		n = copy(in.few[in.fewSize:], stream[:n])
		in.fewSize += n
		return stream[n:]
	}
	first := readBytes
	if net {
		first = min(in.need, readBytes)
	}
	p := in.space(first)
	if net {
		p = p[:min(len(p), in.need-in.have())]
	}
	n = copy(p, stream[:n])
	in.received(n)
	return stream[n:]
}

func TestLargeFrameGrowsWithWhatHasCome(t *testing.T) {
	var in input
	defer in.drop()
	in.received(copy(in.space(readBytes), []byte{0x06, 0x00, 0x00, 0x00})) // 100 MB announced
	in.need = prefixBytes + 0x06000000
	if n := len(in.space(readBytes)); n > readBytes {
		t.Fatalf("%d bytes for a length", n)
	}
	for in.have() < 5<<20 {
		p := in.space(readBytes)
		if limit := growth * max(readBytes, in.have()); in.have()+len(p) > limit {
			t.Fatalf("%d bytes have come, room for %d", in.have(), in.have()+len(p))
		}
		in.received(len(p))
	}
}
