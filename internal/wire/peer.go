package wire

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Why a Peer gives no answer. Only ErrPeerLost leaves open whether the request
// was carried out; after the others it surely was not.
var (
	ErrPeerLost        = errors.New("connection to the broker was lost before the answer")
	ErrPeerUnreachable = errors.New("broker cannot be reached")
	ErrPeerBusy        = errors.New("too many requests to the broker are under way")
	ErrPeerVersion     = errors.New("broker does not serve this request")
	ErrPeerClosed      = errors.New("peer is closed")
)

const (
	peerPending     = 1024 // requests under way, when no limit is given
	peerTimeout     = 30 * time.Second
	peerDialTimeout = 5 * time.Second
	peerBackoffMin  = 50 * time.Millisecond
	peerBackoffMax  = time.Second
)

// PeerOptions says whom a Peer talks to and how.
type PeerOptions struct {
	Network  Network
	Addr     string
	ClientID string
	// Software is what we call ourselves in ApiVersions; brokerd is shown the
	// APIs that are ours.
	Software, SoftwareVersion string
	// Secure makes the connection what the listener expects (TLS, SASL). nil: nothing.
	Secure func(ctx context.Context, c net.Conn) (net.Conn, error)
	// Timeout is how long the oldest request may be without an answer before the
	// connection is given up; 0 is 30 s.
	Timeout time.Duration
	// MaxPending bounds the requests under way; 0 is 1,024.
	MaxPending int
}

// Peer is one pipelined connection to another broker, made when it is first
// needed and again when it was lost. Safe for concurrent use.
type Peer struct {
	o      PeerOptions
	ctx    context.Context
	cancel context.CancelFunc
	all    sync.WaitGroup // the writer, which joins its reader

	mu      sync.Mutex
	queue   []*Pending // not written yet
	flight  []*Pending // written, in order
	running bool       // the writer exists
	closed  bool
	wake    chan struct{} // of capacity 1: queue has grown

	// Owned by the writer.
	backoff time.Duration // before the next dial; 0 after a success
}

// Pending is one request under way.
type Pending struct {
	req  kmsg.Request
	at   time.Time // when it was written
	id   int32
	done chan struct{} // closed when resp or err is set
	resp kmsg.Response
	err  error
}

// NewPeer returns a Peer that connects with the first Send.
func NewPeer(o PeerOptions) *Peer {
	if o.Timeout <= 0 {
		o.Timeout = peerTimeout
	}
	if o.MaxPending <= 0 {
		o.MaxPending = peerPending
	}
	p := &Peer{o: o, wake: make(chan struct{}, 1)}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	return p
}

// Send puts a request on its way. It never waits for the network. req belongs
// to the Peer until it is answered.
func (p *Peer) Send(req kmsg.Request) *Pending {
	q := &Pending{req: req, done: make(chan struct{})}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closed:
		q.end(nil, ErrPeerClosed)
	case len(p.queue)+len(p.flight) >= p.o.MaxPending:
		q.end(nil, ErrPeerBusy)
	default:
		p.queue = append(p.queue, q)
		if !p.running {
			p.running = true
			p.all.Go(p.run)
		}
		p.signal()
	}
	return q
}

// Wait gives the answer. When ctx ends first, the request stays under way.
func (q *Pending) Wait(ctx context.Context) (kmsg.Response, error) {
	select {
	case <-q.done:
		return q.resp, q.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Done is closed when Wait would not wait.
func (q *Pending) Done() <-chan struct{} { return q.done }

// Close ends the connection and everything under way, and waits for both goroutines.
func (p *Peer) Close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.cancel()
	p.all.Wait()
}

// run is the writer, from the first Send until nothing is left to do.
func (p *Peer) run() {
	for {
		link, err := p.connect()
		if err != nil {
			p.failQueue(fmt.Errorf("%w: %s: %w", ErrPeerUnreachable, p.o.Addr, err))
		} else {
			err = p.session(link)
			p.failFlight(fmt.Errorf("%w: %s: %w", ErrPeerLost, p.o.Addr, err))
		}
		if p.rest() {
			return
		}
	}
}

// rest ends the writer unless somebody waits for it.
func (p *Peer) rest() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		for _, q := range p.queue {
			q.end(nil, ErrPeerClosed)
		}
		p.queue = nil
	}
	p.running = len(p.queue) > 0
	return !p.running
}

// connect makes a connection and learns its versions, after the back-off that
// earlier failures ask for.
func (p *Peer) connect() (*peerLink, error) {
	if p.backoff > 0 {
		select {
		case <-time.After(p.backoff):
		case <-p.ctx.Done():
			return nil, ErrPeerClosed
		}
	}
	link, err := p.dial()
	if p.ctx.Err() != nil {
		if err == nil {
			_ = link.conn.Close() // nobody asks any more
		}
		return nil, ErrPeerClosed
	}
	if err != nil {
		p.backoff = min(max(2*p.backoff, peerBackoffMin), peerBackoffMax)
		return nil, err
	}
	p.backoff = 0
	return link, nil
}

func (p *Peer) dial() (*peerLink, error) { return dialPeer(p.ctx, p.o) }

// dialPeer makes a connection that knows the broker's versions.
func dialPeer(ctx context.Context, o PeerOptions) (*peerLink, error) {
	ctx, cancel := context.WithTimeout(ctx, peerDialTimeout)
	defer cancel()
	nc, err := o.Network.Dial(ctx, o.Addr)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = nc.Close() }) // ends what waits in it
	defer stop()
	if o.Secure != nil {
		secured, err := o.Secure(ctx, nc)
		if err != nil {
			_ = nc.Close() // the handshake has failed already
			return nil, err
		}
		nc = secured
	}
	link := newPeerLink(nc, o)
	if err := link.negotiate(); err != nil {
		_ = nc.Close() // as above
		return nil, err
	}
	return link, nil
}

// session writes until the connection ends, and returns why.
func (p *Peer) session(link *peerLink) error {
	ended := make(chan error, 1)
	p.all.Go(func() { ended <- p.read(link) })
	err := p.write(link, ended)
	_ = link.conn.Close() // wakes the reader; what it still says does not count
	<-ended
	return err
}

// write sends what is queued, as it comes, until the connection or p ends.
func (p *Peer) write(link *peerLink, ended chan error) error {
	for {
		if link.refused && p.idle() {
			return errOutdated // what is queued goes over the next one
		}
		batch := p.take(link)
		if len(batch) > 0 {
			_ = link.conn.SetWriteDeadline(time.Now().Add(p.o.Timeout)) // the write says what is wrong
			if _, err := link.conn.Write(batch); err != nil {
				return err
			}
			continue
		}
		select {
		case <-p.wake:
		case err := <-ended:
			ended <- err // for session, which waits for it
			return err
		case <-p.ctx.Done():
			return ErrPeerClosed
		}
	}
}

// idle says that no answer is awaited.
func (p *Peer) idle() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.flight) == 0
}

// take moves what is queued into flight and gives its bytes.
func (p *Peer) take(link *peerLink) []byte {
	p.mu.Lock()
	queue := p.queue
	p.queue = nil
	p.mu.Unlock()
	link.out = link.out[:0]
	for i, q := range queue {
		if !link.encode(q) {
			q.end(nil, fmt.Errorf("%w: %s, key %d", ErrPeerVersion, p.o.Addr, q.req.Key()))
			queue[i], link.refused = nil, true
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	for _, q := range queue {
		if q != nil {
			q.at = now
			p.flight = append(p.flight, q)
		}
	}
	p.limitLocked(link)
	return link.out
}

// limitLocked gives the oldest request its time. It moves a deadline, no more.
func (p *Peer) limitLocked(link *peerLink) {
	var at time.Time
	if len(p.flight) > 0 {
		at = p.flight[0].at.Add(p.o.Timeout)
	}
	_ = link.conn.SetReadDeadline(at) // the read says what is wrong
}

// read takes answers in until the connection ends.
func (p *Peer) read(link *peerLink) error {
	for {
		frame, err := link.frame()
		if err != nil {
			return err
		}
		q := p.answered(link)
		if q == nil {
			return errUnasked
		}
		resp, err := link.decode(q, frame)
		if err != nil {
			q.end(nil, fmt.Errorf("%w: %s: %w", ErrPeerLost, p.o.Addr, err))
			return err
		}
		q.end(resp, nil)
	}
}

// answered takes the request out that the next answer belongs to.
func (p *Peer) answered(link *peerLink) *Pending {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.flight) == 0 {
		return nil
	}
	q := p.flight[0]
	p.flight[0] = nil
	p.flight = p.flight[1:]
	p.limitLocked(link)
	return q
}

func (p *Peer) failFlight(err error) {
	p.mu.Lock()
	flight := p.flight
	p.flight = nil
	p.mu.Unlock()
	for _, q := range flight {
		q.end(nil, err)
	}
}

func (p *Peer) failQueue(err error) {
	p.mu.Lock()
	queue := p.queue
	p.queue = nil
	p.mu.Unlock()
	for _, q := range queue {
		q.end(nil, err)
	}
}

func (p *Peer) signal() {
	select {
	case p.wake <- struct{}{}:
	default: // it is awake already
	}
}

// end is called once, by whoever took q out of queue or flight.
func (q *Pending) end(resp kmsg.Response, err error) {
	q.resp, q.err = resp, err
	close(q.done)
}
