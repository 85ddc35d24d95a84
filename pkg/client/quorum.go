package client

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"sort"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Quorum is the controllers and the brokers as members of the metadata quorum.
type Quorum struct {
	Leader    int32    `json:"leader"`
	Epoch     int32    `json:"epoch"`
	Committed int64    `json:"committed"` // end of what is committed
	Members   []Member `json:"members"`
	// Recoveries is when the quorum was lost for good and made anew, oldest first.
	Recoveries []Recovery `json:"recoveries,omitempty"`
}

// Recovery is a quorum that was made anew of what one node remembered.
type Recovery struct {
	ID        string    `json:"id"`
	Time      time.Time `json:"time"`
	Node      int32     `json:"node"`
	Directory string    `json:"directory"`
	Kept      uint64    `json:"kept"` // last entry of the metadata log that was kept
	Lost      []string  `json:"lost"` // voters, NODE@DIRECTORY
}

// tagRecoveries is brokerd's own tagged field of DescribeQuorum's answer: JSON.
const tagRecoveries = 10000

// Member is one node with one disk: a node whose disk was lost is another member.
type Member struct {
	Node      int32  `json:"node"`
	Directory string `json:"directory"`
	Voter     bool   `json:"voter"`
	Address   string `json:"address,omitempty"`
	LogEnd    int64  `json:"logEnd"` // -1: not known
	// LastSeen is when the controller last heard of the node; zero: never.
	LastSeen time.Time `json:"lastSeen,omitzero"`
	// LastCaughtUp is when it had all that had been committed; zero: not known.
	LastCaughtUp time.Time `json:"lastCaughtUp,omitzero"`
	Listener     string    `json:"listener,omitempty"` // of Address
}

// Quorum describes the metadata quorum, voters first. The controller tells it:
// without one the error says so.
func (a *Admin) Quorum(ctx context.Context) (Quorum, error) {
	const doing = "describe the metadata quorum"
	req := kmsg.NewPtrDescribeQuorumRequest()
	req.Topics = []kmsg.DescribeQuorumRequestTopic{{Topic: "__cluster_metadata", Partitions: []kmsg.DescribeQuorumRequestTopicPartition{{}}}}
	resp, err := req.RequestWith(ctx, a.c.raw)
	if err != nil {
		return Quorum{}, a.c.explain(doing, "", err)
	}
	if err := answer(doing, "", resp.ErrorCode, resp.ErrorMessage); err != nil {
		return Quorum{}, err
	}
	if len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 {
		return Quorum{}, &Error{Doing: doing, Code: kerr.UnknownServerError, Message: "the answer does not hold what was asked for"}
	}
	p := resp.Topics[0].Partitions[0]
	if err := answer(doing, "", p.ErrorCode, p.ErrorMessage); err != nil {
		return Quorum{}, err
	}
	addresses, listeners := map[int32]string{}, map[int32]string{}
	for _, n := range resp.Nodes {
		for _, l := range n.Listeners {
			listeners[n.NodeID] = l.Name
			addresses[n.NodeID] = net.JoinHostPort(l.Host, strconv.Itoa(int(l.Port)))
		}
	}
	q := Quorum{Leader: p.LeaderID, Epoch: p.LeaderEpoch, Committed: p.HighWatermark}
	resp.UnknownTags.Each(func(tag uint32, v []byte) {
		if tag == tagRecoveries {
			err = json.Unmarshal(v, &q.Recoveries)
		}
	})
	if err != nil {
		return Quorum{}, &Error{Doing: doing, Code: kerr.UnknownServerError, Message: "the answer's recoveries cannot be read: " + err.Error()}
	}
	for i, list := range [][]kmsg.DescribeQuorumResponseTopicPartitionReplicaState{p.CurrentVoters, p.Observers} {
		for _, s := range list {
			m := Member{Node: s.ReplicaID, Directory: base64.RawURLEncoding.EncodeToString(s.ReplicaDirectoryID[:]),
				Voter: i == 0, Address: addresses[s.ReplicaID], Listener: listeners[s.ReplicaID], LogEnd: s.LogEndOffset}
			if s.LastFetchTimestamp > 0 {
				m.LastSeen = time.UnixMilli(s.LastFetchTimestamp)
			}
			if s.LastCaughtUpTimestamp > 0 {
				m.LastCaughtUp = time.UnixMilli(s.LastCaughtUpTimestamp)
			}
			q.Members = append(q.Members, m)
		}
	}
	sort.SliceStable(q.Members, func(i, j int) bool {
		a, b := q.Members[i], q.Members[j]
		return a.Voter != b.Voter && a.Voter || a.Voter == b.Voter && a.Node < b.Node
	})
	return q, nil
}

// AddVoter gives a member its vote. RemoveVoter takes it away; a node that lives
// with that disk stays a member.
func (a *Admin) AddVoter(ctx context.Context, node int32, directory string) error {
	const doing = "add the voter"
	name := voterName(node, directory)
	req := kmsg.NewPtrAddRaftVoterRequest()
	var err error
	if req.VoterDirectoryID, err = directoryID(directory); err != nil {
		return err
	}
	req.VoterID, req.TimeoutMillis = node, int32(adminTimeout.Milliseconds())
	resp, err := req.RequestWith(ctx, a.c.raw)
	if err != nil {
		return a.c.explain(doing, name, err)
	}
	return answer(doing, name, resp.ErrorCode, resp.ErrorMessage)
}

func (a *Admin) RemoveVoter(ctx context.Context, node int32, directory string) error {
	const doing = "remove the voter"
	name := voterName(node, directory)
	req := kmsg.NewPtrRemoveRaftVoterRequest()
	var err error
	if req.VoterDirectoryID, err = directoryID(directory); err != nil {
		return err
	}
	req.VoterID = node
	resp, err := req.RequestWith(ctx, a.c.raw)
	if err != nil {
		return a.c.explain(doing, name, err)
	}
	return answer(doing, name, resp.ErrorCode, resp.ErrorMessage)
}

func voterName(node int32, directory string) string { return fmt.Sprintf("%d@%s", node, directory) }

func directoryID(text string) (id [16]byte, err error) {
	if id, err = ParseID(text); err != nil {
		err = fmt.Errorf("%q is no directory id: 22 letters, as `brokerd quorum status` shows them", text)
	}
	return id, err
}
