package main

import "github.com/confluentinc/confluent-kafka-go/v2/kafka"

func (c *confluent) join(r request, _ *answer) (err error) {
	config := kafka.ConfigMap{"bootstrap.servers": c.bootstrap, "group.id": r.Group, "client.id": r.Client, "enable.auto.commit": false,
		"auto.offset.reset": map[string]string{"earliest": "earliest", "latest": "latest", "none": "error"}[r.Reset]}
	if r.Instance != "" {
		config["group.instance.id"] = r.Instance
	}
	if r.Consumer {
		config["group.protocol"] = "consumer" // then the broker says how long a session is
	} else {
		config["session.timeout.ms"], config["heartbeat.interval.ms"] = r.Session, r.Heartbeat
		config["partition.assignment.strategy"] = map[bool]string{false: "range", true: "cooperative-sticky"}[r.Cooperative]
	}
	if c.reader, err = kafka.NewConsumer(&config); err != nil {
		return err
	}
	return c.reader.Subscribe(r.Topic, nil)
}

func (c *confluent) commit(request, *answer) error {
	_, err := c.reader.Commit()
	return err
}

func (r request) partition() kafka.TopicPartition {
	return kafka.TopicPartition{Topic: &r.Topic, Partition: r.Partition, Offset: kafka.Offset(r.Offset)}
}

func (c *confluent) seek(r request, _ *answer) error { return c.reader.Seek(r.partition(), 0) }

func (c *confluent) pause(r request, _ *answer) error {
	return c.reader.Pause([]kafka.TopicPartition{r.partition()})
}

func (c *confluent) resume(r request, _ *answer) error {
	return c.reader.Resume([]kafka.TopicPartition{r.partition()})
}

func (c *confluent) committed(r request, a *answer) error {
	asker, err := kafka.NewConsumer(&kafka.ConfigMap{"bootstrap.servers": c.bootstrap, "group.id": r.Group})
	if err != nil {
		return err
	}
	defer asker.Close()
	got, err := asker.Committed([]kafka.TopicPartition{r.partition()}, int(patience.Milliseconds()))
	if err != nil {
		return err
	}
	a.Offset = max(int64(got[0].Offset), -1) // none is librdkafka's -1001
	return got[0].Error
}

// groups gives the type of a group; a simple one, without members ever, has none.
func (c *confluent) groups(_ request, a *answer) error {
	ctx, cancel := within()
	defer cancel()
	got, err := c.admin.ListConsumerGroups(ctx)
	if err != nil {
		return err
	}
	a.Groups = map[string]string{}
	for _, g := range got.Valid {
		if a.Groups[g.GroupID] = "consumer"; g.IsSimpleConsumerGroup {
			a.Groups[g.GroupID] = ""
		}
	}
	return nil
}
