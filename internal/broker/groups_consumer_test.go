package broker

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// consumerConfig lets members of consumer groups hear of news soon.
var consumerConfig = map[string]string{
	"group.initial.rebalance.delay.ms": "0", "offsets.topic.num.partitions": "4",
	"group.consumer.heartbeat.interval.ms": "100", "group.consumer.min.heartbeat.interval.ms": "100",
}

// TestConsumerGroupShares: three members that the broker assigns share six
// partitions; one leaves, more records come, and the others consume them.
func TestConsumerGroupShares(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	b := start(t, t.TempDir(), consumerConfig)
	defer stop(t, b)
	fill(ctx, t, b, "jobs", 6, 0, 60)
	var mu sync.Mutex
	seen := map[string]int{}
	reached := func(n int) bool {
		mu.Lock()
		defer mu.Unlock()
		return len(seen) >= n
	}
	var all sync.WaitGroup
	var members []*kgo.Client
	for range 3 {
		c := client(t, b, kgo.ConsumerGroup("new"), kgo.ConsumeTopics("jobs"), kgo.ServerSideBalancer(), kgo.Balancers(kgo.StickyBalancer()),
			kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.AutoCommitInterval(100*time.Millisecond))
		members = append(members, c)
		all.Go(func() {
			for ctx.Err() == nil {
				f := c.PollFetches(ctx)
				if f.IsClientClosed() {
					return
				}
				mu.Lock()
				f.EachRecord(func(r *kgo.Record) { seen[string(r.Value)]++ })
				mu.Unlock()
			}
		})
	}
	ask := client(t, b)
	defer ask.Close()
	adm := kadm.NewClient(ask)
	await := func(members, records int) {
		t.Helper()
		for ctx.Err() == nil {
			described, err := adm.DescribeConsumerGroups(ctx, "new")
			g := described["new"]
			if err == nil && g.Err == nil && g.State == "Stable" && len(g.Members) == members && reached(records) {
				if listed, err := adm.ListGroupsByType(ctx, []string{"consumer"}); err != nil || listed["new"].State != "Stable" {
					t.Errorf("%+v %v", listed, err)
				}
				return
			}
			select {
			case <-ctx.Done():
			case <-time.After(20 * time.Millisecond):
			}
		}
		t.Fatalf("never %d members and %d records: %d", members, records, len(seen))
	}
	await(3, 60)
	members[0].Close()
	await(2, 60)
	fill(ctx, t, b, "jobs", 6, 60, 120)
	await(2, 120)
	for _, c := range members {
		c.Close()
	}
	all.Wait()
	again := 0
	for _, n := range seen {
		again += n - 1
	}
	if again > 0 {
		t.Errorf("%d records were consumed again", again)
	}
}
