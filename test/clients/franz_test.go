//go:build clients

package clients

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	partitions = 3
	records    = 30
)

// franz runs the cases with franz-go.
type franz struct{ bootstrap string }

func (f franz) run(t *testing.T) {
	t.Run("topics", f.topics)
	codecs := map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}
	acks := map[string][]kgo.Opt{
		"0":          {kgo.RequiredAcks(kgo.NoAck()), kgo.DisableIdempotentWrite()},
		"1":          {kgo.RequiredAcks(kgo.LeaderAck()), kgo.DisableIdempotentWrite()},
		"all":        {kgo.RequiredAcks(kgo.AllISRAcks()), kgo.DisableIdempotentWrite()},
		"idempotent": nil,
	}
	for codec, c := range codecs {
		for ack, opts := range acks {
			t.Run(codec+"-acks-"+ack, func(t *testing.T) {
				f.produce(t, "go-"+codec+"-"+ack, ack != "0", append(opts, kgo.ProducerBatchCompression(c)))
			})
		}
	}
}

func (f franz) client(t *testing.T, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	c, err := kgo.NewClient(append(opts, kgo.SeedBrokers(f.bootstrap))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func limit(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func (f franz) topics(t *testing.T) {
	ctx, adm := limit(t), kadm.NewClient(f.client(t))
	if _, err := adm.CreateTopic(ctx, 2, 1, nil, "go-admin"); err != nil {
		t.Fatal(err)
	}
	if _, err := adm.CreateTopic(ctx, 2, 1, nil, "go-admin"); !errors.Is(err, kerr.TopicAlreadyExists) {
		t.Fatalf("second creation: %v", err)
	}
	if _, err := adm.CreateTopic(ctx, 1, 3, nil, "go-too-many"); !errors.Is(err, kerr.InvalidReplicationFactor) {
		t.Fatalf("replication factor 3 on one node: %v", err)
	}
	if r, err := adm.CreatePartitions(ctx, 3, "go-admin"); err != nil || r.Error() != nil {
		t.Fatal(err, r.Error())
	}
	listed, err := adm.ListTopics(ctx, "go-admin")
	if err != nil || len(listed["go-admin"].Partitions) != 5 {
		t.Fatalf("%v, %v", listed, err)
	}
	if r, err := adm.DeleteTopics(ctx, "go-admin"); err != nil || r.Error() != nil {
		t.Fatal(err, r.Error())
	}
	if listed, err := adm.ListTopics(ctx); err != nil || listed.Has("go-admin") {
		t.Fatalf("a deleted topic is listed: %v, %v", listed, err)
	}
}

func (f franz) produce(t *testing.T, topic string, acked bool, opts []kgo.Opt) {
	ctx := limit(t)
	adm := kadm.NewClient(f.client(t))
	if _, err := adm.CreateTopic(ctx, partitions, 1, nil, topic); err != nil {
		t.Fatal(err)
	}
	producer := f.client(t, append(opts, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(5*time.Millisecond))...)
	base := time.Now().Truncate(time.Millisecond)
	var sent []*kgo.Record
	for i := range records {
		sent = append(sent, &kgo.Record{
			Topic: topic, Partition: int32(i % partitions), Timestamp: base.Add(time.Duration(i) * time.Millisecond),
			Key: fmt.Appendf(nil, "k%d", i), Value: fmt.Appendf(nil, "value-%d", i),
			Headers: []kgo.RecordHeader{{Key: "h", Value: fmt.Appendf(nil, "x%d", i)}},
		})
	}
	for i, r := range producer.ProduceSync(ctx, sent...) {
		if r.Err != nil {
			t.Fatalf("record %d: %v", i, r.Err)
		}
	}
	if acked {
		for i, r := range sent {
			if r.Offset != int64(i/partitions) {
				t.Fatalf("record %d has offset %d", i, r.Offset)
			}
		}
	}
	for _, r := range f.read(t, topic, records, func(int32) kgo.Offset { return kgo.NewOffset().AtStart() }) {
		i := string(r.Key[1:])
		if string(r.Value) != "value-"+i || string(r.Headers[0].Value) != "x"+i {
			t.Fatalf("read %v", r)
		}
	}
	for _, r := range f.read(t, topic, 9, func(int32) kgo.Offset { return kgo.NewOffset().At(7) }) {
		if r.Offset < 7 {
			t.Fatalf("offset %d before 7", r.Offset)
		}
	}
	for _, r := range f.read(t, topic, 15, func(int32) kgo.Offset { return kgo.NewOffset().AfterMilli(base.UnixMilli() + 15) }) {
		if r.Timestamp.Before(base.Add(15 * time.Millisecond)) {
			t.Fatalf("timestamp %v before the asked one", r.Timestamp)
		}
	}
}

// read consumes exactly count records from all partitions.
func (f franz) read(t *testing.T, topic string, count int, from func(int32) kgo.Offset) []*kgo.Record {
	t.Helper()
	starts := map[int32]kgo.Offset{}
	for p := range int32(partitions) {
		starts[p] = from(p)
	}
	c := f.client(t, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: starts}))
	ctx := limit(t)
	var got []*kgo.Record
	for len(got) < count {
		fetches := c.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("after %d of %d records: %v", len(got), count, err)
		}
		got = append(got, fetches.Records()...)
	}
	if len(got) != count {
		t.Fatalf("%d records, want %d", len(got), count)
	}
	return got
}
