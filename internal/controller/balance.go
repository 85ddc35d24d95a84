package controller

import (
	"time"

	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/step"
)

// settled is how long a preferred replica has to be in sync without a change of
// its partition before it gets the lead: one that has only just joined would meet
// its clients with a cold cache and a queue of what it missed (E8).
const settled = time.Second

// balancing moves leads back to preferred replicas: a look every interval finds
// who could lead, a second one, at least settled later, proposes those that are
// still so. It holds at most planLimit partitions.
type balancing struct {
	every  time.Duration // 0: never
	lookAt step.Instant
	ripeAt step.Instant
	noted  []notedLead // nil: nothing waits for the second look
}

type notedLead struct {
	id    step.PartitionID
	epoch int32 // the partition's: any change of it makes the note void
}

func (b *balancing) plan(im *meta.Image, now step.Instant) (cmds []meta.Command) {
	switch {
	case b.every == 0:
	case b.noted != nil && now >= b.ripeAt:
		for _, n := range b.noted {
			if epoch, ok := unbalanced(im, n.id); ok && epoch == n.epoch {
				cmds = append(cmds, meta.ElectLeader{Topic: n.id.Topic, Partition: n.id.Index})
			}
		}
		if len(b.noted) == planLimit {
			b.lookAt = now // there are more
		}
		b.noted = nil
	case b.noted == nil && now >= b.lookAt:
		b.noted = b.look(im)
		b.ripeAt, b.lookAt = now+step.Instant(settled), now+step.Instant(b.every)
	}
	return cmds
}

// look finds partitions that the preferred replica could lead and does not.
func (b *balancing) look(im *meta.Image) (noted []notedLead) {
	for t := range im.Topics() {
		for i := range t.Partitions() {
			id := step.PartitionID{Topic: t.ID, Index: i}
			if epoch, ok := unbalanced(im, id); ok {
				noted = append(noted, notedLead{id, epoch})
			}
			if len(noted) == planLimit {
				return noted
			}
		}
	}
	return noted
}

func unbalanced(im *meta.Image, id step.PartitionID) (partitionEpoch int32, yes bool) {
	t, ok := im.Topic(id.Topic)
	if !ok {
		return 0, false
	}
	p, ok := t.Partition(id.Index)
	if !ok || p.Leader < 0 || p.Leader == p.Replicas[0] || !p.InISR(p.Replicas[0]) || p.Full(im, p.Replicas[0]) {
		return 0, false
	}
	b, ok := im.Broker(p.Replicas[0])
	return p.PartitionEpoch, ok && b.State == meta.Active && !draining(im, b.ID)
}
