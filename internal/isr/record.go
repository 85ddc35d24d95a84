package isr

import (
	"errors"
	"time"
)

// Why a follower's fetch is refused; its progress is not noted then.
var (
	ErrFencedEpoch  = errors.New("leader epoch is older than the leader's")
	ErrUnknownEpoch = errors.New("leader epoch is newer than the leader's")
	ErrNotReplica   = errors.New("broker is no replica of the partition")
	ErrStaleBroker  = errors.New("broker epoch is not the registered one")
	ErrBeyondEnd    = errors.New("fetch offset is beyond the leader's end")
)

// Config is what does not change with the controller's record.
type Config struct {
	Self   int32
	Fsync  bool          // the high watermark counts durable offsets only
	LagMax time.Duration // replica.lag.time.max.ms
}

// Record is the controller's record of the partition as the local image has it.
// Replicas is shared and never written to.
type Record struct {
	LeaderEpoch    int32
	PartitionEpoch int32
	Replicas       []int32
	ISR            Mask
	Eligible       Mask    // replicas whose broker is ACTIVE, and their disk not full: they may join
	BrokerEpochs   []int64 // by replica; nil: not known yet, so no follower is accepted
	MinISR         int
	Recovering     bool // elected uncleanly and not yet RECOVERED: ISR stays {leader}
	Unclean        bool // we have not been in sync since an unclean election: R9 does not hold
}

// life is the broker epoch of replica i, 0 while it is not known.
func (r *Record) life(i int) int64 {
	if i < len(r.BrokerEpochs) {
		return r.BrokerEpochs[i]
	}
	return 0
}

// Log is where the local log stands when a role begins.
type Log struct{ End, Durable, HighWatermark int64 }

// Proposal asks the controller for another ISR. It names the epochs it saw, so
// that it is refused when somebody else was faster.
type Proposal struct {
	LeaderEpoch    int32
	PartitionEpoch int32
	ISR            Mask
}

// Member is a replica with the life of its broker that the leader knows.
type Member struct {
	Broker int32
	Epoch  int64
}

// Effects is what a step asks of its shell. The shell clears it before the step.
type Effects struct {
	// HighWatermark is the new high watermark if Moved.
	Moved         bool
	HighWatermark int64

	// Propose sends Proposal to the controller.
	Propose  bool
	Proposal Proposal

	// Truncate cuts the local log from TruncateTo on (follower).
	Truncate   bool
	TruncateTo int64

	// Append takes the records of the reply into the local log (follower).
	Append bool

	// Broken names a data-safety rule that does not hold: fence the partition.
	Broken string
}

func (e *Effects) move(hw int64) { e.Moved, e.HighWatermark = true, hw }

func (e *Effects) check(ok bool, rule string) {
	if !ok && e.Broken == "" {
		e.Broken = rule
	}
}
