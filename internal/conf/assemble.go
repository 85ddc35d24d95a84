package conf

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// isSet tells whether somebody gave key a value.
func (b *Broker) isSet(key string) bool {
	_, ok := b.values[key]
	return ok
}

// val is the parsed value of a broker key from files, environment and flags, or
// its default. The value was checked when it was loaded.
func (b *Broker) val(key string) value {
	k, _ := BrokerKey(key)
	if s, ok := b.values[key]; ok {
		if v, err := k.parse(s.value); err == nil {
			return v
		}
	}
	return k.standard()
}

// standard is a key's parsed default, empty when it has none.
func (k *Key) standard() value {
	if k.Null {
		return value{typ: k.Type}
	}
	v, err := k.parse(k.Default)
	if err != nil {
		panic("conf: the default of " + k.Name + " does not parse") // a mistake in the table; a test tries them all
	}
	return v
}

func (b *Broker) ms(key string) time.Duration { return millis(b.val(key).num) }

// millis is a duration of n milliseconds; what does not fit is the longest one,
// about 292 years, and a negative n stays negative.
func millis(n int64) time.Duration {
	if n < 0 {
		return -1
	}
	if n > math.MaxInt64/int64(time.Millisecond) {
		return math.MaxInt64
	}
	return time.Duration(n) * time.Millisecond
}

// Origin tells where the value of a broker key came from.
func (b *Broker) Origin(key string) Origin {
	if s, ok := b.values[key]; ok {
		return s.origin
	}
	return Origin{FromDefault, "default"}
}

// assemble fills in the typed broker, in the order in which one thing follows
// from another.
func (l *loader) assemble() {
	l.identity()
	l.listeners()
	l.checkControllerPort()
	l.dataDirs()
	l.requests()
	l.timings()
	l.storage()
	l.groups()
	l.derive()
	l.contradictions()
}

func (l *loader) requests() {
	b := l.broker
	b.RequestMaxBytes = int32(b.val("socket.request.max.bytes").num)
	b.QueuedMaxRequestBytes = max(0, b.val("queued.max.request.bytes").num)
	b.ConnectionsMaxIdle = b.ms("connections.max.idle.ms")
	b.SocketSendBytes = int(max(0, b.val("socket.send.buffer.bytes").num))
	b.SocketReceiveBytes = int(max(0, b.val("socket.receive.buffer.bytes").num))
	b.FetchMaxBytes = int32(b.val("fetch.max.bytes").num)
	b.FetchSessionSlots = int(b.val("max.incremental.fetch.session.cache.slots").num)
	b.DescribePartitionLimit = int(b.val("max.request.partition.size.limit").num)
	b.HTTPAddr, b.HTTPAddrSet = b.val("http.address").str, b.isSet("http.address")
	if b.HTTPAddr == "off" {
		b.HTTPAddr = ""
	}
	b.SlowRequest = b.ms("slow.request.threshold.ms")
	b.Pprof = b.val("debug.pprof").flag
	b.MetricsCompat = b.val("metrics.compat").str == "kafka"
	b.MetricsPartitions = b.val("metrics.partition.labels").str
	b.TCPCongestion = b.val("tcp.congestion").str
}

// parsePerIP reads max.connections.per.ip.overrides, address:number; an IPv6
// address holds colons itself, so the number is behind the last one.
func parsePerIP(list string) (map[string]int, error) {
	out := map[string]int{}
	for _, entry := range splitList(list) {
		addr, count := cutLast(entry, ':')
		n, err := parseInteger(count, 32)
		if addr == "" || err != nil || n < 0 {
			return nil, fmt.Errorf("%q is not address:number", entry)
		}
		out[strings.Trim(addr, "[]")] = int(n)
	}
	return out, nil
}

func (l *loader) timings() {
	b := l.broker
	b.ReplicaLagTimeMax = b.ms("replica.lag.time.max.ms")
	b.ReplicaFetchMaxBytes = int32(b.val("replica.fetch.max.bytes").num)
	b.ReplicaFetchResponseMaxBytes = int32(b.val("replica.fetch.response.max.bytes").num)
	b.ReplicaFetchers = int(b.val("num.replica.fetchers").num)
	b.ReplicaFetchBackoff = b.ms("replica.fetch.backoff.ms")
	b.ReplicaFetchWaitMax = b.ms("replica.fetch.wait.max.ms")
	b.HeartbeatInterval = b.ms("broker.heartbeat.interval.ms")
	if b.val("auto.leader.rebalance.enable").flag {
		b.BalanceInterval = time.Duration(min(b.val("leader.imbalance.check.interval.seconds").num, math.MaxInt32)) * time.Second
	}
	b.UncleanElection = b.val("unclean.leader.election.enable").flag
	b.SessionTimeout = b.ms("broker.session.timeout.ms")
	b.RegistrationTimeout = b.ms("initial.broker.registration.timeout.ms")
	b.ElectionTimeout = b.ms("controller.quorum.election.timeout.ms")
	b.QuorumFetchTimeout = b.ms("controller.quorum.fetch.timeout.ms")
	b.SnapshotBytes = b.val("metadata.log.max.record.bytes.between.snapshots").num
	b.RequestTimeout = b.ms("request.timeout.ms")
}

func (l *loader) storage() {
	b := l.broker
	b.Rack = b.val("broker.rack").str
	b.RackAware = strings.HasSuffix(b.val("replica.selector.class").str, ".RackAwareReplicaSelector")
	b.NumPartitions = int32(b.val("num.partitions").num)
	b.DefaultReplicationFactor = int16(min(math.MaxInt16, b.val("default.replication.factor").num))
	b.AutoCreateTopics = b.val("auto.create.topics.enable").flag
	b.DeleteTopicEnable = b.val("delete.topic.enable").flag
	b.RetentionCheckInterval = b.ms("log.retention.check.interval.ms")
	b.CheckpointInterval = b.ms("log.flush.offset.checkpoint.interval.ms")
	b.WatermarkInterval = b.ms("replica.high.watermark.checkpoint.interval.ms")
	b.RecoveryThreads = int(b.val("num.recovery.threads.per.data.dir").num)
	b.CleanerEnable = b.val("log.cleaner.enable").flag
	b.ScrubInterval = b.ms("log.scrub.interval.ms")
	b.AutoFormat = b.val("auto.format.storage").flag
	b.Durability = b.val("durability").str
	if b.val("log.flush.interval.messages").num == 1 {
		b.Durability = "fsync"
	}
}

// derive notes the values that DescribeConfigs shows for keys nobody set. Of the
// two names of this node's number each counts as set when the other one is.
func (l *loader) derive() {
	b := l.broker
	for _, pair := range [][2]string{{"node.id", "broker.id"}, {"broker.id", "node.id"}} {
		if s, ok := l.values[pair[0]]; ok && !b.isSet(pair[1]) && b.NodeID >= 0 {
			s.value = Int.print(int64(b.NodeID))
			l.values[pair[1]] = s
		}
	}
	b.derived = map[string]string{
		"node.id":                             Int.print(int64(b.NodeID)),
		"broker.id":                           Int.print(int64(b.NodeID)),
		"listeners":                           join(b.Listeners),
		"advertised.listeners":                join(b.Advertised),
		"controller.listener.names":           strings.Join(b.ControllerNames, ","),
		"log.dirs":                            strings.Join(b.LogDirs, ","),
		"controller.quorum.bootstrap.servers": strings.Join(b.BootstrapServers, ","),
	}
}

func (t Type) print(n int64) string { return value{typ: t, num: n}.print() }

// contradictions finds values that are good one by one and not together.
func (l *loader) contradictions() {
	b := l.broker
	if b.SessionTimeout < 2*b.HeartbeatInterval {
		l.report.errorf(b.Origin("broker.session.timeout.ms"), "broker.session.timeout.ms",
			"broker.session.timeout.ms (%v) must be at least twice broker.heartbeat.interval.ms (%v)", b.SessionTimeout, b.HeartbeatInterval)
	}
	if n := b.val("default.replication.factor").num; n < 1 || n > math.MaxInt16 {
		l.report.errorf(b.Origin("default.replication.factor"), "default.replication.factor", "default.replication.factor must be between 1 and %d, found %d", math.MaxInt16, n)
	}
	if isr := b.val("min.insync.replicas").num; b.isSet("min.insync.replicas") && isr > int64(b.DefaultReplicationFactor) {
		l.report.warnf(b.Origin("min.insync.replicas"), "min.insync.replicas",
			"min.insync.replicas (%d) is more than default.replication.factor (%d): acks=all fails on topics with the default", isr, b.DefaultReplicationFactor)
	}
	if b.UncleanElection {
		l.report.warnf(b.Origin("unclean.leader.election.enable"), "unclean.leader.election.enable",
			"unclean.leader.election.enable=true: when no replica in sync is left another one leads, and acknowledged records are lost")
	}
	if m := b.val("message.max.bytes").num; m > int64(b.RequestMaxBytes) {
		l.report.warnf(b.Origin("message.max.bytes"), "message.max.bytes",
			"message.max.bytes (%d) is more than socket.request.max.bytes (%d): larger requests are cut off first", m, b.RequestMaxBytes)
	}
	if lo, hi := b.val("log.cleaner.min.compaction.lag.ms").num, b.val("log.cleaner.max.compaction.lag.ms").num; lo > hi {
		l.report.errorf(b.Origin("log.cleaner.min.compaction.lag.ms"), "log.cleaner.min.compaction.lag.ms",
			"log.cleaner.min.compaction.lag.ms (%d) is more than log.cleaner.max.compaction.lag.ms (%d)", lo, hi)
	}
	if err := b.CheckLimits(Dynamic{}); err != nil {
		l.report.errorf(b.Origin("max.connections.per.ip"), "max.connections.per.ip", "%v", err)
	}
	if o, d := l.values["log.flush.interval.messages"], l.values["durability"]; o.value != "" && trim(o.value) == "1" && trim(d.value) == "isr" {
		l.report.warnf(d.origin, "durability", "durability=isr has no effect: log.flush.interval.messages=1 means fsync")
	}
	l.synonyms()
}

// synonyms says which of several keys for one thing counts.
func (l *loader) synonyms() {
	for _, k := range TopicKeys() {
		var won Link
		for _, link := range k.From {
			s, ok := l.values[link.Name]
			switch {
			case !ok:
			case won.Name == "":
				won = link
			default:
				l.report.notef(s.origin, link.Name, "%s has no effect beside %s", link.Name, won.Name)
			}
		}
	}
}
