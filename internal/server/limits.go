package server

import (
	"math"
	"time"

	"golang.org/x/sys/unix"
)

// limits is everything that a connection may take, in bytes and in time.
type limits struct {
	requestBytes int32
	queuedBytes  int64
	connections  int
	perIP        int

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
	l.connections = connectionsByDescriptors()
	if o.MaxConnections > 0 {
		l.connections = min(l.connections, o.MaxConnections)
	}
	l.perIP = o.MaxConnectionsPerIP
	return l
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
