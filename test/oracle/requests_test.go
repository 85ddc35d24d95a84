//go:build oracle

package oracle

import (
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// topic creates a topic of one partition on both sides, and waits until it can
// be used.
func (p *pair) topic(name string, partitions int32, config ...string) {
	p.t.Helper()
	config = append(config[:len(config):len(config)], "retention.ms", "-1") // records here are old
	p.each(func(s *side) {
		req := kmsg.NewPtrCreateTopicsRequest()
		t := kmsg.NewCreateTopicsRequestTopic()
		t.Topic, t.NumPartitions, t.ReplicationFactor = name, partitions, 1
		for i := 0; i < len(config); i += 2 {
			t.Configs = append(t.Configs, kmsg.CreateTopicsRequestTopicConfig{Name: config[i], Value: &config[i+1]})
		}
		req.TimeoutMillis, req.Topics = 10_000, append(req.Topics, t)
		resp, ending := s.do(p.t, 7, req)
		if resp == nil {
			p.t.Fatalf("%s: create %s: %s", s.name, name, ending)
		}
		got := resp.(*kmsg.CreateTopicsResponse).Topics[0]
		if got.ErrorCode != 0 {
			p.t.Fatalf("%s: create %s: %d %s", s.name, name, got.ErrorCode, text(got.ErrorMessage))
		}
		s.ids[name] = got.TopicID
		s.awaitLeaders(p, name, partitions)
	})
}

func (s *side) awaitLeaders(p *pair, name string, partitions int32) {
	req := kmsg.NewPtrListOffsetsRequest()
	t := kmsg.NewListOffsetsRequestTopic()
	t.Topic = name
	for i := range partitions {
		q := kmsg.NewListOffsetsRequestTopicPartition()
		q.Partition, q.Timestamp, q.CurrentLeaderEpoch = i, -1, -1
		t.Partitions = append(t.Partitions, q)
	}
	req.Topics = append(req.Topics, t)
	for range 500 {
		if resp, _ := s.do(p.t, 5, req); resp != nil && led(resp.(*kmsg.ListOffsetsResponse)) {
			return
		}
		time.Sleep(10 * time.Millisecond) // Kafka tells nobody when its broker has caught up
	}
	p.t.Fatalf("%s: %s has no leader", s.name, name)
}

func led(r *kmsg.ListOffsetsResponse) bool {
	for _, q := range r.Topics[0].Partitions {
		if q.ErrorCode != 0 {
			return false
		}
	}
	return true
}

func text(s *string) string {
	if s == nil {
		return "(null)"
	}
	return *s
}

// produce is a request of one topic with batches for partitions 0, 1, …
func produce(version int16, topic string, acks int16, batches ...[]byte) func(*side) kmsg.Request {
	return func(s *side) kmsg.Request {
		req := kmsg.NewPtrProduceRequest()
		req.Acks, req.TimeoutMillis = acks, 10_000
		t := kmsg.NewProduceRequestTopic()
		if version >= 13 {
			t.TopicID = s.id(topic)
		} else {
			t.Topic = topic
		}
		for i, b := range batches {
			q := kmsg.NewProduceRequestTopicPartition()
			q.Partition, q.Records = int32(i), b
			t.Partitions = append(t.Partitions, q)
		}
		req.Topics = append(req.Topics, t)
		return req
	}
}

// id is a topic's id, and some id for a topic that is not there.
func (s *side) id(topic string) [16]byte {
	if id, ok := s.ids[topic]; ok {
		return id
	}
	return [16]byte{0: 9, 6: 0x40, 8: 0x80, 15: 9}
}

// want is one partition of a fetch.
type want struct {
	topic     string
	partition int32
	offset    int64
	max       int32
	epoch     int32
	last      int32
}

func at(topic string, partition int32, offset int64) want {
	return want{topic: topic, partition: partition, offset: offset, max: 1 << 20, epoch: -1, last: -1}
}

// fetchSpec is a fetch request; change adjusts what is rarely needed.
func fetch(version int16, change func(*side, *kmsg.FetchRequest), wants ...want) func(*side) kmsg.Request {
	return func(s *side) kmsg.Request {
		req := kmsg.NewPtrFetchRequest()
		req.ReplicaID, req.MaxWaitMillis, req.MinBytes, req.MaxBytes = -1, 0, 1, 1<<20
		req.SessionEpoch = -1
		for _, w := range wants {
			n := len(req.Topics)
			if n == 0 || !sameTopic(s, version, &req.Topics[n-1], w.topic) {
				t := kmsg.NewFetchRequestTopic()
				if version >= 13 {
					t.TopicID = s.id(w.topic)
				} else {
					t.Topic = w.topic
				}
				req.Topics = append(req.Topics, t)
				n++
			}
			q := kmsg.NewFetchRequestTopicPartition()
			q.Partition, q.FetchOffset, q.PartitionMaxBytes = w.partition, w.offset, w.max
			q.CurrentLeaderEpoch, q.LastFetchedEpoch = w.epoch, w.last
			req.Topics[n-1].Partitions = append(req.Topics[n-1].Partitions, q)
		}
		if change != nil {
			change(s, req)
		}
		return req
	}
}

func sameTopic(s *side, version int16, t *kmsg.FetchRequestTopic, name string) bool {
	if version >= 13 {
		return t.TopicID == s.id(name)
	}
	return t.Topic == name
}
