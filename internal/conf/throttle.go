package conf

import (
	"slices"
	"strconv"
)

// Throttles limit what is copied for replicas that are throttled and not in sync, or
// that move between log directories, in bytes per second.
type Throttles struct {
	Leader   int64 // leader.replication.throttled.rate
	Follower int64 // follower.replication.throttled.rate
	Moves    int64 // replica.alter.log.dirs.io.max.bytes.per.second
}

// Throttles resolves them: dynamic broker settings over the defaults.
func (b *Broker) Throttles(d Dynamic) Throttles {
	return Throttles{
		Leader:   b.dynamic(d, "leader.replication.throttled.rate").num,
		Follower: b.dynamic(d, "follower.replication.throttled.rate").num,
		Moves:    b.dynamic(d, "replica.alter.log.dirs.io.max.bytes.per.second").num,
	}
}

// Throttled names replicas of a topic as partition:broker, or all with a star.
type Throttled []string

// Has says whether the replica of a partition on a broker is throttled.
func (t Throttled) Has(partition, broker int32) bool {
	return len(t) > 0 && (slices.Contains(t, "*") || slices.Contains(t, strconv.Itoa(int(partition))+":"+strconv.Itoa(int(broker))))
}
