package conf

import "time"

// Source is where an effective value came from; the numbers are Kafka's
// (DescribeConfigs config_source).
type Source int8

const (
	DynamicTopic         Source = 1
	DynamicBroker        Source = 2
	DynamicDefaultBroker Source = 3
	StaticBroker         Source = 4
	Default              Source = 5
	DynamicBrokerLogger  Source = 6
)

// Described is one setting as DescribeConfigs shows it.
type Described struct {
	Name          string
	Value         string
	IsNull        bool // also for sensitive values
	Source        Source
	ReadOnly      bool
	Sensitive     bool
	Type          int8 // Kafka's: 1 BOOLEAN 2 STRING 3 INT 4 SHORT 5 LONG 6 DOUBLE 7 LIST 8 CLASS 9 PASSWORD
	Documentation string
	Synonyms      []Synonym
}

// Synonym is one place a value could have come from, highest first.
type Synonym struct {
	Name, Value string
	IsNull      bool
	Source      Source
}

// Dynamic is the dynamic broker settings of the image.
type Dynamic struct {
	PerBroker map[string]string
	Cluster   map[string]string
}

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
	UncleanElection                bool
	DurabilityISR                  bool
	FullValidation                 bool // record.validation=full
}

// Broker is the effective settings of this process, with what each came from.
// Its typed fields are only those that code reads.
type Broker struct {
	NodeID          int32
	ProcessRoles    []string
	ClusterID       string // cluster.id / CLUSTER_ID, when given
	Listeners       []Listener
	Advertised      []Listener
	ControllerNames []string // controller.listener.names
	InterBroker     string   // inter.broker.listener.name
	LogDirs         []string
	MetadataDir     string
	Rack            string
	HTTPAddr        string // "" : off
	HTTPAddrSet     bool

	NumPartitions            int32
	DefaultReplicationFactor int16
	AutoCreateTopics         bool
	DeleteTopicEnable        bool

	RequestMaxBytes                   int32
	QueuedMaxRequestBytes             int64 // 0: 25 % of the memory limit
	ConnectionsMaxIdle                time.Duration
	MaxConnections                    int
	MaxConnectionsPerIP               int
	FetchMaxBytes                     int32
	FetchSessionSlots                 int
	ReplicaLagTimeMax                 time.Duration
	RetentionCheckInterval            time.Duration
	ProducerExpiry                    time.Duration
	RecoveryThreads                   int
	HeartbeatInterval, SessionTimeout time.Duration
	ElectionTimeout                   time.Duration
	AutoFormat                        bool
	Durability                        string // fsync or isr
}

// Listener is one address to bind or to advertise.
type Listener struct {
	Name     string // PLAINTEXT, CONTROLLER, …
	Host     string // "" : all interfaces
	Port     int
	Protocol string // PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL
}

// Topic resolves a topic's settings: its own over dynamic broker settings over
// the file over the defaults.
func (b *Broker) Topic(d Dynamic, overrides map[string]string) (Topic, error) {
	panic("conf: under construction")
}

// DescribeTopic lists every topic setting with value and origin, in name order.
func (b *Broker) DescribeTopic(d Dynamic, overrides map[string]string) []Described {
	panic("conf: under construction")
}

// DescribeBroker lists every broker setting.
func (b *Broker) DescribeBroker(d Dynamic) []Described { panic("conf: under construction") }

// CheckTopic says what is wrong with a topic setting: an unknown name, a value
// of the wrong type or out of range. The text is fit for a client.
func CheckTopic(name, value string) error { panic("conf: under construction") }

// CheckBrokerDynamic does the same for a dynamic broker setting; cluster is
// true for the cluster-wide default.
func CheckBrokerDynamic(name, value string, cluster bool) error {
	panic("conf: under construction")
}

// IsList tells whether a setting is a list (IncrementalAlterConfigs APPEND, SUBTRACT).
func IsList(name string) bool { panic("conf: under construction") }
