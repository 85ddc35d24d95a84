package sim

import (
	"slices"

	"github.com/brokerd/brokerd/internal/meta"
)

// checkEntry is R10, R11, R12 and R13, after an entry of the controller's log.
func (c *Core) checkEntry(old, next *meta.Image, cmd meta.Command, changes *meta.Changes) {
	was, ok := old.Topic(c.topic)
	if !ok || len(changes.Topics) == 0 {
		return
	}
	is, _ := next.Topic(c.topic)
	for _, id := range changes.Unclean {
		pt, _ := is.Partition(id.Index)
		c.cover[covUnclean]++
		if c.plan.Fsync && len(pt.Replicas) == 1 {
			continue // nothing is lost: it is only not proven
		}
		c.parts[id.Index].uncleanEpoch, c.parts[id.Index].unsettled = pt.LeaderEpoch, true
		if _, registered := cmd.(meta.RegisterBroker); len(pt.Replicas) > 1 && !c.plan.Unclean && !registered {
			c.violated("E3", "p%d elects b%d uncleanly without anybody's consent", id.Index, pt.Leader)
		}
	}
	for p := range c.parts {
		a, _ := was.Partition(int32(p))
		b, _ := is.Partition(int32(p))
		if a.PartitionEpoch == b.PartitionEpoch && a.LeaderEpoch == b.LeaderEpoch {
			continue
		}
		c.tell("entry", p, "epoch %d.%d leader b%d replicas %v in sync %v eligible %v min %d", b.LeaderEpoch, b.PartitionEpoch, b.Leader, b.Replicas, b.ISR(), b.ELR(), b.MinISR)
		c.checkRecord(p, &a, &b, next, cmd)
	}
}

func (c *Core) checkRecord(p int, a, b *meta.Partition, im *meta.Image, cmd meta.Command) {
	in, elr := b.ISR(), b.ELR()
	for _, id := range slices.Concat(in, elr) {
		if !b.HasReplica(id) {
			c.violated("R10", "b%d is in sync or eligible on p%d, of which it is no replica", id, p)
		}
		if slices.Contains(in, id) && slices.Contains(elr, id) {
			c.violated("R10", "b%d is in sync on p%d and eligible too", id, p)
		}
	}
	if len(in) >= int(b.MinISR) && len(elr) > 0 {
		c.violated("R10", "p%d has eligible %v beside %v in sync of at least %d", p, elr, in, b.MinISR)
	}
	c.checkRoom(p, a, b, im, cmd)
	if len(in)+len(elr) == 0 && a.ISRSize()+len(a.ELR()) > 0 {
		switch cmd.(type) {
		case meta.RegisterBroker, meta.ReportFault:
			c.cover[covLeaderless]++
		default:
			c.violated("R10", "%s leaves p%d with nobody who may lead it", meta.KindName(cmd), p)
		}
	}
	if b.LeaderEpoch < a.LeaderEpoch || b.PartitionEpoch < a.PartitionEpoch {
		c.violated("R13", "the epochs of p%d fall from %d.%d to %d.%d", p, a.LeaderEpoch, a.PartitionEpoch, b.LeaderEpoch, b.PartitionEpoch)
	}
	if len(a.Adding)+len(a.Removing) > 0 && len(b.Adding)+len(b.Removing) == 0 {
		c.cover[covReassigned]++
	}
	if b.Leader >= 0 && b.Leader != a.Leader {
		if l, ok := im.Broker(b.Leader); !ok || l.State != meta.Active || !b.InISR(b.Leader) {
			c.violated("R12", "p%d elects b%d, which is not active or not in sync", p, b.Leader)
		}
		if slices.Contains(a.ELR(), b.Leader) {
			c.cover[covFromELR]++
		}
	}
	c.checkMembers(p, 0)
}

// checkRoom: nobody with a full disk is in sync beside one with room, and a full disk
// takes nobody's right to lead away.
func (c *Core) checkRoom(p int, a, b *meta.Partition, im *meta.Image, cmd meta.Command) {
	full, roomy := 0, 0
	for _, id := range b.ISR() {
		if b.Full(im, id) {
			full++
		} else {
			roomy++
		}
	}
	if full > 0 && roomy > 0 {
		c.violated("R10", "p%d has %d with full disks in sync beside %d with room", p, full, roomy)
	}
	if _, ok := cmd.(meta.NoteFull); !ok {
		return
	}
	if a.Leader >= 0 && b.Leader != a.Leader {
		c.cover[covLeftFull]++
	}
	if a.Leader >= 0 && b.Leader < 0 || a.ISRSize() > 0 && roomy+full == 0 {
		c.violated("R10", "a full disk leaves p%d without a leader, or nobody in sync", p)
	}
}
