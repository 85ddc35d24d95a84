package controller

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/brokerd/brokerd/internal/meta"
)

// Remote reaches the active controller when that is another node.
type Remote interface {
	Register(ctx context.Context, controller int32, r meta.RegisterBroker) (epoch int64, err error)
	Heartbeat(ctx context.Context, controller int32, h Heartbeat) (HeartbeatReply, error)
}

const (
	retryFirst   = 20 * time.Millisecond
	retryMost    = time.Second
	registerWait = 5 * time.Second
	leavePoll    = 10 * time.Millisecond // how often a broker that leaves asks whether it may
)

// life is this node's own life as a broker. Fields under Controller.mu.
type life struct {
	twice   time.Time            // since when another one with our number is alive; zero: not so
	wish    *meta.RegisterBroker // what to register; nil: this node is no broker, or not yet
	epoch   int64                // of the registration in force; 0: none
	leaving bool
	mayGo   bool
}

// Register makes this node a broker: from now on Run keeps it registered. The
// broker calls it once, when its logs are recovered, because r says how it
// stopped and what it found. Node, cluster and incarnation are filled in here.
func (c *Controller) Register(r meta.RegisterBroker) {
	r.ID, r.ClusterID, r.Incarnation = c.o.Node, c.o.ClusterID, c.incarnation
	c.mu.Lock()
	c.life.wish = &r
	c.mu.Unlock()
	c.signal()
}

// Registered gives the epoch of this broker's registration, once its own image
// shows it: not before may it act on what the image says about partitions (D5).
func (c *Controller) Registered() (epoch int64, ok bool) {
	b, ok := c.o.Catalog.Image().Broker(c.o.Node)
	if !ok || b.Incarnation != c.incarnation {
		return 0, false
	}
	return b.Epoch, true
}

// KnowsUs reports whether an image shows this broker's registration of this run.
func (c *Controller) KnowsUs(im *meta.Image) bool {
	b, ok := im.Broker(c.o.Node)
	return ok && b.Incarnation == c.incarnation
}

// WaitRegistered waits for Registered, and WaitActive until the controller has
// let the broker in.
func (c *Controller) WaitRegistered(ctx context.Context) (epoch int64, err error) {
	return c.waitBroker(ctx, func(*meta.Broker) bool { return true })
}

func (c *Controller) WaitActive(ctx context.Context) (epoch int64, err error) {
	return c.waitBroker(ctx, func(b *meta.Broker) bool { return b.State == meta.Active })
}

// WaitLeader waits until a leader of the raft group is known.
func (c *Controller) WaitLeader(ctx context.Context) error {
	tick := time.NewTicker(retryFirst)
	defer tick.Stop()
	for {
		if _, ok := c.Leader(); ok {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("wait for a controller: %w", ctx.Err())
		}
	}
}

func (c *Controller) waitBroker(ctx context.Context, good func(*meta.Broker) bool) (int64, error) {
	im := c.o.Catalog.Image()
	for {
		if b, ok := im.Broker(c.o.Node); ok && b.Incarnation == c.incarnation && good(b) {
			return b.Epoch, nil
		}
		var err error
		if im, err = c.o.Catalog.Await(ctx, im.Index()+1); err != nil {
			return 0, fmt.Errorf("wait for the registration of broker %d: %w", c.o.Node, err)
		}
	}
}

// Leave asks the controller to move everything away from this broker and waits
// until nothing depends on it, ctx ends, or no controller has been known for as
// long as a session: then the others are gone already.
func (c *Controller) Leave(ctx context.Context) error {
	c.mu.Lock()
	c.life.leaving = true
	c.mu.Unlock()
	c.signal()
	look := time.NewTicker(c.o.SessionTimeout / 10)
	defer look.Stop()
	known := time.Now()
	for {
		c.mu.Lock()
		mayGo, changed := c.life.mayGo, c.changed
		c.mu.Unlock()
		if mayGo {
			return nil
		}
		if _, ok := c.Leader(); ok {
			known = time.Now()
		} else if time.Since(known) > c.o.SessionTimeout {
			return fmt.Errorf("leave the cluster: %w", ErrNotLeader)
		}
		select {
		case <-changed:
		case <-look.C:
		case <-ctx.Done():
			return fmt.Errorf("leave the cluster: %w", ctx.Err())
		}
	}
}

// HandOver gives the controller's place to another voter, if this node has it:
// so that nobody has to find out that it has stopped.
func (c *Controller) HandOver() {
	if err := c.node.handOver(); err != nil {
		c.o.Log.Info("nobody took the controller's place over; the others elect one", "error", err)
	}
}

// runLife registers this broker and then sends its heartbeats, again and again
// if its registration is lost.
func (c *Controller) runLife(ctx context.Context) {
	retry := retryFirst
	for ctx.Err() == nil {
		c.mu.Lock()
		wish, epoch, changed := c.life.wish, c.life.epoch, c.changed
		c.mu.Unlock()
		var pause time.Duration
		switch {
		case wish == nil:
			pause = time.Hour // Register wakes us
		case epoch == 0:
			if err := c.registerOnce(ctx, *wish); err == nil {
				retry = retryFirst
				continue
			} else if ctx.Err() == nil {
				c.logRegister(err)
				pause, retry = retry, min(2*retry, retryLimit(err))
			}
		default:
			pause = c.heartbeatOnce(ctx, epoch)
		}
		c.pause(ctx, pause, changed)
	}
}

// retryLimit bounds the pause before the next try: that a controller is known
// costs nothing to ask.
func retryLimit(err error) time.Duration {
	if errors.Is(err, ErrNotLeader) {
		return retryMost / 20
	}
	return retryMost
}

// Rejected tells, once, why the cluster will not have this node as a broker: it
// is another cluster, or another node with the same number is alive.
func (c *Controller) Rejected() <-chan error { return c.rejected }

// Judge finds out whether a refusal is for good. A former life of this very node
// may count as alive for a session.
func (c *Controller) Judge(err error) {
	c.mu.Lock()
	twice := errors.Is(err, meta.ErrDuplicateBroker)
	if twice && c.life.twice.IsZero() {
		c.life.twice = time.Now()
	}
	final := errors.Is(err, meta.ErrClusterID) || twice && time.Since(c.life.twice) > 2*c.o.SessionTimeout
	c.mu.Unlock()
	if final {
		select {
		case c.rejected <- fmt.Errorf("the cluster does not take this node in as broker %d: %w", c.o.Node, err):
		default: // said already
		}
	}
}

func (c *Controller) logRegister(err error) {
	c.Judge(err)
	if errors.Is(err, ErrNotLeader) {
		c.o.Log.Debug("not registered yet: no controller is known", "broker", c.o.Node)
		return
	}
	c.o.Log.Warn("the controller did not register this broker, trying again", "broker", c.o.Node, "error", err)
}

// pause sleeps until something changes: leadership, a wish, or, where the
// controller is elsewhere and may wait for us, the image.
func (c *Controller) pause(ctx context.Context, d time.Duration, changed <-chan struct{}) {
	if _, remote := c.remoteLeader(); remote && d > leavePoll {
		c.awaitImage(ctx, d, changed)
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-changed:
	case <-t.C:
	}
}

func (c *Controller) awaitImage(ctx context.Context, d time.Duration, changed <-chan struct{}) {
	wait, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	stop := make(chan struct{})
	go func() { // ends when this call does
		select {
		case <-changed:
			cancel()
		case <-stop:
		}
	}()
	// An error is the end of the wait: nothing has come.
	_, _ = c.o.Catalog.Await(wait, c.o.Catalog.Image().Index()+1)
	close(stop)
}

func (c *Controller) registerOnce(ctx context.Context, r meta.RegisterBroker) error {
	ctx, cancel := context.WithTimeout(ctx, registerWait)
	defer cancel()
	epoch, err := c.register(ctx, r)
	if err != nil {
		return err
	}
	// What the image of this node does not show yet must not be acted on, nor
	// may a heartbeat claim it.
	if _, err := c.o.Catalog.Await(ctx, uint64(epoch)); err != nil {
		return err
	}
	c.mu.Lock()
	c.life.epoch, c.life.twice = epoch, time.Time{}
	c.mu.Unlock()
	c.o.Log.Info("broker registered", "broker", r.ID, "epoch", epoch)
	return nil
}

func (c *Controller) register(ctx context.Context, r meta.RegisterBroker) (int64, error) {
	if leader, remote := c.remoteLeader(); remote {
		if c.o.Remote == nil {
			return 0, ErrNotLeader
		}
		return c.o.Remote.Register(ctx, leader, r)
	}
	if !c.active.Load() {
		return 0, ErrNotLeader
	}
	deadline, _ := ctx.Deadline()
	done := make(chan Committed, 1)
	c.AcceptRegistration(r, deadline, func(com Committed) { done <- com })
	com := <-done
	if com.Err != nil {
		return 0, com.Err
	}
	return com.Results[0].Epoch, com.Results[0].Err
}

// remoteLeader names the controller if it is another node.
func (c *Controller) remoteLeader() (int32, bool) {
	leader, ok := c.consensus.Leader()
	return leader, ok && leader != c.o.Node
}

// Beat sends a heartbeat at once: there is something that the controller should know.
func (c *Controller) Beat() { c.signal() }

// heartbeatOnce sends one heartbeat and says how long to wait for the next.
func (c *Controller) heartbeatOnce(ctx context.Context, epoch int64) time.Duration {
	c.mu.Lock()
	leaving := c.life.leaving
	c.mu.Unlock()
	h := Heartbeat{
		Broker: c.o.Node, Epoch: epoch, Applied: c.o.Catalog.Image().Index(),
		Last: c.lastIndex(), WantShutdown: leaving,
	}
	if c.o.FullDirs != nil {
		h.Full = c.o.FullDirs()
	}
	reply, err := c.heartbeat(ctx, h)
	switch {
	case isStale(err):
		c.o.Log.Info("registration is not valid any more, registering anew", "broker", c.o.Node, "epoch", epoch)
		c.mu.Lock()
		c.life.epoch = 0
		c.mu.Unlock()
		return 0
	case err != nil:
		return min(c.o.HeartbeatInterval, retryMost)
	case leaving && reply.ShouldShutDown:
		c.mu.Lock()
		told := c.life.mayGo
		c.life.mayGo = true
		c.mu.Unlock()
		if !told {
			c.signal() // wakes ourselves too: once, or we would never pause again
		}
		return c.o.HeartbeatInterval
	case leaving, reply.Fenced:
		return leavePoll // a change is on its way, and somebody waits for it
	}
	return c.o.HeartbeatInterval
}

func (c *Controller) heartbeat(ctx context.Context, h Heartbeat) (HeartbeatReply, error) {
	leader, remote := c.remoteLeader()
	if !remote {
		return c.AcceptHeartbeat(h)
	}
	if c.o.Remote == nil {
		return HeartbeatReply{}, ErrNotLeader
	}
	ctx, cancel := context.WithTimeout(ctx, c.o.SessionTimeout)
	defer cancel()
	return c.o.Remote.Heartbeat(ctx, leader, h)
}
