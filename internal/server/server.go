package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/brokerd/brokerd/internal/wire"
)

// Options says what a Server serves and within which limits. Zero limits mean
// the defaults of defaultLimits, or none where Kafka has none.
type Options struct {
	Network    wire.Network
	Dispatcher wire.Dispatcher
	Logger     *slog.Logger

	RequestMaxBytes       int32         // socket.request.max.bytes
	QueuedMaxRequestBytes int64         // queued.max.request.bytes, resolved: 0 is 64 MiB
	MaxIdle               time.Duration // connections.max.idle.ms
	MaxConnections        int           // max.connections; never more than the descriptors allow
	MaxConnectionsPerIP   int           // max.connections.per.ip

	// OnPanic is told of a panic that was recovered in a request. nil logs it;
	// tests fail by it.
	OnPanic func(v any, stack []byte)
	// Observe is told how long each request took, from a whole frame to its
	// answer. It runs on the way of every request and must be quick. May be nil.
	Observe func(key int16, took time.Duration)
}

// Listener is one address to serve on.
type Listener struct {
	Name string // PLAINTEXT, CONTROLLER, …
	Addr string
	// Reserved exempts it from the limit of all connections: brokers and
	// controllers find each other also when clients have taken every place.
	Reserved bool
	// Late listeners are bound, but accept nothing before Admit: who connects
	// meanwhile waits in the kernel.
	Late bool
}

// Server serves the connections of its listeners.
type Server struct {
	dispatcher wire.Dispatcher
	network    wire.Network
	log        *slog.Logger
	onPanic    func(v any, stack []byte)
	observe    func(key int16, took time.Duration)
	limits     limits
	memory     *budget
	hints      hints
	epoch      time.Time
	quit       chan struct{} // closed when nothing is accepted any more
	stopped    chan struct{} // closed when waiting is over: every connection is cut
	admitted   chan struct{} // closed by Admit

	all sync.WaitGroup // accept loops and connections

	mu        sync.Mutex
	listeners []*listening
	conns     map[*conn]struct{}
	perIP     map[netip.Addr]int
	places    places
	counted   int // connections that count against the limit of all
	nextID    uint64
	draining  bool
	cut       bool
	totals    totals // of connections that have ended
}

type listening struct {
	Listener
	socket net.Listener
}

// New returns a server without listeners.
func New(o Options) *Server {
	s := &Server{
		dispatcher: o.Dispatcher,
		network:    o.Network,
		log:        o.Logger,
		onPanic:    o.OnPanic,
		observe:    o.Observe,
		limits:     resolveLimits(o),
		epoch:      time.Now(),
		quit:       make(chan struct{}),
		stopped:    make(chan struct{}),
		admitted:   make(chan struct{}),
		conns:      map[*conn]struct{}{},
		perIP:      map[netip.Addr]int{},
		totals:     totals{accepted: map[string]int64{}},
		places:     placesOf(o.MaxConnections, cmp.Or(o.MaxConnectionsPerIP, math.MaxInt), nil),
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	if s.network == nil {
		s.network = wire.TCP{}
	}
	s.memory = newBudget(s.limits.queuedBytes)
	s.hints.log = s.log
	return s
}

// Listen binds an address. Nothing is accepted before Run.
func (s *Server) Listen(ctx context.Context, l Listener) (net.Addr, error) {
	nl, err := s.network.Listen(ctx, l.Addr)
	if err != nil {
		return nil, fmt.Errorf("listen for %s on %s: %w", l.Name, l.Addr, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listeners = append(s.listeners, &listening{l, nl})
	return nl.Addr(), nil
}

// Run serves until Shutdown, or until ctx ends, which cuts every connection.
func (s *Server) Run(ctx context.Context) error {
	s.mu.Lock()
	for _, l := range s.listeners {
		s.all.Go(func() { s.accept(l) })
	}
	s.mu.Unlock()
	defer context.AfterFunc(ctx, func() { s.stop(); s.cutAll() })()
	s.all.Wait()
	return ctx.Err()
}

// Admit lets late listeners accept. Call it once.
func (s *Server) Admit() { close(s.admitted) }

// Shutdown stops accepting, lets every connection answer what it has taken up,
// and returns when all are closed. When ctx ends it cuts those that are left.
func (s *Server) Shutdown(ctx context.Context) error {
	for _, c := range s.stop() {
		c.stopReading()
	}
	defer context.AfterFunc(ctx, s.cutAll)()
	s.all.Wait()
	return ctx.Err()
}

// stop closes the listeners and lets no connection in any more.
func (s *Server) stop() []*conn {
	s.mu.Lock()
	if !s.draining {
		s.draining = true
		close(s.quit)
	}
	listeners, conns := s.listeners, s.listLocked()
	s.mu.Unlock()
	for _, l := range listeners {
		_ = l.socket.Close() // closing twice is all that can be wrong with it
	}
	return conns
}

// cutAll ends every connection at once.
func (s *Server) cutAll() {
	s.mu.Lock()
	first := !s.cut
	s.cut = true
	conns := s.listLocked()
	s.mu.Unlock()
	if first {
		close(s.stopped)
	}
	for _, c := range conns {
		c.die(end(closedShutdown), false)
	}
}

func (s *Server) listLocked() []*conn {
	all := make([]*conn, 0, len(s.conns))
	for c := range s.conns {
		all = append(all, c)
	}
	return all
}

// Accept delays after an error, as of too many descriptors.
const (
	acceptDelayMin = 5 * time.Millisecond
	acceptDelayMax = time.Second
)

func (s *Server) accept(l *listening) {
	if l.Late {
		select {
		case <-s.admitted:
		case <-s.quit:
			return
		}
	}
	delay := acceptDelayMin
	for {
		nc, err := l.socket.Accept()
		switch {
		case err == nil:
			delay = acceptDelayMin
			s.admit(l, nc)
			continue
		case errors.Is(err, net.ErrClosed):
			return
		}
		s.count(closedAcceptError)
		s.hints.acceptFailed(l.Name, err)
		select {
		case <-time.After(delay):
		case <-s.quit:
			return
		}
		delay = min(2*delay, acceptDelayMax)
	}
}

// admit starts a connection, unless a limit forbids it.
func (s *Server) admit(l *listening, nc net.Conn) {
	c := &conn{s: s}
	c.client = wire.Client{Listener: l.Name, Remote: nc.RemoteAddr(), Principal: wire.Anonymous}
	c.link = newLink(c, nc)
	now := s.now()
	c.clock = clock{active: now, deadline: now + s.limits.idle, asleep: true}
	c.link.setReadDeadline(s.instant(c.clock.deadline)) // here: it takes more stack than a nap
	ip := ipOf(c.client.Remote)

	s.mu.Lock()
	refused := s.refuseLocked(l, ip)
	if refused == "" {
		s.nextID++
		c.client.ID = s.nextID
		s.conns[c] = struct{}{}
		s.perIP[ip]++
		if !l.Reserved {
			s.counted++
			c.counted = true
		}
		s.totals.accepted[l.Name]++
		s.all.Go(c.run) // the accept loop is counted: Wait has not returned
	} else {
		s.totals.closed(refused)
	}
	s.mu.Unlock()
	if refused != "" {
		s.hints.refused(refused, c.client.Remote)
		c.link.close()
	}
}

func (s *Server) refuseLocked(l *listening, ip netip.Addr) string {
	switch {
	case s.draining:
		return closedShutdown
	case s.counted >= s.places.total && !l.Reserved:
		return closedTotal
	case s.places.full(ip, s.perIP[ip]):
		return closedPerIP
	}
	return ""
}

// forget takes an ended connection out of all books.
func (s *Server) forget(c *conn, why *ended) {
	ip := ipOf(c.client.Remote)
	s.mu.Lock()
	delete(s.conns, c)
	if s.perIP[ip]--; s.perIP[ip] == 0 {
		delete(s.perIP, ip)
	}
	if c.counted {
		s.counted--
	}
	s.totals.add(c)
	s.totals.closed(why.reason)
	s.mu.Unlock()
	s.log.Debug("connection ended", "listener", c.client.Listener, "remote", c.client.Remote, "reason", why.Error())
}

func (s *Server) count(reason string) {
	s.mu.Lock()
	s.totals.closed(reason)
	s.mu.Unlock()
}

func (s *Server) panicked(v any, stack []byte) {
	s.mu.Lock()
	s.totals.panics++
	s.mu.Unlock()
	if s.onPanic != nil {
		s.onPanic(v, stack)
		return
	}
	s.log.Error("request panicked; its connection is closed. Please report this", "panic", v, "stack", string(stack))
}

// now is the time since the server began, never 0.
func (s *Server) now() time.Duration { return time.Since(s.epoch) + 1 }

func (s *Server) instant(at time.Duration) time.Time { return s.epoch.Add(at - 1) }

// ipOf is the address that per-address limits count; unknown ones share one.
func ipOf(a net.Addr) netip.Addr {
	if tcp, ok := a.(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr().Unmap()
	}
	if a != nil {
		if ap, err := netip.ParseAddrPort(a.String()); err == nil {
			return ap.Addr().Unmap()
		}
	}
	return netip.Addr{}
}
