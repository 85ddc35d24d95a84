package api

import (
	"testing"

	"github.com/brokerd/brokerd/internal/auth"
	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/record"
	"github.com/brokerd/brokerd/internal/step"
	"github.com/brokerd/brokerd/internal/vfs"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// withSecond makes broker 2, in rack b, known and active, and a topic that 1
// leads and 2 has.
func (n *dataNode) withSecond() (*meta.Topic, int64) {
	n.t.Helper()
	r := n.must(meta.RegisterBroker{ID: 2, ClusterID: "test", Incarnation: step.TopicID{2}, Dirs: []step.TopicID{{8, 8}}, Rack: "b"})
	n.must(meta.SetBrokerState{ID: 2, Epoch: r.Epoch, State: meta.Active})
	id := step.TopicID{1, 't', 'w', 'o'}
	n.must(meta.CreateTopic{ID: id, Name: "two", Assignments: [][]int32{{nodeID, 2}}})
	t, _ := n.catalog.Image().TopicNamed("two")
	return t, r.Epoch
}

// followReq is a fetch of broker 2.
func followReq(t *meta.Topic, session, sessionEpoch int32, life, offset int64, epoch, last int32) *kmsg.FetchRequest {
	req := kmsg.NewPtrFetchRequest()
	req.Version, req.MaxWaitMillis, req.MinBytes, req.MaxBytes = 17, 10, 1, 1<<20
	req.ReplicaState.ID, req.ReplicaState.Epoch = 2, life
	req.SessionID, req.SessionEpoch = session, sessionEpoch
	p := kmsg.NewFetchRequestTopicPartition()
	p.FetchOffset, p.CurrentLeaderEpoch, p.LastFetchedEpoch, p.PartitionMaxBytes = offset, epoch, last, 1<<20
	req.Topics = []kmsg.FetchRequestTopic{{TopicID: t.ID, Partitions: []kmsg.FetchRequestTopicPartition{p}}}
	return req
}

// J-22, TestJ22FollowerFetchIsGuarded: who says that it is a replica needs
// ClusterAction and the epoch under which that broker is registered; nothing
// else may move the watermark.
func TestJ22FollowerFetchIsGuarded(t *testing.T) {
	n := startData(t, vfs.NewMem())
	topic, life := n.withSecond()
	n.ask(produceReq(9, 1, topic, records(t, 3, record.Spec{})))
	p, err := n.d.Replicas.Partition(topic, 0)
	if err != nil {
		t.Fatal(err)
	}
	hw := func() int64 { return p.Log().View().HighWatermark }
	resp := n.fetch(followReq(topic, 0, 0, life-1, 3, 0, 0))
	if resp.ErrorCode != kerr.StaleBrokerEpoch.Code || hw() != 0 {
		t.Errorf("a former life: code %d, watermark %d", resp.ErrorCode, hw())
	}
	old := followReq(topic, 0, 0, life, 3, 0, 0)
	old.Version, old.ReplicaID = 14, 2
	if resp = n.fetch(old); resp.ErrorCode != kerr.ClusterAuthorizationFailed.Code || hw() != 0 {
		t.Errorf("without an epoch: code %d, watermark %d", resp.ErrorCode, hw())
	}
	n.api.kafka[1] = newRouteWith(n.d, nobody{})
	if resp = n.fetch(followReq(topic, 0, 0, life, 3, 0, 0)); resp.ErrorCode != kerr.ClusterAuthorizationFailed.Code || hw() != 0 {
		t.Errorf("an ordinary client: code %d, watermark %d", resp.ErrorCode, hw())
	}
	n.api.kafka[1] = newRouteWith(n.d, auth.AllowAll{})
	for _, c := range []struct {
		name  string
		epoch int32
		code  int16
	}{{"no leader epoch", -1, kerr.FencedLeaderEpoch.Code}, {"a newer leader epoch", 1, kerr.UnknownLeaderEpoch.Code}} {
		resp = n.fetch(followReq(topic, 0, 0, life, 3, c.epoch, 0))
		if got := resp.Topics[0].Partitions[0].ErrorCode; got != c.code || hw() != 0 {
			t.Errorf("%s: code %d, watermark %d", c.name, got, hw())
		}
	}
	resp = n.fetch(followReq(topic, 0, 0, life, 2, 0, 0))
	if q := resp.Topics[0].Partitions[0]; q.ErrorCode != 0 || len(q.RecordBatches) == 0 || resp.SessionID == 0 {
		t.Fatalf("%+v", resp)
	}
	resp = n.fetch(followReq(topic, resp.SessionID, 1, life, 3, 0, 0))
	if resp.ErrorCode != 0 || hw() != 3 {
		t.Errorf("code %d, watermark %d", resp.ErrorCode, hw())
	}
	if resp = n.fetch(followReq(topic, resp.SessionID, 7, life, 3, 0, 0)); resp.ErrorCode != kerr.InvalidFetchSessionEpoch.Code {
		t.Errorf("a session epoch that was left out: %d", resp.ErrorCode)
	}
	if resp = n.fetch(followReq(topic, 99, 1, life, 3, 0, 0)); resp.ErrorCode != kerr.FetchSessionIDNotFound.Code {
		t.Errorf("a session of nobody: %d", resp.ErrorCode)
	}
}

// newRouteWith is the fetch API under another authorizer.
func newRouteWith(d Deps, a auth.Authorizer) *route {
	d.Auth = a
	f := newFetch(d)
	return newRoute(Endpoint{Key: 1, Min: 4, Max: 18, ReadsOn: true, Serve: f.serve, Closed: f.follows.end})
}

type nobody struct{}

func (nobody) Enabled() bool                              { return true }
func (nobody) Allows(_ *meta.Image, q auth.Question) bool { return q.Operation != auth.ClusterAction }

// TestNearestReplica: a consumer in the rack of a follower is sent to it once
// that one has what it asks for (KIP-392).
func TestNearestReplica(t *testing.T) {
	n := startData(t, vfs.NewMem())
	n.d.Conf.Rack, n.d.Conf.RackAware = "a", true
	topic, life := n.withSecond()
	n.ask(produceReq(9, 1, topic, records(t, 3, record.Spec{})))
	ask := func(rack string, offset int64) kmsg.FetchResponseTopicPartition {
		req := fetchReq(13, topic, offset)
		req.Rack = rack
		return n.fetch(req).Topics[0].Partitions[0]
	}
	if p := ask("b", 0); p.PreferredReadReplica != -1 {
		t.Errorf("a follower that never fetched: %d", p.PreferredReadReplica)
	}
	resp := n.fetch(followReq(topic, 0, 0, life, 0, 0, -1))
	n.fetch(followReq(topic, resp.SessionID, 1, life, 3, 0, 0))
	for _, c := range []struct {
		rack string
		to   int32
	}{{"b", 2}, {"a", -1}, {"c", -1}, {"", -1}} {
		p := ask(c.rack, 1)
		if p.PreferredReadReplica != c.to || (c.to >= 0) != (len(p.RecordBatches) == 0) || p.HighWatermark != 3 {
			t.Errorf("rack %q: to %d, %d bytes, watermark %d", c.rack, p.PreferredReadReplica, len(p.RecordBatches), p.HighWatermark)
		}
	}
}
