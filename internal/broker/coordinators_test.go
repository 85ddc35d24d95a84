package broker

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

var coordinatorSeeds = flag.Int("broker.seeds", 4, "seeds that TestCoordinatorsFail runs")

// TestCoordinatorsFail lets a group of each kind work while the brokers that
// coordinate them lose power, are paused, cut off from the others, moved, or lose
// their connections: crew says what must hold.
func TestCoordinatorsFail(t *testing.T) {
	for seed := range uint64(*coordinatorSeeds) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			inBubble(t, func(c *bubble) { c.coordinatorsFail(seed) }, "offsets.topic.num.partitions=2",
				"group.consumer.min.session.timeout.ms=5000", "group.consumer.session.timeout.ms=10000",
				"group.consumer.min.heartbeat.interval.ms=500", "group.consumer.heartbeat.interval.ms=1000")
		})
	}
}

func (c *bubble) coordinatorsFail(seed uint64) {
	random := rand.New(rand.NewPCG(seed, 6))
	cl := c.client()
	defer cl.Close()
	if _, err := kadm.NewClient(cl).CreateTopic(c.t.Context(), crewParts, 3, nil, crewTopic); err != nil {
		c.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(c.t.Context())
	crews := []*crew{c.muster(ctx, "classic", false, seed), c.muster(ctx, "consumer", true, seed)}
	defer func() {
		cancel()
		for _, g := range crews {
			g.ended.Wait()
		}
	}()
	deaf := func(id int, until time.Time) {
		for _, g := range crews {
			g.mu.Lock()
			g.deaf[id] = until
			g.mu.Unlock()
		}
	}
	settle := func(what string) {
		for _, g := range crews {
			c.eventually(fmt.Sprint(what, ": ", g.name, " shares all partitions"), g.whole)
		}
	}
	settle("at first")
	for range 8 {
		id := 1 + random.IntN(3)
		if at := c.leaderOf(random.IntN(2)); random.IntN(4) > 0 && at > 0 {
			id = at
		}
		others := []string{c.host(id%3 + 1), c.host((id+1)%3 + 1)}
		lasts := time.Duration(random.IntN(25_000)) * time.Millisecond
		switch random.IntN(5) {
		case 0:
			c.crash(id)
			time.Sleep(lasts)
			if err := c.start(id); err != nil {
				c.t.Fatal(err)
			}
		case 1, 2:
			if random.IntN(2) == 0 { // paused, as it looks from outside; else clients reach it
				others = append(others, "client")
			}
			deaf(id, time.Now().Add(time.Hour))
			c.net.Isolate(c.host(id), others...)
			time.Sleep(lasts)
			c.net.Heal()
			deaf(id, time.Now().Add(10*time.Second))
		case 3:
			c.moveCoordinators(cl, random)
		case 4:
			c.net.Reset(c.host(id), "client")
			c.net.Reset(c.host(id), others[0])
		}
		time.Sleep(time.Duration(random.IntN(10_000)) * time.Millisecond)
	}
	settle("faults are over")
	before := [2]int{crews[0].count(), crews[1].count()}
	time.Sleep(20 * time.Second)
	for i, g := range crews {
		if g.count() <= before[i] {
			c.t.Errorf("G3: faults are over, and group %s commits nothing", g.name)
		}
	}
}

// leaderOf is the broker that leads a partition of the offsets topic; 0: none.
func (c *bubble) leaderOf(partition int) int {
	for _, b := range c.nodes {
		if b == nil {
			continue
		}
		if t, ok := b.catalog.Image().TopicNamed("__consumer_offsets"); ok {
			if p, ok := t.Partition(int32(partition)); ok {
				return max(0, int(p.Leader))
			}
		}
	}
	return 0
}

// moveCoordinators makes another broker lead the partitions of the offsets topic.
func (c *bubble) moveCoordinators(cl *kgo.Client, random *rand.Rand) {
	adm := kadm.NewClient(cl)
	first := random.IntN(3)
	var move kadm.AlterPartitionAssignmentsReq
	parts := kadm.TopicsSet{}
	for p := range int32(2) {
		move.Assign("__consumer_offsets", p, []int32{int32(first) + 1, int32(first+1)%3 + 1, int32(first+2)%3 + 1})
		parts.Add("__consumer_offsets", p)
	}
	ctx, cancel := context.WithTimeout(c.t.Context(), 20*time.Second)
	defer cancel()
	if _, err := adm.AlterPartitionAssignments(ctx, move); err != nil {
		c.t.Log("move:", err)
		return
	}
	time.Sleep(time.Second)
	if _, err := adm.ElectLeaders(ctx, kadm.ElectPreferredReplica, parts); err != nil {
		c.t.Log("elect:", err)
	}
}
