package broker

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/brokerd/brokerd/internal/group"
	"github.com/brokerd/brokerd/internal/step"
)

// A broker that is silent holds a scrape up for lagPatience, and no longer; what the
// others lead is known all the same.
func TestEndsOfASilentLeader(t *testing.T) {
	inBubble(t, func(c *bubble) {
		t := c.t // the bubble's
		cl := c.client()
		defer cl.Close()
		if _, err := kadm.NewClient(cl).CreateTopic(t.Context(), 3, 1, nil, "far"); err != nil {
			t.Fatal(err)
		}
		g := group.Standing{Group: "g"}
		for i := range int32(3) {
			if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: "far", Partition: i}).FirstErr(); err != nil {
				t.Fatal(err)
			}
			g.Offsets = append(g.Offsets, group.Committed{Topic: "far", Partition: i})
		}
		const asks, silent = 1, 2
		b := c.nodes[asks]
		far, _ := b.catalog.Image().TopicNamed("far")
		look := func(silent int32, atLeast, atMost time.Duration) {
			t.Helper()
			began := time.Now()
			ends := b.ends([]group.Standing{g})
			if took := time.Since(began); took < atLeast || took > atMost {
				t.Errorf("it takes %v", took)
			}
			for i := range int32(3) {
				p, _ := far.Partition(i)
				want := int64(1)
				if p.Leader == silent {
					want = unknownEnd
				}
				if got := ends[step.PartitionID{Topic: far.ID, Index: i}]; got != want {
					t.Errorf("partition %d, led by %d: end %d, want %d", i, p.Leader, got, want)
				}
			}
		}
		look(0, 0, lagPatience/2)
		c.net.Isolate(c.host(silent), c.host(asks))
		look(silent, lagPatience, lagPatience)
		c.net.Heal()
		c.eventually("it answers again", func() bool {
			for _, end := range b.ends([]group.Standing{g}) {
				if end != 1 {
					return false
				}
			}
			return true
		})
	})
}
