package controller

import (
	"slices"
	"time"

	"github.com/hashicorp/raft"

	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/step"
)

// fillings notes which directories of brokers have become full, or have room
// again: what is led and in sync there moves in the entry that says so. A cluster
// that is not raised to the level of that command yet goes on as it did.
func fillings(im *meta.Image, live *Liveness) (cmds []meta.Command) {
	for b := range im.Brokers() {
		s := live.of(b)
		if s == nil || !s.told || slices.Equal(s.full, b.Full) {
			continue
		}
		note := meta.NoteFull{Broker: b.ID, BrokerEpoch: b.Epoch, Dirs: s.full}
		if meta.CheckLevel(note, im.Features().Metadata) == nil {
			cmds = append(cmds, note)
		}
	}
	return cmds
}

func (c *Controller) logFull(n meta.NoteFull) {
	if len(n.Dirs) == 0 {
		c.o.Log.Info("the log directories of a broker have room again: its replicas come back into sync, and lead where they are preferred", "broker", n.Broker)
		return
	}
	c.o.Log.Warn("log directories of a broker are full: others lead instead of the replicas there, where they can; free space on that broker, lower a retention or delete a topic",
		"broker", n.Broker, "directories", n.Dirs)
}

// yieldEvery is how long an active controller waits before it tries once more to
// give its place away.
const yieldEvery = 10 * time.Second

// leaveFullDisk gives the controller's place to a voter whose disk has room, while
// this node's has none: what makes the metadata grow is refused here, new topics and
// producers among it. It stays where nobody is known to have room.
func (c *Controller) leaveFullDisk() {
	if c.node == nil || c.o.Full == nil || !c.active.Load() || !c.o.Full() {
		return
	}
	to, ok := c.roomyVoter()
	if !ok {
		return
	}
	c.o.Log.Warn("the metadata directory is nearly full: another voter becomes the active controller; free space here", "to", to.ID)
	if err := c.node.r.LeadershipTransferToServer(to.ID, to.Address).Error(); err != nil {
		c.o.Log.Info("the voter did not become the active controller; trying again later", "to", to.ID, "error", err)
	}
}

// roomyVoter is a voter that is an active broker, heard of, and whose metadata lie in
// a log directory that has room: of another one nobody tells. At most one answer in
// yieldEvery.
func (c *Controller) roomyVoter() (raft.Server, bool) {
	im, now := c.o.Catalog.Image(), c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.leading == nil || now < c.leading.yieldAt {
		return raft.Server{}, false
	}
	for _, s := range c.node.r.GetConfiguration().Configuration().Servers {
		id, dir, err := ParseServerID(string(s.ID))
		if err != nil || s.Suffrage != raft.Voter || id == c.o.Node {
			continue
		}
		b, ok := im.Broker(id)
		roomy := ok && slices.Contains(b.Dirs, dir) && !slices.Contains(b.Full, dir)
		if roomy && b.State == meta.Active && c.leading.live.fresh(c.leading.live.of(b), now) {
			c.leading.yieldAt = now + step.Instant(yieldEvery)
			return s, true
		}
	}
	return raft.Server{}, false
}
