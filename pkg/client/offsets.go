package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Offsets of a partition that are no timestamps, besides Earliest and Latest.
const (
	MaxTimestamp          int64 = -3
	EarliestLocal         int64 = -4
	LatestTiered          int64 = -5
	EarliestPendingUpload int64 = -6
)

// Partition is one partition of a topic.
type Partition struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
}

func (p Partition) String() string { return fmt.Sprintf("%s-%d", p.Topic, p.Partition) }

// ComparePartitions orders by topic, then by number.
func ComparePartitions(a, b Partition) int {
	return cmp.Or(strings.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
}

// PartitionOffset is what was found, committed or done for one partition.
type PartitionOffset struct {
	Partition
	Offset      int64  `json:"offset"`      // -1: there is none
	LeaderEpoch int32  `json:"leaderEpoch"` // -1: not known
	Metadata    string `json:"metadata,omitempty"`
	Err         error  `json:"-"` // an *Error
}

// Offsets finds an offset of each partition: Earliest, Latest, another of the
// negative ones, or the first record that is not older than a time in
// milliseconds. The answers are in the order of partitions.
func (a *Admin) Offsets(ctx context.Context, at int64, partitions []Partition) ([]PartitionOffset, error) {
	const doing = "find offsets of"
	out, index, err := a.existing(ctx, doing, partitions)
	if err == nil && len(index) > 0 {
		err = a.listOffsets(ctx, doing, at, out, index)
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}

// listOffsets puts the offsets of the partitions of index into out.
func (a *Admin) listOffsets(ctx context.Context, doing string, at int64, out []PartitionOffset, index map[Partition]int) error {
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID = -1
	for topic, numbers := range byTopic(slices.Collect(maps.Keys(index))) {
		rt := kmsg.NewListOffsetsRequestTopic()
		rt.Topic = topic
		for _, n := range numbers {
			rp := kmsg.NewListOffsetsRequestTopicPartition()
			rp.Partition, rp.Timestamp, rp.CurrentLeaderEpoch = n, at, -1
			rt.Partitions = append(rt.Partitions, rp)
		}
		req.Topics = append(req.Topics, rt)
	}
	for _, shard := range a.c.raw.RequestSharded(ctx, req) {
		if shard.Err != nil {
			if err := ctx.Err(); err != nil {
				return a.c.explain(doing, "", shard.Err)
			}
			for _, t := range shard.Req.(*kmsg.ListOffsetsRequest).Topics {
				for _, p := range t.Partitions {
					id := Partition{t.Topic, p.Partition}
					out[index[id]].Err = a.c.explain(doing, id.String(), shard.Err)
				}
			}
			continue
		}
		for _, t := range shard.Resp.(*kmsg.ListOffsetsResponse).Topics {
			for _, p := range t.Partitions {
				id := Partition{t.Topic, p.Partition}
				if i, ok := index[id]; ok {
					out[i].Offset, out[i].LeaderEpoch = p.Offset, p.LeaderEpoch
					out[i].Err = answer(doing, id.String(), p.ErrorCode, nil)
				}
			}
		}
	}
	return nil
}

// DeleteRecords deletes the records before the offset of each partition; -1
// stands for all that are committed. The answers are in the order of before,
// and their Offset is the new start of the log.
func (a *Admin) DeleteRecords(ctx context.Context, before []PartitionOffset) ([]PartitionOffset, error) {
	const doing = "delete records of"
	partitions := make([]Partition, len(before))
	for i, b := range before {
		partitions[i] = b.Partition
	}
	out, index, err := a.existing(ctx, doing, partitions)
	if err != nil || len(index) == 0 {
		return out, err
	}
	req := kmsg.NewPtrDeleteRecordsRequest()
	req.TimeoutMillis = int32(adminTimeout.Milliseconds())
	for topic, numbers := range byTopic(slices.Collect(maps.Keys(index))) {
		rt := kmsg.NewDeleteRecordsRequestTopic()
		rt.Topic = topic
		for _, n := range numbers {
			rp := kmsg.NewDeleteRecordsRequestTopicPartition()
			rp.Partition, rp.Offset = n, before[index[Partition{topic, n}]].Offset
			rt.Partitions = append(rt.Partitions, rp)
		}
		req.Topics = append(req.Topics, rt)
	}
	for _, shard := range a.c.raw.RequestSharded(ctx, req) {
		if shard.Err != nil {
			if err := ctx.Err(); err != nil {
				return nil, a.c.explain(doing, "", shard.Err)
			}
			for _, t := range shard.Req.(*kmsg.DeleteRecordsRequest).Topics {
				for _, p := range t.Partitions {
					id := Partition{t.Topic, p.Partition}
					out[index[id]].Err = a.c.explain(doing, id.String(), shard.Err)
				}
			}
			continue
		}
		for _, t := range shard.Resp.(*kmsg.DeleteRecordsResponse).Topics {
			for _, p := range t.Partitions {
				id := Partition{t.Topic, p.Partition}
				if i, ok := index[id]; ok {
					out[i].Offset, out[i].Err = p.LowWatermark, answer(doing, id.String(), p.ErrorCode, nil)
				}
			}
		}
	}
	return out, nil
}

// existing makes an answer for each partition, and an index of those that the
// cluster has; the others have failed already: franz-go would look for them
// for as long as it may.
func (a *Admin) existing(ctx context.Context, doing string, partitions []Partition) ([]PartitionOffset, map[Partition]int, error) {
	counts := map[string]int{}
	if len(partitions) > 0 {
		topics, err := a.Topics(ctx)
		if err != nil {
			return nil, nil, err
		}
		for _, t := range topics {
			counts[t.Name] = t.Partitions
		}
	}
	out, index := make([]PartitionOffset, len(partitions)), map[Partition]int{}
	for i, p := range partitions {
		out[i] = PartitionOffset{Partition: p, Offset: -1, LeaderEpoch: -1}
		if p.Partition < 0 || int(p.Partition) >= counts[p.Topic] {
			out[i].Err = &Error{Doing: doing, Name: p.String(), Code: kerr.UnknownTopicOrPartition}
			continue
		}
		index[p] = i
	}
	return out, index, nil
}

// byTopic groups partitions, each once.
func byTopic(list []Partition) map[string][]int32 {
	topics, seen := map[string][]int32{}, map[Partition]bool{}
	for _, p := range list {
		if !seen[p] {
			seen[p] = true
			topics[p.Topic] = append(topics[p.Topic], p.Partition)
		}
	}
	return topics
}

// Committed are the offsets that a group has committed, by topic and number.
func (a *Admin) Committed(ctx context.Context, group string) ([]PartitionOffset, error) {
	const doing = "fetch offsets of group"
	if err := a.coordinated(ctx, group); err != nil {
		return nil, err
	}
	got, err := a.adm.FetchOffsets(ctx, group)
	if err != nil {
		return nil, a.groupFailed(doing, group, err)
	}
	out := []PartitionOffset{}
	for _, r := range got.Sorted() {
		p := PartitionOffset{Partition: Partition{r.Topic, r.Partition}, Offset: r.At, LeaderEpoch: r.LeaderEpoch, Metadata: r.Metadata}
		if r.Err != nil {
			p.Err = &Error{Doing: doing, Name: group, Code: r.Err}
		}
		if r.At >= 0 || r.Err != nil {
			out = append(out, p)
		}
	}
	return out, nil
}

// Commit commits offsets for a group that has no members. The answers are in
// the order of offsets.
func (a *Admin) Commit(ctx context.Context, group string, offsets []PartitionOffset) ([]PartitionOffset, error) {
	const doing = "commit offsets of group"
	if err := a.coordinated(ctx, group); err != nil {
		return nil, err
	}
	wanted := kadm.Offsets{}
	for _, o := range offsets {
		wanted.Add(kadm.Offset{Topic: o.Topic, Partition: o.Partition.Partition, At: o.Offset, LeaderEpoch: -1, Metadata: o.Metadata})
	}
	got, err := a.adm.CommitOffsets(ctx, group, wanted)
	if err != nil {
		return nil, a.groupFailed(doing, group, err)
	}
	out := slices.Clone(offsets)
	for i, o := range out {
		if r, ok := got.Lookup(o.Topic, o.Partition.Partition); ok && r.Err != nil {
			out[i].Err = &Error{Doing: doing, Name: group, Code: r.Err}
		}
	}
	return out, nil
}

// DeleteOffsets makes a group forget the offsets of partitions. The answers are
// in their order. Without partitions it tells whether it might.
func (a *Admin) DeleteOffsets(ctx context.Context, group string, partitions []Partition) ([]PartitionOffset, error) {
	const doing = "delete offsets of group"
	if err := a.coordinated(ctx, group); err != nil {
		return nil, err
	}
	req := kmsg.NewPtrOffsetDeleteRequest()
	req.Group = group
	for topic, numbers := range byTopic(partitions) {
		rt := kmsg.NewOffsetDeleteRequestTopic()
		rt.Topic = topic
		for _, n := range numbers {
			rt.Partitions = append(rt.Partitions, kmsg.OffsetDeleteRequestTopicPartition{Partition: n})
		}
		req.Topics = append(req.Topics, rt)
	}
	resp, err := req.RequestWith(ctx, a.c.raw)
	if err != nil {
		return nil, a.groupFailed(doing, group, err)
	}
	if err := answer(doing, group, resp.ErrorCode, nil); err != nil {
		return nil, err
	}
	failed := map[Partition]error{}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			failed[Partition{t.Topic, p.Partition}] = answer(doing, group, p.ErrorCode, nil)
		}
	}
	out := make([]PartitionOffset, len(partitions))
	for i, p := range partitions {
		out[i] = PartitionOffset{Partition: p, Offset: -1, LeaderEpoch: -1, Err: failed[p]}
	}
	return out, nil
}

// groupFailed is explain, for errors in which franz-go has put the broker's
// code already.
func (a *Admin) groupFailed(doing, group string, err error) error {
	var shards *kadm.ShardErrors
	if errors.As(err, &shards) && len(shards.Errs) > 0 {
		err = shards.Errs[0].Err
	}
	if code := kafkaCode(err); code != nil {
		return &Error{Doing: doing, Name: group, Code: code}
	}
	return a.c.explain(doing, group, err)
}
