//go:build cluster

package cluster

import (
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/brokerd/brokerd/test/harness"
)

// TestMetricsOfACluster: what the nodes tell together is what there is, once: a sum
// over them is right, also when one of them is dead.
func TestMetricsOfACluster(t *testing.T) {
	c := harness.Start(t, harness.Options{Nodes: 3})
	v := agree(t, c.Nodes, 3)
	adm := kadm.NewClient(client(t, c.Bootstrap()))
	if _, err := adm.CreateTopic(within(t), 6, 3, nil, "t"); err != nil {
		t.Fatal(err)
	}
	fill(t, c, "t", 100)
	all := func(nodes []*harness.Node, prefix string) (lines []string) {
		for _, n := range nodes {
			if text := metric(t, n, prefix); text != "" {
				lines = append(lines, strings.Split(text, "\n")...)
			}
		}
		return lines
	}
	whole := func(nodes []*harness.Node, inSync int) {
		t.Helper()
		eventually(t, "metrics of a cluster", func() error {
			topics, err := adm.ListTopics(within(t), "t")
			if err != nil {
				return err
			}
			for want, prefix := range map[string]string{
				fmt.Sprintf("kafka_brokers %d", len(nodes)): "kafka_brokers ",
				`kafka_topic_partitions{topic="t"} 6`:       `kafka_topic_partitions{topic="t"}`,
			} {
				if got := all(nodes, prefix); len(got) != 1 || got[0] != want {
					return fmt.Errorf("%q, want one of %s", got, want)
				}
			}
			for i, p := range topics["t"].Partitions {
				of := fmt.Sprintf(`{partition="%d",topic="t"} `, i)
				for name, want := range map[string]int{"leader": int(p.Leader), "in_sync_replica": inSync, "replicas": 3} {
					name = "kafka_topic_partition_" + name + of
					if got := all(nodes, name); len(got) != 1 || got[0] != fmt.Sprint(name, want) {
						return fmt.Errorf("%q, want one of %s%d", got, name, want)
					}
				}
			}
			return nil
		})
	}
	whole(c.Nodes, 3)
	leader := fmt.Sprintf("kafka_server_raftmetrics_current_leader %d", v.controller)
	for _, n := range c.Nodes {
		state := "follower"
		if n.ID == int(v.controller) {
			state = "leader"
		}
		if got := metric(t, n, "kafka_server_raftmetrics_current_state"); got != `kafka_server_raftmetrics_current_state{current_state="`+state+`"} 1` {
			t.Errorf("node %d is %s: %s", n.ID, state, got)
		}
		if got := metric(t, n, "kafka_server_raftmetrics_current_leader"); got != leader {
			t.Errorf("node %d: %s, want %s", n.ID, got, leader)
		}
	}
	// A majority voted for who leads.
	votes := 0
	for _, line := range all(c.Nodes, "kafka_server_raftmetrics_current_vote ") {
		if strings.HasSuffix(line, fmt.Sprintf(" %d", v.controller)) {
			votes++
		}
	}
	if votes < 2 {
		t.Errorf("%d nodes tell that they voted for node %d", votes, v.controller)
	}
	var left []*harness.Node
	for _, n := range c.Nodes {
		if n.ID == int(v.controller) {
			n.Kill()
		} else {
			left = append(left, n)
		}
	}
	whole(left, 2)
}
