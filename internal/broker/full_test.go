package broker

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/sim"
	"github.com/brokerd/brokerd/internal/vfs"
)

const (
	tooLittle = 60 << 20 // below the reserve, and enough for all that a scene writes
	plenty    = 1 << 30
)

// partition is partition 0 of a topic as broker 1 knows it.
func (c *bubble) partition(topic string) (*meta.Image, meta.Partition) {
	im := c.nodes[1].catalog.Image()
	t, ok := im.TopicNamed(topic)
	if !ok {
		return im, meta.Partition{Leader: -1}
	}
	p, _ := t.Partition(0)
	return im, p
}

func (c *bubble) inSync(topic string) {
	c.t.Helper()
	c.eventually("all of "+topic+" is in sync", func() bool {
		_, p := c.partition(topic)
		return p.ISRSize() == 3 && p.Leader > 0
	})
}

// within wants do to take less than d.
func (c *bubble) within(d time.Duration, what string, do func()) {
	c.t.Helper()
	began := time.Now()
	do()
	if took := time.Since(began); took > d {
		c.t.Errorf("%s: took %v", what, took)
	}
}

// slowList is a disk on which it takes long to find the logs.
type slowList struct{ vfs.FS }

func (s slowList) List(dir string) ([]string, error) {
	time.Sleep(5 * time.Second)
	return s.FS.List(dir)
}

// TestFullIsAskedDuringRecovery: an active controller asks whether its disk is full
// while the logs there are still being opened. The race detector looks on.
func TestFullIsAskedDuringRecovery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &bubble{t: t, net: sim.NewNet(sim.Options{Seed: 1}), more: map[string]string{"controller.quorum.voters": "1@b1:9093"}}
		defer c.net.Close()
		c.disks[1] = vfs.NewMem()
		c.slow = func(fs vfs.FS) vfs.FS { return slowList{fs} }
		if err := c.start(1); err != nil {
			t.Fatal(err)
		}
		c.end(1)
	})
}

// TestFullDisks: a full disk takes the lead and the in-sync place from the replicas
// on it within two seconds, and all comes back by itself when there is room.
func TestFullDisks(t *testing.T) {
	const soon = 2 * time.Second
	t.Run("of the leader, then of a follower", func(t *testing.T) {
		inBubble(t, func(c *bubble) {
			c.topic()
			c.produce(5)
			for _, leads := range []bool{true, false} {
				c.inSync("t")
				_, p := c.partition("t")
				full := int(p.Leader)
				if !leads {
					full = full%3 + 1
				}
				c.disks[full].SetCapacity(tooLittle)
				for range 20 {
					c.within(soon, "a write beside a full disk", func() { c.produce(1) })
					time.Sleep(200 * time.Millisecond)
				}
				if im, p := c.partition("t"); int(p.Leader) == full || p.InISR(int32(full)) || p.ISRSize() != 2 || !p.Full(im, int32(full)) {
					t.Errorf("broker %d is full: led by %d, in sync %v", full, p.Leader, p.ISR())
				}
				c.readBack()
				c.disks[full].SetCapacity(plenty)
				c.inSync("t")
				if im, p := c.partition("t"); p.Full(im, int32(full)) {
					t.Error("it has room again, and nobody knows")
				}
			}
			c.produce(5)
			c.readBack()
		})
	})
	t.Run("of the coordinator", func(t *testing.T) {
		inBubble(t, func(c *bubble) {
			c.topic()
			cl := c.client()
			defer cl.Close()
			old := -1
			c.eventually("a coordinator commits", func() bool {
				old = c.coordinator(cl, 1)
				return old > 0 && c.commit(cl, old, 7)
			})
			c.eventually("the offsets are in sync", func() bool {
				top, ok := c.nodes[1].catalog.Image().TopicNamed(offsetsTopic)
				for i := int32(0); ok && i < top.Partitions(); i++ {
					p, _ := top.Partition(i)
					ok = p.ISRSize() == 3
				}
				return ok
			})
			c.disks[old].SetCapacity(tooLittle)
			c.within(soon, "another coordinator", func() {
				c.eventually("it commits", func() bool {
					now := c.coordinator(cl, old%3+1)
					return now > 0 && now != old && c.commit(cl, now, 8)
				})
			})
			c.disks[old].SetCapacity(plenty)
			for _, at := range []int{1, 2, 3} {
				c.eventually("it is said", func() bool {
					o, ok := c.committed(cl, c.coordinator(cl, at))
					return ok && o == 8
				})
			}
		})
	})
	t.Run("of the controller", func(t *testing.T) {
		inBubble(t, func(c *bubble) {
			old, _ := c.nodes[1].control.Leader()
			c.disks[old].SetCapacity(tooLittle)
			c.eventually("another node is the controller", func() bool {
				now, ok := c.nodes[1].control.Leader()
				return ok && now != old
			})
			c.topic() // refused by a controller whose disk is full
			c.produce(5)
			c.disks[old].SetCapacity(plenty)
			c.inSync("t")
			c.readBack()
		})
	})
	t.Run("of all", func(t *testing.T) {
		inBubble(t, func(c *bubble) {
			c.topic()
			c.produce(5)
			c.inSync("t")
			for id := 1; id <= 3; id++ {
				c.disks[id].SetCapacity(tooLittle)
			}
			time.Sleep(5 * time.Second)
			was, _ := c.nodes[1].control.Leader()
			time.Sleep(30 * time.Second)
			if is, _ := c.nodes[1].control.Leader(); is != was {
				t.Errorf("the controller moved from %d to %d: neither has room", was, is)
			}
			im, p := c.partition("t")
			if p.Leader < 0 || !p.Full(im, p.Leader) || p.ISRSize() == 0 || slices.Contains(p.ELR(), p.Leader) {
				t.Errorf("%+v", p)
			}
			c.readBack()
			for id := 1; id <= 3; id++ {
				c.disks[id].SetCapacity(plenty)
			}
			c.inSync("t")
			c.produce(5)
			c.readBack()
		})
	})
	t.Run("with a power cut", func(t *testing.T) {
		inBubble(t, func(c *bubble) {
			c.topic()
			c.produce(5)
			_, p := c.partition("t")
			full := int(p.Leader)
			c.disks[full].SetCapacity(tooLittle)
			c.produce(5)
			c.crash(full)
			c.disks[full].SetCapacity(tooLittle)
			if err := c.start(full); err != nil {
				t.Fatal(err)
			}
			time.Sleep(15 * time.Second)
			if im, p := c.partition("t"); p.InISR(int32(full)) || !p.Full(im, int32(full)) {
				t.Errorf("it came back on a full disk: %+v", p)
			}
			c.disks[full].SetCapacity(plenty)
			c.inSync("t")
			c.produce(5)
			c.readBack()
		})
	})
}
