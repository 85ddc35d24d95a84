package meta

import (
	"errors"
	"fmt"
)

// What Apply answers to a command that does not fit the image.
var (
	ErrTopicExists       = errors.New("topic already exists")
	ErrUnknownTopic      = errors.New("topic does not exist")
	ErrUnknownPartition  = errors.New("partition does not exist")
	ErrInvalidTopic      = errors.New("topic name is invalid")
	ErrTopicCollision    = errors.New("topic name collides with another")
	ErrInvalidPartitions = errors.New("number of partitions is invalid")
	ErrInvalidAssignment = errors.New("replica assignment is invalid")
	ErrReplicationFactor = errors.New("replication factor is invalid")
	ErrInvalidConfig     = errors.New("setting is invalid")
	ErrStaleBroker       = errors.New("broker epoch is stale")
	ErrDuplicateBroker   = errors.New("another live broker has this id")
	ErrUnknownBroker     = errors.New("broker is not registered")
	ErrInvalidBroker     = errors.New("registration is invalid")
	ErrInvalidState      = errors.New("broker cannot go to that state")
	ErrClusterID         = errors.New("cluster id differs")
	ErrTooNew            = errors.New("metadata is of a newer version")
	ErrFeatureLevel      = errors.New("feature level is not possible")
	ErrUnknownCommand    = errors.New("command is unknown to this version")
	ErrMalformed         = errors.New("command is malformed")

	// ErrAllAway: the brokers of a new partition were there when they were chosen, or not.
	ErrAllAway = fmt.Errorf("%w: all of its brokers are fenced or shutting down", ErrInvalidAssignment)

	// The verdicts on an AlterPartition (replication rules, 2.4).
	ErrNewerEpoch   = errors.New("request knows a newer epoch than this controller")
	ErrFencedLeader = errors.New("leader epoch is older than the partition's")
	ErrNotLeader    = errors.New("sender does not lead the partition")
	ErrStaleState   = errors.New("partition epoch is older than the partition's")
	ErrInvalidISR   = errors.New("proposed in-sync set is invalid")
	ErrIneligible   = errors.New("a proposed member may not join the in-sync set")

	// The verdicts on an election or a reassignment.
	ErrElectionNotNeeded = errors.New("the partition needs no election")
	ErrNoEligibleLeader  = errors.New("no replica may be elected")
	ErrNoReassignment    = errors.New("no reassignment is in progress")
)
