//go:build clients

package clients

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// readLimit bounds how long either side reads. Limits are wide: only a failure
// waits for them, and machines under load are slow.
const readLimit = 60 * time.Second

// caseLimit bounds what our own side of a case waits for.
const caseLimit = 120 * time.Second

// scene is what a case has at hand: the client's adapter, the node and our own
// clients, which write what the other shall read and read what it wrote. They are
// opened anew each time: what they have cached is not what the broker says now.
type scene struct {
	ctx   context.Context
	topic string   // a name of its own for each case
	ask   *adapter // nil once it is a member of a group
	crew  *crew    // where more adapters come from
	node  node
}

// own opens a client of ours for as long as do takes.
func (s *scene) own(do func(*kgo.Client) error, opts ...kgo.Opt) error {
	c, err := kgo.NewClient(append(opts, kgo.SeedBrokers(s.node.Addr()))...)
	if err != nil {
		return err
	}
	defer c.Close()
	return do(c)
}

// admin is own with kadm's calls.
func (s *scene) admin(do func(*kadm.Client) error) error {
	return s.own(func(c *kgo.Client) error { return do(kadm.NewClient(c)) })
}

// create makes the case's topic, with settings as key and value in turn.
func (s *scene) create(partitions int32, configs ...string) error {
	set := map[string]*string{}
	for i := 0; i < len(configs); i += 2 {
		set[configs[i]] = &configs[i+1]
	}
	err := s.admin(func(adm *kadm.Client) error {
		_, err := adm.CreateTopic(s.ctx, partitions, 1, set, s.topic)
		return err
	})
	if err != nil {
		return err
	}
	if err := s.wantPartitions(int(partitions)); err != nil {
		return err
	}
	return s.node.settle(s.led)
}

// led is whether every partition of the case's topic is served.
func (s *scene) led() error {
	return s.admin(func(adm *kadm.Client) error {
		ends, err := adm.ListEndOffsets(s.ctx, s.topic)
		if err != nil {
			return err
		}
		return ends.Error()
	})
}

// partitions is how many the case's topic has, 0 if there is none.
func (s *scene) partitions() (n int, err error) {
	return n, s.admin(func(adm *kadm.Client) error {
		topics, err := adm.ListTopics(s.ctx)
		n = len(topics[s.topic].Partitions)
		return err
	})
}

// config is one setting of the case's topic.
func (s *scene) config(key string) (value string, err error) {
	return value, s.admin(func(adm *kadm.Client) error {
		found, err := adm.DescribeTopicConfigs(s.ctx, s.topic)
		if err != nil {
			return err
		}
		for _, c := range found[0].Configs {
			if c.Key == key {
				value = c.MaybeValue()
				return nil
			}
		}
		return fmt.Errorf("no setting %s", key)
	})
}

// produce has the client write records with acks=all and checks their offsets.
func (s *scene) produce(codec string, records []record) error {
	return s.produceAs(request{Acks: "all", Codec: codec, Records: records})
}

func (s *scene) produceAs(r request) error {
	r.Op, r.Topic = "produce", s.topic
	got, err := s.ask.do(r)
	if err != nil {
		return err
	}
	if r.Acks == "0" || got.Offsets == nil { // nobody told the client, or the client does not tell us
		return nil
	}
	next := map[int32]int64{}
	for i, rec := range r.Records {
		if i >= len(got.Offsets) || got.Offsets[i] != next[rec.Partition] {
			return fmt.Errorf("offsets %v; record %d should have %d", got.Offsets, i, next[rec.Partition])
		}
		next[rec.Partition]++
	}
	return nil
}

// written reads count records of the case's topic with our own client, sorted by
// partition and offset.
func (s *scene) written(count int) (got []record, err error) {
	n, err := s.partitions()
	if err != nil {
		return nil, err
	}
	from := map[int32]kgo.Offset{}
	for p := range int32(n) {
		from[p] = kgo.NewOffset().AtStart()
	}
	ctx, cancel := context.WithTimeout(s.ctx, readLimit)
	defer cancel()
	err = s.own(func(c *kgo.Client) error {
		for len(got) < count {
			fetches := c.PollFetches(ctx)
			if err := fetches.Err(); err != nil {
				return fmt.Errorf("%d records were written, want %d: %w", len(got), count, err)
			}
			for _, r := range fetches.Records() {
				got = append(got, ours(r))
			}
		}
		return nil
	}, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{s.topic: from}), kgo.FetchMaxPartitionBytes(32<<20))
	order(got)
	return got, err
}

func ours(r *kgo.Record) record {
	x := record{Partition: r.Partition, Offset: r.Offset, Timestamp: r.Timestamp.UnixMilli(), Key: r.Key, Value: r.Value}
	for _, h := range r.Headers {
		x.Headers = append(x.Headers, header{h.Key, h.Value})
	}
	return x
}

// write has our own client write records with a codec, in one batch a partition.
func (s *scene) write(codec kgo.CompressionCodec, records []record) error {
	var sent []*kgo.Record
	for _, r := range records {
		k := &kgo.Record{Topic: s.topic, Partition: r.Partition, Key: r.Key, Value: r.Value}
		if r.Timestamp != 0 {
			k.Timestamp = time.UnixMilli(r.Timestamp)
		}
		for _, h := range r.Headers {
			k.Headers = append(k.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
		}
		sent = append(sent, k)
	}
	return s.own(func(c *kgo.Client) error { return c.ProduceSync(s.ctx, sent...).FirstErr() },
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(codec),
		kgo.ProducerBatchMaxBytes(64<<20), kgo.BrokerMaxWriteBytes(100<<20))
}

// read has the client read count records of the case's topic from positions.
func (s *scene) read(count int, from ...position) ([]record, error) {
	if _, err := s.ask.do(request{Op: "open", Topic: s.topic, From: from}); err != nil {
		return nil, err
	}
	got, err := s.poll(count)
	if err != nil {
		return nil, err
	}
	_, err = s.ask.do(request{Op: "close"})
	return got, err
}

// poll has the client's open reader read exactly count records.
func (s *scene) poll(count int) ([]record, error) {
	var got []record
	deadline := time.Now().Add(readLimit)
	for len(got) < count {
		a, err := s.ask.do(request{Op: "poll", Count: count - len(got), Timeout: 5000})
		if err != nil {
			return nil, err
		}
		got = append(got, a.Records...)
		if len(got) < count && time.Now().After(deadline) {
			return nil, fmt.Errorf("%d records read, want %d", len(got), count)
		}
	}
	if len(got) > count {
		return nil, fmt.Errorf("%d records read, want %d", len(got), count)
	}
	order(got)
	return got, nil
}

// restart kills the node, as a power cut would, and starts it again.
func (s *scene) restart() error {
	s.node.Kill()
	return s.node.Restart()
}

func order(records []record) {
	slices.SortFunc(records, func(a, b record) int {
		if a.Partition != b.Partition {
			return int(a.Partition - b.Partition)
		}
		return int(a.Offset - b.Offset)
	})
}

// code wants the client to fail with one of Kafka's codes.
func code(_ answer, err error, want int) error {
	var c *clientError
	switch {
	case err == nil:
		return fmt.Errorf("it was accepted; want code %d", want)
	case !errors.As(err, &c):
		return err
	case c.Code != want:
		return fmt.Errorf("%w; want code %d", err, want)
	}
	return nil
}

// part says what of a record a case compares beyond key and value.
type part int

const (
	headers part = 1 << iota
	timestamps
)

// same compares records, both in order of partition and offset.
func same(got, want []record, parts part) error {
	if len(got) != len(want) {
		return fmt.Errorf("%d records, %s, want %d, %s", len(got), places(got), len(want), places(want))
	}
	for i, g := range got {
		w := want[i]
		switch {
		case g.Partition != w.Partition || g.Offset != w.Offset:
			return fmt.Errorf("record %d is at %d/%d, want %d/%d", i, g.Partition, g.Offset, w.Partition, w.Offset)
		case !sameBytes(g.Key, w.Key):
			return fmt.Errorf("record %d has key %s, want %s", i, show(g.Key), show(w.Key))
		case !sameBytes(g.Value, w.Value):
			return fmt.Errorf("record %d has value %s, want %s", i, show(g.Value), show(w.Value))
		case parts&timestamps != 0 && g.Timestamp != w.Timestamp:
			return fmt.Errorf("record %d has timestamp %d, want %d", i, g.Timestamp, w.Timestamp)
		case parts&headers != 0 && !slices.EqualFunc(g.Headers, w.Headers, func(a, b header) bool {
			return a.Key == b.Key && sameBytes(a.Value, b.Value)
		}):
			return fmt.Errorf("record %d has headers %q, want %q", i, g.Headers, w.Headers)
		}
	}
	return nil
}

// places are the partitions of records, with how many there are and the first and last offset.
func places(records []record) string {
	type span struct{ count, first, last int64 }
	spans := map[int32]span{}
	for _, r := range records {
		x, ok := spans[r.Partition]
		if !ok {
			x.first = r.Offset
		}
		spans[r.Partition] = span{x.count + 1, x.first, r.Offset}
	}
	return fmt.Sprint(spans)
}

// sameBytes tells null from empty.
func sameBytes(a, b []byte) bool { return (a == nil) == (b == nil) && bytes.Equal(a, b) }

func show(b []byte) string {
	if b == nil {
		return "null"
	}
	return fmt.Sprintf("%.40q (%d bytes)", b, len(b))
}
