package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/step"
)

// leadership is what exists only while this node is the active controller.
// Under Controller.mu.
type leadership struct {
	term    uint64
	live    *Liveness
	yieldAt step.Instant // not before this does it try to give its place away
}

// runDuties follows gains and losses of leadership, and while this node leads
// proposes what Plan asks for.
func (c *Controller) runDuties(ctx context.Context) {
	tick := time.NewTicker(c.o.HeartbeatInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			c.resign()
			return
		case t := <-c.consensus.Terms():
			c.resign()
			if t.Leading {
				c.lead(ctx, t)
			}
		case <-c.planNow:
			c.plan(ctx)
		case <-tick.C:
			c.plan(ctx)
			c.leaveFullDisk()
		}
	}
}

// lead makes this node the active controller: not before it has applied all
// that was committed in former terms.
func (c *Controller) lead(ctx context.Context, t Term) {
	if err := c.consensus.Barrier(ctx); err != nil {
		c.o.Log.Debug("leadership lost before it began", "term", t.Number, "error", err)
		return
	}
	im := c.o.Catalog.Image()
	if im.ClusterID() == "" {
		if err := c.proposeEarly(ctx, meta.Bootstrap{ClusterID: c.o.ClusterID, Level: meta.MaxLevel}); err != nil {
			if ctx.Err() == nil { // else the node is stopping, and the next start names it
				c.o.Log.Warn("the new cluster could not be named", "error", err)
			}
			return
		}
		im = c.o.Catalog.Image()
	}
	if im.ClusterID() != c.o.ClusterID {
		c.o.Log.Error("the metadata log belongs to another cluster: this node will not act as its controller",
			"log", im.ClusterID(), "meta.properties", c.o.ClusterID)
		return
	}
	c.noteVoters(ctx, im)
	c.noteRecovery(ctx, im)
	c.mu.Lock()
	live := newLiveness(im, int64(c.o.SessionTimeout), c.now())
	live.balance = balancing{every: c.o.BalanceInterval, lookAt: c.now() + step.Instant(c.o.BalanceInterval)}
	live.rescue.on = c.o.UncleanElection
	live.grow.topics = c.o.Grow
	c.leading = &leadership{term: t.Number, live: live}
	c.mu.Unlock()
	c.active.Store(true)
	c.signal()
	c.o.Log.Info("this node is the active controller", "term", t.Number)
	c.suspectAll(im)
	c.plan(ctx)
}

// noteVoters records who votes, and where, if the image has it otherwise.
func (c *Controller) noteVoters(ctx context.Context, im *meta.Image) {
	if c.node == nil {
		return
	}
	note := meta.NoteVoters{Voters: c.node.voters()}
	_, changes, _ := meta.Apply(im, im.Index(), []meta.Command{note})
	if changes.Empty() {
		return
	}
	if err := c.proposeEarly(ctx, note); err != nil {
		c.o.Log.Debug("the voters could not be noted", "error", err) // the next leader will
	}
}

// noteRecovery records that this node made the quorum anew, unless the image has
// it, or nodes that could not read it may be there.
func (c *Controller) noteRecovery(ctx context.Context, im *meta.Image) {
	if c.node == nil {
		return
	}
	note, err := c.node.stores.recovery()
	if err != nil {
		c.o.Log.Warn("the record of the quorum's recovery cannot be read", "error", err)
	}
	if note == nil || err != nil || meta.CheckLevel(*note, im.Features().Metadata) != nil {
		return
	}
	if slices.ContainsFunc(im.Recoveries(), func(r meta.Recovery) bool { return r.ID == note.ID }) {
		return
	}
	c.o.Log.Warn("the metadata quorum was lost, and was made anew with what this node remembered: changes that it had not heard of are lost",
		"node", note.Node, "kept", note.Kept, "lost", len(note.Lost))
	if err := c.proposeEarly(ctx, *note); err != nil {
		c.o.Log.Debug("the recovery could not be recorded", "error", err) // the next term of this node does
	}
}

// resign ends what depends on leadership. Whoever waits for brokers to apply
// something is told by its own time limit.
func (c *Controller) resign() {
	was := c.active.Swap(false)
	c.mu.Lock()
	c.leading = nil
	c.mu.Unlock()
	if was {
		c.o.Log.Info("this node is not the active controller any more")
		c.signal()
	}
}

func (c *Controller) proposeEarly(ctx context.Context, cmds ...meta.Command) error {
	done := make(chan Committed, 1)
	c.proposer.submit(cmds, true, time.Time{}, func(com Committed) { done <- com })
	select {
	case com := <-done:
		for i := 0; com.Err == nil && i < len(com.Results); i++ {
			com.Err = com.Results[i].Err
		}
		return com.Err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// plan proposes what is due and waits for it, so that the next round sees it.
func (c *Controller) plan(ctx context.Context) {
	c.mu.Lock()
	var cmds []meta.Command
	if c.leading != nil {
		cmds = Plan(c.o.Catalog.Image(), c.leading.live, c.o.Node, c.now())
	}
	c.mu.Unlock()
	if len(cmds) == 0 {
		return
	}
	for _, cmd := range cmds {
		switch s := cmd.(type) {
		case meta.SetBrokerState:
			c.o.Log.Info("broker changes state", "broker", s.ID, "epoch", s.Epoch, "state", s.State.String())
		case meta.NoteFull:
			c.logFull(s)
		}
	}
	if err := c.proposeEarly(ctx, cmds...); err != nil && ctx.Err() == nil {
		// Another controller, or a broker that registered meanwhile: the next
		// round sees the world as it is then.
		c.o.Log.Debug("a planned change was not taken", "error", err)
	}
}

// AcceptRegistration proposes a broker's registration. Only the active
// controller can: it knows whether the id is in use. done is as for Submit; the
// epoch is in the one result.
func (c *Controller) AcceptRegistration(r meta.RegisterBroker, deadline time.Time, done func(Committed)) {
	im := c.o.Catalog.Image()
	old, known := im.Broker(r.ID)
	if r.Seen = 0; known {
		r.Seen = old.Epoch
	}
	c.mu.Lock()
	led := c.leading
	occupied := led != nil && known && led.live.occupied(old, r.Incarnation, c.now())
	c.mu.Unlock()
	if occupied {
		c.proposer.refuse(fmt.Errorf("%w: broker %d", meta.ErrDuplicateBroker, r.ID), done)
		return
	}
	c.Submit([]meta.Command{r}, deadline, func(com Committed) {
		if com.Err == nil && com.Results[0].Err == nil {
			c.mu.Lock()
			if c.leading != nil {
				c.leading.live.registered(r.ID, com.Results[0].Epoch, c.now())
			}
			c.mu.Unlock()
		}
		done(com)
	})
}

// AcceptHeartbeat takes a broker's heartbeat in. It never waits.
func (c *Controller) AcceptHeartbeat(h Heartbeat) (HeartbeatReply, error) {
	im := c.o.Catalog.Image()
	b, ok := im.Broker(h.Broker)
	c.mu.Lock()
	if c.leading == nil {
		c.mu.Unlock()
		return HeartbeatReply{}, ErrNotLeader
	}
	if !ok || b.Epoch != h.Epoch {
		c.mu.Unlock()
		return HeartbeatReply{}, fmt.Errorf("%w: broker %d at epoch %d", meta.ErrStaleBroker, h.Broker, h.Epoch)
	}
	s, news := c.leading.live.heard(b, h, c.now(), time.Now().UnixMilli(), h.Applied >= im.Index())
	reply := HeartbeatReply{
		Fenced:   b.State == meta.Fenced,
		CaughtUp: int64(s.applied) >= b.Epoch,
	}
	if b.State == meta.ControlledShutdown {
		if s.leaveAt == 0 {
			s.leaveAt = im.Index()
		}
		reply.ShouldShutDown = c.leading.live.appliedByActive(im, s.leaveAt, c.o.Node)
	}
	reply.ShouldShutDown = reply.ShouldShutDown || reply.Fenced && h.WantShutdown
	c.mu.Unlock()
	if news {
		c.kick()
	}
	c.applied.check(im, c.appliedBy)
	return reply, nil
}

// kick asks for a round of duties now.
func (c *Controller) kick() {
	select {
	case c.planNow <- struct{}{}:
	default: // one is due already
	}
}

// appliedBy says whether every active broker acts on index, as far as this node
// knows. It knows itself without a heartbeat.
func (c *Controller) appliedBy(im *meta.Image, index uint64) bool {
	if im.Index() < index {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.leading != nil && c.leading.live.appliedByActive(im, index, c.o.Node)
}

// now is the moment, on this process's own clock.
func (c *Controller) now() step.Instant { return step.Instant(time.Since(c.started)) }

// isStale says whether a broker must register anew.
func isStale(err error) bool {
	return errors.Is(err, meta.ErrStaleBroker) || errors.Is(err, meta.ErrUnknownBroker)
}
