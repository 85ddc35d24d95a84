package controller

import (
	"time"

	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/step"
)

// purgeAfter is how long a topic is remembered as deleted once every active
// broker knows: longer than file.delete.delay.ms by default, so that a broker
// that crashes while it deletes still finds out what its files are.
const purgeAfter = 10 * time.Minute

// planLimit bounds what one round proposes: the next one does the rest.
const planLimit = 1000

// Plan is the duties of the active controller: what ought to be proposed now,
// given the image and who is alive. It is a pure function, but that it notes in
// live since when it has known of a deletion, who may soon get a lead back, and
// what it has looked at.
func Plan(im *meta.Image, live *Liveness, self int32, now step.Instant) (cmds []meta.Command) {
	cmds = fillings(im, live)
	for b := range im.Brokers() {
		if to, move := duty(b, live, self, now); move && len(cmds) < planLimit {
			cmds = append(cmds, meta.SetBrokerState{ID: b.ID, Epoch: b.Epoch, State: to})
		}
	}
	cmds = append(cmds, purges(im, live, self, now)...)
	cmds = append(cmds, live.rescue.plan(im)...)
	cmds = append(cmds, live.grow.plan(im)...)
	return append(cmds, live.balance.plan(im, now)...)
}

// duty is the state that a broker should be in instead of the one it is in. The
// broker in this very process is never silent: that its heartbeats are late says
// that the machine is overloaded, and to fence it would take the partitions from
// the one that is alive for certain.
func duty(b *meta.Broker, live *Liveness, self int32, now step.Instant) (to meta.BrokerState, move bool) {
	s := live.of(b)
	fresh := live.fresh(s, now) || b.ID == self && s != nil && s.heard
	switch {
	case b.State == meta.Fenced:
		up := fresh && s.heard && !s.wantFence && !s.wantShutdown && int64(s.applied) >= b.Epoch
		return meta.Active, up
	case !fresh || s.wantFence:
		return meta.Fenced, true
	case b.State == meta.Active && s.wantShutdown:
		return meta.ControlledShutdown, true
	}
	return b.State, false
}

// purges forgets topics that nobody has to be told about any more.
func purges(im *meta.Image, live *Liveness, self int32, now step.Instant) (cmds []meta.Command) {
	if im.DeletedCount() == 0 {
		clear(live.deleted)
		return nil
	}
	for t := range im.DeletedTopics() {
		since, known := live.deleted[t.ID]
		switch {
		case !known:
			live.deleted[t.ID] = now
		case now.Sub(since) >= purgeAfter && live.appliedByActive(im, t.Deleted, self):
			cmds = append(cmds, meta.PurgeTopic{ID: t.ID})
			delete(live.deleted, t.ID)
		}
		if len(cmds) == planLimit {
			break
		}
	}
	return cmds
}

// possible leaves out what the image would refuse.
func possible(im *meta.Image, cmds []meta.Command) []meta.Command {
	if len(cmds) == 0 {
		return nil
	}
	_, _, results := meta.Apply(im, im.Index(), cmds)
	var keep []meta.Command
	for i, r := range results {
		if r.Err == nil {
			keep = append(keep, cmds[i])
		}
	}
	return keep
}
