package conf

import "time"

// Limits are the settings of a broker, not of its topics, that change while it runs.
type Limits struct {
	MaxConnections      int            // max.connections
	MaxConnectionsPerIP int            // max.connections.per.ip
	PerIP               map[string]int // max.connections.per.ip.overrides, by address or host
	ProducerExpiry      time.Duration  // producer.id.expiration.ms
}

// Limits resolves them: dynamic broker settings over the file over the defaults.
func (b *Broker) Limits(d Dynamic) Limits {
	perIP, _ := parsePerIP(b.dynamic(d, "max.connections.per.ip.overrides").str) // checked
	return Limits{
		MaxConnections:      int(b.dynamic(d, "max.connections").num),
		MaxConnectionsPerIP: int(b.dynamic(d, "max.connections.per.ip").num),
		PerIP:               perIP,
		ProducerExpiry:      millis(b.dynamic(d, "producer.id.expiration.ms").num),
	}
}
