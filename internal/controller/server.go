package controller

import (
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/hashicorp/raft"

	"github.com/brokerd/brokerd/internal/step"
)

// Server is one member of the raft group: a node with one particular disk. A
// node that comes back with another disk is another server, so that it can not
// vote with a memory that it lost.
type Server struct {
	Node      int32
	Directory step.TopicID
	Address   string // host:port that serves raft streams
}

// ID is node.id@directory.id.
func (s Server) ID() string { return fmt.Sprintf("%d@%s", s.Node, s.Directory) }

func (s Server) raftID() raft.ServerID { return raft.ServerID(s.ID()) }

// raftAddress is host:port#ServerID: whoever dials it knows whom to ask for.
func (s Server) raftAddress() raft.ServerAddress {
	return raft.ServerAddress(s.Address + "#" + s.ID())
}

// ParseServerID reads what Server.ID writes.
func ParseServerID(id string) (node int32, dir step.TopicID, err error) {
	n, d, ok := strings.Cut(id, "@")
	v, err := strconv.ParseInt(n, 10, 32)
	if !ok || err != nil || v < 0 {
		return 0, dir, fmt.Errorf("%q is not a server id: node.id@directory.id is expected", id)
	}
	if dir, err = step.ParseTopicID(d); err != nil {
		return 0, dir, fmt.Errorf("%q is not a server id: node.id@directory.id is expected", id)
	}
	return int32(v), dir, nil
}

// splitAddress takes host:port#ServerID apart.
func splitAddress(addr raft.ServerAddress) (hostPort, id string, err error) {
	hostPort, id, ok := strings.Cut(string(addr), "#")
	if _, _, bad := net.SplitHostPort(hostPort); !ok || bad != nil || id == "" {
		return "", "", fmt.Errorf("%q is not a raft address: host:port#ServerID is expected", addr)
	}
	return hostPort, id, nil
}
