package broker

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// groupConfig lets a rebalance of an empty group begin at once.
var groupConfig = map[string]string{"group.initial.rebalance.delay.ms": "0", "offsets.topic.num.partitions": "4"}

// consume reads until n records have come, and commits them.
func consume(ctx context.Context, t *testing.T, c *kgo.Client, n int) (values []string) {
	t.Helper()
	for len(values) < n {
		f := c.PollFetches(ctx)
		if err := f.Err(); err != nil {
			t.Fatalf("after %d of %d records: %v", len(values), n, err)
		}
		f.EachRecord(func(r *kgo.Record) { values = append(values, string(r.Value)) })
	}
	if err := c.CommitUncommittedOffsets(ctx); err != nil {
		t.Fatal(err)
	}
	return values
}

func fill(ctx context.Context, t *testing.T, b *Broker, topic string, partitions int32, from, to int) {
	t.Helper()
	c := client(t, b, kgo.DefaultProduceTopic(topic), kgo.RecordPartitioner(kgo.RoundRobinPartitioner()))
	defer c.Close()
	if from == 0 {
		if _, err := kadm.NewClient(c).CreateTopic(ctx, partitions, 1, nil, topic); err != nil {
			t.Fatal(err)
		}
	}
	for i := from; i < to; i++ {
		if err := c.ProduceSync(ctx, &kgo.Record{Value: fmt.Append(nil, i)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestGroupResumes: what a group has committed is where its next member goes on,
// in the same process, and after a restart.
func TestGroupResumes(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	dir := t.TempDir()
	b := start(t, dir, groupConfig)
	fill(ctx, t, b, "jobs", 2, 0, 50)
	seen := map[string]bool{}
	for round := range 3 {
		c := client(t, b, kgo.ConsumerGroup("workers"), kgo.ConsumeTopics("jobs"), kgo.DisableAutoCommit(),
			kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
		for _, v := range consume(ctx, t, c, 50) {
			if seen[v] {
				t.Errorf("round %d: %s has been consumed", round, v)
			}
			seen[v] = true
		}
		adm := kadm.NewClient(c)
		lags, err := adm.Lag(ctx, "workers")
		l := lags["workers"]
		if err != nil || l.Error() != nil {
			t.Fatal(err, l.Error())
		}
		if l.State != "Stable" || len(l.Members) != 1 || l.Lag.Total() != 0 {
			t.Errorf("round %d: state %s, %d members, lag %d", round, l.State, len(l.Members), l.Lag.Total())
		}
		c.Close()
		if round == 1 {
			stop(t, b)
			b = start(t, dir, groupConfig)
		}
		fill(ctx, t, b, "jobs", 2, 50*(round+1), 50*(round+2))
	}
	if len(seen) != 150 {
		t.Errorf("%d records", len(seen))
	}
	c := client(t, b)
	defer c.Close()
	adm := kadm.NewClient(c)
	groups, err := adm.ListGroups(ctx)
	if err != nil || len(groups) != 1 || groups["workers"].State != "Empty" {
		t.Errorf("%v %v", groups, err)
	}
	if deleted, err := adm.DeleteGroups(ctx, "workers"); err != nil || deleted["workers"].Err != nil {
		t.Error(deleted, err)
	}
	if fetched, err := adm.FetchOffsets(ctx, "workers"); err != nil || len(fetched) != 0 {
		t.Error(fetched, err)
	}
	stop(t, b)
}

// TestGroupShares: three members share six partitions; one leaves, and its share
// is consumed by the others, each record by one of them.
func TestGroupShares(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	b := start(t, t.TempDir(), groupConfig)
	defer stop(t, b)
	fill(ctx, t, b, "jobs", 6, 0, 60)
	for _, balancer := range []kgo.GroupBalancer{kgo.RangeBalancer(), kgo.CooperativeStickyBalancer()} {
		name := "by-" + balancer.ProtocolName()
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			seen := map[string]int{}
			enough := make(chan struct{})
			var all sync.WaitGroup
			var members []*kgo.Client
			for range 3 {
				c := client(t, b, kgo.ConsumerGroup(name), kgo.ConsumeTopics("jobs"), kgo.Balancers(balancer),
					kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.HeartbeatInterval(200*time.Millisecond), kgo.AutoCommitInterval(100*time.Millisecond))
				members = append(members, c)
				all.Go(func() {
					for ctx.Err() == nil {
						f := c.PollFetches(ctx)
						if f.IsClientClosed() {
							return
						}
						mu.Lock()
						f.EachRecord(func(r *kgo.Record) { seen[string(r.Value)]++ })
						if len(seen) == 60 {
							select {
							case <-enough:
							default:
								close(enough)
							}
						}
						mu.Unlock()
					}
				})
			}
			select {
			case <-enough:
			case <-ctx.Done():
				t.Errorf("%d of 60 records", len(seen))
			}
			for _, c := range members {
				c.Close()
			}
			all.Wait()
		})
	}
}
