//go:build cluster

package cluster

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/brokerd/brokerd/test/harness"
)

// TestThreeReplicas writes with acks=all to three replicas, and goes on when one
// of the brokers has died.
func TestThreeReplicas(t *testing.T) {
	c := harness.Start(t, harness.Options{Nodes: 3})
	agree(t, c.Nodes, 3)
	if _, err := kadm.NewClient(client(t, c.Bootstrap())).CreateTopic(within(t), 6, 3, nil, "t"); err != nil {
		t.Fatal(err)
	}
	produce(t, c, "t", 600)
	for _, dead := range c.Nodes {
		dead.Kill()
		at := time.Now()
		produce(t, c, "t", 600)
		t.Logf("node %d killed; 600 records are in after %v", dead.ID, time.Since(at))
		dead.Restart()
		eventually(t, "everybody is in sync", func() error { return inSync(t, c, "t", 3) })
	}
}

// inSync says which partition has fewer replicas in sync.
func inSync(t *testing.T, c *harness.Cluster, topic string, replicas int) error {
	topics, err := kadm.NewClient(client(t, c.Bootstrap())).ListTopics(within(t), topic)
	if err != nil {
		return err
	}
	for _, p := range topics[topic].Partitions {
		slices.Sort(p.ISR)
		if len(p.ISR) != replicas || p.Leader < 0 {
			return fmt.Errorf("partition %d is led by %d, in sync are %v", p.Partition, p.Leader, p.ISR)
		}
	}
	return nil
}
