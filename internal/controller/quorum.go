package controller

import (
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/hashicorp/raft"

	"github.com/brokerd/brokerd/internal/meta"
)

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
	LogEnd                  int64 // next index; -1 if unknown
	LastFetch, LastCaughtUp int64
	Endpoints               []meta.Endpoint
}

// Quorum describes the group; ErrNotLeader on a node that does not lead. What
// it says of others is from their heartbeats.
func (c *Controller) Quorum() (Quorum, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.leading == nil {
		return Quorum{}, ErrNotLeader
	}
	im := c.o.Catalog.Image()
	q := Quorum{
		Leader: c.o.Node, LeaderEpoch: int64(c.leading.term),
		HighWatermark: c.node.r.CommitIndex() + 1,
	}
	for _, s := range c.node.r.GetConfiguration().Configuration().Servers {
		m, ok := c.memberLocked(im, s)
		switch {
		case !ok:
		case s.Suffrage == raft.Voter:
			q.Voters = append(q.Voters, m)
		default:
			q.Observers = append(q.Observers, m)
		}
	}
	byID := func(a, b QuorumMember) int { return int(a.ID) - int(b.ID) }
	slices.SortStableFunc(q.Voters, byID)
	slices.SortStableFunc(q.Observers, byID)
	return q, nil
}

func (c *Controller) memberLocked(im *meta.Image, s raft.Server) (QuorumMember, bool) {
	node, dir, err := ParseServerID(string(s.ID))
	if err != nil {
		return QuorumMember{}, false
	}
	m := QuorumMember{ID: node, Directory: dir, LogEnd: -1, LastFetch: -1, LastCaughtUp: -1}
	if s.ID == c.node.self.raftID() {
		now := time.Now().UnixMilli()
		m.LogEnd, m.LastFetch, m.LastCaughtUp = int64(c.node.r.LastIndex())+1, now, now
	}
	m.Endpoints = raftEndpoint(s.Address)
	b, ok := im.Broker(node)
	if !ok {
		return m, true
	}
	if l := c.leading.live.of(b); l != nil && m.LogEnd < 0 && l.seenMs > 0 {
		m.LogEnd, m.LastFetch = int64(l.last)+1, l.seenMs
		if l.caughtUpMs > 0 {
			m.LastCaughtUp = l.caughtUpMs
		}
	}
	return m, true
}

// raftEndpoint is where a member's raft streams are: its controller listener,
// whose name only its own configuration knows.
func raftEndpoint(addr raft.ServerAddress) []meta.Endpoint {
	hostPort, _, err := splitAddress(addr)
	if err != nil {
		return nil
	}
	host, port, err := net.SplitHostPort(hostPort)
	if err != nil {
		return nil
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil
	}
	return []meta.Endpoint{{Host: host, Port: int32(n)}}
}
