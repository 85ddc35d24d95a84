package meta

import (
	"iter"

	"github.com/brokerd/brokerd/internal/step"
)

// Image is the whole cluster state after one raft entry. It is immutable.
type Image struct{ _ int }

func (im *Image) Index() uint64      { panic("meta: under construction") }
func (im *Image) ClusterID() string  { panic("meta: under construction") }
func (im *Image) Features() Features { panic("meta: under construction") }

// Topic finds a topic by id; a topic whose deletion has begun is not found.
func (im *Image) Topic(id step.TopicID) (*Topic, bool) { panic("meta: under construction") }

// TopicNamed finds a topic by name.
func (im *Image) TopicNamed(name string) (*Topic, bool) { panic("meta: under construction") }

// Topics visits all topics by name.
func (im *Image) Topics() iter.Seq[*Topic] { panic("meta: under construction") }

// TopicCount and PartitionCount count what Topics visits.
func (im *Image) TopicCount() int     { panic("meta: under construction") }
func (im *Image) PartitionCount() int { panic("meta: under construction") }

// Broker finds a registration; Brokers visits them by id.
func (im *Image) Broker(id int32) (*Broker, bool) { panic("meta: under construction") }
func (im *Image) Brokers() iter.Seq[*Broker]      { panic("meta: under construction") }

// Config gives the dynamic settings of a resource: topics by name, brokers by
// decimal id, the cluster-wide broker default by "". Never nil to range over;
// the caller must not write to it.
func (im *Image) Config(r Resource) map[string]string { panic("meta: under construction") }

// Resources visits the resources of one type that have dynamic settings, by name.
func (im *Image) Resources(t ResourceType) iter.Seq[string] { panic("meta: under construction") }

// Resource names something that has settings.
type Resource struct {
	Type ResourceType
	Name string
}

// ResourceType numbers are Kafka's (ConfigResource.Type).
type ResourceType int8

const (
	TopicResource         ResourceType = 2
	BrokerResource        ResourceType = 4
	BrokerLoggerResource  ResourceType = 8
	ClientMetricsResource ResourceType = 16
	GroupResource         ResourceType = 32
)

// Features is the finalized feature levels.
type Features struct {
	Metadata int16 // our own metadata feature level: what kinds and versions of commands may be proposed
	Epoch    int64 // raises with every change
}

// Topic is one topic. Immutable.
type Topic struct {
	ID       step.TopicID
	Name     string
	Internal bool // __consumer_offsets and the like: clients cannot delete or write it
	parts    int32
}

// Partitions is the number of partitions.
func (t *Topic) Partitions() int32 { panic("meta: under construction") }

// Partition gives partition i as a value.
func (t *Topic) Partition(i int32) (Partition, bool) { panic("meta: under construction") }

// Partition is the controller's record of one partition: a small value.
type Partition struct {
	// Replicas in assignment order, shared by all partitions with the same set;
	// nobody writes to it.
	Replicas       []int32
	Adding         []int32
	Removing       []int32
	Leader         int32 // -1: none
	LeaderEpoch    int32
	PartitionEpoch int32
	MinISR         int8 // effective min.insync.replicas: min(setting, replication factor)
	isr, elr       uint16
}

// ISR, ELR and the rest as broker ids, in assignment order.
func (p *Partition) ISR() []int32          { panic("meta: under construction") }
func (p *Partition) ELR() []int32          { panic("meta: under construction") }
func (p *Partition) LastKnownELR() []int32 { panic("meta: under construction") }

// BrokerState is where a broker is in its life.
type BrokerState int8

const (
	Fenced BrokerState = iota
	Active
	ControlledShutdown
)

// Broker is one registration. Immutable.
type Broker struct {
	ID          int32
	Epoch       int64 // raft index of the registration
	Incarnation step.TopicID
	State       BrokerState
	Rack        string
	Endpoints   []Endpoint
	Dirs        []step.TopicID // directory ids
	BootID      string
	Voter       bool
}

// Endpoint is one advertised listener.
type Endpoint struct {
	Listener string
	Host     string
	Port     int32
	Protocol int16 // Kafka's security protocol: 0 PLAINTEXT, 1 SSL, 2 SASL_PLAINTEXT, 3 SASL_SSL
}
