package meta

import "github.com/brokerd/brokerd/internal/step"

// Command is an intent with every choice already made: topic ids, assignments
// and timestamps are in it. Apply validates it against the current image.
type Command interface{ kind() kind }

type kind uint16

// CreateTopic makes a topic with leaders already chosen: the first replica of
// each assignment that is active.
type CreateTopic struct {
	ID          step.TopicID
	Name        string
	Internal    bool
	Assignments [][]int32 // by partition, in order of preference
	Config      map[string]string
	MinISR      int8
}

// DeleteTopic begins and completes a deletion: the image no longer has the topic.
type DeleteTopic struct{ ID step.TopicID }

// CreatePartitions adds partitions; Assignments are those of the new ones only.
// Before is how many the proposer saw: refused when it is not so any more.
type CreatePartitions struct {
	ID          step.TopicID
	Before      int32
	Assignments [][]int32
}

// AlterConfig changes the dynamic settings of one resource. nil value: delete.
type AlterConfig struct {
	Resource Resource
	Set      map[string]*string
	// Replace drops every other setting first (AlterConfigs).
	Replace bool
	// MinISR, when a change of min.insync.replicas moves it, is the new
	// effective value for the topic's partitions; 0: unchanged.
	MinISR int8
}

// AllocateProducerIDs hands the next block of producer ids to a broker. The
// result of Apply carries the first id.
type AllocateProducerIDs struct {
	Broker      int32
	BrokerEpoch int64
	Count       int32
}

// Result is the outcome of one command, identical on every node.
type Result struct {
	Err     error // one of this package's sentinels, wrapped with the facts
	FirstID int64 // AllocateProducerIDs
	Epoch   int64 // RegisterBroker: the broker epoch
}

func (CreateTopic) kind() kind         { return 1 }
func (DeleteTopic) kind() kind         { return 2 }
func (CreatePartitions) kind() kind    { return 3 }
func (AlterConfig) kind() kind         { return 4 }
func (AllocateProducerIDs) kind() kind { return 5 }

// Changes says what differs between two images.
type Changes struct {
	Topics  []step.TopicID // created, deleted, or with changed partitions
	Configs []Resource
	Brokers []int32
}
