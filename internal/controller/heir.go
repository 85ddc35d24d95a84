package controller

import (
	"context"
	"time"

	"github.com/hashicorp/raft"
)

const (
	// heirTurn is the head start that each voter has of the next one: two that stand
	// at once would part the votes.
	heirTurn = 150 * time.Millisecond
	// maxEnded is how many ended streams may wait to be looked at; of those that do
	// not fit raft finds the leader's by its silence.
	maxEnded = 16
)

// runHeirs stands for election as soon as the raft leader is surely dead. Raft finds
// that out by its silence, half a second to a whole one later.
func (c *Controller) runHeirs(ctx context.Context) {
	if c.node == nil || c.o.Network == nil {
		return
	}
	for {
		select {
		case <-ctx.Done():
			return
		case from := <-c.node.stream.ended:
			c.inherit(ctx, from)
		}
	}
}

// inherit looks at a server whose stream to us has ended. If it was the leader, and
// nobody listens any more where it did, the voters stand one after the other, in the
// order of the configuration. Whoever is wrong about it costs an election, no more:
// a vote counts what it always does.
func (c *Controller) inherit(ctx context.Context, from string) {
	n := c.node
	address, leader := n.r.LeaderWithID()
	turn, may := n.turnAfter(leader)
	if string(leader) != from || !may || n.r.State() != raft.Follower {
		return
	}
	hostPort, _, err := splitAddress(address)
	if err != nil || !c.gone(ctx, hostPort) {
		return
	}
	term := n.r.CurrentTerm()
	for wait := time.Duration(turn) * heirTurn; ; wait = heirTurn {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
		if _, now := n.r.LeaderWithID(); now != "" && now != leader || n.r.State() != raft.Follower {
			return
		}
		now := n.r.CurrentTerm()
		if now == term {
			break
		}
		term = now // somebody stands: it may need a moment yet
	}
	c.o.Log.Info("the leader of the metadata quorum is dead: nobody listens where it did; standing for election", "leader", from, "term", term)
	if err := n.standNow(); err != nil {
		c.o.Log.Debug("could not stand for election", "error", err) // raft does, when its time is over
	}
}

// turnAfter is how many voters stand before this one when the leader is gone.
func (n *raftNode) turnAfter(leader raft.ServerID) (turn int, may bool) {
	for _, s := range n.r.GetConfiguration().Configuration().Servers {
		switch {
		case s.Suffrage != raft.Voter || s.ID == leader:
		case s.ID == n.self.raftID():
			return turn, true
		default:
			turn++
		}
	}
	return 0, false
}

// standNow makes this node a candidate for whom the others vote although they have
// a leader, as one that hands over asks of its heir.
func (n *raftNode) standNow() error {
	id, addr := n.self.raftID(), n.self.raftAddress()
	req := raft.TimeoutNowRequest{RPCHeader: raft.RPCHeader{
		ProtocolVersion: raft.ProtocolVersionMax, ID: []byte(id), Addr: n.trans.EncodePeer(id, addr),
	}}
	return n.trans.TimeoutNow(id, addr, &req, &raft.TimeoutNowResponse{})
}
