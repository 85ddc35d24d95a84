package api

import (
	"encoding/json"
	"fmt"
	"net"
	"time"

	"github.com/brokerd/brokerd/internal/controller"
	"github.com/brokerd/brokerd/internal/invariant"
	"github.com/brokerd/brokerd/internal/meta"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// quorumStates shows members of the raft group as Kafka shows replicas.
func quorumStates(members []controller.QuorumMember) (list []kmsg.DescribeQuorumResponseTopicPartitionReplicaState) {
	for _, m := range members {
		s := kmsg.NewDescribeQuorumResponseTopicPartitionReplicaState()
		s.ReplicaID, s.ReplicaDirectoryID, s.LogEndOffset = m.ID, m.Directory, m.LogEnd
		s.LastFetchTimestamp, s.LastCaughtUpTimestamp = m.LastFetch, m.LastCaughtUp
		list = append(list, s)
	}
	return list
}

// quorumNodes lists where the members listen.
func (v view) quorumNodes(q controller.Quorum) (nodes []kmsg.DescribeQuorumResponseNode) {
	for _, members := range [][]controller.QuorumMember{q.Voters, q.Observers} {
		for _, m := range members {
			n := kmsg.DescribeQuorumResponseNode{NodeID: m.ID}
			for _, e := range v.raftEndpoints(m) {
				n.Listeners = append(n.Listeners, kmsg.DescribeQuorumResponseNodeListener{Name: e.Listener, Host: e.Host, Port: uint16(e.Port)})
			}
			nodes = append(nodes, n)
		}
	}
	return nodes
}

// raftEndpoints is where a member listens, fit for a client. The listener is
// called here as everywhere in the cluster; one that binds all interfaces is
// reached where the broker of the same node is.
func (v view) raftEndpoints(m controller.QuorumMember) (list []meta.Endpoint) {
	for _, e := range m.Endpoints {
		if e.Listener == "" && len(v.d.Conf.ControllerNames) > 0 {
			e.Listener = v.d.Conf.ControllerNames[0]
		}
		if ip := net.ParseIP(e.Host); e.Host == "" || ip != nil && ip.IsUnspecified() {
			if b, ok := v.im.Broker(m.ID); ok && len(b.Endpoints) > 0 {
				e.Host = b.Endpoints[0].Host
			}
		}
		list = append(list, e)
	}
	return list
}

// tagRecoveries is our own tagged field of DescribeQuorum's answer.
const tagRecoveries = 10000

// recoveriesJSON tells when the quorum was lost for good and made anew.
func recoveriesJSON(list []meta.Recovery) []byte {
	type recovery struct {
		ID        string    `json:"id"`
		Time      time.Time `json:"time"`
		Node      int32     `json:"node"`
		Directory string    `json:"directory"`
		Kept      uint64    `json:"kept"`
		Lost      []string  `json:"lost"`
	}
	out := make([]recovery, len(list))
	for i, r := range list {
		out[i] = recovery{r.ID.String(), time.UnixMilli(r.TimeMs).UTC(), r.Node, r.Directory.String(), r.Kept, []string{}}
		for _, l := range r.Lost {
			out[i].Lost = append(out[i].Lost, fmt.Sprintf("%d@%s", l.Node, l.Directory))
		}
	}
	text, err := json.Marshal(out)
	invariant.Check(err == nil, "a recovery cannot be told: %v", err)
	return text
}
