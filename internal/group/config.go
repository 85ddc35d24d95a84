package group

import "time"

// Config is what an operator may set of the groups.
type Config struct {
	MinSession       time.Duration // group.min.session.timeout.ms
	MaxSession       time.Duration // group.max.session.timeout.ms
	InitialDelay     time.Duration // group.initial.rebalance.delay.ms
	MaxSize          int           // group.max.size
	Retention        time.Duration // offsets.retention.minutes
	CheckInterval    time.Duration // offsets.retention.check.interval.ms
	MaxMetadataBytes int           // offset.metadata.max.bytes
	Consumer         ConsumerConfig
}

// ConsumerConfig is what may be set of groups that the coordinator assigns.
type ConsumerConfig struct {
	Session   time.Duration // group.consumer.session.timeout.ms
	Heartbeat time.Duration // group.consumer.heartbeat.interval.ms
	MaxSize   int           // group.consumer.max.size
	Assignors []string      // group.consumer.assignors; the first one is used unless members want another
	Migration Migration     // group.consumer.migration.policy
}

// DefaultConfig has Kafka's defaults.
func DefaultConfig() Config {
	return Config{
		MinSession:       6 * time.Second,
		MaxSession:       30 * time.Minute,
		InitialDelay:     3 * time.Second,
		MaxSize:          1<<31 - 1,
		Retention:        7 * 24 * time.Hour,
		CheckInterval:    10 * time.Minute,
		MaxMetadataBytes: 4096,
		Consumer: ConsumerConfig{
			Session: 45 * time.Second, Heartbeat: 5 * time.Second, MaxSize: 1<<31 - 1,
			Assignors: []string{"uniform", "range"}, Migration: Migration{Upgrade: true, Downgrade: true},
		},
	}
}

// The error codes of Kafka's protocol that a group answers with.
const (
	codeNone                 int16 = 0
	codeUnknownTopic         int16 = 3
	codeMetadataTooLarge     int16 = 12
	codeIllegalGeneration    int16 = 22
	codeInconsistentProtocol int16 = 23
	codeInvalidGroupID       int16 = 24
	codeUnknownMember        int16 = 25
	codeInvalidSession       int16 = 26
	codeRebalance            int16 = 27
	codeUnsupportedVersion   int16 = 35
	codeInvalidRequest       int16 = 42
	codeNonEmptyGroup        int16 = 68
	codeGroupNotFound        int16 = 69
	codeMemberIDRequired     int16 = 79
	codeGroupFull            int16 = 81
	codeFencedInstance       int16 = 82
	codeSubscribed           int16 = 86
	codeUnstableOffset       int16 = 88
	codeUnknownTopicID       int16 = 100
	codeFencedEpoch          int16 = 110
	codeUnreleasedInstance   int16 = 111
	codeUnsupportedAssignor  int16 = 112
	codeStaleEpoch           int16 = 113
	codeInvalidRegex         int16 = 128
)
