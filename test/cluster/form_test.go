//go:build cluster

package cluster

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/brokerd/brokerd/test/harness"
)

// limit bounds what a test waits for: much longer than it takes on a busy machine.
const limit = 60 * time.Second

func client(t *testing.T, addrs ...string) *kgo.Client {
	t.Helper()
	c, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(strings.Join(addrs, ","), ",")...), kgo.MetadataMinAge(20*time.Millisecond), kgo.RetryTimeout(limit))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	return ctx
}

// eventually tries until f is content.
func eventually(t *testing.T, what string, f func() error) {
	t.Helper()
	var err error
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if err = f(); err == nil {
			return
		}
	}
	t.Fatalf("%s: %v", what, err)
}

// view is what one node tells of the cluster.
type view struct {
	cluster    string
	controller int32
	brokers    []int32
	leaders    map[string][]int32
}

func look(t *testing.T, n *harness.Node) (v view, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	c, err := kgo.NewClient(kgo.SeedBrokers(n.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	req := kmsg.NewPtrMetadataRequest()
	resp, err := c.SeedBrokers()[0].Request(ctx, req)
	if err != nil {
		return v, err
	}
	m := resp.(*kmsg.MetadataResponse)
	v = view{cluster: *m.ClusterID, controller: m.ControllerID, leaders: map[string][]int32{}}
	for _, b := range m.Brokers {
		v.brokers = append(v.brokers, b.NodeID)
	}
	for _, topic := range m.Topics {
		slices.SortFunc(topic.Partitions, func(a, b kmsg.MetadataResponseTopicPartition) int { return int(a.Partition - b.Partition) })
		for _, p := range topic.Partitions {
			v.leaders[*topic.Topic] = append(v.leaders[*topic.Topic], p.Leader)
		}
	}
	slices.Sort(v.brokers)
	return v, nil
}

// agree waits until all of these nodes, controllers all, tell the same, with so
// many brokers.
func agree(t *testing.T, nodes []*harness.Node, brokers int) view {
	t.Helper()
	return agreeOn(t, nodes, brokers, func(v view) string { return fmt.Sprintf("%+v", v) })
}

// agreeOn compares what text makes of the views.
func agreeOn(t *testing.T, nodes []*harness.Node, brokers int, text func(view) string) (v view) {
	t.Helper()
	eventually(t, "one view of the cluster", func() error {
		var all []string
		for _, n := range nodes {
			var err error
			if v, err = look(t, n); err != nil {
				return err
			}
			all = append(all, text(v))
		}
		if len(v.brokers) != brokers || len(slices.Compact(all)) != 1 {
			return fmt.Errorf("%d brokers are wanted; %v", brokers, all)
		}
		return nil
	})
	return v
}

// TestThreeNodesForm starts three processes at once, kills the controller and
// lets it come back.
func TestThreeNodesForm(t *testing.T) {
	c := harness.Start(t, harness.Options{Nodes: 3})
	for _, n := range c.Nodes {
		t.Logf("node %d ready after %v", n.ID, n.ReadyAfter())
	}
	v := agree(t, c.Nodes, 3)

	// From any node, on any node.
	for i, n := range c.Nodes {
		name := fmt.Sprintf("from-%d", n.ID)
		if _, err := kadm.NewClient(client(t, n.Addr())).CreateTopic(within(t), 3, 1, nil, name); err != nil {
			t.Fatal(err)
		}
		other := c.Nodes[(i+1)%3] // knows it at once
		if v, err := look(t, other); err != nil || len(v.leaders[name]) != 3 {
			t.Fatalf("%s is not on node %d: %+v %v", name, other.ID, v, err)
		}
	}
	v = agree(t, c.Nodes, 3)
	for name, leaders := range v.leaders {
		slices.Sort(leaders)
		if !slices.Equal(leaders, []int32{1, 2, 3}) {
			t.Errorf("%s is led by %v", name, leaders)
		}
	}
	produce(t, c, "from-1", 300)
	t.Log("records are in")

	dead := c.Nodes[v.controller-1]
	dead.Kill()
	at := time.Now()
	left := slices.DeleteFunc(slices.Clone(c.Nodes), func(n *harness.Node) bool { return n == dead })
	after := agree(t, left, 2)
	t.Logf("controller %d killed; %d acts, and the dead one is fenced, after %v", dead.ID, after.controller, time.Since(at))
	if after.controller == int32(dead.ID) || after.cluster != v.cluster {
		t.Fatalf("%+v", after)
	}
	if _, err := kadm.NewClient(client(t, left[0].Addr(), left[1].Addr())).CreateTopic(within(t), 2, 1, nil, "meanwhile"); err != nil {
		t.Fatal(err)
	}
	t.Log("topic made meanwhile")
	dead.Restart()
	v = agree(t, c.Nodes, 3)
	if len(v.leaders["meanwhile"]) != 2 || slices.Contains(v.leaders["from-1"], -1) {
		t.Errorf("%+v", v.leaders)
	}
	produce(t, c, "from-2", 300)

	t.Log("now all of them")
	for _, n := range c.Nodes {
		n.Kill()
	}
	for _, n := range c.Nodes {
		n.Launch()
	}
	for _, n := range c.Nodes {
		n.WaitReady()
		t.Logf("node %d ready again after %v", n.ID, n.ReadyAfter())
	}
	if again := agree(t, c.Nodes, 3); again.cluster != v.cluster || len(again.leaders) != len(v.leaders) {
		t.Errorf("%+v, before %+v", again, v)
	}
	for _, n := range c.Nodes {
		n.Stop()
	}
}

func produce(t *testing.T, c *harness.Cluster, topic string, records int) {
	t.Helper()
	cl := client(t, c.Bootstrap())
	defer cl.Close()
	var batch []*kgo.Record
	for i := range records {
		batch = append(batch, &kgo.Record{Topic: topic, Value: fmt.Appendf(nil, "%d", i)})
	}
	if err := cl.ProduceSync(within(t), batch...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}
