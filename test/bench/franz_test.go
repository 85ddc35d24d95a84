//go:build bench

package bench

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// franz produces and consumes records of 100 bytes by franz-go: a real client's
// batches and requests. The rate is the client's; the CPU is the server's.
func (b *bench) franz(durability string) {
	topic := map[*system]string{}
	produced := map[*system]int64{}
	b.compare(cell{
		name: "franz-go produce, 100 B, acks=1", durability: durability,
		metrics: []metric{{nsRecord, "%.0f", false, 2}, {recordRate, "%.2f", true, 0}},
		run: func(t testing.TB, s *system) values {
			if topic[s] == "" {
				topic[s] = b.topic()
				s.create(t, topic[s], durability, 1, nil)
			}
			c := franzClient(t, s, kgo.DefaultProduceTopic(topic[s]), kgo.RequiredAcks(kgo.LeaderAck()), kgo.DisableIdempotentWrite(),
				kgo.ProducerLinger(5*time.Millisecond), kgo.MaxBufferedRecords(1<<20), kgo.ProducerBatchCompression(kgo.NoCompression()))
			defer c.Close()
			var acked atomic.Int64
			value := make([]byte, 100)
			done := func(_ *kgo.Record, err error) {
				if err == nil {
					acked.Add(1)
				}
			}
			touch(t, 256<<20)
			before, begin := cpu(t, s.pid), time.Now()
			sent := int64(0)
			for sent < 3_000_000 && (sent%1024 != 0 || time.Since(begin) < 2**section) {
				c.Produce(context.Background(), &kgo.Record{Value: value}, done)
				sent++
			}
			if err := c.Flush(context.Background()); err != nil {
				t.Fatal(err)
			}
			took, used := time.Since(begin), cpu(t, s.pid)-before
			if acked.Load() != sent {
				t.Fatalf("%s: %d of %d records are acknowledged", s.name, acked.Load(), sent)
			}
			produced[s] += sent
			return values{nsRecord: float64(used.Nanoseconds()) / float64(sent), recordRate: float64(sent) / took.Seconds() / 1e6}
		},
	})
	b.compare(cell{
		name: "franz-go consume, 100 B", durability: durability,
		metrics: []metric{{nsRecord, "%.0f", false, 0}, {recordRate, "%.2f", true, 0}},
		run: func(t testing.TB, s *system) values {
			c := franzClient(t, s, kgo.ConsumeTopics(topic[s]), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
			defer c.Close()
			want := min(produced[s], 2_000_000)
			before, begin := cpu(t, s.pid), time.Now()
			for next := int64(0); next < want; {
				f := c.PollFetches(context.Background())
				if err := f.Err0(); err != nil {
					t.Fatal(err)
				}
				f.EachRecord(func(r *kgo.Record) {
					if r.Offset != next {
						t.Fatalf("%s: offset %d after %d", s.name, r.Offset, next-1)
					}
					next++
				})
			}
			took, used := time.Since(begin), cpu(t, s.pid)-before
			return values{nsRecord: float64(used.Nanoseconds()) / float64(want), recordRate: float64(want) / took.Seconds() / 1e6}
		},
	})
	for s, name := range topic {
		s.remove(b.t, name)
	}
}

func franzClient(t testing.TB, s *system, options ...kgo.Opt) *kgo.Client {
	t.Helper()
	c, err := kgo.NewClient(append(options, kgo.SeedBrokers(s.addr))...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
