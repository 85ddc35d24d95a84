package conf

import (
	"errors"
	"math"
	"time"
)

// Limits are the settings of a broker, not of its topics, that change while it runs.
type Limits struct {
	MaxConnections      int            // max.connections
	MaxConnectionsPerIP int            // max.connections.per.ip; 0: only from addresses of PerIP
	PerIP               map[string]int // max.connections.per.ip.overrides, by address or host
	ProducerExpiry      time.Duration  // producer.id.expiration.ms
}

// Limits resolves them: dynamic broker settings over the file over the defaults.
func (b *Broker) Limits(d Dynamic) Limits {
	l := Limits{
		MaxConnections:      int(b.dynamic(d, "max.connections").num),
		MaxConnectionsPerIP: int(b.dynamic(d, "max.connections.per.ip").num),
		PerIP:               b.perIP(d),
		ProducerExpiry:      millis(b.dynamic(d, "producer.id.expiration.ms").num),
	}
	if b.CheckLimits(d) != nil { // a file has changed under a dynamic setting: nobody could mend it
		l.MaxConnectionsPerIP = math.MaxInt32
	}
	return l
}

var errNobodyMayConnect = errors.New("requirement failed: max.connections.per.ip can be set to zero only if max.connections.per.ip.overrides property is set.")

// CheckLimits finds values that are good one by one and not together.
func (b *Broker) CheckLimits(d Dynamic) error {
	if b.dynamic(d, "max.connections.per.ip").num == 0 && len(b.perIP(d)) == 0 {
		return errNobodyMayConnect
	}
	return nil
}

func (b *Broker) perIP(d Dynamic) map[string]int {
	m, _ := parsePerIP(b.dynamic(d, "max.connections.per.ip.overrides").str) // checked
	return m
}
