package conf

import "time"

// Topic is the effective settings of one topic, parsed.
type Topic struct {
	CleanupDelete, CleanupCompact  bool
	CompressionType                string // producer, uncompressed, gzip, snappy, lz4, zstd
	GzipLevel, LZ4Level, ZstdLevel int
	DeleteRetention                time.Duration
	FileDeleteDelay                time.Duration
	FlushMessages                  int64
	FlushInterval                  time.Duration // 0: none
	IndexIntervalBytes             int64
	MaxMessageBytes                int32
	MaxDecompressedBytes           int64
	MinInsyncReplicas              int16 // 0: by the default rule, 2 when RF >= 3, else 1
	LogAppendTime                  bool
	TimestampBeforeMax             time.Duration
	TimestampAfterMax              time.Duration
	RetentionBytes                 int64
	Retention                      time.Duration // negative: for ever
	SegmentBytes                   int64
	SegmentAge                     time.Duration
	SegmentJitter                  time.Duration
	SegmentIndexBytes              int64
	MinCompactionLag               time.Duration
	MaxCompactionLag               time.Duration
	MinCleanableRatio              float64
	UncleanElection                bool
	DurabilityISR                  bool
	FullValidation                 bool // record.validation=full
	ThrottledLeaders               Throttled
	ThrottledFollowers             Throttled
}

// Broker is the effective settings of this process, with what each came from.
// Its typed fields are only those that code reads.
type Broker struct {
	NodeID           int32
	ProcessRoles     []string
	ClusterID        string     // cluster.id / CLUSTER_ID, when given
	Listeners        []Listener // where to bind, controllers' included
	Advertised       []Listener // what clients are told
	ControllerNames  []string   // controller.listener.names
	InterBroker      string     // inter.broker.listener.name
	Voters           []Voter    // controller.quorum.voters
	BootstrapServers []string   // controller.quorum.bootstrap.servers, or ZooKeeper's hosts at port 9093
	LogDirs          []string
	DataDirOrigin    string // who chose LogDirs
	MetadataDir      string
	Rack             string
	RackAware        bool   // consumers are sent to a replica in their rack
	HTTPAddr         string // "" : off
	HTTPAddrSet      bool

	NumPartitions            int32
	DefaultReplicationFactor int16
	AutoCreateTopics         bool
	DeleteTopicEnable        bool

	RequestMaxBytes                   int32
	QueuedMaxRequestBytes             int64 // 0: 25 % of the memory limit
	ConnectionsMaxIdle                time.Duration
	SocketSendBytes                   int // 0: the system's
	SocketReceiveBytes                int // 0: the system's
	FetchMaxBytes                     int32
	FetchSessionSlots                 int
	DescribePartitionLimit            int // max.request.partition.size.limit
	ReplicaLagTimeMax                 time.Duration
	ReplicaFetchMaxBytes              int32
	ReplicaFetchResponseMaxBytes      int32
	ReplicaFetchWaitMax               time.Duration
	ReplicaFetchBackoff               time.Duration
	ReplicaFetchers                   int
	RetentionCheckInterval            time.Duration
	CheckpointInterval                time.Duration // of durable ends
	WatermarkInterval                 time.Duration // of high watermarks
	RecoveryThreads                   int
	CleanerEnable                     bool
	ScrubInterval                     time.Duration // 0: nothing is scrubbed
	Groups                            Groups
	HeartbeatInterval, SessionTimeout time.Duration
	BalanceInterval                   time.Duration // 0: leads do not go back by themselves
	UncleanElection                   bool          // of topics for which nobody said anything else
	RegistrationTimeout               time.Duration
	ElectionTimeout                   time.Duration // raft's election timeout
	QuorumFetchTimeout                time.Duration // raft's heartbeat timeout; the lease is half of it
	SnapshotBytes                     int64         // metadata written between two snapshots
	RequestTimeout                    time.Duration // towards other brokers
	AutoFormat                        bool
	Durability                        string        // fsync or isr
	SlowRequest                       time.Duration // 0: none is slow
	Pprof                             bool
	MetricsCompat                     bool   // Kafka's metric names too
	MetricsPartitions                 string // on, off, auto
	TCPCongestion                     string // "": the system's

	values  map[string]setting // by key, as given and checked
	derived map[string]string  // by key, values that follow from others
}

// Listener is one address to bind or to advertise.
type Listener struct {
	Name     string // PLAINTEXT, CONTROLLER, …
	Host     string // "" : all interfaces
	Port     int
	Protocol string // PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL
	Optional bool   // a start goes on without it: the IPv6 twin of a default
}
