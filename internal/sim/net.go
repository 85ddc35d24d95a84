package sim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// Options is how a network behaves.
type Options struct {
	Seed    uint64
	Latency time.Duration // of each write, one way
	Jitter  time.Duration // at most this is added, by chance
	// Bus delivers one write at a time (Run must be called, in a bubble);
	// without it they arrive as they fall due.
	Bus bool
}

// Net is a simulated network between named hosts.
type Net struct {
	o    Options
	wake chan struct{} // room for one: the bus has something to do

	mu        sync.Mutex
	rng       *rand.Rand
	listeners map[string]*listener // by host:port
	conns     map[*conn]struct{}   // both ends of each
	cuts      map[link]bool
	healed    chan struct{} // closed and replaced when a cut ends
	ports     int
	lanes     []*lane // with undelivered writes, for the bus
	delivered int64
}

// link is one direction between two hosts.
type link struct{ from, to string }

// NewNet returns a network without hosts.
func NewNet(o Options) *Net {
	return &Net{
		o: o, wake: make(chan struct{}, 1), rng: rand.New(rand.NewPCG(o.Seed, 1)),
		listeners: make(map[string]*listener), conns: make(map[*conn]struct{}),
		cuts: make(map[link]bool), healed: make(chan struct{}), ports: 30000,
	}
}

// Host is the network as seen from one host.
type Host struct {
	n    *Net
	name string
}

// Host names a host; its addresses are name:port.
func (n *Net) Host(name string) *Host { return &Host{n, name} }

// Delivered counts the writes that have arrived.
func (n *Net) Delivered() int64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.delivered
}

// Cut stops what from sends to to. Nothing is lost: it arrives after Heal,
// unless the connection is reset meanwhile.
func (n *Net) Cut(from, to string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cuts[link{from, to}] = true
}

// Isolate cuts a host off from all others, both ways.
func (n *Net) Isolate(name string, others ...string) {
	for _, o := range others {
		n.Cut(name, o)
		n.Cut(o, name)
	}
}

// Heal ends every cut.
func (n *Net) Heal() {
	n.mu.Lock()
	defer n.mu.Unlock()
	clear(n.cuts)
	close(n.healed)
	n.healed = make(chan struct{})
	for c := range n.conns {
		n.scheduleLocked(c.out)
	}
	n.wakeLocked()
}

// Reset breaks every connection between two hosts: both ends see an error and
// what was under way is lost.
func (n *Net) Reset(a, b string) {
	n.breakIf(func(c *conn) bool {
		return c.local == a && c.remote == b || c.local == b && c.remote == a
	})
}

// Kill ends a host as kill -9 does: its listeners are gone and its peers see
// every connection broken. It may listen again.
func (n *Net) Kill(name string) {
	n.mu.Lock()
	var gone []*listener
	for _, l := range n.listeners {
		if l.host == name {
			gone = append(gone, l)
		}
	}
	n.mu.Unlock()
	for _, l := range gone {
		_ = l.Close() // a listener in memory does not fail to close
	}
	n.breakIf(func(c *conn) bool { return c.local == name || c.remote == name })
}

func (n *Net) breakIf(hit func(*conn) bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for c := range n.conns {
		if hit(c) {
			c.breakLocked(syscall.ECONNRESET)
		}
	}
}

// Close breaks everything.
func (n *Net) Close() {
	n.mu.Lock()
	names := map[string]bool{}
	for _, l := range n.listeners {
		names[l.host] = true
	}
	n.mu.Unlock()
	for name := range names {
		n.Kill(name)
	}
	n.breakIf(func(*conn) bool { return true })
}

// Listen takes host:port, :port or :0 of this host.
func (h *Host) Listen(_ context.Context, addr string) (net.Listener, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	if host != "" && host != h.name {
		return nil, fmt.Errorf("listen on %s: %s has no such address", addr, h.name)
	}
	n := h.n
	n.mu.Lock()
	defer n.mu.Unlock()
	if port == "0" {
		n.ports++
		port = strconv.Itoa(n.ports)
	}
	full := net.JoinHostPort(h.name, port)
	if n.listeners[full] != nil {
		return nil, fmt.Errorf("listen on %s: %w", full, syscall.EADDRINUSE)
	}
	l := &listener{n: n, host: h.name, addr: address(full), incoming: make(chan *conn, 128), closed: make(chan struct{})}
	n.listeners[full] = l
	return l, nil
}

// Dial connects to a listener of any host.
func (h *Host) Dial(ctx context.Context, addr string) (net.Conn, error) {
	n := h.n
	to, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	if err := sleep(ctx, 2*n.o.Latency); err != nil { // there and back
		return nil, fmt.Errorf("dial %s: %w", addr, err)
	}
	for {
		n.mu.Lock()
		if n.cuts[link{h.name, to}] || n.cuts[link{to, h.name}] {
			healed := n.healed
			n.mu.Unlock()
			select {
			case <-healed:
				continue
			case <-ctx.Done():
				return nil, fmt.Errorf("dial %s: %w", addr, ctx.Err())
			}
		}
		c, err := n.connectLocked(h.name, to, addr)
		n.mu.Unlock()
		if err != nil {
			return nil, fmt.Errorf("dial %s: %w", addr, err)
		}
		return c, nil
	}
}

func (n *Net) connectLocked(from, to, addr string) (*conn, error) {
	l := n.listeners[addr]
	if l == nil {
		return nil, syscall.ECONNREFUSED
	}
	n.ports++
	here := address(net.JoinHostPort(from, strconv.Itoa(n.ports)))
	there, back := newLane(n, link{from, to}), newLane(n, link{to, from})
	a := newConn(n, from, to, here, l.addr, there, back)
	b := newConn(n, to, from, l.addr, here, back, there)
	a.peer, b.peer = b, a
	select {
	case l.incoming <- b:
	default:
		return nil, syscall.ECONNREFUSED // its backlog is full
	}
	n.conns[a], n.conns[b] = struct{}{}, struct{}{}
	return a, nil
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

type address string

func (address) Network() string  { return "sim" }
func (a address) String() string { return string(a) }

type listener struct {
	n        *Net
	host     string
	addr     address
	incoming chan *conn
	closed   chan struct{}
	once     sync.Once
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case <-l.closed:
		return nil, net.ErrClosed
	default:
	}
	select {
	case c := <-l.incoming:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *listener) Addr() net.Addr { return l.addr }

// Close also breaks connections that nobody accepted.
func (l *listener) Close() error {
	l.once.Do(func() {
		l.n.mu.Lock()
		delete(l.n.listeners, string(l.addr))
		l.n.mu.Unlock()
		close(l.closed)
		for {
			select {
			case c := <-l.incoming:
				_ = c.Close() // in memory: it does not fail
				continue
			default:
			}
			return
		}
	})
	return nil
}
