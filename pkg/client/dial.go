package client

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sort"
	"sync"
	"time"
)

// dialer connects to brokers and remembers what it could not reach, so that an
// error can name the address and the cause instead of "timed out".
type dialer struct {
	plain net.Dialer
	tls   *tls.Config // nil: plaintext
	seeds map[string]bool
	total time.Duration // for Connect
	each  time.Duration // for one dial
	// hopeless is how long an advertised address may be out of reach before Guard gives up.
	hopeless time.Duration

	mu       sync.Mutex
	failed   map[string]failure // by address, until it is reached
	answered string             // the last seed that a connection was made to
	reached  bool               // an advertised address was reached
	watchers []func(error)
}

type failure struct {
	since time.Time
	tries int
	err   error
}

func newDialer(seeds []string, conf *tls.Config, total time.Duration) *dialer {
	d := &dialer{tls: conf, seeds: map[string]bool{}, failed: map[string]failure{}, total: total, each: total, hopeless: total * 3 / 5}
	for _, s := range seeds {
		d.seeds[s] = true
	}
	if len(seeds) > 1 {
		d.each = max(total/time.Duration(len(seeds)), time.Second)
	}
	return d
}

func (d *dialer) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := d.connect(ctx, network, addr)
	d.note(addr, err)
	return conn, err
}

func (d *dialer) connect(ctx context.Context, network, addr string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, d.each)
	defer cancel()
	conn, err := d.plain.DialContext(ctx, network, addr)
	if err == nil && d.tls != nil {
		conn, err = d.handshake(ctx, conn, addr)
	}
	return conn, err
}

// answers says whether a broker answers at an address, before ctx ends: it asks for
// its versions, which needs no authentication.
func (d *dialer) answers(ctx context.Context, addr string) bool {
	conn, err := d.connect(ctx, "tcp", addr)
	if err != nil {
		return false
	}
	defer conn.Close() // only asked
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	// ApiVersions 0, correlation 0, no client id.
	if _, err := conn.Write([]byte{0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 0, 0xff, 0xff}); err != nil {
		return false
	}
	_, err = io.ReadFull(conn, make([]byte, 8))
	return err == nil
}

func (d *dialer) handshake(ctx context.Context, raw net.Conn, addr string) (net.Conn, error) {
	conf := d.tls
	if conf.ServerName == "" {
		conf = conf.Clone()
		conf.ServerName, _, _ = net.SplitHostPort(addr) // addr was dialled: it splits
	}
	conn := tls.Client(raw, conf)
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = raw.Close() // the handshake error is the one to tell
		return nil, &tlsError{err}
	}
	return conn, nil
}

// note records how a dial went, and tells the watchers when it is hopeless.
func (d *dialer) note(addr string, err error) {
	watchers, trouble := d.record(addr, err)
	if trouble == nil {
		return
	}
	for _, tell := range watchers {
		tell(trouble)
	}
}

// record gives the trouble that a failed dial means, and who is to be told.
func (d *dialer) record(addr string, err error) (watchers []func(error), trouble error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err == nil {
		delete(d.failed, addr)
		if d.seeds[addr] {
			d.answered = addr
		}
		// A seed that is advertised under the same name counts too.
		d.reached = d.reached || !d.seeds[addr]
		return nil, nil
	}
	if errors.Is(err, context.Canceled) {
		return nil, nil
	}
	f := d.failed[addr]
	if f.tries == 0 {
		f.since = time.Now()
	}
	f.tries, f.err = f.tries+1, err
	d.failed[addr] = f
	if d.seeds[addr] || d.reached || f.tries < 2 || time.Since(f.since) < d.hopeless && !definite(err) {
		return nil, nil
	}
	return d.watchers, &AdvertisedError{Bootstrap: d.answered, Advertised: addr, Err: err}
}

// definite says that trying again within seconds will not help.
func definite(err error) bool {
	var dns *net.DNSError
	return errors.As(err, &dns) && dns.IsNotFound
}

func (d *dialer) watch(tell func(error)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.watchers = append(d.watchers, tell)
}

// unreachable says what every seed did.
func (d *dialer) unreachable(seeds []string, err error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	u := &UnreachableError{}
	for _, s := range seeds {
		why := err
		if f, ok := d.failed[s]; ok {
			why = f.err
		}
		u.Tried = append(u.Tried, Attempt{Addr: s, Err: why})
	}
	return u
}

// trouble tells what is out of reach when a request failed, nil if the
// connections are not to blame.
func (d *dialer) trouble(seeds []string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.answered == "" {
		u := &UnreachableError{}
		for _, s := range seeds {
			if f, ok := d.failed[s]; ok {
				u.Tried = append(u.Tried, Attempt{Addr: s, Err: f.err})
			}
		}
		if len(u.Tried) > 0 {
			return u
		}
		return nil
	}
	if d.reached {
		return nil
	}
	for addr, f := range d.failed {
		if !d.seeds[addr] {
			return &AdvertisedError{Bootstrap: d.answered, Advertised: addr, Err: f.err}
		}
	}
	return nil
}

// lastTrouble tells which addresses cannot be reached now, whatever was before.
func (d *dialer) lastTrouble() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	u := &UnreachableError{}
	for addr, f := range d.failed {
		u.Tried = append(u.Tried, Attempt{Addr: addr, Err: f.err})
	}
	if len(u.Tried) == 0 {
		return nil
	}
	sort.Slice(u.Tried, func(i, j int) bool { return u.Tried[i].Addr < u.Tried[j].Addr })
	return u
}
