package server

import (
	"math"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// limits is everything that a connection may take, in bytes and in time.
type limits struct {
	requestBytes int32
	queuedBytes  int64

	idle       time.Duration // nothing asked and nothing in flight
	nap        time.Duration // quiet for so long, a raw connection goes on with a new, small stack
	header     time.Duration // from a frame's first byte to its header
	bodyWindow time.Duration // in each of these
	bodyBytes  int           // so many bytes of a frame must come
	writeStall time.Duration // the peer takes nothing
}

// defaultLimits are Kafka's where Kafka has one.
func defaultLimits() limits {
	return limits{
		requestBytes: 100 << 20,
		queuedBytes:  64 << 20,
		idle:         10 * time.Minute,
		nap:          10 * time.Second,
		header:       5 * time.Second,
		bodyWindow:   10 * time.Second,
		bodyBytes:    10 << 10, // 1 KiB/s
		writeStall:   30 * time.Second,
	}
}

func resolveLimits(o Options) limits {
	l := defaultLimits()
	if o.RequestMaxBytes > 0 {
		l.requestBytes = o.RequestMaxBytes
	}
	if o.QueuedMaxRequestBytes > 0 {
		l.queuedBytes = o.QueuedMaxRequestBytes
	}
	if o.MaxIdle > 0 {
		l.idle = o.MaxIdle
	}
	return l
}

// places says how many connections are taken. It is guarded by Server.mu, and
// what it says holds for connections that come: nobody who is here is cut off.
type places struct {
	total     int // never more than the descriptors allow
	perIP     int
	overrides map[netip.Addr]int
}

func placesOf(total, perIP int, overrides map[netip.Addr]int) places {
	p := places{connectionsByDescriptors(), perIP, overrides}
	if total > 0 {
		p.total = min(p.total, total)
	}
	return p
}

// full says whether one address has all the connections that it may have.
func (p places) full(ip netip.Addr, has int) bool {
	if limit, ok := p.overrides[ip]; ok {
		return has >= limit
	}
	return has >= p.perIP
}

// SetPlaces changes how many connections are taken from now on: in all (0: no
// limit), per address (0: from those of overrides only), and from some addresses.
func (s *Server) SetPlaces(total, perIP int, overrides map[netip.Addr]int) {
	p := placesOf(total, perIP, overrides)
	s.mu.Lock()
	s.places = p
	s.mu.Unlock()
}

// connectionsByDescriptors leaves a quarter of the descriptors, and at least
// 256, to log files.
func connectionsByDescriptors() int {
	var r unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &r) != nil || r.Cur > math.MaxInt32 {
		return math.MaxInt32
	}
	all := int(r.Cur)
	return max(all-max(all/4, 256), all/2)
}
