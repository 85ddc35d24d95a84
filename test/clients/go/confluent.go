package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

type confluent struct {
	bootstrap string
	admin     *kafka.AdminClient
	asker     *kafka.Consumer // for offsets
	producers map[string]*kafka.Producer
	reader    *kafka.Consumer
}

func newConfluent(bootstrap string) client {
	c := &confluent{bootstrap: bootstrap, producers: map[string]*kafka.Producer{}}
	var err error
	if c.admin, err = kafka.NewAdminClient(&kafka.ConfigMap{"bootstrap.servers": bootstrap}); err != nil {
		panic(err)
	}
	if c.asker, err = c.consumer(); err != nil {
		panic(err)
	}
	return c
}

func (c *confluent) consumer() (*kafka.Consumer, error) {
	return kafka.NewConsumer(&kafka.ConfigMap{"bootstrap.servers": c.bootstrap, "group.id": "unused", "enable.auto.commit": false,
		"check.crcs": true, "auto.offset.reset": "error", "fetch.message.max.bytes": largest, "fetch.max.bytes": 2 * largest,
		"receive.message.max.bytes": 2*largest + 1024})
}

func (c *confluent) code(err error) int {
	var k kafka.Error
	if errors.As(err, &k) && k.Code() > 0 {
		return int(k.Code())
	}
	return 0
}

func (c *confluent) calls() map[string]func(request, *answer) error {
	return map[string]func(request, *answer) error{
		"create": c.create, "describe": c.describe, "list": c.list, "delete": c.delete, "grow": c.grow,
		"configs": c.configs, "alter": c.alter, "trim": c.trim, "produce": c.produce, "offset": c.offset,
		"open": c.open, "poll": c.poll, "close": c.close,
		"join": c.join, "commit": c.commit, "seek": c.seek, "pause": c.pause, "resume": c.resume, "committed": c.committed, "groups": c.groups,
	}
}

// wrong is the error in a result, nil if there is none.
func wrong(e kafka.Error) error {
	if e.Code() == kafka.ErrNoError {
		return nil
	}
	return e
}

func first(results []kafka.TopicResult, err error) error {
	if err != nil {
		return err
	}
	return wrong(results[0].Error)
}

func (c *confluent) create(r request, _ *answer) error {
	return first(c.admin.CreateTopics(context.Background(), []kafka.TopicSpecification{{Topic: r.Topic,
		NumPartitions: r.Partitions, ReplicationFactor: r.Replication, Config: r.Configs}}))
}

func (c *confluent) describe(r request, a *answer) error {
	got, err := c.admin.DescribeTopics(context.Background(), kafka.NewTopicCollectionOfTopicNames([]string{r.Topic}))
	if err != nil {
		return err
	}
	ids := func(nodes []kafka.Node) (ids []int32) {
		for _, n := range nodes {
			ids = append(ids, int32(n.ID))
		}
		return ids
	}
	for _, p := range got.TopicDescriptions[0].Partitions {
		a.Layout = append(a.Layout, layout{int32(p.Partition), int32(p.Leader.ID), ids(p.Replicas), ids(p.Isr)})
	}
	return wrong(got.TopicDescriptions[0].Error)
}

func (c *confluent) list(_ request, a *answer) error {
	got, err := c.admin.GetMetadata(nil, true, int(patience.Milliseconds()))
	if err != nil {
		return err
	}
	for name := range got.Topics {
		a.Topics = append(a.Topics, name)
	}
	return nil
}

func (c *confluent) delete(r request, _ *answer) error {
	return first(c.admin.DeleteTopics(context.Background(), []string{r.Topic}))
}

func (c *confluent) grow(r request, _ *answer) error {
	return first(c.admin.CreatePartitions(context.Background(), []kafka.PartitionsSpecification{{Topic: r.Topic, IncreaseTo: r.Partitions}}))
}

func (c *confluent) configs(r request, a *answer) error {
	got, err := c.admin.DescribeConfigs(context.Background(), []kafka.ConfigResource{{Type: kafka.ResourceTopic, Name: r.Topic}})
	if err != nil {
		return err
	}
	a.Config = map[string]string{}
	for k, v := range got[0].Config {
		a.Config[k] = v.Value
	}
	return wrong(got[0].Error)
}

func (c *confluent) alter(r request, _ *answer) error {
	x := kafka.ConfigResource{Type: kafka.ResourceTopic, Name: r.Topic}
	for k, v := range r.Configs {
		x.Config = append(x.Config, kafka.ConfigEntry{Name: k, Value: v, IncrementalOperation: kafka.AlterConfigOpTypeSet})
	}
	got, err := c.admin.IncrementalAlterConfigs(context.Background(), []kafka.ConfigResource{x})
	if err != nil {
		return err
	}
	return wrong(got[0].Error)
}

func (c *confluent) trim(r request, _ *answer) error {
	got, err := c.admin.DeleteRecords(context.Background(), []kafka.TopicPartition{
		{Topic: &r.Topic, Partition: r.Partition, Offset: kafka.Offset(r.Offset)}})
	if err != nil {
		return err
	}
	return got.DeleteRecordsResults[0].TopicPartition.Error
}

func (c *confluent) producer(r request) (*kafka.Producer, error) {
	key := fmt.Sprint(r.Acks, r.Codec, r.Idempotent)
	if p := c.producers[key]; p != nil {
		return p, nil
	}
	p, err := kafka.NewProducer(&kafka.ConfigMap{"bootstrap.servers": c.bootstrap, "acks": r.Acks, "compression.type": r.Codec,
		"enable.idempotence": r.Idempotent, "message.max.bytes": largest, "message.timeout.ms": int(patience.Milliseconds()), "linger.ms": 5})
	c.producers[key] = p
	return p, err
}

func (c *confluent) produce(r request, a *answer) error {
	p, err := c.producer(r)
	if err != nil {
		return err
	}
	delivered := make(chan kafka.Event, len(r.Records))
	a.Offsets = make([]int64, len(r.Records))
	for i, x := range r.Records {
		m := &kafka.Message{TopicPartition: kafka.TopicPartition{Topic: &r.Topic, Partition: x.Partition}, Key: x.Key, Value: x.Value, Opaque: i}
		if x.Timestamp != 0 {
			m.Timestamp = millis(x.Timestamp)
		}
		for _, h := range x.Headers {
			m.Headers = append(m.Headers, kafka.Header{Key: h.Key, Value: h.Value})
		}
		if err := p.Produce(m, delivered); err != nil {
			return err
		}
	}
	for range r.Records {
		m := (<-delivered).(*kafka.Message)
		if m.TopicPartition.Error != nil {
			return m.TopicPartition.Error
		}
		a.Offsets[m.Opaque.(int)] = int64(m.TopicPartition.Offset)
	}
	return nil
}

func (c *confluent) offset(r request, a *answer) (err error) {
	low, high, err := c.asker.QueryWatermarkOffsets(r.Topic, r.At.Partition, int(patience.Milliseconds()))
	if err != nil {
		return err
	}
	switch r.At.At {
	case "start":
		a.Offset = low
	case "end":
		a.Offset = high
	case "time":
		found, err := c.asker.OffsetsForTimes([]kafka.TopicPartition{{Topic: &r.Topic, Partition: r.At.Partition, Offset: kafka.Offset(r.At.N)}},
			int(patience.Milliseconds()))
		if err != nil {
			return err
		}
		a.Offset = int64(found[0].Offset)
		return found[0].Error
	}
	return nil
}

func (c *confluent) open(r request, _ *answer) (err error) {
	if c.reader, err = c.consumer(); err != nil {
		return err
	}
	var from []kafka.TopicPartition
	for _, p := range r.From {
		at := kafka.Offset(p.N)
		switch p.At {
		case "start":
			at = kafka.OffsetBeginning
		case "end", "time":
			var a answer
			if err := c.offset(request{Topic: r.Topic, At: p}, &a); err != nil {
				return err
			}
			at = kafka.Offset(a.Offset)
		}
		from = append(from, kafka.TopicPartition{Topic: &r.Topic, Partition: p.Partition, Offset: at})
	}
	return c.reader.Assign(from)
}

func (c *confluent) poll(r request, a *answer) error {
	end := time.Now().Add(r.timeout())
	for len(a.Records) < r.Count && time.Now().Before(end) {
		switch e := c.reader.Poll(200).(type) {
		case *kafka.Message:
			if e.TopicPartition.Error != nil {
				return e.TopicPartition.Error
			}
			x := record{Partition: e.TopicPartition.Partition, Offset: int64(e.TopicPartition.Offset), Timestamp: e.Timestamp.UnixMilli(), Key: e.Key, Value: e.Value}
			for _, h := range e.Headers {
				x.Headers = append(x.Headers, header{h.Key, h.Value})
			}
			a.Records = append(a.Records, x)
		case kafka.Error:
			if e.IsFatal() || e.Code() == kafka.ErrAutoOffsetReset {
				return e
			}
		}
	}
	return nil
}

func (c *confluent) close(request, *answer) error { return c.reader.Close() }
