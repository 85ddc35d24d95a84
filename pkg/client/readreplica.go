package client

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// LogStart is where the log of a partition begins on its leader. Unlike Offsets
// it does not look first whether the partition exists.
func (a *Admin) LogStart(ctx context.Context, p Partition) (int64, error) {
	const doing = "find the start of"
	out := []PartitionOffset{{Partition: p, Offset: -1, LeaderEpoch: -1}}
	if err := a.listOffsets(ctx, doing, Earliest, out, map[Partition]int{p: 0}); err != nil {
		return 0, err
	}
	return out[0].Offset, out[0].Err
}

// ReadReplica reads one replica from its own broker, whether that leads or not: a
// reader would be sent to the leader. The batches begin with the one that holds
// the offset at; the last may be cut off after atMost bytes. watermark is the high
// watermark as this replica knows it. The topic's id may be zero: a broker that
// knows no ids is asked by name.
func (a *Admin) ReadReplica(ctx context.Context, r ReplicaID, topicID [16]byte, at int64, atMost int32) (watermark int64, batches []byte, err error) {
	const doing = "read replica"
	req := kmsg.NewPtrFetchRequest()
	req.MaxBytes, req.SessionEpoch = atMost, -1
	p := kmsg.NewFetchRequestTopicPartition()
	p.Partition, p.FetchOffset, p.PartitionMaxBytes = r.Partition.Partition, at, atMost
	t := kmsg.NewFetchRequestTopic()
	t.Topic, t.TopicID, t.Partitions = r.Topic, topicID, []kmsg.FetchRequestTopicPartition{p}
	req.Topics = append(req.Topics, t)
	answered, err := a.c.raw.Broker(int(r.Broker)).Request(ctx, req)
	if err != nil {
		return 0, nil, a.c.explain(doing, r.String(), err)
	}
	resp := answered.(*kmsg.FetchResponse)
	if err := answer(doing, r.String(), resp.ErrorCode, nil); err != nil {
		return 0, nil, err
	}
	if len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 {
		return 0, nil, &Error{Doing: doing, Name: r.String(), Code: kerr.UnknownServerError, Message: "the answer does not hold what was asked for"}
	}
	got := resp.Topics[0].Partitions[0]
	return got.HighWatermark, got.RecordBatches, answer(doing, r.String(), got.ErrorCode, nil)
}
