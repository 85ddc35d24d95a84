package broker

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// TestEveryCodecAndAck writes by an unmodified client and reads back from the
// start, from an offset and from a timestamp.
func TestEveryCodecAndAck(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	b := start(t, t.TempDir(), nil)
	defer stop(t, b)
	adm := client(t, b)
	defer adm.Close()
	codecs := map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}
	for name, codec := range codecs {
		for level, acks := range []kgo.Acks{kgo.NoAck(), kgo.LeaderAck(), kgo.AllISRAcks()} {
			topic := fmt.Sprintf("%s-%s", name, []string{"0", "1", "all"}[level])
			t.Run(topic, func(t *testing.T) {
				if _, err := kadm.NewClient(adm).CreateTopic(ctx, 2, 1, nil, topic); err != nil {
					t.Fatal(err)
				}
				opts := []kgo.Opt{kgo.DefaultProduceTopic(topic), kgo.RequiredAcks(acks), kgo.ProducerBatchCompression(codec),
					kgo.RecordPartitioner(kgo.ManualPartitioner())}
				if acks != kgo.AllISRAcks() {
					opts = append(opts, kgo.DisableIdempotentWrite())
				}
				p := client(t, b, opts...)
				const n = 200
				base := time.Now().Add(-time.Hour).Truncate(time.Millisecond)
				var failed atomic.Int32
				for i := range n {
					p.Produce(ctx, &kgo.Record{Partition: int32(i % 2), Key: fmt.Append(nil, i), Value: fmt.Appendf(nil, "value %d", i),
						Timestamp: base.Add(time.Duration(i) * time.Second)}, func(_ *kgo.Record, err error) {
						if err != nil {
							t.Error(err)
							failed.Add(1)
						}
					})
				}
				if err := p.Flush(ctx); err != nil || failed.Load() > 0 {
					t.Fatal(err)
				}
				p.Close()
				readBack(ctx, t, b, topic, kgo.NewOffset().AtStart(), 0, n)
				readBack(ctx, t, b, topic, kgo.NewOffset().At(50), n/2, n)
				readBack(ctx, t, b, topic, kgo.NewOffset().AfterMilli(base.Add(60*time.Second).UnixMilli()), 60, n)
			})
		}
	}
}

// readBack expects the records first to last, of both partitions.
func readBack(ctx context.Context, t *testing.T, b *Broker, topic string, from kgo.Offset, first, last int) {
	t.Helper()
	c := client(t, b, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(from), kgo.ConsumeStartOffset(from))
	defer c.Close()
	var got []string
	for len(got) < last-first {
		f := c.PollFetches(ctx)
		if err := f.Err(); err != nil {
			t.Fatalf("after %d records: %v", len(got), err)
		}
		f.EachRecord(func(r *kgo.Record) { got = append(got, string(r.Value)) })
	}
	var want []string
	for i := first; i < last; i++ {
		want = append(want, fmt.Sprintf("value %d", i))
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Fatalf("read %d records, want %d", len(got), len(want))
	}
}
