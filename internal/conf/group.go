package conf

import (
	"math"
	"strings"
	"time"
)

// Groups is how consumer groups are coordinated, and how the topic is made that
// holds them.
type Groups struct {
	MinSession, MaxSession time.Duration // group.{min,max}.session.timeout.ms
	InitialDelay           time.Duration // group.initial.rebalance.delay.ms
	MaxSize                int           // group.max.size
	Retention              time.Duration // offsets.retention.minutes
	RetentionCheck         time.Duration // offsets.retention.check.interval.ms
	MaxMetadata            int           // offset.metadata.max.bytes
	ConsumerSession        time.Duration // group.consumer.session.timeout.ms
	ConsumerHeartbeat      time.Duration // group.consumer.heartbeat.interval.ms
	ConsumerMaxSize        int           // group.consumer.max.size
	ConsumerAssignors      []string      // group.consumer.assignors
	ConsumerUpgrade        bool          // group.consumer.migration.policy allows classic groups to become consumer groups
	ConsumerDowngrade      bool          // and the other way round
	CommitTimeout          time.Duration // offsets.commit.timeout.ms

	Partitions        int32 // offsets.topic.num.partitions
	ReplicationFactor int16 // offsets.topic.replication.factor; 0: not set, by the brokers that there are
	SegmentBytes      int64 // offsets.topic.segment.bytes
	Codec             string
}

// codecs are the names of offsets.topic.compression.codec, by number.
var codecs = []string{"producer", "gzip", "snappy", "lz4", "zstd"}

func (l *loader) groups() {
	b := l.broker
	g := &b.Groups
	g.MinSession, g.MaxSession = b.ms("group.min.session.timeout.ms"), b.ms("group.max.session.timeout.ms")
	g.InitialDelay = b.ms("group.initial.rebalance.delay.ms")
	g.MaxSize = int(b.val("group.max.size").num)
	g.Retention = millis(b.val("offsets.retention.minutes").num * time.Minute.Milliseconds())
	g.RetentionCheck = b.ms("offsets.retention.check.interval.ms")
	g.MaxMetadata = int(b.val("offset.metadata.max.bytes").num)
	g.ConsumerSession, g.ConsumerHeartbeat = b.ms("group.consumer.session.timeout.ms"), b.ms("group.consumer.heartbeat.interval.ms")
	g.ConsumerMaxSize = int(b.val("group.consumer.max.size").num)
	g.ConsumerAssignors = b.val("group.consumer.assignors").list
	policy := strings.ToLower(b.val("group.consumer.migration.policy").str)
	g.ConsumerUpgrade = policy == "upgrade" || policy == "bidirectional"
	g.ConsumerDowngrade = policy == "downgrade" || policy == "bidirectional"
	g.CommitTimeout = b.ms("offsets.commit.timeout.ms")
	g.Partitions = int32(b.val("offsets.topic.num.partitions").num)
	if b.isSet("offsets.topic.replication.factor") {
		g.ReplicationFactor = int16(min(math.MaxInt16, b.val("offsets.topic.replication.factor").num))
	}
	g.SegmentBytes = b.val("offsets.topic.segment.bytes").num
	g.Codec = codecs[0]
	if n := b.val("offsets.topic.compression.codec").num; n > 0 && n < int64(len(codecs)) {
		g.Codec = codecs[n]
	}
}
