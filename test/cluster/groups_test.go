//go:build cluster

package cluster

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/brokerd/brokerd/test/harness"
)

// TestCoordinatorDies: a group consumes and commits while the node that
// coordinates it is killed, again and again. Every record is consumed, and no
// committed offset is lost or goes back.
func TestCoordinatorDies(t *testing.T) {
	c := harness.Start(t, harness.Options{Nodes: 3, Properties: map[string]string{"offsets.topic.num.partitions": "3", "group.initial.rebalance.delay.ms": "0"}})
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cl, err := kgo.NewClient(kgo.SeedBrokers(addrs(c)...), kgo.MetadataMinAge(20*time.Millisecond), kgo.DefaultProduceTopic("jobs"),
		kgo.RecordRetries(1000000), kgo.RetryBackoffFn(func(int) time.Duration { return 20 * time.Millisecond }))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	if _, err := adm.CreateTopic(ctx, 3, 3, nil, "jobs"); err != nil {
		t.Fatal(err)
	}
	member, err := kgo.NewClient(kgo.SeedBrokers(addrs(c)...), kgo.MetadataMinAge(20*time.Millisecond), kgo.ConsumerGroup("workers"),
		kgo.ConsumeTopics("jobs"), kgo.DisableAutoCommit(), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.RetryBackoffFn(func(int) time.Duration { return 20 * time.Millisecond }), kgo.HeartbeatInterval(500*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	defer member.Close()
	committed := map[int32]int64{}
	seen := map[string]bool{}
	for round := range 4 {
		for i := range 100 {
			if err := cl.ProduceSync(ctx, kgo.StringRecord(fmt.Sprintf("%d/%d", round, i))).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
		for len(seen) < 100*(round+1) {
			f := member.PollFetches(ctx)
			if ctx.Err() != nil {
				t.Fatalf("round %d: %d records consumed", round, len(seen))
			}
			f.EachRecord(func(r *kgo.Record) { seen[string(r.Value)] = true })
		}
		for member.CommitUncommittedOffsets(ctx) != nil {
			if ctx.Err() != nil {
				t.Fatalf("round %d: nothing can be committed", round)
			}
		}
		for topic, ps := range member.CommittedOffsets() {
			for p, o := range ps {
				if o.Offset < committed[p] {
					t.Errorf("%s-%d went back from %d to %d", topic, p, committed[p], o.Offset)
				}
				committed[p] = o.Offset
			}
		}
		node := coordinator(ctx, t, adm)
		c.Nodes[node-1].Kill()
		offsets := fetchOffsets(ctx, t, c)
		for p, want := range committed {
			if got, ok := offsets.Lookup("jobs", p); !ok || got.At != want {
				t.Errorf("round %d: offset of partition %d is %d, %d was committed", round, p, got.At, want)
			}
		}
		c.Nodes[node-1].Launch()
		c.Nodes[node-1].WaitReady()
	}
}

// coordinator is the node that coordinates the group.
func coordinator(ctx context.Context, t *testing.T, adm *kadm.Client) int32 {
	t.Helper()
	for ctx.Err() == nil {
		found := adm.FindGroupCoordinators(ctx, "workers")
		if f := found["workers"]; f.Err == nil {
			return f.NodeID
		}
	}
	t.Fatal("no coordinator")
	return 0
}

// fetchOffsets asks until the next coordinator answers, with a new client each
// time: one that knows the dead coordinator keeps asking for it.
func fetchOffsets(ctx context.Context, t *testing.T, c *harness.Cluster) kadm.OffsetResponses {
	t.Helper()
	var last error
	for ctx.Err() == nil {
		cl, err := kgo.NewClient(kgo.SeedBrokers(addrs(c)...))
		if err != nil {
			t.Fatal(err)
		}
		offsets, err := kadm.NewClient(cl).FetchOffsets(ctx, "workers")
		cl.Close()
		if err == nil {
			err = offsets.Error()
		}
		if err == nil {
			return offsets
		}
		last = err
	}
	t.Fatalf("nobody answers for the offsets: %v", last)
	return nil
}

// TestLagOfPartitionsElsewhere: the broker that coordinates a group shows its lag in
// partitions of which it has no replica, and it is what a client comes to.
func TestLagOfPartitionsElsewhere(t *testing.T) {
	c := harness.Start(t, harness.Options{Nodes: 3, Properties: map[string]string{"offsets.topic.num.partitions": "1"}})
	ctx := within(t)
	adm := kadm.NewClient(client(t, addrs(c)...))
	if _, err := adm.CreateTopic(ctx, 6, 1, nil, "far"); err != nil {
		t.Fatal(err)
	}
	produce(t, c, "far", 100)
	offsets := kadm.Offsets{}
	for p := range int32(6) {
		offsets.AddOffset("far", p, int64(p), -1)
	}
	offsets.AddOffset("far", 5, 1000, -1) // past the end: behind by less than nothing
	eventually(t, "commit", func() error { return adm.CommitAllOffsets(ctx, "workers", offsets) })
	lags, err := adm.Lag(ctx, "workers")
	if err != nil {
		t.Fatal(err)
	}
	node := c.Nodes[coordinator(ctx, t, adm)-1]
	eventually(t, "the metrics show it", func() error {
		resp, err := http.Get(node.AdminURL() + "/metrics")
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			return err
		}
		sum := int64(0)
		for _, l := range lags["workers"].Lag.Sorted() {
			sum += l.End.Offset - l.Commit.At
			line := fmt.Sprintf("kafka_consumergroup_lag{consumergroup=\"workers\",partition=\"%d\",topic=\"far\"} %d\n", l.Partition, l.End.Offset-l.Commit.At)
			if !strings.Contains(string(body), line) {
				return fmt.Errorf("not there: %s", line)
			}
		}
		if line := fmt.Sprintf("kafka_consumergroup_lag_sum{consumergroup=\"workers\",topic=\"far\"} %d\n", sum); !strings.Contains(string(body), line) {
			return fmt.Errorf("not there: %s", line)
		}
		return nil
	})
}
