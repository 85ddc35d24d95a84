package meta

import (
	"encoding/binary"
	"fmt"
	"iter"
	"strings"

	"github.com/brokerd/brokerd/internal/step"
)

// Image is the whole cluster state after one raft entry. It is immutable.
type Image struct {
	index     uint64
	clusterID string
	features  Features
	nextID    int64      // next producer id to hand out
	brokers   []*Broker  // by id
	voters    []Voter    // by node
	recovered []Recovery // of the quorum, oldest first; maxRecoveries at most

	topics  shardMap[step.TopicID, *Topic]      // living topics
	deleted shardMap[step.TopicID, *Topic]      // deletion has begun, not every broker is known to have heard
	names   shardMap[string, step.TopicID]      // living topics by name
	folded  shardMap[string, step.TopicID]      // those with '.' or '_' by folded name
	configs shardMap[string, map[string]string] // by Resource.key
	sets    shardMap[string, *replicaSet]       // interned; grows only: one per distinct assignment ever used
	byName  order
	parts   int // partitions of living topics
}

// New returns the image of a cluster in which nothing has happened.
func New() *Image {
	return &Image{
		features: Features{Metadata: MinLevel},
		topics:   shardMap[step.TopicID, *Topic]{hash: hashID},
		deleted:  shardMap[step.TopicID, *Topic]{hash: hashID},
		names:    shardMap[string, step.TopicID]{hash: hashString},
		folded:   shardMap[string, step.TopicID]{hash: hashString},
		configs:  shardMap[string, map[string]string]{hash: hashString},
		sets:     shardMap[string, *replicaSet]{hash: hashString},
	}
}

// Index is the raft index of the last entry that the image includes.
func (im *Image) Index() uint64      { return im.index }
func (im *Image) ClusterID() string  { return im.clusterID }
func (im *Image) Features() Features { return im.features }

// NextProducerID is the first producer id that nobody was given yet.
func (im *Image) NextProducerID() int64 { return im.nextID }

// TooNew says why this version can not act on the image: the cluster has been
// raised to a feature level that it does not know. nil: it can.
func (im *Image) TooNew() error {
	if im.features.Metadata <= MaxLevel {
		return nil
	}
	return fmt.Errorf("%w: the cluster is at metadata level %d, this version of brokerd knows up to %d: use a newer brokerd", ErrTooNew, im.features.Metadata, MaxLevel)
}

// Topic finds a topic by id; a topic whose deletion has begun is not found.
func (im *Image) Topic(id step.TopicID) (*Topic, bool) { return im.topics.get(id) }

// TopicNamed finds a topic by name.
func (im *Image) TopicNamed(name string) (*Topic, bool) {
	id, ok := im.names.get(name)
	if !ok {
		return nil, false
	}
	return im.topics.get(id)
}

// Topics visits all topics by name.
func (im *Image) Topics() iter.Seq[*Topic] { return im.TopicsFrom("") }

// TopicsFrom visits the topics whose name is start or comes after it.
func (im *Image) TopicsFrom(start string) iter.Seq[*Topic] {
	return func(yield func(*Topic) bool) {
		for name := range im.byName.from(start) {
			if t, ok := im.TopicNamed(name); ok && !yield(t) {
				return
			}
		}
	}
}

// Deleted finds a topic whose deletion has begun: what a broker still holds of
// it may be deleted. An id found by neither Topic nor Deleted is a stray.
func (im *Image) Deleted(id step.TopicID) (*Topic, bool) { return im.deleted.get(id) }

// DeletedTopics visits them, by id.
func (im *Image) DeletedTopics() iter.Seq[*Topic] {
	return func(yield func(*Topic) bool) {
		for _, id := range im.deleted.keys(compareIDs) {
			if t, _ := im.deleted.get(id); !yield(t) {
				return
			}
		}
	}
}

// TopicCount and PartitionCount count what Topics visits.
func (im *Image) TopicCount() int     { return im.topics.len() }
func (im *Image) PartitionCount() int { return im.parts }

// Broker finds a registration; Brokers visits them by id.
func (im *Image) Broker(id int32) (*Broker, bool) {
	i, ok := findBroker(im.brokers, id)
	if !ok {
		return nil, false
	}
	return im.brokers[i], true
}

func (im *Image) Brokers() iter.Seq[*Broker] {
	return func(yield func(*Broker) bool) {
		for _, b := range im.brokers {
			if !yield(b) {
				return
			}
		}
	}
}

// BrokerCount counts registrations, fenced ones too.
func (im *Image) BrokerCount() int { return len(im.brokers) }

// Voters is the raft group's voters as noted last; nobody writes to it.
func (im *Image) Voters() []Voter { return im.voters }

// Recoveries is when the quorum was lost for good and made anew, oldest first;
// nobody writes to it.
func (im *Image) Recoveries() []Recovery { return im.recovered }

// Config gives the dynamic settings of a resource: topics by name, brokers by
// decimal id, the cluster-wide broker default by "". Never nil to range over;
// the caller must not write to it.
func (im *Image) Config(r Resource) map[string]string {
	m, _ := im.configs.get(r.key())
	return m
}

// Resources visits the resources of one type that have dynamic settings, by name.
func (im *Image) Resources(t ResourceType) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, key := range im.configs.keys(strings.Compare) {
			if r := resourceOf(key); r.Type == t && !yield(r.Name) {
				return
			}
		}
	}
}

// AllResources visits every resource that has dynamic settings.
func (im *Image) AllResources() iter.Seq[Resource] {
	return func(yield func(Resource) bool) {
		for _, key := range im.configs.keys(strings.Compare) {
			if !yield(resourceOf(key)) {
				return
			}
		}
	}
}

// Resource names something that has settings.
type Resource struct {
	Type ResourceType
	Name string
}

func (r Resource) key() string         { return string([]byte{byte(r.Type)}) + r.Name }
func resourceOf(key string) Resource   { return Resource{ResourceType(key[0]), key[1:]} }
func compareIDs(a, b step.TopicID) int { return strings.Compare(string(a[:]), string(b[:])) }
func hashID(id step.TopicID) uint32 {
	return mix(binary.LittleEndian.Uint64(id[:8]) ^ binary.LittleEndian.Uint64(id[8:])*0xff51afd7ed558ccd)
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

func (t ResourceType) String() string {
	switch t {
	case TopicResource:
		return "TOPIC"
	case BrokerResource:
		return "BROKER"
	case BrokerLoggerResource:
		return "BROKER_LOGGER"
	case ClientMetricsResource:
		return "CLIENT_METRICS"
	case GroupResource:
		return "GROUP"
	}
	return "UNKNOWN"
}

// Features is the finalized feature levels.
type Features struct {
	Metadata int16 // our own metadata feature level: what kinds and versions of commands may be proposed
	Epoch    int64 // raises with every change
}

// DeletedCount counts what DeletedTopics visits.
func (im *Image) DeletedCount() int { return im.deleted.len() }
