package client

import (
	"context"
	"encoding/base64"
	"fmt"
	"sort"

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
	if added != nil { // none is not the same as as many as it takes
		rt.Assignment = make([]kmsg.CreatePartitionsRequestTopicAssignment, 0, len(added))
	}
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
