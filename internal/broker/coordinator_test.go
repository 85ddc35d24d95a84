package broker

import (
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ask sends one request to one broker; nil: no answer came.
func ask[R kmsg.Response](c *bubble, cl *kgo.Client, id int, req kmsg.Request) (r R) {
	ctx, cancel := context.WithTimeout(c.t.Context(), 20*time.Second)
	defer cancel()
	resp, err := cl.Broker(id).Request(ctx, req)
	if err == nil {
		r = resp.(R)
	}
	return r
}

// coordinator asks a broker who coordinates the group g, -1: it cannot say.
func (c *bubble) coordinator(cl *kgo.Client, at int) int {
	req := kmsg.NewPtrFindCoordinatorRequest()
	req.CoordinatorKeys = []string{"g"}
	r := ask[*kmsg.FindCoordinatorResponse](c, cl, at, req)
	if r == nil || len(r.Coordinators) == 0 || r.Coordinators[0].ErrorCode != 0 {
		return -1
	}
	return int(r.Coordinators[0].NodeID)
}

// commit commits an offset at a broker, and says whether it was acknowledged.
func (c *bubble) commit(cl *kgo.Client, at int, offset int64) bool {
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group, req.Generation = "g", -1
	p := kmsg.NewOffsetCommitRequestTopicPartition()
	p.Offset = offset
	t, _ := c.nodes[at].catalog.Image().TopicNamed("t")
	req.Topics = []kmsg.OffsetCommitRequestTopic{{Topic: "t", TopicID: t.ID, Partitions: []kmsg.OffsetCommitRequestTopicPartition{p}}}
	r := ask[*kmsg.OffsetCommitResponse](c, cl, at, req)
	return r != nil && r.Topics[0].Partitions[0].ErrorCode == 0
}

// committed asks a broker for the offset; ok: it says.
func (c *bubble) committed(cl *kgo.Client, at int) (offset int64, ok bool) {
	req := kmsg.NewPtrOffsetFetchRequest()
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group = "g"
	req.Groups = []kmsg.OffsetFetchRequestGroup{g}
	r := ask[*kmsg.OffsetFetchResponse](c, cl, at, req)
	if r == nil || r.Groups[0].ErrorCode != 0 {
		return -1, false
	}
	for _, t := range r.Groups[0].Topics {
		return t.Partitions[0].Offset, true
	}
	return -1, true
}

// eventually asks until it is so.
func (c *bubble) eventually(what string, is func() bool) {
	c.t.Helper()
	for end := time.Now().Add(time.Minute); !is(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			c.t.Fatalf("not within a minute: %s", what)
		}
	}
}

// TestOldCoordinatorShowsNothingOld: a coordinator that is cut off from the others
// is replaced, and does not know it. Clients reach it: what it has read before it
// was cut off is not what is committed now, and it must not say so.
func TestOldCoordinatorShowsNothingOld(t *testing.T) {
	inBubble(t, func(c *bubble) {
		c.topic()
		cl := c.client()
		defer cl.Close()
		old := -1
		c.eventually("a coordinator commits", func() bool {
			old = c.coordinator(cl, 1)
			return old > 0 && c.commit(cl, old, 627)
		})
		if o, ok := c.committed(cl, old); !ok || o != 627 {
			t.Fatal(o, ok)
		}
		others := []int{old%3 + 1, (old+1)%3 + 1}
		c.net.Isolate(c.host(old), c.host(others[0]), c.host(others[1]))
		now := -1
		c.eventually("another coordinator commits", func() bool {
			now = c.coordinator(cl, others[0])
			return now > 0 && now != old && c.commit(cl, now, 762)
		})
		if at := c.coordinator(cl, old); at != old {
			t.Errorf("the old one names %d: what it says of offsets shows nothing", at)
		}
		for range 3 {
			if o, ok := c.committed(cl, old); ok && o != 762 {
				t.Errorf("the old coordinator says that %d is committed, after 762 was acknowledged", o)
			}
		}
		if o, ok := c.committed(cl, now); !ok || o != 762 {
			t.Error(o, ok)
		}
		c.net.Heal()
		c.eventually("the old one has heard", func() bool { return c.coordinator(cl, old) == now })
		for range 100 {
			for id := 1; id <= 3; id++ {
				if o, ok := c.committed(cl, id); ok && o != 762 {
					t.Fatalf("broker %d says that %d is committed, after 762 was acknowledged", id, o)
				}
			}
			time.Sleep(100 * time.Millisecond)
		}
	})
}
