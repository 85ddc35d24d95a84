package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/IBM/sarama"
)

type saramaClient struct {
	bootstrap string
	admin     sarama.ClusterAdmin
	client    sarama.Client
	producers map[string]sarama.SyncProducer
	consumer  sarama.Consumer
	parts     []sarama.PartitionConsumer
	messages  chan *sarama.ConsumerMessage
	member    *saramaMember // nil outside of groups
}

func millis(ms int64) time.Time { return time.UnixMilli(ms) }

func saramaConfig() *sarama.Config {
	c := sarama.NewConfig()
	c.Version = sarama.V2_8_0_0
	c.Producer.Return.Successes = true
	c.Producer.MaxMessageBytes = largest
	c.Producer.Partitioner = sarama.NewManualPartitioner
	c.Consumer.Fetch.Default = largest
	sarama.MaxRequestSize = 2 * largest
	sarama.MaxResponseSize = 2 * largest
	return c
}

func newSarama(bootstrap string) client {
	s := &saramaClient{bootstrap: bootstrap, producers: map[string]sarama.SyncProducer{}}
	var err error
	if s.client, err = sarama.NewClient([]string{bootstrap}, saramaConfig()); err != nil {
		panic(err)
	}
	if s.admin, err = sarama.NewClusterAdminFromClient(s.client); err != nil {
		panic(err)
	}
	return s
}

func (s *saramaClient) code(err error) int {
	var k sarama.KError
	if errors.As(err, &k) {
		return int(k)
	}
	return 0
}

func (s *saramaClient) calls() map[string]func(request, *answer) error {
	return map[string]func(request, *answer) error{
		"create": s.create, "describe": s.describe, "list": s.list, "delete": s.delete, "grow": s.grow,
		"configs": s.configs, "alter": s.alter, "trim": s.trim, "produce": s.produce, "offset": s.offset,
		"open": s.open, "poll": s.poll, "close": s.close,
		"join": s.join, "commit": s.commit, "pause": s.pause, "resume": s.resume, "committed": s.committed, "groups": s.groups,
	}
}

func (s *saramaClient) create(r request, _ *answer) error {
	d := &sarama.TopicDetail{NumPartitions: int32(r.Partitions), ReplicationFactor: int16(r.Replication), ConfigEntries: map[string]*string{}}
	for k, v := range r.Configs {
		d.ConfigEntries[k] = &v
	}
	return s.admin.CreateTopic(r.Topic, d, false)
}

func (s *saramaClient) describe(r request, a *answer) error {
	got, err := s.admin.DescribeTopics([]string{r.Topic})
	if err != nil {
		return err
	}
	if got[0].Err != sarama.ErrNoError {
		return got[0].Err
	}
	for _, p := range got[0].Partitions {
		a.Layout = append(a.Layout, layout{p.ID, p.Leader, p.Replicas, p.Isr})
	}
	return nil
}

func (s *saramaClient) list(_ request, a *answer) error {
	got, err := s.admin.ListTopics()
	for name := range got {
		a.Topics = append(a.Topics, name)
	}
	return err
}

func (s *saramaClient) delete(r request, _ *answer) error { return s.admin.DeleteTopic(r.Topic) }

func (s *saramaClient) grow(r request, _ *answer) error {
	return s.admin.CreatePartitions(r.Topic, int32(r.Partitions), nil, false)
}

func (s *saramaClient) configs(r request, a *answer) error {
	got, err := s.admin.DescribeConfig(sarama.ConfigResource{Type: sarama.TopicResource, Name: r.Topic})
	a.Config = map[string]string{}
	for _, e := range got {
		a.Config[e.Name] = e.Value
	}
	return err
}

func (s *saramaClient) alter(r request, _ *answer) error {
	set := map[string]sarama.IncrementalAlterConfigsEntry{}
	for k, v := range r.Configs {
		set[k] = sarama.IncrementalAlterConfigsEntry{Operation: sarama.IncrementalAlterConfigsOperationSet, Value: &v}
	}
	return s.admin.IncrementalAlterConfig(sarama.TopicResource, r.Topic, set, false)
}

func (s *saramaClient) trim(r request, _ *answer) error {
	return s.admin.DeleteRecords(r.Topic, map[int32]int64{r.Partition: r.Offset})
}

func (s *saramaClient) producer(r request) (sarama.SyncProducer, error) {
	key := fmt.Sprint(r.Acks, r.Codec, r.Idempotent)
	if p := s.producers[key]; p != nil {
		return p, nil
	}
	c := saramaConfig()
	c.Producer.RequiredAcks = map[string]sarama.RequiredAcks{"0": sarama.NoResponse, "1": sarama.WaitForLocal, "all": sarama.WaitForAll}[r.Acks]
	c.Producer.Compression = map[string]sarama.CompressionCodec{"none": sarama.CompressionNone, "gzip": sarama.CompressionGZIP,
		"snappy": sarama.CompressionSnappy, "lz4": sarama.CompressionLZ4, "zstd": sarama.CompressionZSTD}[r.Codec]
	if r.Idempotent {
		c.Producer.Idempotent = true
		c.Net.MaxOpenRequests = 1
	}
	p, err := sarama.NewSyncProducer([]string{s.bootstrap}, c)
	s.producers[key] = p
	return p, err
}

func (s *saramaClient) produce(r request, a *answer) error {
	p, err := s.producer(r)
	if err != nil {
		return err
	}
	var sent []*sarama.ProducerMessage
	for _, x := range r.Records {
		m := &sarama.ProducerMessage{Topic: r.Topic, Partition: x.Partition}
		if x.Key != nil {
			m.Key = sarama.ByteEncoder(x.Key)
		}
		if x.Value != nil {
			m.Value = sarama.ByteEncoder(x.Value)
		}
		if x.Timestamp != 0 {
			m.Timestamp = millis(x.Timestamp)
		}
		for _, h := range x.Headers {
			m.Headers = append(m.Headers, sarama.RecordHeader{Key: []byte(h.Key), Value: h.Value})
		}
		sent = append(sent, m)
	}
	if err := p.SendMessages(sent); err != nil {
		var several sarama.ProducerErrors
		if errors.As(err, &several) && len(several) > 0 {
			return several[0].Err
		}
		return err
	}
	for _, m := range sent {
		a.Offsets = append(a.Offsets, m.Offset)
	}
	return nil
}

func (s *saramaClient) offset(r request, a *answer) (err error) {
	at := map[string]int64{"start": sarama.OffsetOldest, "end": sarama.OffsetNewest, "time": r.At.N}[r.At.At]
	a.Offset, err = s.client.GetOffset(r.Topic, r.At.Partition, at)
	return err
}

func (s *saramaClient) open(r request, _ *answer) (err error) {
	if s.consumer, err = sarama.NewConsumer([]string{s.bootstrap}, saramaConfig()); err != nil {
		return err
	}
	s.messages, s.parts = make(chan *sarama.ConsumerMessage, 1000), nil
	for _, p := range r.From {
		at := p.N
		if p.At != "offset" {
			var a answer
			if err := s.offset(request{Topic: r.Topic, At: p}, &a); err != nil {
				return err
			}
			at = a.Offset
		}
		part, err := s.consumer.ConsumePartition(r.Topic, p.Partition, at)
		if err != nil {
			return err
		}
		s.parts = append(s.parts, part)
		go func() {
			for m := range part.Messages() {
				s.messages <- m
			}
		}()
	}
	return nil
}

func (s *saramaClient) poll(r request, a *answer) error {
	end := time.After(r.timeout())
	for len(a.Records) < r.Count {
		select {
		case m := <-s.messages:
			x := record{Partition: m.Partition, Offset: m.Offset, Timestamp: m.Timestamp.UnixMilli(), Key: m.Key, Value: m.Value}
			for _, h := range m.Headers {
				x.Headers = append(x.Headers, header{string(h.Key), h.Value})
			}
			a.Records = append(a.Records, x)
			if s.member != nil {
				s.member.mark(m)
			}
		case <-end:
			return nil
		}
	}
	return nil
}

func (s *saramaClient) close(request, *answer) error {
	if s.member != nil {
		return s.leave()
	}
	for _, p := range s.parts {
		if err := p.Close(); err != nil {
			return err
		}
	}
	return s.consumer.Close()
}
