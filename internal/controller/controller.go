package controller

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/brokerd/brokerd/internal/catalog"
	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/step"
)

// Controller is this node's member of the metadata quorum.
type Controller struct {
	o           Options
	fsm         *catalog.FSM
	node        *raftNode // nil where a test brings its own consensus
	members     members
	suspects    chan int32
	rejected    chan error // room for one: why this node can be no broker here
	consensus   Consensus
	proposer    *proposer
	applied     appliedWait
	incarnation step.TopicID
	started     time.Time

	active  atomic.Bool   // leading and caught up; set by the duties only
	planNow chan struct{} // room for one
	nudge   chan struct{} // room for one: followers should hear of the last commit
	unclean atomic.Int64  // elections that may have lost data, decided by this node
	closing sync.Once
	closeEr error

	mu      sync.Mutex
	leading *leadership // nil: another node leads, or none
	life    life
	changed chan struct{} // closed and replaced when leadership or life changes
}

// Open starts this node's member: raft runs from now on, everything else when
// Run is called. It owns o.Stores, also when it fails.
func Open(o Options) (*Controller, error) {
	o.setDefaults()
	if o.Directory.IsZero() || o.ClusterID == "" || o.Catalog == nil {
		return nil, errors.Join(errors.New("controller needs a directory id, a cluster id and a catalog"), o.Stores.close())
	}
	fsm := catalog.NewFSM(o.Catalog)
	c := newController(o, fsm)
	fsm.Audit(c.audit)
	node, err := openRaft(o, fsm)
	if err != nil {
		return nil, err
	}
	c.node = node
	c.use(node)
	return c, nil
}

// use gives the controller its consensus.
func (c *Controller) use(consensus Consensus) {
	c.consensus = consensus
	c.proposer = newProposer(consensus, c.active.Load, c.level, c.quiet)
}

func newController(o Options, fsm *catalog.FSM) *Controller {
	return &Controller{
		o: o, fsm: fsm, incarnation: newID(), started: time.Now(),
		planNow: make(chan struct{}, 1), nudge: make(chan struct{}, 1), changed: make(chan struct{}),
		members: newMembers(), suspects: make(chan int32, maxSuspects), rejected: make(chan error, 1),
	}
}

// Run works until ctx ends, or this version can not understand the metadata any
// more. After it Close ends raft itself.
func (c *Controller) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var parts sync.WaitGroup
	for _, run := range []func(context.Context){c.proposer.run, c.runDuties, c.runLife, c.runMembers, c.runProbes, c.runHeirs, c.runNudge, c.runSnapshots} {
		parts.Go(func() { run(ctx) })
	}
	select {
	case <-ctx.Done():
	case <-c.fsm.Failed():
		cancel()
	}
	parts.Wait()
	c.applied.all()
	return c.fsm.Err()
}

// Close ends raft, its connections and its stores. Run must have ended.
func (c *Controller) Close() error {
	c.closing.Do(func() {
		if c.node != nil {
			c.spareReplay()
			c.closeEr = c.node.close()
		}
	})
	if c.closeEr != nil {
		return fmt.Errorf("close controller: %w", c.closeEr)
	}
	return nil
}

// closeWorth is how many bytes of entries are worth a snapshot at a stop.
const closeWorth = 1 << 20

// spareReplay writes a snapshot where the next start would replay much. [Two million
// partitions in 22 MiB of entries: 4 s to replay, from their snapshot 0.1 s]
func (c *Controller) spareReplay() {
	if c.fsm.Err() != nil || c.fsm.Pending() < closeWorth {
		return
	}
	if err := c.node.r.Snapshot().Error(); err != nil {
		c.o.Log.Info("no metadata snapshot at this stop: the next start replays more", "error", err)
	}
}

// Submit queues commands; done is called exactly once, on another goroutine,
// when they are applied here, have failed, or deadline has passed (the zero time
// is none): then they may be applied yet, or never. done must not block.
// Commands of one Submit are applied in order and, up to 256 KiB, in one entry.
func (c *Controller) Submit(cmds []meta.Command, deadline time.Time, done func(Committed)) {
	for _, cmd := range cmds {
		if err := knownLevel(cmd); err != nil {
			c.proposer.refuse(err, done)
			return
		}
	}
	if c.o.Full != nil && c.o.Full() {
		for _, cmd := range cmds {
			if growsLog(cmd) {
				c.proposer.refuse(fmt.Errorf("%w: %s is refused", ErrDiskFull, meta.KindName(cmd)), done)
				return
			}
		}
	}
	c.proposer.submit(cmds, false, deadline, done)
}

// knownLevel keeps a level that this version does not know out of the log: every
// node of it would stop.
func knownLevel(cmd meta.Command) error {
	if l, ok := cmd.(meta.SetFeatureLevel); ok && l.Level > meta.MaxLevel {
		return fmt.Errorf("%w: %d, this version knows up to %d", meta.ErrFeatureLevel, l.Level, meta.MaxLevel)
	}
	return nil
}

// growsLog says whether a full disk refuses a command: all but what frees space,
// or without which partitions would stay without a leader.
func growsLog(cmd meta.Command) bool {
	switch cmd.(type) {
	case meta.DeleteTopic, meta.PurgeTopic, meta.RegisterBroker, meta.SetBrokerState, meta.AlterPartition, meta.ReportFault:
		return false
	}
	return true
}

// level is what all nodes of the cluster understand.
func (c *Controller) level() int16 { return c.o.Catalog.Image().Features().Metadata }

// Leader names the node that is the active controller.
func (c *Controller) Leader() (node int32, ok bool) {
	if c.active.Load() {
		return c.o.Node, true
	}
	// This node may have won an election and not be ready: then nobody is.
	return c.remoteLeader()
}

// Active reports whether this node is the active controller.
func (c *Controller) Active() bool { return c.active.Load() }

// signal wakes all who wait for leadership or this broker's life to change.
func (c *Controller) signal() {
	c.mu.Lock()
	close(c.changed)
	c.changed = make(chan struct{})
	c.mu.Unlock()
}

// lastIndex is the end of this node's log.
func (c *Controller) lastIndex() uint64 {
	if c.node == nil {
		return c.o.Catalog.Image().Index()
	}
	return c.node.r.LastIndex()
}

// quiet is called when a batch has committed and nothing is queued. Raft tells
// followers of a commit with the next entry only, or after CommitTimeout.
func (c *Controller) quiet() {
	if c.node != nil && c.node.alone() {
		return
	}
	select {
	case c.nudge <- struct{}{}:
	default: // one is on its way, and comes after this commit too
	}
}

func (c *Controller) runNudge(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.nudge:
			if err := c.consensus.Barrier(ctx); err != nil {
				c.o.Log.Debug("barrier after a commit", "error", err) // followers hear 50 ms later
			}
		}
	}
}

// runSnapshots bounds what a restart must replay, in bytes; raft itself bounds
// it in entries.
func (c *Controller) runSnapshots(ctx context.Context) {
	if c.node == nil {
		return
	}
	tick := time.NewTicker(10 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if c.fsm.Pending() < c.o.SnapshotBytes {
				continue
			}
			if err := c.node.r.Snapshot().Error(); err != nil {
				c.o.Log.Warn("metadata snapshot was not written, trying again", "error", err)
			}
		}
	}
}
