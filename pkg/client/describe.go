package client

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sort"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TopicDescription is everything that the cluster says of a topic.
type TopicDescription struct {
	Name       string                 `json:"name"`
	ID         string                 `json:"id,omitempty"`
	Internal   bool                   `json:"internal"`
	Partitions []PartitionDescription `json:"partitions"`
}

// PartitionDescription is one partition. Leader is -1 when there is none; ELR
// and LastKnownELR are nil from a broker that does not know them.
type PartitionDescription struct {
	Partition    int32   `json:"partition"`
	Leader       int32   `json:"leader"`
	LeaderEpoch  int32   `json:"leaderEpoch"`
	Replicas     []int32 `json:"replicas"`
	ISR          []int32 `json:"isr"`
	ELR          []int32 `json:"elr"`
	LastKnownELR []int32 `json:"lastKnownElr"`
	Offline      []int32 `json:"offline,omitempty"`
	Adding       []int32 `json:"adding,omitempty"`
	Removing     []int32 `json:"removing,omitempty"`
}

// DescribeTopics describes topics, in the order of names. One that does not
// exist fails with ErrUnknownTopic.
func (a *Admin) DescribeTopics(ctx context.Context, names ...string) ([]TopicDescription, error) {
	if len(names) == 0 {
		return nil, nil
	}
	list, err := a.describeWithELR(ctx, names)
	if unsupported(err) {
		list, err = a.describeByMetadata(ctx, names)
	}
	if err != nil {
		return nil, err
	}
	return list, a.addReassignments(ctx, list)
}

// describePageSize is how many partitions are asked for at once.
const describePageSize = 2000

// describeWithELR pages through DescribeTopicPartitions (KIP-966).
func (a *Admin) describeWithELR(ctx context.Context, names []string) ([]TopicDescription, error) {
	found := map[string]*TopicDescription{}
	req := kmsg.NewPtrDescribeTopicPartitionsRequest()
	req.ResponsePartitionLimit = describePageSize
	sorted := slices.Clone(names)
	slices.Sort(sorted) // the cursor walks in name order
	for _, n := range slices.Compact(sorted) {
		rt := kmsg.NewDescribeTopicPartitionsRequestTopic()
		rt.Topic = n
		req.Topics = append(req.Topics, rt)
	}
	for {
		resp, err := req.RequestWith(ctx, a.c.raw)
		if err != nil {
			return nil, a.c.explain("describe topics", "", err)
		}
		for _, t := range resp.Topics {
			if err := addPage(found, t); err != nil {
				return nil, err
			}
		}
		if resp.NextCursor == nil {
			return inOrder(names, found)
		}
		next := kmsg.NewDescribeTopicPartitionsRequestCursor()
		next.Topic, next.Partition = resp.NextCursor.Topic, resp.NextCursor.Partition
		req.Cursor = &next
		req.Topics = slices.DeleteFunc(req.Topics, func(t kmsg.DescribeTopicPartitionsRequestTopic) bool { return t.Topic < next.Topic })
	}
}

func addPage(found map[string]*TopicDescription, t kmsg.DescribeTopicPartitionsResponseTopic) error {
	name := ""
	if t.Topic != nil {
		name = *t.Topic
	}
	if err := answer("describe topic", name, t.ErrorCode, nil); err != nil {
		return err
	}
	d := found[name]
	if d == nil {
		d = &TopicDescription{Name: name, ID: FormatID(t.TopicID), Internal: t.IsInternal}
		found[name] = d
	}
	for _, p := range t.Partitions {
		d.Partitions = append(d.Partitions, PartitionDescription{
			Partition: p.Partition, Leader: p.LeaderID, LeaderEpoch: p.LeaderEpoch, Replicas: p.Replicas,
			ISR: p.ISR, ELR: orEmpty(p.EligibleLeaderReplicas), LastKnownELR: orEmpty(p.LastKnownELR), Offline: p.OfflineReplicas,
		})
	}
	return nil
}

func orEmpty(ids []int32) []int32 {
	if ids == nil {
		return []int32{}
	}
	return ids
}

func (a *Admin) describeByMetadata(ctx context.Context, names []string) ([]TopicDescription, error) {
	req := kmsg.NewPtrMetadataRequest()
	for _, n := range names {
		rt := kmsg.NewMetadataRequestTopic()
		rt.Topic = kmsg.StringPtr(n)
		req.Topics = append(req.Topics, rt)
	}
	resp, err := req.RequestWith(ctx, a.c.raw)
	if err != nil {
		return nil, a.c.explain("describe topics", "", err)
	}
	found := map[string]*TopicDescription{}
	for _, t := range resp.Topics {
		if t.Topic == nil {
			continue
		}
		if err := answer("describe topic", *t.Topic, t.ErrorCode, nil); err != nil {
			return nil, err
		}
		d := &TopicDescription{Name: *t.Topic, ID: FormatID(t.TopicID), Internal: t.IsInternal}
		for _, p := range t.Partitions {
			d.Partitions = append(d.Partitions, PartitionDescription{Partition: p.Partition, Leader: p.Leader,
				LeaderEpoch: p.LeaderEpoch, Replicas: p.Replicas, ISR: p.ISR, Offline: p.OfflineReplicas})
		}
		found[d.Name] = d
	}
	return inOrder(names, found)
}

func inOrder(names []string, found map[string]*TopicDescription) ([]TopicDescription, error) {
	out := make([]TopicDescription, 0, len(names))
	for _, n := range names {
		d, ok := found[n]
		if !ok {
			return nil, &Error{Doing: "describe topic", Name: n, Code: kerr.UnknownTopicOrPartition}
		}
		sort.Slice(d.Partitions, func(i, j int) bool { return d.Partitions[i].Partition < d.Partitions[j].Partition })
		out = append(out, *d)
	}
	return out, nil
}

// addReassignments marks what is on the move. A broker that does not know the
// request, or does not let us ask, has nothing to add.
func (a *Admin) addReassignments(ctx context.Context, list []TopicDescription) error {
	at := map[Partition]*PartitionDescription{}
	for _, t := range list {
		for i := range t.Partitions {
			p := &t.Partitions[i]
			at[Partition{t.Name, p.Partition}] = p
		}
	}
	moves, err := a.Moves(ctx, slices.Collect(maps.Keys(at))...)
	if errors.Is(err, ErrUnsupported) || errors.Is(err, ErrNotAuthorized) {
		return nil
	}
	for _, m := range moves {
		if p, ok := at[m.Partition]; ok {
			p.Adding, p.Removing = m.Adding, m.Removing
		}
	}
	return err
}
