//go:build chaos

package chaos

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/brokerd/brokerd/test/harness"
)

var (
	minutes = flag.Float64("minutes", 0.5, "how long TestThree lets faults happen")
	only    = flag.String("fault", "", "regular expression: only these faults of TestThree")
)

// three is a cluster of three processes, each in a network namespace and on a
// disk of its own.
type three struct {
	*testing.T
	*harness.Cluster
	net    *network
	disks  []*disk
	client *kgo.Client
	adm    *kadm.Client
	load   *threeLoad
	groups []*groupLoad
	linear *linearLoad
	counts map[string]int
}

// newNodes starts them, with nobody who writes.
func newNodes(t *testing.T) (c *three, seeds []string) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("UNAVAILABLE: network namespaces and loop mounts need root")
	}
	network, err := newNetwork(t, 3)
	if err != nil {
		t.Skipf("UNAVAILABLE: network namespaces: %v", err)
	}
	c = &three{T: t, net: network, counts: map[string]int{}}
	dir := t.TempDir()
	var voters []string
	for i := range 3 {
		voters = append(voters, fmt.Sprintf("%d@%s:9093", i+1, network.host(i+1)))
		seeds = append(seeds, network.host(i+1)+":9092")
		at := filepath.Join(dir, fmt.Sprintf("disk-%d", i+1))
		if err := os.MkdirAll(at, 0o755); err != nil {
			t.Fatal(err)
		}
		c.disks = append(c.disks, newDisk(t, at, "2G"))
	}
	c.Cluster = harness.Start(t, harness.Options{
		Nodes: 3, Dir: dir, Properties: map[string]string{"durability": *durability},
		Prefix: func(n *harness.Node) []string { return []string{"ip", "netns", "exec", network.namespaces[n.ID-1]} },
		Each: func(n *harness.Node) map[string]string {
			n.Host, n.Port = network.host(n.ID), 9092
			return map[string]string{
				"listeners":                fmt.Sprintf("PLAINTEXT://%s:9092,CONTROLLER://%[1]s:9093", n.Host),
				"advertised.listeners":     "PLAINTEXT://" + n.Addr(),
				"controller.quorum.voters": strings.Join(voters, ","),
				"log.dirs":                 filepath.Join(c.disks[n.ID-1].at, "data"),
			}
		},
	})
	cl, err := kgo.NewClient(kgo.SeedBrokers(seeds...), kgo.MetadataMinAge(50*time.Millisecond), kgo.DialTimeout(time.Second), kgo.RequestTimeoutOverhead(3*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	c.client, c.adm = cl, kadm.NewClient(cl)
	return c, seeds
}

func newThree(t *testing.T) *three {
	c, seeds := newNodes(t)
	ctx, cancel := context.WithTimeout(t.Context(), patient)
	defer cancel()
	if _, err := c.adm.CreateTopic(ctx, spread, 3, small(), audited); err != nil {
		t.Fatal(err)
	}
	if _, err := c.adm.CreateTopic(ctx, 1, 3, nil, linear); err != nil {
		t.Fatal(err)
	}
	c.load, c.linear = newThreeLoad(t, seeds), startLinear(t, seeds)
	c.groups = groups(t, seeds)
	t.Cleanup(c.joinLoads) // while there are still nodes, and a network
	return c
}

// joinLoads waits for all load to have ended: it has, or the test was given up and
// its context ended it.
func (c *three) joinLoads() {
	ended := make(chan struct{})
	go func() { // ends with the load
		c.load.done.Wait()
		<-c.linear.done
		for _, g := range c.groups {
			g.done.Wait()
		}
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(time.Minute):
		c.Log("some load does not end")
	}
}

// controller is the node that acts as controller, as far as one can tell.
func (c *three) controller() *harness.Node {
	ctx, cancel := context.WithTimeout(c.Context(), 10*time.Second)
	defer cancel()
	m, err := c.adm.BrokerMetadata(ctx)
	if err != nil || m.Controller < 1 || int(m.Controller) > len(c.Nodes) {
		return c.Nodes[0]
	}
	return c.Nodes[m.Controller-1]
}

// settled waits until every replica of every partition is in sync.
func (c *three) settled() {
	c.Helper()
	var err error
	for end := time.Now().Add(patient); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if err = c.inSync(); err == nil {
			c.linear.whole()
			return
		}
	}
	c.Fatalf("faults are over, and for %v not everybody is in sync: %v", patient, err)
}

// inSync asks every node: one that was cut off tells for a moment what was before.
func (c *three) inSync() error {
	ctx, cancel := context.WithTimeout(c.Context(), 10*time.Second)
	defer cancel()
	for _, n := range c.Nodes {
		req := kmsg.NewPtrMetadataRequest()
		req.Topics = []kmsg.MetadataRequestTopic{{Topic: kmsg.StringPtr(audited)}, {Topic: kmsg.StringPtr(linear)}}
		resp, err := req.RequestWith(ctx, c.client.Broker(n.ID))
		if err != nil {
			return fmt.Errorf("node %d: %w", n.ID, err)
		}
		have := 0
		for _, topic := range resp.Topics {
			for _, p := range topic.Partitions {
				if have++; len(p.ISR) != 3 || p.Leader < 0 {
					return fmt.Errorf("node %d: %s-%d is led by %d, in sync are %v", n.ID, *topic.Topic, p.Partition, p.Leader, p.ISR)
				}
			}
		}
		if have != spread+1 {
			return fmt.Errorf("node %d knows %d partitions", n.ID, have)
		}
	}
	return nil
}

// judge stops the load, waits until all are in sync and audits every replica's
// files. Nobody writes meanwhile, so that the files are what the replicas have.
// Then the groups must have read all of it.
func (c *three) judge() (acked, records int) {
	c.Helper()
	c.load.finish()
	c.settled()
	for p := range spread {
		h := c.load.history(p)
		var found []string
		replicas := map[string][]stored{}
		for end := time.Now().Add(10 * time.Second); ; time.Sleep(100 * time.Millisecond) {
			for _, n := range c.Nodes {
				list, err := readReplica(filepath.Join(c.disks[n.ID-1].at, "data", fmt.Sprintf("%s-%d", audited, p)))
				if err != nil {
					c.Fatalf("node %d: %v", n.ID, err)
				}
				replicas[fmt.Sprintf("node %d", n.ID)] = list
			}
			// What a producer gave up on may still be on its way to a follower.
			if found = audit(h, replicas); len(found) == 0 || time.Now().After(end) {
				break
			}
		}
		for _, line := range found[:min(len(found), 20)] {
			c.Errorf("partition %d: %s", p, line)
		}
		if len(found) > 20 {
			c.Errorf("partition %d: and %d more", p, len(found)-20)
		}
		acked += len(h.acked)
		records += len(replicas["node 1"]) + len(replicas["node 2"]) + len(replicas["node 3"])
	}
	for _, g := range c.groups {
		g.judge(c)
	}
	return acked, records
}

// severs names the faults that may leave a leader which does not know that it was replaced.
var severs = regexp.MustCompile(`^(pause|partition|node off the network)`)

// TestThree lets faults happen to three nodes for -minutes and audits every
// replica. A third of the faults wait for a hundred acknowledged writes while
// they last (a full disk for some of every partition), or right after where nothing can be acknowledged meanwhile; the
// others come upon a cluster that has not recovered from the last.
func TestThree(t *testing.T) {
	random := schedule(t)
	c := newThree(t)
	chosen := regexp.MustCompile(*only)
	faults := slices.DeleteFunc(c.faults(random), func(f fault) bool { return !chosen.MatchString(f.name) })
	if len(faults) == 0 {
		t.Fatalf("no fault that this machine can do matches -fault %q", *only)
	}
	end := time.Now().Add(time.Duration(*minutes * float64(time.Minute)))
	c.load.start()
	if err := c.load.await(between); err != nil {
		t.Fatal(err)
	}
	for round := 1; time.Now().Before(end) && !t.Failed(); round++ {
		f := faults[random.IntN(len(faults))]
		settle := round%3 == 0
		if settle {
			c.settled()
		}
		began, before := time.Now(), c.load.acked.Load()
		if severs.MatchString(f.name) {
			c.linear.mayCut()
		}
		heal := f.begin()
		pause(time.Duration(100+random.IntN(4000)) * time.Millisecond)
		if settle && f.serves {
			if err := c.load.await(100); err != nil {
				t.Fatalf("fault %d, %s: %v", round, f.name, err)
			}
			if f.everywhere {
				pause(2 * time.Second) // by then the node has looked at its space
				if err := c.load.awaitEach(20, everywhereIn); err != nil {
					t.Fatalf("fault %d, %s: %v", round, f.name, err)
				}
			}
		}
		lasted, meanwhile := time.Since(began), c.load.acked.Load()-before
		heal()
		if settle {
			if err := c.load.await(100); err != nil {
				t.Fatalf("fault %d, %s, is over: %v", round, f.name, err)
			}
		}
		c.counts[f.name]++
		t.Logf("%s  %3d %-28s lasted %6v, %5d acknowledged meanwhile", began.Format("15:04:05.000"), round, f.name, lasted.Round(time.Millisecond), meanwhile)
		if round%25 == 0 {
			acked, records := c.judge()
			t.Logf("after %d faults: %d acknowledged, %d records on three replicas", round, acked, records)
			c.load.start()
		}
	}
	acked, records := c.judge()
	c.dumpSample(random.IntN)
	c.linear.finish()
	t.Logf("%d calls to one log in %d slices are linearizable; %d slices were not decided, %d ends not asked about", c.linear.calls, c.linear.slices, c.linear.unknown, c.linear.cutEnds.Load())
	for _, g := range c.groups {
		g.finish()
		t.Logf("group %s: %d commits acknowledged, %d refused or unknown, %d lives of members, %d looks at its offsets", g.name, g.commits.Load(), g.refused.Load(), g.lives.Load(), g.looks.Load())
	}
	for _, name := range slices.Sorted(maps.Keys(c.counts)) {
		t.Logf("%4d  %s", c.counts[name], name)
	}
	t.Logf("%d acknowledged records audited, %d records read on three replicas", acked, records)
	addTotals(t, c.counts, acked, records)
	for _, n := range c.Nodes {
		n.Stop()
	}
}
