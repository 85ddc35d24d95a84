package wire

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// ErrInterrupted says that Receive was called back before an answer was whole.
var ErrInterrupted = errors.New("interrupted")

// Link is one connection to a broker for one goroutine, which sends, waits and
// reads itself: a follower's fetcher. Only Interrupt and Close may be called by
// others.
type Link struct {
	l      *peerLink
	flight []*Pending // sent, in order

	prefix [4]byte
	in     *Buffer // of the answer that is being read; nil: its prefix is
	have   int     // bytes of prefix, or of in

	mu          sync.Mutex
	interrupted bool // the next Receive returns at once
}

// DialLink connects and learns the broker's versions. When ctx ends later, that
// changes nothing.
func DialLink(ctx context.Context, o PeerOptions) (*Link, error) {
	l, err := dialPeer(ctx, o)
	if err != nil {
		return nil, err
	}
	return &Link{l: l}, nil
}

// Close ends the connection.
func (k *Link) Close() {
	_ = k.l.conn.Close() // what it still says does not count
}

// Release gives back what an interrupted Receive holds. The link is of no use
// afterwards.
func (k *Link) Release() {
	if k.in != nil {
		k.in.Release()
		k.in = nil
	}
}

// Send writes one request, in the highest version that both sides know, before
// deadline. Answers come in the order of the requests.
func (k *Link) Send(req kmsg.Request, deadline time.Time) error {
	q := &Pending{req: req}
	k.l.out = k.l.out[:0]
	if !k.l.encode(q) {
		return ErrPeerVersion
	}
	if err := k.l.conn.SetWriteDeadline(deadline); err != nil {
		return err
	}
	if _, err := k.l.conn.Write(k.l.out); err != nil {
		return err
	}
	k.flight = append(k.flight, q)
	return nil
}

// Waiting is how many answers are still to come.
func (k *Link) Waiting() int { return len(k.flight) }

// Receive reads the next answer into resp. Byte fields alias buf, which the
// caller releases when it is done with them. ErrInterrupted and
// os.ErrDeadlineExceeded leave the link as it is: call again. After any other
// error it is of no use.
func (k *Link) Receive(resp kmsg.Response, deadline time.Time) (buf *Buffer, err error) {
	if err := k.arm(deadline); err != nil {
		return nil, err
	}
	if buf, err = k.frame(); err != nil {
		return nil, k.why(err)
	}
	if len(k.flight) == 0 {
		buf.Release()
		return nil, errUnasked
	}
	q := k.flight[0]
	k.flight = append(k.flight[:0], k.flight[1:]...)
	if err := k.l.decodeInto(q, resp, buf.B); err != nil {
		buf.Release()
		return nil, err
	}
	return buf, nil
}

// Interrupt makes a Receive that waits, or the next one, return ErrInterrupted.
func (k *Link) Interrupt() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.interrupted = true
	_ = k.l.conn.SetReadDeadline(past) // a closed connection wakes its reader anyway
}

var past = time.Unix(1, 0)

// arm sets the deadline of a Receive, unless it is to return at once. Interrupt
// sets its own under the same lock, so neither is lost.
func (k *Link) arm(deadline time.Time) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.interrupted {
		k.interrupted = false
		return ErrInterrupted
	}
	return k.l.conn.SetReadDeadline(deadline)
}

// why tells an interruption from a deadline.
func (k *Link) why(err error) error {
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.interrupted {
		k.interrupted = false
		return ErrInterrupted
	}
	return os.ErrDeadlineExceeded
}

// frame reads on where the last call stopped.
func (k *Link) frame() (*Buffer, error) {
	if k.in == nil {
		if err := k.fill(k.prefix[:]); err != nil {
			return nil, err
		}
		size := int(int32(binary.BigEndian.Uint32(k.prefix[:])))
		if size < 4 || size > maxAnswer {
			return nil, errFrameSize
		}
		k.in, k.have = Take(min(size, answerStart)), 0
		k.in.B = k.in.B[:min(size, answerStart)]
	}
	size := int(binary.BigEndian.Uint32(k.prefix[:]))
	for {
		if err := k.fill(k.in.B); err != nil {
			return nil, err
		}
		if k.have == size {
			buf := k.in
			k.in, k.have = nil, 0
			return buf, nil
		}
		k.in.Resize(min(size, 4*k.have)) // memory for what has come, not for what the length says
	}
}

// fill reads until p is full; have counts.
func (k *Link) fill(p []byte) error {
	for k.have < len(p) {
		n, err := k.l.conn.Read(p[k.have:])
		k.have += n
		if err != nil && k.have < len(p) {
			return err
		}
	}
	return nil
}
