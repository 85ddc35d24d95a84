package client

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"sort"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Config is settings by name.
type Config map[string]string

// Topic is a topic to create. Partitions and Replicas of 0 leave the choice to
// the broker; an Assignment (replicas per partition) excludes both.
type Topic struct {
	Name       string
	Partitions int32
	Replicas   int16
	Assignment [][]int32
	Config     Config
}

// Created is a topic as the broker made it. Partitions and Replicas are -1
// from a broker that does not say.
type Created struct {
	Name       string `json:"name"`
	ID         string `json:"id,omitempty"`
	Partitions int32  `json:"partitions"`
	Replicas   int16  `json:"replicas"`
}

// CreateTopic creates a topic. The topic is visible to this broker when it returns.
func (a *Admin) CreateTopic(ctx context.Context, t Topic) (Created, error) {
	return a.createTopic(ctx, t, false)
}

// ValidateTopic does everything that CreateTopic does, but create.
func (a *Admin) ValidateTopic(ctx context.Context, t Topic) (Created, error) {
	return a.createTopic(ctx, t, true)
}

func (a *Admin) createTopic(ctx context.Context, t Topic, dry bool) (Created, error) {
	req := kmsg.NewPtrCreateTopicsRequest()
	req.TimeoutMillis, req.ValidateOnly = int32(adminTimeout.Milliseconds()), dry
	rt := kmsg.NewCreateTopicsRequestTopic()
	rt.Topic, rt.NumPartitions, rt.ReplicationFactor = t.Name, -1, -1
	if t.Partitions != 0 {
		rt.NumPartitions = t.Partitions
	}
	if t.Replicas != 0 {
		rt.ReplicationFactor = t.Replicas
	}
	for i, replicas := range t.Assignment {
		ra := kmsg.NewCreateTopicsRequestTopicReplicaAssignment()
		ra.Partition, ra.Replicas = int32(i), replicas
		rt.ReplicaAssignment = append(rt.ReplicaAssignment, ra)
	}
	for _, k := range Properties(t.Config).sorted() {
		rc := kmsg.NewCreateTopicsRequestTopicConfig()
		v := t.Config[k]
		rc.Name, rc.Value = k, &v
		rt.Configs = append(rt.Configs, rc)
	}
	req.Topics = append(req.Topics, rt)
	resp, err := req.RequestWith(ctx, a.c.raw)
	if err != nil {
		return Created{}, a.c.explain("create topic", t.Name, err)
	}
	if len(resp.Topics) != 1 {
		return Created{}, fmt.Errorf("create topic %q: the broker answered for %d topics", t.Name, len(resp.Topics))
	}
	got := resp.Topics[0]
	if err := answer("create topic", t.Name, got.ErrorCode, got.ErrorMessage); err != nil {
		return Created{}, err
	}
	return Created{Name: t.Name, ID: FormatID(got.TopicID), Partitions: got.NumPartitions, Replicas: got.ReplicationFactor}, nil
}

// DeleteTopic deletes a topic.
func (a *Admin) DeleteTopic(ctx context.Context, name string) error {
	req := kmsg.NewPtrDeleteTopicsRequest()
	req.TimeoutMillis = int32(adminTimeout.Milliseconds())
	req.TopicNames = []string{name}
	rt := kmsg.NewDeleteTopicsRequestTopic()
	rt.Topic = &name
	req.Topics = append(req.Topics, rt)
	resp, err := req.RequestWith(ctx, a.c.raw)
	if err != nil {
		return a.c.explain("delete topic", name, err)
	}
	for _, t := range resp.Topics {
		if err := answer("delete topic", name, t.ErrorCode, t.ErrorMessage); err != nil {
			return err
		}
	}
	return nil
}

// GrowTopic raises the number of partitions to total. New, if given, are the
// replicas of the added ones, in order.
func (a *Admin) GrowTopic(ctx context.Context, name string, total int32, added ...[]int32) error {
	return a.growTopic(ctx, name, total, added, false)
}

// ValidateGrowTopic does everything that GrowTopic does, but grow.
func (a *Admin) ValidateGrowTopic(ctx context.Context, name string, total int32, added ...[]int32) error {
	return a.growTopic(ctx, name, total, added, true)
}

func (a *Admin) growTopic(ctx context.Context, name string, total int32, added [][]int32, dry bool) error {
	req := kmsg.NewPtrCreatePartitionsRequest()
	req.TimeoutMillis, req.ValidateOnly = int32(adminTimeout.Milliseconds()), dry
	rt := kmsg.NewCreatePartitionsRequestTopic()
	rt.Topic, rt.Count = name, total
	for _, replicas := range added {
		as := kmsg.NewCreatePartitionsRequestTopicAssignment()
		as.Replicas = replicas
		rt.Assignment = append(rt.Assignment, as)
	}
	req.Topics = append(req.Topics, rt)
	resp, err := req.RequestWith(ctx, a.c.raw)
	if err != nil {
		return a.c.explain("add partitions to topic", name, err)
	}
	for _, t := range resp.Topics {
		if err := answer("add partitions to topic", name, t.ErrorCode, t.ErrorMessage); err != nil {
			return err
		}
	}
	return nil
}

// TopicInfo is a topic in a list.
type TopicInfo struct {
	Name       string `json:"name"`
	ID         string `json:"id,omitempty"`
	Internal   bool   `json:"internal"`
	Partitions int    `json:"partitions"`
	Replicas   int    `json:"replicas"`
}

// Topics lists all topics by name, internal ones too.
func (a *Admin) Topics(ctx context.Context) ([]TopicInfo, error) {
	req := kmsg.NewPtrMetadataRequest()
	req.Topics = nil // all
	resp, err := req.RequestWith(ctx, a.c.raw)
	if err != nil {
		return nil, a.c.explain("list topics", "", err)
	}
	list := make([]TopicInfo, 0, len(resp.Topics))
	for _, t := range resp.Topics {
		if t.Topic == nil {
			continue
		}
		info := TopicInfo{Name: *t.Topic, ID: FormatID(t.TopicID), Internal: t.IsInternal, Partitions: len(t.Partitions)}
		for _, p := range t.Partitions {
			info.Replicas = max(info.Replicas, len(p.Replicas))
		}
		list = append(list, info)
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Name < list[j].Name })
	return list, nil
}

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
	req := kmsg.NewPtrListPartitionReassignmentsRequest()
	req.TimeoutMillis = int32(adminTimeout.Milliseconds())
	for _, t := range list {
		rt := kmsg.NewListPartitionReassignmentsRequestTopic()
		rt.Topic = t.Name
		for _, p := range t.Partitions {
			rt.Partitions = append(rt.Partitions, p.Partition)
		}
		req.Topics = append(req.Topics, rt)
	}
	resp, err := req.RequestWith(ctx, a.c.raw)
	if unsupported(err) {
		return nil
	}
	if err != nil {
		return a.c.explain("list reassignments", "", err)
	}
	if isAuthError(kerr.ErrorForCode(resp.ErrorCode)) {
		return nil
	}
	if err := answer("list reassignments", "", resp.ErrorCode, resp.ErrorMessage); err != nil {
		return err
	}
	moving := map[string]map[int32]kmsg.ListPartitionReassignmentsResponseTopicPartition{}
	for _, t := range resp.Topics {
		moving[t.Topic] = map[int32]kmsg.ListPartitionReassignmentsResponseTopicPartition{}
		for _, p := range t.Partitions {
			moving[t.Topic][p.Partition] = p
		}
	}
	for i := range list {
		for j := range list[i].Partitions {
			p := &list[i].Partitions[j]
			if m, ok := moving[list[i].Name][p.Partition]; ok {
				p.Adding, p.Removing = m.AddingReplicas, m.RemovingReplicas
			}
		}
	}
	return nil
}

// FormatID writes a topic or directory id as Kafka does: 22 characters of
// URL-safe base64. The zero id is empty.
func FormatID(id [16]byte) string {
	if id == [16]byte{} {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(id[:])
}

// ParseID reads what FormatID wrote.
func ParseID(s string) (id [16]byte, err error) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(b) != len(id) {
		return id, fmt.Errorf("%q is not an id: 22 characters of URL-safe base64", s)
	}
	return [16]byte(b), nil
}
