package api

import (
	"github.com/brokerd/brokerd/internal/controller"
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
func quorumNodes(q controller.Quorum) (nodes []kmsg.DescribeQuorumResponseNode) {
	for _, members := range [][]controller.QuorumMember{q.Voters, q.Observers} {
		for _, m := range members {
			n := kmsg.DescribeQuorumResponseNode{NodeID: m.ID}
			for _, e := range m.Endpoints {
				n.Listeners = append(n.Listeners, kmsg.DescribeQuorumResponseNodeListener{Name: e.Listener, Host: e.Host, Port: uint16(e.Port)})
			}
			nodes = append(nodes, n)
		}
	}
	return nodes
}
