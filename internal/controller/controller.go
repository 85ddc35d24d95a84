package controller

import (
	"errors"
	"time"

	"github.com/brokerd/brokerd/internal/meta"
)

// ErrNotLeader says that another node is the controller, or none is.
var ErrNotLeader = errors.New("this node is not the active controller")

// ErrUnknownOutcome says that leadership was lost while a proposal was under
// way: it may or may not have been committed.
var ErrUnknownOutcome = errors.New("controller changed while the request was under way")

// ErrBusy says that the proposer's queue is full.
var ErrBusy = errors.New("controller queue is full")

// Controller is this node's member of the metadata quorum.
type Controller struct{ _ int }

// Committed is the outcome of Submit.
type Committed struct {
	Index   uint64
	Results []meta.Result // one per command
	Err     error         // ErrNotLeader, ErrUnknownOutcome, ErrBusy, context.DeadlineExceeded
}

// Submit queues commands; done is called exactly once, on another goroutine,
// when they are applied here, have failed, or deadline has passed. It must not
// block. Commands of one Submit travel in one entry, in order.
func (c *Controller) Submit(cmds []meta.Command, deadline time.Time, done func(Committed)) {
	panic("controller: under construction")
}

// WhenApplied calls done once when every active broker has applied index, or
// after limit: a topic that CreateTopics answered is listed by every broker.
func (c *Controller) WhenApplied(index uint64, limit time.Duration, done func()) {
	panic("controller: under construction")
}

// Leader names the node that is the active controller.
func (c *Controller) Leader() (node int32, ok bool) { panic("controller: under construction") }

// Placement is what PlaceReplicas may choose from.
type Placement struct {
	Partitions        int32
	First             int32 // index of the first partition to place (CreatePartitions)
	ReplicationFactor int16
	Start             int // random start, chosen by the caller
}

// PlaceReplicas spreads replicas evenly over the unfenced brokers, rack-aware,
// round robin from a random start. meta.ErrReplicationFactor when there are too few.
func PlaceReplicas(im *meta.Image, p Placement) ([][]int32, error) {
	panic("controller: under construction")
}

// Quorum is the state of the raft group as this node knows it (DescribeQuorum).
type Quorum struct {
	Leader        int32
	LeaderEpoch   int64
	HighWatermark uint64
	Voters        []QuorumMember
	Observers     []QuorumMember
}

// QuorumMember is one member. LastFetch and LastCaughtUp are unix ms, -1 if unknown.
type QuorumMember struct {
	ID                      int32
	Directory               [16]byte
	LogEnd                  int64
	LastFetch, LastCaughtUp int64
	Endpoints               []meta.Endpoint
}

// Quorum describes the group; ErrNotLeader on a node that does not lead.
func (c *Controller) Quorum() (Quorum, error) { panic("controller: under construction") }
