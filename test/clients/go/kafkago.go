package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/segmentio/kafka-go"
)

type kafkaGo struct {
	bootstrap string
	client    *kafka.Client
	writers   map[string]*kafka.Writer
	readers   []*kafka.Reader
	messages  chan kafka.Message
	stop      context.CancelFunc
	polled    []kafka.Message // by a member, not committed yet
}

func newKafkaGo(bootstrap string) client {
	addr, err := net.ResolveTCPAddr("tcp", bootstrap)
	if err != nil {
		panic(err)
	}
	return &kafkaGo{bootstrap: bootstrap, writers: map[string]*kafka.Writer{}, client: &kafka.Client{Addr: addr, Timeout: patience}}
}

func (k *kafkaGo) code(err error) int {
	var large kafka.MessageTooLargeError
	var several kafka.WriteErrors
	if errors.As(err, &large) {
		return int(kafka.MessageSizeTooLarge)
	}
	if errors.As(err, &several) {
		for _, e := range several {
			if c := k.code(e); c != 0 {
				return c
			}
		}
	}
	var e kafka.Error
	if errors.As(err, &e) {
		return int(e)
	}
	return 0
}

func (k *kafkaGo) calls() map[string]func(request, *answer) error {
	return map[string]func(request, *answer) error{
		"create": k.create, "describe": k.describe, "list": k.list, "delete": k.delete, "grow": k.grow,
		"configs": k.configs, "alter": k.alter, "produce": k.produce, "offset": k.offset,
		"open": k.open, "poll": k.poll, "close": k.close,
		"join": k.join, "commit": k.commit, "committed": k.committed, "groups": k.groups,
	}
}

func (k *kafkaGo) create(r request, _ *answer) error {
	t := kafka.TopicConfig{Topic: r.Topic, NumPartitions: r.Partitions, ReplicationFactor: r.Replication}
	for key, v := range r.Configs {
		t.ConfigEntries = append(t.ConfigEntries, kafka.ConfigEntry{ConfigName: key, ConfigValue: v})
	}
	got, err := k.client.CreateTopics(context.Background(), &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{t}})
	if err != nil {
		return err
	}
	return got.Errors[r.Topic]
}

func (k *kafkaGo) describe(r request, a *answer) error {
	got, err := k.metadata(r.Topic)
	if err != nil {
		return err
	}
	ids := func(brokers []kafka.Broker) (ids []int32) {
		for _, b := range brokers {
			ids = append(ids, int32(b.ID))
		}
		return ids
	}
	for _, p := range got.Topics[0].Partitions {
		a.Layout = append(a.Layout, layout{int32(p.ID), int32(p.Leader.ID), ids(p.Replicas), ids(p.Isr)})
	}
	return got.Topics[0].Error
}

// metadata asks by a transport of its own: an older one answers from its cache.
func (k *kafkaGo) metadata(topics ...string) (*kafka.MetadataResponse, error) {
	transport := &kafka.Transport{}
	defer transport.CloseIdleConnections()
	c := kafka.Client{Addr: k.client.Addr, Timeout: patience, Transport: transport}
	return c.Metadata(context.Background(), &kafka.MetadataRequest{Topics: topics})
}

func (k *kafkaGo) list(_ request, a *answer) error {
	got, err := k.metadata()
	if err != nil {
		return err
	}
	for _, t := range got.Topics {
		a.Topics = append(a.Topics, t.Name)
	}
	return nil
}

func (k *kafkaGo) delete(r request, _ *answer) error {
	got, err := k.client.DeleteTopics(context.Background(), &kafka.DeleteTopicsRequest{Topics: []string{r.Topic}})
	if err != nil {
		return err
	}
	return got.Errors[r.Topic]
}

func (k *kafkaGo) grow(r request, _ *answer) error {
	got, err := k.client.CreatePartitions(context.Background(), &kafka.CreatePartitionsRequest{
		Topics: []kafka.TopicPartitionsConfig{{Name: r.Topic, Count: int32(r.Partitions)}}})
	if err != nil {
		return err
	}
	return got.Errors[r.Topic]
}

func (k *kafkaGo) configs(r request, a *answer) error {
	got, err := k.client.DescribeConfigs(context.Background(), &kafka.DescribeConfigsRequest{
		Resources: []kafka.DescribeConfigRequestResource{{ResourceType: kafka.ResourceTypeTopic, ResourceName: r.Topic}}})
	if err != nil {
		return err
	}
	a.Config = map[string]string{}
	for _, e := range got.Resources[0].ConfigEntries {
		a.Config[e.ConfigName] = e.ConfigValue
	}
	return got.Resources[0].Error
}

func (k *kafkaGo) alter(r request, _ *answer) error {
	x := kafka.IncrementalAlterConfigsRequestResource{ResourceType: kafka.ResourceTypeTopic, ResourceName: r.Topic}
	for key, v := range r.Configs {
		x.Configs = append(x.Configs, kafka.IncrementalAlterConfigsRequestConfig{Name: key, Value: v, ConfigOperation: kafka.ConfigOperationSet})
	}
	got, err := k.client.IncrementalAlterConfigs(context.Background(), &kafka.IncrementalAlterConfigsRequest{
		Resources: []kafka.IncrementalAlterConfigsRequestResource{x}})
	if err != nil {
		return err
	}
	return got.Resources[0].Error
}

// byPartition is a balancer that takes the partition from the message's data.
type byPartition struct{}

func (byPartition) Balance(m kafka.Message, _ ...int) int { return m.WriterData.(int) }

func (k *kafkaGo) writer(r request) *kafka.Writer {
	key := fmt.Sprint(r.Acks, r.Codec)
	if k.writers[key] == nil {
		k.writers[key] = &kafka.Writer{
			Addr: k.client.Addr, Balancer: byPartition{}, BatchTimeout: 5 * time.Millisecond, BatchBytes: largest,
			RequiredAcks:           map[string]kafka.RequiredAcks{"0": kafka.RequireNone, "1": kafka.RequireOne, "all": kafka.RequireAll}[r.Acks],
			Compression:            map[string]kafka.Compression{"gzip": kafka.Gzip, "snappy": kafka.Snappy, "lz4": kafka.Lz4, "zstd": kafka.Zstd}[r.Codec],
			AllowAutoTopicCreation: true, WriteTimeout: patience, ReadTimeout: patience,
		}
	}
	return k.writers[key]
}

// produce has no offsets to answer: a Writer does not tell them.
func (k *kafkaGo) produce(r request, _ *answer) error {
	ctx, cancel := within()
	defer cancel()
	var sent []kafka.Message
	for _, x := range r.Records {
		m := kafka.Message{Topic: r.Topic, Key: x.Key, Value: x.Value, WriterData: int(x.Partition)}
		if x.Timestamp != 0 {
			m.Time = millis(x.Timestamp)
		}
		for _, h := range x.Headers {
			m.Headers = append(m.Headers, kafka.Header{Key: h.Key, Value: h.Value})
		}
		sent = append(sent, m)
	}
	return k.writer(r).WriteMessages(ctx, sent...)
}

// again asks once more where a pooled connection is from before a restart: a Client
// leaves that to us.
func again[Q, A any](call func(context.Context, Q) (A, error), ask Q) (A, error) {
	got, err := call(context.Background(), ask)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		got, err = call(context.Background(), ask)
	}
	return got, err
}

func (k *kafkaGo) offset(r request, a *answer) error {
	at := kafka.OffsetRequest{Partition: int(r.At.Partition), Timestamp: map[string]int64{
		"start": kafka.FirstOffset, "end": kafka.LastOffset, "time": r.At.N}[r.At.At]}
	ask := &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{r.Topic: {at}}}
	got, err := again(k.client.ListOffsets, ask)
	if err != nil {
		return err
	}
	p := got.Topics[r.Topic][0]
	switch r.At.At {
	case "start":
		a.Offset = p.FirstOffset
	case "end":
		a.Offset = p.LastOffset
	default:
		for o := range p.Offsets {
			a.Offset = o
		}
	}
	return p.Error
}

func (k *kafkaGo) open(r request, _ *answer) error {
	ctx, cancel := context.WithCancel(context.Background())
	k.messages, k.readers, k.stop = make(chan kafka.Message, 1000), nil, cancel
	for _, p := range r.From {
		reader := kafka.NewReader(kafka.ReaderConfig{Brokers: []string{k.bootstrap}, Topic: r.Topic, Partition: int(p.Partition),
			MaxBytes: largest, MaxWait: 200 * time.Millisecond})
		k.readers = append(k.readers, reader)
		var err error
		switch p.At {
		case "start":
			err = reader.SetOffset(kafka.FirstOffset)
		case "end": // resolved now, not at the first read
			var a answer
			if err = k.offset(request{Topic: r.Topic, At: p}, &a); err == nil {
				err = reader.SetOffset(a.Offset)
			}
		case "offset":
			err = reader.SetOffset(p.N)
		case "time":
			err = reader.SetOffsetAt(context.Background(), millis(p.N))
		}
		if err != nil {
			return err
		}
		go func() {
			for {
				m, err := reader.ReadMessage(ctx)
				if err != nil {
					return
				}
				k.messages <- m
			}
		}()
	}
	return nil
}

func (k *kafkaGo) poll(r request, a *answer) error {
	end := time.After(r.timeout())
	for len(a.Records) < r.Count {
		select {
		case m := <-k.messages:
			x := record{Partition: int32(m.Partition), Offset: m.Offset, Timestamp: m.Time.UnixMilli(), Key: m.Key, Value: m.Value}
			for _, h := range m.Headers {
				x.Headers = append(x.Headers, header{h.Key, h.Value})
			}
			a.Records = append(a.Records, x)
			k.polled = append(k.polled, m)
		case <-end:
			return nil
		}
	}
	return nil
}

func (k *kafkaGo) close(request, *answer) error {
	k.stop()
	for _, r := range k.readers {
		if err := r.Close(); err != nil {
			return err
		}
	}
	return nil
}

func (k *kafkaGo) join(r request, _ *answer) error {
	ctx, cancel := context.WithCancel(context.Background())
	k.messages, k.polled, k.stop = make(chan kafka.Message, 1000), nil, cancel
	reader := kafka.NewReader(kafka.ReaderConfig{Brokers: []string{k.bootstrap}, GroupID: r.Group, Topic: r.Topic,
		Dialer:         &kafka.Dialer{ClientID: r.Client, Timeout: patience},
		SessionTimeout: r.session(), HeartbeatInterval: r.heartbeat(), JoinGroupBackoff: r.heartbeat(), MaxWait: 200 * time.Millisecond,
		StartOffset: map[string]int64{"earliest": kafka.FirstOffset, "latest": kafka.LastOffset}[r.Reset]})
	k.readers = []*kafka.Reader{reader}
	go func() {
		for {
			m, err := reader.FetchMessage(ctx)
			if err != nil {
				return
			}
			k.messages <- m
		}
	}()
	return nil
}

func (k *kafkaGo) commit(request, *answer) error {
	ctx, cancel := within()
	defer cancel()
	err := k.readers[0].CommitMessages(ctx, k.polled...)
	k.polled = nil
	return err
}

func (k *kafkaGo) committed(r request, a *answer) error {
	got, err := again(k.client.OffsetFetch, &kafka.OffsetFetchRequest{GroupID: r.Group,
		Topics: map[string][]int{r.Topic: {int(r.Partition)}}})
	if err != nil {
		return err
	}
	a.Offset = got.Topics[r.Topic][0].CommittedOffset
	return errors.Join(got.Error, got.Topics[r.Topic][0].Error)
}

func (k *kafkaGo) groups(_ request, a *answer) error {
	got, err := again(k.client.ListGroups, &kafka.ListGroupsRequest{})
	if err != nil {
		return err
	}
	a.Groups = map[string]string{}
	for _, g := range got.Groups {
		a.Groups[g.GroupID] = g.ProtocolType
	}
	return got.Error
}
