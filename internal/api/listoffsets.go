package api

import (
	"github.com/brokerd/brokerd/internal/auth"
	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/replica"
	"github.com/brokerd/brokerd/internal/wire"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ListOffsets, key 2, and OffsetForLeaderEpoch, key 23.
//
//	2:  v0 a list of offsets; v1 one (timestamp, offset); v2 isolation; v4 leader
//	    epoch; v6 flexible; v7 -3; v8 -4; v9 -5; v10 timeout; v11 -6
//	23: v1 leader epoch in the answer; v2 current epoch; v3 replica id; v4 flexible
//
// A look-up reads at most one batch, so both are answered on the spot.

type offsetsAPI struct{ d Deps }

// led finds a partition for a client that names its topic, if it may do op.
func (v *view) led(op auth.Operation, topic string, partition int32) (*replica.Partition, error) {
	if !v.mayTopic(op, topic) {
		return nil, kerr.TopicAuthorizationFailed
	}
	t, ok := v.im.TopicNamed(topic)
	if !ok {
		return nil, kerr.UnknownTopicOrPartition
	}
	return v.partition(t, partition)
}

func (v *view) partition(t *meta.Topic, i int32) (*replica.Partition, error) {
	return v.d.Replicas.Partition(t, i)
}

func (a offsetsAPI) list(c *wire.Call) wire.Outcome {
	req := kmsg.NewPtrListOffsetsRequest()
	if !read(c, req) {
		return malformed()
	}
	v := look(a.d, c)
	resp := kmsg.NewPtrListOffsetsResponse()
	resp.Topics = make([]kmsg.ListOffsetsResponseTopic, 0, len(req.Topics))
	for i := range req.Topics {
		t := &req.Topics[i]
		out := kmsg.NewListOffsetsResponseTopic()
		out.Topic = t.Topic
		for k := range t.Partitions {
			out.Partitions = append(out.Partitions, a.one(&v, c, req, t.Topic, &t.Partitions[k]))
		}
		resp.Topics = append(resp.Topics, out)
	}
	return wire.Respond(c, resp)
}

func (a offsetsAPI) one(v *view, c *wire.Call, req *kmsg.ListOffsetsRequest, topic string, q *kmsg.ListOffsetsRequestTopicPartition) kmsg.ListOffsetsResponseTopicPartition {
	out := kmsg.NewListOffsetsResponseTopicPartition()
	out.Partition, out.Timestamp, out.Offset, out.LeaderEpoch = q.Partition, -1, -1, -1
	if !specialAllowed(q.Timestamp, c.Version) {
		out.ErrorCode = kerr.UnsupportedVersion.Code
		return out
	}
	p, err := v.led(auth.Describe, topic, q.Partition)
	if err != nil {
		out.ErrorCode = dataCode(err)
		return out
	}
	epoch := int32(-1)
	if c.Version >= 4 {
		epoch = q.CurrentLeaderEpoch
	}
	at, err := p.OffsetFor(q.Timestamp, epoch, boundOf(req.IsolationLevel))
	out.ErrorCode = dataCode(err)
	if c.Version == 0 {
		out.OldStyleOffsets = oldStyle(p, q, at.Offset, err)
		return out
	}
	out.Offset, out.Timestamp, out.LeaderEpoch = at.Offset, at.Timestamp, at.Epoch
	return out
}

// oldStyle is the answer of version 0: offsets that are not above what was asked
// for, latest first.
func oldStyle(p *replica.Partition, q *kmsg.ListOffsetsRequestTopicPartition, at int64, err error) []int64 {
	if err != nil || q.MaxNumOffsets <= 0 {
		return nil
	}
	start := p.Log().View().Start
	list := []int64{}
	if at >= 0 {
		list = append(list, at)
	}
	if q.MaxNumOffsets > 1 && q.Timestamp == replica.Latest && at > start {
		list = append(list, start)
	}
	return list
}

// specialAllowed reports whether a version knows a negative timestamp.
func specialAllowed(ts int64, version int16) bool {
	switch ts {
	case replica.MaxTimestamp:
		return version >= 7
	case replica.EarliestLocal:
		return version >= 8
	case replica.LatestTiered:
		return version >= 9
	case replica.EarliestPendingUpload:
		return version >= 11
	}
	return ts >= replica.Earliest
}

func boundOf(isolation int8) replica.Bound {
	if isolation == 1 {
		return replica.ToLastStable
	}
	return replica.ToHighWatermark
}

// epochs serves OffsetForLeaderEpoch: consumers ask it after a change of leader,
// to see whether what they have read is still there.
func (a offsetsAPI) epochs(c *wire.Call) wire.Outcome {
	req := kmsg.NewPtrOffsetForLeaderEpochRequest()
	if !read(c, req) {
		return malformed()
	}
	v := look(a.d, c)
	resp := kmsg.NewPtrOffsetForLeaderEpochResponse()
	for i := range req.Topics {
		t := &req.Topics[i]
		out := kmsg.NewOffsetForLeaderEpochResponseTopic()
		out.Topic = t.Topic
		for k := range t.Partitions {
			out.Partitions = append(out.Partitions, a.epoch(&v, c, t.Topic, &t.Partitions[k]))
		}
		resp.Topics = append(resp.Topics, out)
	}
	return wire.Respond(c, resp)
}

func (a offsetsAPI) epoch(v *view, c *wire.Call, topic string, q *kmsg.OffsetForLeaderEpochRequestTopicPartition) kmsg.OffsetForLeaderEpochResponseTopicPartition {
	out := kmsg.NewOffsetForLeaderEpochResponseTopicPartition()
	out.Partition, out.LeaderEpoch, out.EndOffset = q.Partition, -1, -1
	p, err := v.led(auth.Describe, topic, q.Partition)
	if err != nil {
		out.ErrorCode = dataCode(err)
		return out
	}
	current := int32(-1)
	if c.Version >= 2 {
		current = q.CurrentLeaderEpoch
	}
	out.LeaderEpoch, out.EndOffset, err = p.EpochEnd(q.LeaderEpoch, current)
	out.ErrorCode = dataCode(err)
	return out
}
