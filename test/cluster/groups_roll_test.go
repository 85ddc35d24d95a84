//go:build cluster

package cluster

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/brokerd/brokerd/test/harness"
)

// rolled is a member that notes every change of what it is assigned.
type rolled struct {
	*kgo.Client
	mu   sync.Mutex
	has  []int32
	lost int // times that it was told to give up something, or lost it
}

func (r *rolled) owned() []int32 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Sorted(slices.Values(r.has))
}

// TestGroupsOutliveRolls restarts the nodes of a cluster ten times, one after the
// other, under two groups with default time-outs: one of static members, one of
// the new protocol. No member is assigned anything else, and no generation ends.
func TestGroupsOutliveRolls(t *testing.T) {
	c := harness.Start(t, harness.Options{Nodes: 3})
	agree(t, c.Nodes, 3)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	if _, err := kadm.NewClient(client(t, c.Bootstrap())).CreateTopic(ctx, 6, 3, nil, "t"); err != nil {
		t.Fatal(err)
	}
	var members []*rolled
	for i := range 4 {
		r := &rolled{}
		opts := []kgo.Opt{kgo.SeedBrokers(addrs(c)...), kgo.ConsumeTopics("t"), kgo.DisableAutoCommit(),
			kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, got map[string][]int32) {
				r.mu.Lock()
				defer r.mu.Unlock()
				r.has = append(r.has, got["t"]...)
			}),
			kgo.OnPartitionsRevoked(r.gone), kgo.OnPartitionsLost(r.gone)}
		if i < 2 {
			opts = append(opts, kgo.ConsumerGroup("static"), kgo.InstanceID(fmt.Sprint("i", i)))
		} else {
			opts = append(opts, kgo.ConsumerGroup("new"), kgo.ServerSideBalancer(), kgo.Balancers(kgo.StickyBalancer()))
		}
		var err error
		if r.Client, err = kgo.NewClient(opts...); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(r.Close)
		members = append(members, r)
		go func() { // ends when the client is closed
			for !r.PollFetches(ctx).IsClientClosed() && ctx.Err() == nil {
			}
		}()
	}
	eventually(t, "every member has three partitions", func() error {
		for i, r := range members {
			if n := len(r.owned()); n != 3 {
				return fmt.Errorf("member %d has %d", i, n)
			}
		}
		return nil
	})
	type standing struct {
		id  string
		gen int32
		has []int32
	}
	look := func() (all []standing) {
		for _, r := range members {
			id, gen := r.GroupMetadata()
			all = append(all, standing{id, gen, r.owned()})
		}
		return all
	}
	new, err := kadm.NewClient(client(t, c.Bootstrap())).DescribeConsumerGroups(ctx, "new")
	if err != nil || len(new["new"].Members) != 2 {
		t.Fatalf("the group of the new protocol: %+v, %v", new, err)
	}
	before := look()
	for _, r := range members {
		r.mu.Lock()
		r.lost = 0
		r.mu.Unlock()
	}
	for i := range 10 {
		n := c.Nodes[i%3]
		n.Stop()
		n.Restart()
		eventually(t, "everybody is in sync", func() error { return inSync(t, c, "t", 3) })
		if now := look(); fmt.Sprint(now) != fmt.Sprint(before) {
			t.Fatalf("after restart %d of node %d the members are\n%v\nand were\n%v", i, n.ID, now, before)
		}
	}
	for i, r := range members {
		if r.lost > 0 {
			t.Errorf("member %d was told %d times to give up partitions", i, r.lost)
		}
	}
}

func (r *rolled) gone(_ context.Context, _ *kgo.Client, lost map[string][]int32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lost++
	r.has = slices.DeleteFunc(r.has, func(p int32) bool { return slices.Contains(lost["t"], p) })
}
