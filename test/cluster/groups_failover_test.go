//go:build cluster

package cluster

import (
	"context"
	"flag"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/brokerd/brokerd/test/harness"
)

var coordinatorKills = flag.Int("coordinator-kills", 1, "how often TestManyGroupsFailOver kills the coordinator")

// TestManyGroupsFailOver kills the coordinator of 10,000 groups, and prints how long
// it takes until each of them says what it had committed.
func TestManyGroupsFailOver(t *testing.T) {
	const groups, each = 10_000, 500
	c := harness.Start(t, harness.Options{Nodes: 3, Properties: map[string]string{"offsets.topic.num.partitions": "1"}})
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cl := client(t, addrs(c)...)
	adm := kadm.NewClient(cl)
	if _, err := adm.CreateTopic(ctx, 1, 3, nil, "many"); err != nil {
		t.Fatal(err)
	}
	at := coordinator(ctx, t, adm)
	name := func(i int) string { return fmt.Sprint("many-", i) }
	begin := time.Now()
	var all sync.WaitGroup
	for k := range 64 {
		all.Go(func() {
			for i := k; i < groups; i += 64 {
				offsets := kadm.Offsets{}
				offsets.AddOffset("many", 0, int64(i), -1)
				if err := adm.CommitAllOffsets(ctx, name(i), offsets); err != nil {
					t.Errorf("group %d: %v", i, err)
					return
				}
			}
		})
	}
	if all.Wait(); t.Failed() {
		t.FailNow()
	}
	t.Logf("%d groups committed in %v", groups, time.Since(begin))
	for round := range *coordinatorKills {
		n := c.Nodes[at-1]
		killed := time.Now()
		n.Kill()
		for from := 0; from < groups; {
			if ctx.Err() != nil {
				t.Fatalf("round %d: group %d does not answer", round, from)
			}
			if at = someCoordinator(ctx, cl, n.ID); at == 0 {
				continue
			}
			if fetchGroups(ctx, t, cl, at, name, from, min(from+each, groups)) {
				from += each
			}
		}
		t.Logf("node %d killed: %d groups answer after %v", n.ID, groups, time.Since(killed).Round(time.Millisecond))
		n.Launch()
		n.WaitReady()
		eventually(t, "all are in sync", func() error { return inSync(t, c, "__consumer_offsets", 3) })
	}
}

// someCoordinator asks the nodes that run who coordinates; 0: nobody knows yet.
func someCoordinator(ctx context.Context, cl *kgo.Client, dead int) int32 {
	req := kmsg.NewPtrFindCoordinatorRequest()
	req.CoordinatorKeys = []string{"many-0"}
	ctx, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	defer cancel()
	resp, err := cl.Broker(dead%3+1).Request(ctx, req)
	if err != nil {
		return 0
	}
	found := resp.(*kmsg.FindCoordinatorResponse).Coordinators
	if len(found) == 0 || found[0].ErrorCode != 0 || int(found[0].NodeID) == dead {
		return 0
	}
	return found[0].NodeID
}

// fetchGroups asks for the offsets of groups; true: each says the right one.
func fetchGroups(ctx context.Context, t *testing.T, cl *kgo.Client, at int32, name func(int) string, from, to int) bool {
	t.Helper()
	req := kmsg.NewPtrOffsetFetchRequest()
	for i := from; i < to; i++ {
		g := kmsg.NewOffsetFetchRequestGroup()
		g.Group = name(i)
		req.Groups = append(req.Groups, g)
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	resp, err := cl.Broker(int(at)).Request(ctx, req)
	if err != nil {
		return false
	}
	for i, g := range resp.(*kmsg.OffsetFetchResponse).Groups {
		switch {
		case g.ErrorCode != 0:
			return false
		case len(g.Topics) != 1 || g.Topics[0].Partitions[0].Offset != int64(from+i):
			t.Fatalf("group %d: %+v, it committed %d", from+i, g.Topics, from+i)
		}
	}
	return true
}
