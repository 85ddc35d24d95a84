package api

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/record"
	"github.com/brokerd/brokerd/internal/replica"
	"github.com/brokerd/brokerd/internal/vfs"
)

// stamped writes one batch per group of timestamps.
func (n *dataNode) stamped(t *meta.Topic, codec record.Codec, groups ...[]int64) {
	n.t.Helper()
	for _, g := range groups {
		var rs []record.Record
		for _, ts := range g {
			rs = append(rs, record.Record{Timestamp: ts, Key: []byte("k"), Value: []byte("v")})
		}
		b, err := record.Build(record.Spec{Codec: codec}, rs...)
		if err != nil {
			n.t.Fatal(err)
		}
		n.produce(t, b, 0)
	}
}

func (n *dataNode) listOffset(version int16, topic string, ts int64) kmsg.ListOffsetsResponseTopicPartition {
	n.t.Helper()
	req := kmsg.NewPtrListOffsetsRequest()
	req.Version, req.ReplicaID = version, -1
	q := kmsg.NewListOffsetsRequestTopic()
	q.Topic = topic
	p := kmsg.NewListOffsetsRequestTopicPartition()
	p.Timestamp, p.MaxNumOffsets, p.CurrentLeaderEpoch = ts, 9, -1
	q.Partitions = append(q.Partitions, p)
	req.Topics = append(req.Topics, q)
	resp, closed := n.ask(req)
	if closed != "" {
		n.t.Fatal(closed)
	}
	return resp.(*kmsg.ListOffsetsResponse).Topics[0].Partitions[0]
}

func TestListOffsets(t *testing.T) {
	n := startData(t, vfs.NewMem())
	topic := n.topic("t", 1, nil)
	n.stamped(topic, record.Gzip, []int64{100, 300, 200}, []int64{250, 900, 400}, []int64{500})
	for _, c := range []struct {
		name       string
		ts         int64
		since      int16
		offset, at int64
	}{
		{"latest", replica.Latest, 1, 7, -1},
		{"earliest", replica.Earliest, 1, 0, -1},
		{"largest timestamp, inside a compressed batch", replica.MaxTimestamp, 7, 4, 900},
		{"earliest local", replica.EarliestLocal, 8, 0, -1},
		{"latest tiered", replica.LatestTiered, 9, -1, -1},
		{"earliest pending upload", replica.EarliestPendingUpload, 11, -1, -1},
		{"by time, exact", 300, 1, 1, 300},
		{"by time, between", 301, 1, 4, 900},
		{"by time, before all", 0, 1, 0, 100},
		{"by time, after all", 901, 1, -1, -1},
	} {
		t.Run(c.name, func(t *testing.T) {
			for v := int16(1); v <= 11; v++ {
				p := n.listOffset(v, "t", c.ts)
				if v < c.since {
					if p.ErrorCode != kerr.UnsupportedVersion.Code {
						t.Errorf("v%d: code %d", v, p.ErrorCode)
					}
					continue
				}
				if p.ErrorCode != 0 || p.Offset != c.offset || p.Timestamp != c.at {
					t.Errorf("v%d: %+v", v, p)
				}
			}
		})
	}
	if p := n.listOffset(0, "t", replica.Latest); len(p.OldStyleOffsets) != 2 || p.OldStyleOffsets[0] != 7 || p.OldStyleOffsets[1] != 0 {
		t.Errorf("v0: %v", p.OldStyleOffsets)
	}
	if p := n.listOffset(5, "nobody", replica.Latest); p.ErrorCode != kerr.UnknownTopicOrPartition.Code || p.Offset != -1 {
		t.Errorf("%+v", p)
	}
}

func TestOffsetForLeaderEpoch(t *testing.T) {
	n := startData(t, vfs.NewMem())
	topic := n.topic("t", 1, nil)
	n.produce(topic, records(t, 4, record.Spec{}), 0)
	current, _ := topic.Partition(0)
	ask := func(version int16, asked, believed int32) kmsg.OffsetForLeaderEpochResponseTopicPartition {
		t.Helper()
		req := kmsg.NewPtrOffsetForLeaderEpochRequest()
		req.Version, req.ReplicaID = version, -1
		q := kmsg.NewOffsetForLeaderEpochRequestTopic()
		q.Topic = "t"
		p := kmsg.NewOffsetForLeaderEpochRequestTopicPartition()
		p.CurrentLeaderEpoch, p.LeaderEpoch = believed, asked
		q.Partitions = append(q.Partitions, p)
		req.Topics = append(req.Topics, q)
		resp, _ := n.ask(req)
		return resp.(*kmsg.OffsetForLeaderEpochResponse).Topics[0].Partitions[0]
	}
	for v := int16(0); v <= 4; v++ {
		if p := ask(v, current.LeaderEpoch, current.LeaderEpoch); p.ErrorCode != 0 || p.EndOffset != 4 {
			t.Errorf("v%d: %+v", v, p)
		}
	}
	if p := ask(4, current.LeaderEpoch, current.LeaderEpoch+1); p.ErrorCode != kerr.UnknownLeaderEpoch.Code {
		t.Errorf("%+v", p)
	}
	if p := ask(4, current.LeaderEpoch+5, -1); p.ErrorCode != 0 || p.LeaderEpoch > current.LeaderEpoch {
		t.Errorf("an epoch from the future: %+v", p)
	}
}

func TestDeleteRecords(t *testing.T) {
	n := startData(t, vfs.NewMem())
	topic := n.topic("t", 1, nil)
	n.topic("compacted", 1, map[string]string{"cleanup.policy": "compact"})
	for range 3 {
		n.produce(topic, records(t, 2, record.Spec{}), 0)
	}
	remove := func(version int16, name string, offset int64) kmsg.DeleteRecordsResponseTopicPartition {
		t.Helper()
		req := kmsg.NewPtrDeleteRecordsRequest()
		req.Version, req.TimeoutMillis = version, 1000
		q := kmsg.NewDeleteRecordsRequestTopic()
		q.Topic = name
		q.Partitions = []kmsg.DeleteRecordsRequestTopicPartition{{Offset: offset}}
		req.Topics = append(req.Topics, q)
		resp, _ := n.ask(req)
		return resp.(*kmsg.DeleteRecordsResponse).Topics[0].Partitions[0]
	}
	if p := remove(0, "t", 7); p.ErrorCode != kerr.OffsetOutOfRange.Code {
		t.Errorf("beyond the watermark: %+v", p)
	}
	if p := remove(1, "t", 3); p.ErrorCode != 0 || p.LowWatermark != 3 {
		t.Errorf("%+v", p)
	}
	if p := n.fetch(fetchReq(12, topic, 2)).Topics[0].Partitions[0]; p.ErrorCode != kerr.OffsetOutOfRange.Code {
		t.Errorf("below the start: %+v", p)
	}
	if p := n.fetch(fetchReq(12, topic, 3)).Topics[0].Partitions[0]; p.ErrorCode != 0 || p.LogStartOffset != 3 {
		t.Errorf("at the start: %+v", p)
	}
	if p := remove(2, "t", -1); p.ErrorCode != 0 || p.LowWatermark != 6 {
		t.Errorf("to the watermark: %+v", p)
	}
	if p := remove(2, "compacted", -1); p.ErrorCode != kerr.PolicyViolation.Code {
		t.Errorf("compacted: %+v", p)
	}
	if p := remove(2, "nobody", -1); p.ErrorCode != kerr.UnknownTopicOrPartition.Code {
		t.Errorf("unknown: %+v", p)
	}
}

func TestDescribeProducers(t *testing.T) {
	n := startData(t, vfs.NewMem())
	topic := n.topic("t", 1, nil)
	n.produce(topic, records(t, 3, record.Spec{Producer: &record.Producer{ID: 42, Epoch: 2, Sequence: 0}}), 0)
	req := kmsg.NewPtrDescribeProducersRequest()
	req.Topics = []kmsg.DescribeProducersRequestTopic{{Topic: "t", Partitions: []int32{0, 5}}}
	resp, _ := n.ask(req)
	ps := resp.(*kmsg.DescribeProducersResponse).Topics[0].Partitions
	if len(ps[0].ActiveProducers) != 1 || ps[1].ErrorCode != kerr.UnknownTopicOrPartition.Code {
		t.Fatalf("%+v", ps)
	}
	a := ps[0].ActiveProducers[0]
	if a.ProducerID != 42 || a.ProducerEpoch != 2 || a.LastSequence != 2 || a.CurrentTxnStartOffset != -1 ||
		time.Since(time.UnixMilli(a.LastTimestamp)) > time.Minute {
		t.Errorf("%+v", a)
	}
}
