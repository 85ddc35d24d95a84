package controller

import (
	"slices"

	"github.com/brokerd/brokerd/internal/meta"
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
