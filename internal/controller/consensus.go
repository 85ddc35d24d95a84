package controller

import (
	"context"
	"errors"

	"github.com/brokerd/brokerd/internal/meta"
)

// Consensus is what the controller needs of raft: a log that all members apply
// in the same order. The simulator satisfies it with a slice.
type Consensus interface {
	// Propose appends an entry and waits until it is applied here. The errors
	// are ErrNotLeader (surely not appended) and ErrUnknownOutcome.
	Propose(ctx context.Context, entry []byte) (index uint64, results []meta.Result, err error)
	// Barrier returns when everything committed before it is applied here.
	Barrier(ctx context.Context) error
	// Leader names the node that leads as far as this one knows.
	Leader() (node int32, ok bool)
	// Terms tells of leadership of this node gained or lost, in order.
	Terms() <-chan Term
	// Members changes who belongs to the group, one server at a time.
	Members(ctx context.Context, change Membership) error
}

// Term is leadership of this node gained or lost.
type Term struct {
	Leading bool
	Number  uint64
}

// Membership is one change of the group. A server that is not named is left alone.
type Membership struct {
	Verb   MemberVerb
	Server Server
}

// MemberVerb says what is to happen to a server.
type MemberVerb uint8

const (
	// AddObserver makes a server a member that applies the log without a vote.
	AddObserver MemberVerb = iota
	// AddVoter gives it a vote.
	AddVoter
	// Demote takes its vote away.
	Demote
	// Remove ends its membership.
	Remove
)

func (v MemberVerb) String() string {
	return [...]string{"joined without a vote", "votes", "lost its vote", "left"}[v]
}

var (
	// ErrNotLeader says that another node is the controller, or none is.
	ErrNotLeader = errors.New("this node is not the active controller")

	// ErrUnknownOutcome says that leadership was lost while a proposal was under
	// way: it may or may not have been committed.
	ErrUnknownOutcome = errors.New("controller changed while the request was under way")

	// ErrVoterExists, ErrNoVoter, ErrLastVoter and ErrNoMember refuse a change of
	// the voters.
	ErrVoterExists = errors.New("server is a voter already")
	ErrNoVoter     = errors.New("server is no voter")
	ErrNoMember    = errors.New("server is no member of the metadata quorum: start it first")
	ErrLastVoter   = errors.New("last voter cannot be removed")

	// ErrBusy says that the proposer's queue is full.
	ErrBusy = errors.New("controller queue is full")

	// ErrTooLarge says that one command is larger than an entry may be.
	ErrTooLarge = errors.New("change is too large for one entry of the metadata log")

	// ErrDiskFull says that the metadata directory is nearly full: only what
	// frees space or keeps the cluster alive is taken.
	ErrDiskFull = errors.New("metadata directory is nearly full")
)
