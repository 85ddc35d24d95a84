//go:build chaos

package chaos

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// TestPowerCutOfAll takes the power from three nodes with 1,000 partitions of three
// replicas at one moment, a tenth as often as -cuts says, and prints how long after
// their start every partition has acknowledged a record again. Nothing that was
// acknowledged may be missing; how long it takes is not judged.
func TestPowerCutOfAll(t *testing.T) {
	const topic, partitions = "wide", 1000
	c, seeds := newNodes(t)
	ctx, cancel := context.WithTimeout(t.Context(), patient)
	defer cancel()
	if _, err := c.adm.CreateTopic(ctx, partitions, 3, nil, topic); err != nil {
		t.Fatal(err)
	}
	acked := make([]int64, partitions)
	writeAll(t, seeds, topic, acked, time.Now())
	var all []time.Duration
	for range max(1, *cuts/10) {
		c.powerCut(c.Nodes...)
		began := time.Now()
		for _, n := range c.Nodes {
			n.Launch()
		}
		after := writeAll(t, seeds, topic, acked, began)
		all = append(all, after[partitions-1])
		t.Logf("written to after the start: the first partition %v, half of them %v, all %v", after[0].Round(time.Millisecond), after[partitions/2].Round(time.Millisecond), after[partitions-1].Round(time.Millisecond))
	}
	ends, err := c.adm.ListEndOffsets(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	for p, n := range acked {
		if end, ok := ends.Lookup(topic, int32(p)); !ok || end.Err != nil || end.Offset < n {
			t.Errorf("partition %d: %d records were acknowledged, it ends at %+v", p, n, end)
		}
	}
	slices.Sort(all)
	t.Logf("power of three nodes cut %d times: from the start to the last of %d partitions p50 %v, most %v", len(all), partitions,
		all[len(all)/2].Round(time.Millisecond), all[len(all)-1].Round(time.Millisecond))
}

// writeAll writes one record to each partition, by a client that knows nothing yet,
// until all are acknowledged: how long after a moment each was, in order.
func writeAll(t *testing.T, seeds []string, topic string, acked []int64, since time.Time) []time.Duration {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(seeds...), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0),
		kgo.MetadataMinAge(50*time.Millisecond), kgo.RetryBackoffFn(func(int) time.Duration { return 50 * time.Millisecond }), kgo.DialTimeout(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patient)
	defer cancel()
	after := make([]time.Duration, len(acked))
	var done sync.WaitGroup
	done.Add(len(acked))
	for p := range acked {
		cl.Produce(ctx, &kgo.Record{Topic: topic, Partition: int32(p), Value: []byte("record")}, func(_ *kgo.Record, err error) {
			defer done.Done()
			if err != nil {
				t.Errorf("partition %d: %v", p, err)
				return
			}
			acked[p]++
			after[p] = time.Since(since)
		})
	}
	done.Wait()
	slices.Sort(after)
	return after
}
