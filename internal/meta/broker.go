package meta

import (
	"cmp"
	"slices"

	"github.com/brokerd/brokerd/internal/step"
)

// BrokerState is where a broker is in its life.
type BrokerState int8

const (
	Fenced BrokerState = iota
	Active
	ControlledShutdown
)

func (s BrokerState) String() string {
	switch s {
	case Fenced:
		return "FENCED"
	case Active:
		return "ACTIVE"
	case ControlledShutdown:
		return "CONTROLLED_SHUTDOWN"
	}
	return "UNKNOWN"
}

// Broker is one registration. Immutable.
type Broker struct {
	ID          int32
	Epoch       int64 // raft index of the registration
	Incarnation step.TopicID
	State       BrokerState
	Rack        string
	Endpoints   []Endpoint
	Dirs        []step.TopicID // directory ids
	Full        []step.TopicID // those of them that take no records for want of space, in the same order
	BootID      string         // boot id of the operating system at registration
	Voter       bool
}

// FullFor says whether a replica of this broker takes no records for want of space.
// dir is where it lies; one that lies in none of the broker's directories, or
// nobody knows where, is given room as long as one has some.
func (b *Broker) FullFor(dir step.TopicID) bool {
	if !slices.Contains(b.Dirs, dir) {
		return len(b.Full) > 0 && len(b.Full) == len(b.Dirs)
	}
	return slices.Contains(b.Full, dir)
}

// Among is those of a broker's directories that are in a list, nil: none.
func (b *Broker) Among(list []step.TopicID) (dirs []step.TopicID) {
	for _, dir := range b.Dirs {
		if slices.Contains(list, dir) {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// Endpoint is one advertised listener.
type Endpoint struct {
	Listener string
	Host     string
	Port     int32
	Protocol int16 // Kafka's security protocol: 0 PLAINTEXT, 1 SSL, 2 SASL_PLAINTEXT, 3 SASL_SSL
}

// Voter is one voting member of the raft group, noted so that clients can be told.
type Voter struct {
	Node      int32
	Directory step.TopicID
	Endpoints []Endpoint
}

func findBroker(brokers []*Broker, id int32) (int, bool) {
	return slices.BinarySearchFunc(brokers, id, func(b *Broker, id int32) int { return cmp.Compare(b.ID, id) })
}
