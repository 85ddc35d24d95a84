package step

import (
	"time"

	"github.com/brokerd/brokerd/internal/record"
)

// Token names a caller who waits for an answer. The shell gives tokens out; 0
// is nobody.
type Token uint64

// Topics is the little that a coordinator may know of the cluster: one image,
// held for one step.
type Topics interface {
	// Topic gives a living topic's id and partition count.
	Topic(name string) (id TopicID, partitions int32, ok bool)
	// Named finds a living topic by id.
	Named(id TopicID) (name string, partitions int32, ok bool)
	// Each visits the living topics that clients may subscribe to, by name.
	Each(f func(name string, id TopicID, partitions int32))
	// Racks lists the racks of the brokers that hold a partition, sorted, without
	// duplicates; empty where brokers have none.
	Racks(id TopicID, partition int32) []string
	// GroupTimes gives the session time-out and the heartbeat interval of a group
	// that its members do not choose; 0: those of all groups.
	GroupTimes(group string) (session, heartbeat time.Duration)
}

// Input is one fact for a coordinator's machine: a request, an expired timer, or
// that the cluster has changed.
type Input struct {
	From Token
	// Event is of a concrete type of the machine's own package.
	Event any
	// BelievedMs is the wall clock as it is believed (Wall): what expires does so by it.
	BelievedMs int64
	// UnixMs is the wall clock, for what is written into records: never behind the one
	// that is believed, so that nothing is old at once when a jump comes to be believed.
	UnixMs int64
	// Random is fresh randomness for ids that the machine makes up.
	Random  [16]byte
	Cluster Topics
}

// Timer asks for an input at a moment. A later one with the same key replaces
// it; At 0 cancels.
type Timer struct {
	Key string
	At  Instant
}

// Answer completes a caller. It is released when the high watermark has passed
// the last batch that its Scope wrote, this step's included.
type Answer struct {
	To    Token
	Scope string // the group or transactional id
	// Body is of a concrete type of the machine's own package.
	Body any
	// Fresh: whoever asks may know of more than an old coordinator that has been
	// replaced, and does not know it: the answer waits until it is sure that it was not.
	Fresh bool
}

// Effects is what a machine asks of its shell, in order, after the step has
// returned.
type Effects struct {
	// Scope names whom the records of Append belong to.
	Scope string
	// Append is one atomic batch for the machine's own log. The shell appends it,
	// then replays it into the machine, before anything else of this step.
	Append []record.Record
	// Producer, when set, makes the batch part of this producer's transaction.
	Producer *record.Producer
	Answers  []Answer
	Timers   []Timer
}

// Reset empties e and keeps its memory.
func (e *Effects) Reset() {
	clear(e.Append)
	clear(e.Answers)
	clear(e.Timers)
	*e = Effects{Append: e.Append[:0], Answers: e.Answers[:0], Timers: e.Timers[:0]}
}
