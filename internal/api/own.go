package api

import (
	"fmt"
	"net"

	"github.com/brokerd/brokerd/internal/auth"
	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/step"
	"github.com/brokerd/brokerd/internal/wire"
	"github.com/twmb/franz-go/pkg/kerr"
)

// ownAPI answers what Kafka has no message for: DescribeReplicas (10000),
// OpenRaftStream (10001) and DescribeNode (10002). ReportFault (10003) is with
// what else brokers tell the controller, in registration.go.
type ownAPI struct{ d Deps }

// replicas answers DescribeReplicas for the partitions that this broker leads.
func (a *ownAPI) replicas(c *wire.Call) wire.Outcome {
	req := &wire.DescribeReplicasRequest{}
	if !read(c, req) {
		return malformed()
	}
	v := look(a.d, c)
	resp := &wire.DescribeReplicasResponse{}
	if n := v.countReplicas(req); n > maxDescribed {
		resp.ErrorCode, resp.ErrorMessage = codeText(faultf(kerr.InvalidRequest,
			"The request asks for %d partitions; %d are answered at once.", n, maxDescribed))
		return wire.Respond(c, resp)
	}
	for i := range req.Topics {
		resp.Topics = append(resp.Topics, v.topicReplicas(&req.Topics[i]))
	}
	return wire.Respond(c, resp)
}

func (v view) countReplicas(req *wire.DescribeReplicasRequest) (n int) {
	for i := range req.Topics {
		n += len(req.Topics[i].Partitions)
		if t, ok := v.im.TopicNamed(req.Topics[i].Topic); ok && req.Topics[i].Partitions == nil {
			n += int(t.Partitions())
		}
	}
	return n
}

func (v view) topicReplicas(rt *wire.DescribeReplicasRequestTopic) (o wire.DescribeReplicasResponseTopic) {
	o.Topic = rt.Topic
	if !v.mayTopic(auth.Describe, rt.Topic) {
		o.ErrorCode = kerr.TopicAuthorizationFailed.Code
		return o
	}
	t, ok := v.im.TopicNamed(rt.Topic)
	if !ok {
		o.ErrorCode = kerr.UnknownTopicOrPartition.Code
		return o
	}
	o.TopicID = t.ID
	if rt.Partitions == nil {
		for i := range t.Partitions() {
			o.Partitions = append(o.Partitions, v.partitionReplicas(t, i))
		}
	}
	for _, i := range rt.Partitions {
		o.Partitions = append(o.Partitions, v.partitionReplicas(t, i))
	}
	return o
}

func (v view) partitionReplicas(t *meta.Topic, i int32) wire.DescribeReplicasResponsePartition {
	o := wire.DescribeReplicasResponsePartition{Partition: i, Leader: -1, LeaderEpoch: -1, LogStart: -1, LastStable: -1, HighWatermark: -1}
	rec, ok := t.Partition(i)
	if !ok {
		o.ErrorCode = kerr.UnknownTopicOrPartition.Code
		return o
	}
	o.Leader, o.LeaderEpoch = rec.Leader, rec.LeaderEpoch
	if rec.Leader != v.d.Conf.NodeID {
		o.ErrorCode = kerr.NotLeaderForPartition.Code
		if err := v.d.Replicas.LostTo(step.PartitionID{Topic: t.ID, Index: i}); rec.Leader < 0 && err != nil {
			o.ErrorCode = dataCode(err) // who looks for a leader finds none: this says why
		}
		return o
	}
	err := v.describeReplicas(t, &rec, &o)
	o.ErrorCode = dataCode(err)
	return o
}

func (v view) describeReplicas(t *meta.Topic, rec *meta.Partition, o *wire.DescribeReplicasResponsePartition) error {
	p, err := v.d.Replicas.Partition(t, o.Partition)
	if err != nil {
		return err
	}
	s, err := p.Standings()
	if err != nil {
		return err
	}
	o.LeaderEpoch, o.LogStart, o.LastStable, o.HighWatermark = s.Epoch, s.View.Start, s.View.LastStable, s.View.HighWatermark
	eligible := rec.ELR()
	for i, r := range s.Of {
		out := wire.DescribeReplicasResponseReplica{
			Broker: s.Replicas[i], LogEnd: r.End, DurableEnd: r.Durable, LagRecords: -1, LagMillis: -1,
		}
		if r.End >= 0 {
			out.LagRecords, out.LagMillis = max(s.View.End-r.End, 0), r.Lag.Milliseconds()
		}
		out.State = replicaState(r.InISR, eligible, s.Replicas[i])
		o.Replicas = append(o.Replicas, out)
	}
	return nil
}

func replicaState(inISR bool, eligible []int32, id int32) wire.ReplicaState {
	if inISR {
		return wire.InSync
	}
	for _, e := range eligible {
		if e == id {
			return wire.Eligible
		}
	}
	return wire.OutOfSync
}

// raftStream answers OpenRaftStream: the connection is the controller's once the
// answer has left.
func (a *ownAPI) raftStream(c *wire.Call) wire.Outcome {
	req := &wire.OpenRaftStreamRequest{}
	if !read(c, req) {
		return malformed()
	}
	if err := a.checkStream(c, req); err != nil {
		resp := &wire.OpenRaftStreamResponse{ErrorCode: code(err), Message: err.Error()}
		return wire.Respond(c, resp)
	}
	answer := c.Reply().Answer(&wire.OpenRaftStreamResponse{})
	answer.Upgrade = func(conn net.Conn) {
		if err := a.d.Controller.Stream(conn, req); err != nil {
			a.d.Log.Warn("raft stream refused", "from", req.Own, "err", err)
		}
	}
	return &wire.Ready{Answer: answer}
}

// node answers DescribeNode.
func (a *ownAPI) node(c *wire.Call) wire.Outcome {
	if !read(c, &wire.DescribeNodeRequest{}) {
		return malformed()
	}
	resp := wire.DescribeNodeResponse{Node: a.d.Conf.NodeID, Leader: -1}
	if a.d.Node != nil {
		resp = a.d.Node()
	}
	return wire.Respond(c, &resp)
}

// checkStream refuses a stream on a listener that does not serve them, and one
// that is meant for another server or cluster.
func (a *ownAPI) checkStream(c *wire.Call, req *wire.OpenRaftStreamRequest) error {
	conf := a.d.Conf
	if here := conf.IsController(c.Client.Listener); !here && (conf.HasRole("controller") || c.Client.Listener != conf.InterBroker) {
		return faultf(kerr.InvalidRequest, "raft streams are not served on listener %s", c.Client.Listener)
	}
	if err := a.d.Controller.CheckStream(req); err != nil {
		return fmt.Errorf("open raft stream: %w", err)
	}
	return nil
}
