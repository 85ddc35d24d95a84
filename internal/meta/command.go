package meta

import (
	"fmt"

	"github.com/brokerd/brokerd/internal/step"
)

// Command is an intent with every choice already made: topic ids, assignments
// and timestamps are in it. Apply validates it against the current image.
type Command interface {
	kind() kind
	encode(b []byte, version uint8) []byte
	apply(e *Editor) Result
}

type kind uint16

// CreateTopic makes a topic with leaders already chosen: the first replica of
// each assignment that is active.
type CreateTopic struct {
	ID          step.TopicID
	Name        string
	Internal    bool
	Assignments [][]int32 // by partition, in order of preference
	Config      map[string]string
	// MinISR is the effective setting min.insync.replicas; 0: by the default
	// rule, 2 for three replicas or more, else 1.
	MinISR int8
}

// DeleteTopic begins a deletion: nobody finds the topic from then on and its
// name is free; brokers delete what they hold of it. The image remembers it as
// deleted until PurgeTopic.
type DeleteTopic struct{ ID step.TopicID }

// PurgeTopic forgets a deleted topic.
type PurgeTopic struct{ ID step.TopicID }

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
	// MinISR, when a change of min.insync.replicas moves it, is the new setting
	// for the topic's partitions (for the broker default: for those of all topics
	// without their own); 0: unchanged, MinISRByRule: by the default rule.
	MinISR int8
}

// MinISRByRule in AlterConfig puts partitions back to the default rule.
const MinISRByRule int8 = -1

// AllocateProducerIDs hands the next block of producer ids to a broker. The
// result of Apply carries the first id.
type AllocateProducerIDs struct {
	Broker      int32
	BrokerEpoch int64
	Count       int32
}

// Bootstrap is the first command of a cluster: it names it. The same again is
// no error, so that whoever bootstraps may repeat it.
type Bootstrap struct {
	ClusterID string
	Level     int16
}

// SetFeatureLevel raises the metadata feature level. Only one that every node
// knows may be proposed: the others stop when they apply it.
type SetFeatureLevel struct{ Level int16 }

// RegisterBroker begins a broker's life as Fenced under a new epoch, and takes
// it out of what a former life may have lost.
type RegisterBroker struct {
	ID          int32
	ClusterID   string
	Incarnation step.TopicID
	Rack        string
	Endpoints   []Endpoint
	Dirs        []step.TopicID
	Voter       bool
	// Seen is the epoch of the registration that the proposer replaces, 0 for
	// none: only the proposer knows whether that one's session still lives.
	Seen int64
	// CleanEpoch is the broker epoch in the marker of a clean stop, 0 without one.
	CleanEpoch int64
	// BootID is the operating system's boot id; the same as at the last
	// registration, and no DiskError, means that the page cache survived.
	BootID    string
	DiskError bool
	// Intact says that the recovery scan proved every log whole up to its
	// durable checkpoint, which excuses topics of durability=fsync (S2).
	Intact bool
	// DefaultISR says that durability=isr is this broker's default.
	DefaultISR bool

	// first is version 1, as it was read: it does not heal what is corrupt, nor
	// keep a lead from an only replica whose directory did not come back.
	first bool
}

// UnregisterBroker forgets a broker that is fenced.
type UnregisterBroker struct {
	ID    int32
	Epoch int64
}

// SetBrokerState moves a broker between its states, elections included.
type SetBrokerState struct {
	ID    int32
	Epoch int64
	State BrokerState
}

// AlterPartition is a leader's proposal of another in-sync set.
type AlterPartition struct {
	Broker         int32
	BrokerEpoch    int64
	Topic          step.TopicID
	Partition      int32
	LeaderEpoch    int32
	PartitionEpoch int32
	ISR            []ISRMember
	Recovered      bool // the leader of an unclean election has recovered
}

// ISRMember is a proposed member with the life of it that the leader saw.
type ISRMember struct {
	ID    int32
	Epoch int64
}

// ElectLeader moves a lead to the preferred replica or, with Unclean, gives a
// leaderless partition to whoever is there. The planner or an operator asks.
type ElectLeader struct {
	Topic     step.TopicID
	Partition int32
	Unclean   bool
}

// Reassign moves a partition to other replicas; no Target cancels.
type Reassign struct {
	Topic     step.TopicID
	Partition int32
	Target    []int32
}

// ReportFault takes a broker's replicas out of ISR and ELR: their directory
// failed, or with Corrupt their data is bad.
type ReportFault struct {
	Broker      int32
	BrokerEpoch int64
	Corrupt     bool
	Partitions  []step.PartitionID
}

// AssignDir says in which of a broker's directories replicas are.
type AssignDir struct {
	Broker      int32
	BrokerEpoch int64
	Dir         step.TopicID
	Partitions  []step.PartitionID

	// first is version 1, as it was read: it heals nothing.
	first bool
}

// NoteFull says which of a broker's directories take no records for want of space;
// the others have room. Their replicas leave the in-sync sets, and with them the
// lead, where somebody else can have it.
type NoteFull struct {
	Broker      int32
	BrokerEpoch int64
	Dirs        []step.TopicID
}

// NoteVoters records the raft group's voters, for clients to be told.
type NoteVoters struct{ Voters []Voter }

// NoteRecovery records that the metadata quorum was lost for good, and that one
// node was made the only voter of a new one. The same again is no error.
type NoteRecovery Recovery

// Malformed stands for bytes that are no command of ours. It is never proposed.
type Malformed struct{ Err error }

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
func (Bootstrap) kind() kind           { return 6 }
func (RegisterBroker) kind() kind      { return 7 }
func (SetBrokerState) kind() kind      { return 8 }
func (UnregisterBroker) kind() kind    { return 9 }
func (AlterPartition) kind() kind      { return 10 }
func (ElectLeader) kind() kind         { return 11 }
func (Reassign) kind() kind            { return 12 }
func (ReportFault) kind() kind         { return 13 }
func (AssignDir) kind() kind           { return 14 }
func (NoteVoters) kind() kind          { return 15 }
func (PurgeTopic) kind() kind          { return 16 }
func (SetFeatureLevel) kind() kind     { return 17 }
func (NoteRecovery) kind() kind        { return 18 }
func (NoteFull) kind() kind            { return 19 }
func (Malformed) kind() kind           { return 0 }

// kindInfo is one row of the table of commands. A command that changes its bytes,
// or what it does, gets one more level, and keeps to the older versions.
type kindInfo struct {
	name   string
	decode func(version uint8, d *decoder) Command
	// levels says from which metadata level on version 1, 2 … may be proposed.
	// They rise. A version beyond MaxLevel does not exist for this program.
	levels []int16
}

// version is the newest one that a cluster at this level takes; 0: none.
func (k kindInfo) version(level int16) (v uint8) {
	for _, from := range k.levels {
		if from > min(level, MaxLevel) {
			break
		}
		v++
	}
	return v
}

// infoOf finds a row. What came with a level that this program does not know is
// as unknown to it as it was to the program before.
func infoOf(k kind) (kindInfo, bool) {
	if k == 0 || int(k) >= len(kinds) || kinds[k].levels[0] > MaxLevel {
		return kindInfo{}, false
	}
	return kinds[k], true
}

var kinds = [20]kindInfo{
	1:  {"CreateTopic", decodeCreateTopic, []int16{1}},
	2:  {"DeleteTopic", decodeDeleteTopic, []int16{1}},
	3:  {"CreatePartitions", decodeCreatePartitions, []int16{1}},
	4:  {"AlterConfig", decodeAlterConfig, []int16{1}},
	5:  {"AllocateProducerIDs", decodeAllocateProducerIDs, []int16{1}},
	6:  {"Bootstrap", decodeBootstrap, []int16{1}},
	7:  {"RegisterBroker", decodeRegisterBroker, []int16{1, 2}},
	8:  {"SetBrokerState", decodeSetBrokerState, []int16{1}},
	9:  {"UnregisterBroker", decodeUnregisterBroker, []int16{1}},
	10: {"AlterPartition", decodeAlterPartition, []int16{1}},
	11: {"ElectLeader", decodeElectLeader, []int16{1}},
	12: {"Reassign", decodeReassign, []int16{1}},
	13: {"ReportFault", decodeReportFault, []int16{1}},
	14: {"AssignDir", decodeAssignDir, []int16{1, 2}},
	15: {"NoteVoters", decodeNoteVoters, []int16{1}},
	16: {"PurgeTopic", decodePurgeTopic, []int16{1}},
	17: {"SetFeatureLevel", decodeSetFeatureLevel, []int16{1}},
	18: {"NoteRecovery", decodeNoteRecovery, []int16{2}},
	19: {"NoteFull", decodeNoteFull, []int16{3}},
}

// KindName names the kind of a command, for logs and dumps.
func KindName(c Command) string {
	info, ok := infoOf(c.kind())
	if !ok {
		return "Malformed"
	}
	return info.name
}

func (m Malformed) apply(*Editor) Result { return Result{Err: m.Err} }

func failf(sentinel error, format string, args ...any) Result {
	return Result{Err: fmt.Errorf("%w: %s", sentinel, fmt.Sprintf(format, args...))}
}
