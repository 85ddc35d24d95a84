package replica_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/brokerd/brokerd/internal/meta"
)

// TestThrottled: a replica that has much to copy does so at the rate that was asked
// for, by its leader or by itself; who is in sync is not held back; a rate that is
// raised holds at once.
func TestThrottled(t *testing.T) {
	const records, rate = 40, 100_000
	for _, side := range []string{"leader", "follower"} {
		t.Run(side, func(t *testing.T) {
			trio(t, map[string]string{"replica.fetch.max.bytes": "20000"}, func(b *brokers) {
				topic, free := b.Topic("t", nil, 2, []int32{1, 2, 3}), b.Topic("free", nil, 2, []int32{1, 2, 3})
				set := func(r meta.ResourceType, name, key, value string) {
					t.Helper()
					b.Must(meta.AlterConfig{Resource: meta.Resource{Type: r, Name: name}, Set: map[string]*string{key: &value}})
				}
				b.Nodes[3].Kill()
				b.Nodes[3].Fence()
				for i := range records {
					for _, to := range []*meta.Topic{topic, free} {
						b.Nodes[1].ack(to, 0, fmt.Sprint(i, strings.Repeat("x", 10_000)))
					}
				}
				broker := map[string]int{"leader": 1, "follower": 3}[side]
				set(meta.TopicResource, "t", side+".replication.throttled.replicas", fmt.Sprintf("0:%d,1:7", broker))
				set(meta.BrokerResource, fmt.Sprint(broker), side+".replication.throttled.rate", fmt.Sprint(rate))
				at := time.Now()
				b.Nodes[3].Start()
				b.eventually(2*time.Second, "what is not throttled is copied", func() bool { return b.isr(free, 0) == "[1 2 3]" })
				if isr := b.isr(topic, 0); isr != "[1 2]" {
					t.Fatalf("throttled, and in sync %s already", isr)
				}
				b.Nodes[1].ack(topic, 0, "who is in sync is not held back")
				if d := time.Since(at); d > 2*time.Second {
					t.Errorf("an acknowledgement took until %v", d)
				}
				b.eventually(10*time.Second, "3 has all", func() bool { return b.isr(topic, 0) == "[1 2 3]" })
				// One second's worth is free, and the last answer may go beyond what is left.
				if d, least := time.Since(at), records*10_000*time.Second/rate-1500*time.Millisecond; d < least {
					t.Errorf("copied within %v, %v at least", d, least)
				}

				// Once more, too slow to end, until the rate is raised.
				set(meta.BrokerResource, fmt.Sprint(broker), side+".replication.throttled.rate", "1000")
				b.Nodes[3].Kill()
				b.Nodes[3].Fence()
				for i := range records {
					b.Nodes[1].ack(topic, 0, fmt.Sprint(i, strings.Repeat("y", 10_000)))
				}
				b.Nodes[3].Start()
				time.Sleep(30 * time.Second)
				if isr := b.isr(topic, 0); isr != "[1 2]" {
					t.Fatalf("at 1000 bytes per second in sync %s after 30 s", isr)
				}
				set(meta.BrokerResource, fmt.Sprint(broker), side+".replication.throttled.rate", "10000000")
				b.eventually(3*time.Second, "3 has all", func() bool { return b.isr(topic, 0) == "[1 2 3]" })
				b.same(topic, 0, 1, 2, 3)
			})
		})
	}
}

// TestThrottleForgetsWhoIsInSync: what goes to replicas in sync counts, but a day of
// it, at many times the rate, is not owed by one that has to catch up after it.
func TestThrottleForgetsWhoIsInSync(t *testing.T) {
	for _, side := range []string{"leader", "follower"} {
		t.Run(side, func(t *testing.T) {
			trio(t, nil, func(b *brokers) {
				topic := b.Topic("t", nil, 2, []int32{1, 2, 3})
				set := func(r meta.ResourceType, name, key, value string) {
					t.Helper()
					b.Must(meta.AlterConfig{Resource: meta.Resource{Type: r, Name: name}, Set: map[string]*string{key: &value}})
				}
				broker := map[string]int{"leader": 1, "follower": 3}[side]
				set(meta.TopicResource, "t", side+".replication.throttled.replicas", fmt.Sprintf("0:%d", broker))
				set(meta.BrokerResource, fmt.Sprint(broker), side+".replication.throttled.rate", "10000")
				for i := range 100 {
					b.Nodes[1].ack(topic, 0, fmt.Sprint(i, strings.Repeat("x", 10_000)))
				}
				b.same(topic, 0, 1, 2, 3)
				b.Nodes[3].Fence()
				b.eventually(time.Second, "3 is out of sync", func() bool { return b.isr(topic, 0) == "[1 2]" })
				time.Sleep(2 * time.Second) // until all have heard
				b.Nodes[1].ack(topic, 0, "one more")
				b.Nodes[3].Unfence()
				b.eventually(5*time.Second, "3 is back in sync", func() bool { return b.isr(topic, 0) == "[1 2 3]" })
			})
		})
	}
}
