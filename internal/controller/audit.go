package controller

import (
	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/step"
)

// auditLines bounds what one entry writes to the log; the count has them all.
const auditLines = 20

// audit tells an operator of partitions that were given a leader whose log may
// lack acknowledged records (E3, or the only replica after an unclean stop). The
// active controller does, once; what a restart replays is old news.
func (c *Controller) audit(im *meta.Image, ids []step.PartitionID) {
	if !c.active.Load() {
		return
	}
	c.unclean.Add(int64(len(ids)))
	for i, id := range ids {
		if i == auditLines {
			c.o.Log.Warn("more partitions were given such a leader", "partitions", len(ids)-i)
			return
		}
		t, ok := im.Topic(id.Topic)
		if !ok {
			continue // deleted in the same entry
		}
		p, _ := t.Partition(id.Index)
		c.o.Log.Warn("partition was given a leader that may lack acknowledged records",
			"topic", t.Name, "partition", id.Index, "leader", p.Leader, "epoch", p.LeaderEpoch)
	}
}

// UncleanElections counts them since this process started.
func (c *Controller) UncleanElections() int64 { return c.unclean.Load() }
