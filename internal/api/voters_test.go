package api

import (
	"strings"
	"testing"

	"github.com/brokerd/brokerd/internal/auth"
	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/step"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestVoters: what cannot be done to the voters is refused with its reason.
func TestVoters(t *testing.T) {
	n := startNode(t)
	own, other := step.TopicID{15: 1}, step.TopicID{15: 2}
	add := func(id int32, dir step.TopicID, cluster string) *kmsg.AddRaftVoterResponse {
		return ask[*kmsg.AddRaftVoterResponse](n, &kmsg.AddRaftVoterRequest{ClusterID: &cluster, VoterID: id, VoterDirectoryID: dir})
	}
	remove := func(id int32, dir step.TopicID) *kmsg.RemoveRaftVoterResponse {
		return ask[*kmsg.RemoveRaftVoterResponse](n, &kmsg.RemoveRaftVoterRequest{VoterID: id, VoterDirectoryID: dir})
	}
	if got := add(1, own, "the-cluster"); got.ErrorCode != kerr.DuplicateVoter.Code {
		t.Errorf("%+v", got)
	}
	if got := add(2, other, "the-cluster"); got.ErrorCode != kerr.InvalidRequest.Code || !strings.Contains(*got.ErrorMessage, "start it first") {
		t.Errorf("%+v", got)
	}
	if got := add(2, other, "another"); got.ErrorCode != kerr.InconsistentClusterID.Code {
		t.Errorf("%+v", got)
	}
	if got := remove(1, own); got.ErrorCode != kerr.InvalidRequest.Code || !strings.Contains(*got.ErrorMessage, "only one") {
		t.Errorf("%+v", got)
	}
	if got := remove(1, other); got.ErrorCode != kerr.VoterNotFound.Code {
		t.Errorf("%+v", got)
	}
	n = n.rebuild(func(d *Deps) { d.Auth = rules(func(q auth.Question) bool { return q.Operation != auth.Alter }) })
	if got := add(2, other, "the-cluster"); got.ErrorCode != kerr.ClusterAuthorizationFailed.Code {
		t.Errorf("%+v", got)
	}
	if got := remove(1, own); got.ErrorCode != kerr.ClusterAuthorizationFailed.Code {
		t.Errorf("%+v", got)
	}
}

// TestUnregister: a broker that is fenced is forgotten, no other.
func TestUnregister(t *testing.T) {
	n := startNode(t)
	n.submit(meta.RegisterBroker{ID: 5, ClusterID: "the-cluster", Incarnation: step.TopicID{5}, Dirs: []step.TopicID{{5}}})
	unregister := func(id int32) int16 {
		return ask[*kmsg.UnregisterBrokerResponse](n, &kmsg.UnregisterBrokerRequest{BrokerID: id}).ErrorCode
	}
	if got := unregister(1); got != kerr.InvalidRequest.Code {
		t.Errorf("an active broker: code %d", got)
	}
	if got := unregister(5); got != 0 {
		t.Errorf("a fenced broker: code %d", got)
	}
	if _, there := n.deps.Catalog.Image().Broker(5); there || unregister(5) != kerr.BrokerIDNotRegistered.Code {
		t.Errorf("it is there: %v", there)
	}
}
