package controller

import (
	"strings"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
)

// commits counts the entries that this node has brought to their commit.
type commits struct{ n, nanos atomic.Int64 }

func (c *commits) one(took time.Duration) {
	c.n.Add(1)
	c.nanos.Add(int64(took))
}

// Standing is what this node knows of the quorum, whether it leads or not.
type Standing struct {
	Leader        int32  // -1: none is known
	Term          uint64 // Kafka's leader epoch
	Vote          int32  // whom this node voted for in Term, -1: nobody
	State         string // leader, candidate, follower, observer; unattached: no leader is known
	HighWatermark uint64
	LogEnd        uint64
	Commits       int64         // entries that this node has proposed and committed since its start
	CommitTime    time.Duration // spent on them
	Failed        bool          // the metadata cannot be applied: the node ends
}

// Standing looks at this node's member of the quorum.
func (c *Controller) Standing() Standing {
	s := Standing{Leader: -1, Vote: -1, State: "unattached", Failed: c.fsm.Err() != nil}
	s.Commits, s.CommitTime = c.proposer.commits.n.Load(), time.Duration(c.proposer.commits.nanos.Load())
	if leader, ok := c.consensus.Leader(); ok {
		s.Leader = leader
	}
	if c.node == nil {
		return s
	}
	r := c.node.r
	s.Term, s.HighWatermark, s.LogEnd = r.CurrentTerm(), r.CommitIndex()+1, r.LastIndex()+1
	s.Vote = c.node.vote(s.Term)
	switch state := r.State(); {
	case state != raft.Follower:
		s.State = strings.ToLower(state.String())
	case s.Leader < 0:
	case c.node.votes():
		s.State = "follower"
	default:
		s.State = "observer"
	}
	return s
}

// vote is whom this node voted for in a term. Raft remembers the address.
func (n *raftNode) vote(term uint64) int32 {
	voted, err := n.stores.Stable.GetUint64(keyLastVoteTerm)
	if err != nil || voted != term {
		return -1
	}
	candidate, err := n.stores.Stable.Get(keyLastVoteCand)
	if err != nil {
		return -1
	}
	_, id, err := splitAddress(raft.ServerAddress(candidate))
	if err != nil {
		return -1
	}
	node, _, err := ParseServerID(id)
	if err != nil {
		return -1
	}
	return node
}

// votes says whether this node is a voter.
func (n *raftNode) votes() bool {
	for _, s := range n.r.GetConfiguration().Configuration().Servers {
		if s.ID == n.self.raftID() {
			return s.Suffrage == raft.Voter
		}
	}
	return false
}
