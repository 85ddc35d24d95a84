//go:build cluster

package cluster

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/brokerd/brokerd/test/harness"
)

// TestRacks: on six nodes in three racks every partition has a replica in each,
// when it is made, when it gets more replicas, and when a node leaves; and one
// sees how far each replica is.
func TestRacks(t *testing.T) {
	seed := ""
	c := harness.Start(t, harness.Options{Nodes: 6, Each: func(n *harness.Node) map[string]string {
		p := map[string]string{"broker.rack": string(rune('a' + (n.ID-1)%3))}
		if n.ID == 1 {
			seed = fmt.Sprintf("127.0.0.1:%d", n.ControllerPort)
			p["controller.quorum.voters"] = "1@" + seed
			return p
		}
		p["process.roles"], p["listeners"] = "broker", fmt.Sprintf("PLAINTEXT://127.0.0.1:%d", n.Port)
		p["controller.quorum.voters"], p["controller.quorum.bootstrap.servers"] = "", seed
		return p
	}})
	agreeOn(t, c.Nodes, 6, func(v view) string { return fmt.Sprint(v.brokers) })
	run(t, c, 0, "topics", "create", "wide", "-p", "12", "-r", "3")
	run(t, c, 0, "topics", "create", "narrow", "-p", "12", "-r", "1")
	inRacks(t, c, "wide", 3)
	run(t, c, 0, "topics", "alter", "narrow", "--replication-factor", "3")
	allInSync(t, c, "narrow", 3)
	inRacks(t, c, "narrow", 3)
	run(t, c, 0, "topics", "alter", "narrow", "--replication-factor", "2")
	allInSync(t, c, "narrow", 2)
	inRacks(t, c, "narrow", 2)
	run(t, c, 0, "node", "decommission", "6") // rack c has another
	allInSync(t, c, "wide", 3)
	inRacks(t, c, "wide", 3)
	inRacks(t, c, "narrow", 2)
	produce(t, c, "wide", 100)
	eventually(t, "every replica has everything", func() error { return replicasSeen(t, c) })
}

// inRacks checks that a topic's partitions have replicas in so many racks.
func inRacks(t *testing.T, c *harness.Cluster, topic string, racks int) {
	t.Helper()
	topics, err := kadm.NewClient(client(t, addrs(c)...)).ListTopics(within(t), topic)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range topics[topic].Partitions.Sorted() {
		where := map[int32]bool{}
		for _, id := range p.Replicas {
			where[(id-1)%3] = true
		}
		if len(where) != racks || len(p.Replicas) != racks {
			t.Errorf("%s-%d is on %v: %d racks are wanted", topic, p.Partition, p.Replicas, racks)
		}
	}
}

// replicasSeen reads what `topics describe --replicas` tells.
func replicasSeen(t *testing.T, c *harness.Cluster) error {
	var list []struct {
		Partition     int32
		HighWatermark int64
		Replicas      []struct {
			Broker                         int32
			State                          string
			LogEnd, DurableEnd, Lag, LagMs int64
		}
	}
	if err := json.Unmarshal([]byte(run(t, c, 0, "topics", "describe", "wide", "--replicas", "-o", "json")), &list); err != nil {
		return err
	}
	records := int64(0)
	for _, p := range list {
		records += p.HighWatermark
		for _, r := range p.Replicas {
			if r.State != "in sync" || r.LogEnd != p.HighWatermark || r.DurableEnd != p.HighWatermark || r.Lag != 0 || r.LagMs != 0 {
				return fmt.Errorf("wide-%d: watermark %d, replica %+v", p.Partition, p.HighWatermark, r)
			}
		}
		if len(p.Replicas) != 3 {
			return fmt.Errorf("wide-%d has %d replicas", p.Partition, len(p.Replicas))
		}
	}
	if records != 100 || len(list) != 12 {
		return fmt.Errorf("%d records in %d partitions", records, len(list))
	}
	return nil
}
