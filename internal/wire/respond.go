package wire

import (
	"encoding/binary"
	"sync"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// keyApiVersions is the one API whose response header is always v0: a client
// reads it before it can know what the broker speaks.
const keyApiVersions = 18

// frameStart is the length prefix and the correlation id.
const frameStart = 8

// firstGuess is the buffer that an answer is built in; most need no more.
const firstGuess = 512

// Reply is what is needed of a call to frame its answer.
type Reply struct {
	Key, Version int16
	Correlation  int32
	Failures     *Failures // who counts the error codes; nil: nobody
}

// Reply gives what an outcome that waits keeps of c.
func (c *Call) Reply() Reply { return Reply{c.Key, c.Version, c.Correlation, c.Failures} }

// Answer frames resp, in the version of the call, in one pooled buffer.
func (r Reply) Answer(resp kmsg.Response) Answer {
	b := Take(firstGuess)
	b.B = r.AppendResponse(b.B, resp)
	return Answer{Frame: b.B, Release: b.release}
}

// AppendResponse appends a whole frame: length prefix, header, body.
//
//	length:int32 correlation:int32 [tagged_fields=0 where flexible] body
func (r Reply) AppendResponse(dst []byte, resp kmsg.Response) []byte {
	start := len(dst)
	r.Failures.Answered(resp)
	resp.SetVersion(r.Version)
	dst = r.appendHeader(dst, resp.IsFlexible())
	dst = resp.AppendTo(dst)
	binary.BigEndian.PutUint32(dst[start:], uint32(len(dst)-start-4))
	return dst
}

// AppendResponse appends the whole frame that answers c with resp.
func AppendResponse(frame []byte, c *Call, resp kmsg.Response) []byte {
	return c.Reply().AppendResponse(frame, resp)
}

// Respond is an outcome that is ready: resp answers c.
func Respond(c *Call, resp kmsg.Response) Outcome {
	return &Ready{Answer: c.Reply().Answer(resp)}
}

// appendHeader leaves the length open.
func (r Reply) appendHeader(dst []byte, flexible bool) []byte {
	dst = append(dst, 0, 0, 0, 0)
	dst = binary.BigEndian.AppendUint32(dst, uint32(r.Correlation))
	if flexible && r.Key != keyApiVersions {
		dst = append(dst, 0)
	}
	return dst
}

// Frame is an answer under construction whose body has ranges of files in it,
// as a fetch response has. Append to B, call File where a range belongs, then
// take the Answer; its Release gives buffer, ranges and Frame back. A range
// that has a method Release is released with it.
//
//	B:  [header …][batch length]            [next partition …]
//	                            ▲ File(r)
type Frame struct {
	B     []byte
	buf   *Buffer
	files []FilePart

	release func()
}

var frames sync.Pool

// NewFrame starts a frame with room for size bytes besides the file ranges.
func NewFrame(r Reply, flexible bool, size int) *Frame {
	f, _ := frames.Get().(*Frame)
	if f == nil {
		f = new(Frame)
		f.release = f.Release
	}
	f.buf = Take(frameStart + 1 + size)
	f.B = r.appendHeader(f.buf.B, flexible)
	return f
}

// File puts a range after what B holds now. An empty one is released at once.
func (f *Frame) File(r FileRange) {
	if r.Len() == 0 {
		releaseRange(r)
		return
	}
	f.files = append(f.files, FilePart{At: len(f.B), Data: r})
}

// Answer sets the length and gives the finished answer. f is its own no more.
func (f *Frame) Answer() Answer {
	a := Answer{Frame: f.B, Files: f.files, Release: f.release}
	binary.BigEndian.PutUint32(f.B, uint32(a.Size()-4))
	return a
}

// Release gives everything back: for a frame that was given up, and as the
// answer's Release.
func (f *Frame) Release() {
	for i := range f.files {
		releaseRange(f.files[i].Data)
		f.files[i] = FilePart{}
	}
	f.files = f.files[:0]
	f.buf.B, f.B = f.B, nil
	f.buf.Release()
	f.buf = nil
	frames.Put(f)
}

func releaseRange(r FileRange) {
	if held, ok := r.(interface{ Release() }); ok {
		held.Release()
	}
}
