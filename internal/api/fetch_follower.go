package api

import (
	"sync"

	"github.com/brokerd/brokerd/internal/auth"
	"github.com/brokerd/brokerd/internal/replica"
	"github.com/brokerd/brokerd/internal/step"
	"github.com/brokerd/brokerd/internal/wire"
	"github.com/twmb/franz-go/pkg/kerr"
)

// The fetch of a follower. It says which broker it is, and of which life
// (v15+, KIP-903); an ordinary client that says so could hold the watermark
// back, so it needs ClusterAction (J-22). It always has a session, and the
// session belongs to its connection: when that goes, the session does.

// followerVersion is the first with the epoch of the broker that fetches.
const followerVersion = 15

// followers is the session of every follower's connection.
type followers struct {
	mu       sync.Mutex
	byClient map[*wire.Client]*followerSession
}

// followerSession is what the protocol needs to know of a session. Only the
// connection's goroutine touches it.
type followerSession struct {
	id, epoch int32
	session   *replica.Session

	asks   []replica.FollowerAsks // scratch of one request
	forget []step.PartitionID
}

// replicaID is who fetches as a replica, -1: a consumer.
func (f *fetchCall) replicaID() int32 {
	if f.reply.Version >= followerVersion {
		return f.req.ReplicaState.ID
	}
	return f.req.ReplicaID
}

// follow takes a follower's request in.
func (f *fetchCall) follow(all *followers, c *wire.Call) error {
	v := look(f.d, c)
	if f.reply.Version < followerVersion || !v.may(auth.ClusterAction, auth.TheCluster) {
		return kerr.ClusterAuthorizationFailed
	}
	who := f.req.ReplicaState
	b, ok := v.im.Broker(who.ID)
	if !ok || b.Epoch != who.Epoch || who.ID == f.d.Conf.NodeID {
		return kerr.StaleBrokerEpoch
	}
	s, err := all.open(f, c.Client, f.d.Replicas)
	if err != nil {
		return err
	}
	s.copy(f)
	f.number = s.session.Update(v.im, s.asks, s.forget, replica.DoubtOf(&f.req.UnknownTags))
	f.follower, f.sessionID = s.session, s.id
	return nil
}

// open finds or begins the session of a connection.
func (all *followers) open(f *fetchCall, client *wire.Client, m *replica.Manager) (*followerSession, error) {
	id, epoch := f.req.SessionID, f.req.SessionEpoch
	all.mu.Lock()
	s := all.byClient[client]
	all.mu.Unlock()
	if id == 0 && epoch == initialEpoch {
		all.end(client)
		s = &followerSession{id: 1, epoch: 1, session: m.NewSession(f.req.ReplicaState.ID, f.req.ReplicaState.Epoch)}
		all.mu.Lock()
		if all.byClient == nil {
			all.byClient = map[*wire.Client]*followerSession{}
		}
		all.byClient[client] = s
		all.mu.Unlock()
		return s, nil
	}
	if s == nil || s.id != id {
		return nil, kerr.FetchSessionIDNotFound
	}
	if who, life := s.session.Broker(); who != f.req.ReplicaState.ID || life != f.req.ReplicaState.Epoch {
		return nil, kerr.FetchSessionIDNotFound // another life of it
	}
	if s.epoch != epoch {
		return nil, kerr.InvalidFetchSessionEpoch
	}
	s.epoch = nextEpoch(epoch)
	return s, nil
}

// end forgets the session of a connection that has gone, or begins anew.
func (all *followers) end(client *wire.Client) {
	all.mu.Lock()
	s := all.byClient[client]
	delete(all.byClient, client)
	all.mu.Unlock()
	if s != nil {
		s.session.End()
	}
}

// copy takes the questions out of the request.
func (s *followerSession) copy(f *fetchCall) {
	s.asks, s.forget = s.asks[:0], s.forget[:0]
	for i := range f.req.Topics {
		t := &f.req.Topics[i]
		for k := range t.Partitions {
			q := &t.Partitions[k]
			s.asks = append(s.asks, replica.FollowerAsks{
				ID: step.PartitionID{Topic: t.TopicID, Index: q.Partition}, Offset: q.FetchOffset,
				Epoch: q.CurrentLeaderEpoch, LastEpoch: q.LastFetchedEpoch, MaxBytes: q.PartitionMaxBytes,
			})
		}
	}
	for i := range f.req.ForgottenTopics {
		t := &f.req.ForgottenTopics[i]
		for _, p := range t.Partitions {
			s.forget = append(s.forget, step.PartitionID{Topic: t.TopicID, Index: p})
		}
	}
}

// waitFollower parks the call at its session, unless there is something to say.
// The first answer of a session never waits: it brings the session's id.
func (f *fetchCall) waitFollower() {
	f.counted = true
	f.refs.Add(1) // of the session, while it is parked
	if f.req.SessionEpoch == initialEpoch || !f.follower.Park(f) {
		f.refs.Add(-1)
		f.fired.Store(true)
	}
}

// Wake is called by the session: there is news, or the follower asks more.
func (f *fetchCall) Wake(h *wire.Handoff) {
	f.fire(h)
	f.unref()
}

// serveFollower fills the call with what there is to say.
func (f *fetchCall) serveFollower() {
	if f.follower.Unpark(f) {
		f.unref()
	}
	f.counted = false
	f.parts = f.parts[:0]
	f.doubt = f.follower.Asks()
	f.follower.Serve(f.number, int64(f.maxBytes), func(s *replica.Served) {
		f.parts = append(f.parts, fetching{
			id: s.ID.Topic, partition: s.ID.Index, p: s.Partition, err: s.Err,
			read: s.Reading, size: s.Reading.Range.Len(), start: s.Start, include: true,
		})
	})
}

// dropFollower forgets the call: its connection is gone.
func (f *fetchCall) dropFollower() {
	if f.counted && f.follower.Unpark(f) {
		f.unref()
	}
	f.unref()
}
