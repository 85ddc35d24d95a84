package controller

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/raft"

	"github.com/brokerd/brokerd/internal/catalog"
	"github.com/brokerd/brokerd/internal/meta"
)

const (
	commitTimeout     = 50 * time.Millisecond // a lower one costs idle CPU on every node
	maxAppendEntries  = 32                    // times 256 KiB is the largest message
	trailingLogs      = 1024                  // kept behind a snapshot for followers that lag a little
	snapshotInterval  = 2 * time.Minute
	snapshotThreshold = 8192 // entries
	transportTimeout  = 10 * time.Second
	memberTimeout     = 10 * time.Second
)

// raftNode is Consensus by hashicorp/raft.
type raftNode struct {
	r      *raft.Raft
	self   Server
	stream *streamLayer
	trans  *raft.NetworkTransport
	stores Stores
	notify chan bool
	terms  chan Term
	done   chan struct{} // closed when the goroutine that fills terms has ended
}

// openRaft starts the node. It owns the stores from then on, also when it fails.
func openRaft(o Options, fsm *catalog.FSM) (*raftNode, error) {
	log := newRaftLog(o.Log)
	group, err := o.Stores.Group()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read which metadata quorum this is: %w", err), o.Stores.close())
	}
	n := &raftNode{
		self: o.server(), stores: o.Stores, stream: newStreamLayer(o, group),
		notify: make(chan bool, 16), terms: make(chan Term, 16), done: make(chan struct{}),
	}
	conf := raft.DefaultConfig()
	conf.LocalID = n.self.raftID()
	conf.HeartbeatTimeout, conf.ElectionTimeout = o.ElectionTimeout, o.ElectionTimeout
	conf.LeaderLeaseTimeout = o.ElectionTimeout / 2
	conf.CommitTimeout = commitTimeout
	conf.MaxAppendEntries, conf.BatchApplyCh = maxAppendEntries, true
	conf.TrailingLogs = trailingLogs
	conf.SnapshotInterval, conf.SnapshotThreshold = snapshotInterval, snapshotThreshold
	conf.ShutdownOnRemove = false
	conf.NoLegacyTelemetry = true
	conf.Logger, conf.NotifyCh = log, n.notify

	logs, err := raft.NewLogCache(logCacheEntries, o.Stores.Log)
	if err != nil {
		_ = n.stores.close() // the first error is what counts
		return nil, fmt.Errorf("make raft log cache: %w", err)
	}
	n.trans = raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		Stream: n.stream, MaxPool: 3, Timeout: transportTimeout, Logger: log, MsgpackUseNewTimeFormat: true,
	})
	fail := func(what string, err error) (*raftNode, error) {
		_ = n.trans.Close() // nothing has been sent
		_ = n.stores.close()
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	if len(o.Bootstrap) > 0 {
		err := raft.BootstrapCluster(conf, logs, o.Stores.Stable, o.Stores.Snapshots, n.trans, configuration(o.Bootstrap))
		if err != nil {
			return fail("bootstrap the metadata quorum", err)
		}
	}
	n.r, err = raft.NewRaft(conf, fsm, logs, o.Stores.Stable, snapshotGuard{o.Stores.Snapshots, o.Stores.Log}, n.trans)
	if err != nil {
		if fsm.Err() == nil && strings.Contains(err.Error(), "any existing snapshots") {
			err = fmt.Errorf("%w: %w: %s", ErrSnapshotLost, err, snapshotAdvice)
		}
		return fail("start the metadata quorum member", errors.Join(fsm.Err(), err))
	}
	go n.watchTerms() // ends when close has closed notify
	if len(o.Bootstrap) > 0 || n.soleVoter() {
		if err := n.standAtOnce(o); err != nil {
			return nil, errors.Join(fmt.Errorf("stand for election: %w", err), n.close())
		}
	}
	return n, nil
}

func configuration(servers []Server) (c raft.Configuration) {
	for _, s := range servers {
		c.Servers = append(c.Servers, raft.Server{Suffrage: raft.Voter, ID: s.raftID(), Address: s.raftAddress()})
	}
	return c
}

// soleVoter says whether nobody else could ever win an election.
func (n *raftNode) soleVoter() bool {
	voters, mine := 0, false
	for _, s := range n.r.GetConfiguration().Configuration().Servers {
		if s.Suffrage == raft.Voter {
			voters++
			mine = mine || s.ID == n.self.raftID()
		}
	}
	return voters == 1 && mine
}

// standAtOnce ends a follower's wait for a leader that cannot exist: raft looks
// at its timer anew when the timeout is lowered, and then finds that nobody has
// ever called. The timeouts themselves go back at once.
func (n *raftNode) standAtOnce(o Options) error {
	c := n.r.ReloadableConfig()
	c.HeartbeatTimeout = o.ElectionTimeout - time.Millisecond
	if err := n.r.ReloadConfig(c); err != nil {
		return err
	}
	c.HeartbeatTimeout = o.ElectionTimeout
	return n.r.ReloadConfig(c)
}

func (n *raftNode) watchTerms() {
	defer close(n.done)
	for leading := range n.notify {
		t := Term{leading, n.r.CurrentTerm()}
		select {
		case n.terms <- t:
		default:
			// Nobody reads: the controller has ended. Raft must not wait for it.
		}
	}
}

func (n *raftNode) Propose(ctx context.Context, entry []byte) (uint64, []meta.Result, error) {
	wait := transportTimeout
	if t, ok := ctx.Deadline(); ok {
		wait = time.Until(t)
	}
	f := n.r.Apply(entry, max(wait, time.Millisecond))
	if err := f.Error(); err != nil {
		return 0, nil, outcome(err)
	}
	results, ok := f.Response().([]meta.Result)
	if !ok {
		return f.Index(), nil, ErrUnknownOutcome
	}
	return f.Index(), results, nil
}

// outcome says what an error of raft means for an entry: it surely was not
// appended, or nobody can say.
func outcome(err error) error {
	switch {
	case errors.Is(err, raft.ErrNotLeader), errors.Is(err, raft.ErrLeadershipTransferInProgress):
		return ErrNotLeader
	case errors.Is(err, raft.ErrEnqueueTimeout):
		return ErrBusy
	}
	return fmt.Errorf("%w: %w", ErrUnknownOutcome, err)
}

func (n *raftNode) Barrier(ctx context.Context) error {
	wait := transportTimeout
	if t, ok := ctx.Deadline(); ok {
		wait = time.Until(t)
	}
	if err := n.r.Barrier(max(wait, time.Millisecond)).Error(); err != nil {
		return outcome(err)
	}
	return nil
}

func (n *raftNode) Leader() (int32, bool) {
	_, id := n.r.LeaderWithID()
	node, _, err := ParseServerID(string(id))
	return node, err == nil
}

func (n *raftNode) Terms() <-chan Term { return n.terms }

func (n *raftNode) Members(ctx context.Context, m Membership) error {
	id, addr := m.Server.raftID(), m.Server.raftAddress()
	var f raft.IndexFuture
	switch m.Verb {
	case AddObserver:
		f = n.r.AddNonvoter(id, addr, 0, memberTimeout)
	case AddVoter:
		f = n.r.AddVoter(id, addr, 0, memberTimeout)
	case Demote:
		f = n.r.DemoteVoter(id, 0, memberTimeout)
	case Remove:
		f = n.r.RemoveServer(id, 0, memberTimeout)
	default:
		return fmt.Errorf("membership change %d is unknown", m.Verb)
	}
	if err := f.Error(); err != nil {
		return outcome(err)
	}
	return nil
}

// voters is who votes, at the addresses that they were added with.
func (n *raftNode) voters() (out []meta.Voter) {
	for _, s := range n.r.GetConfiguration().Configuration().Servers {
		node, dir, err := ParseServerID(string(s.ID))
		if err == nil && s.Suffrage == raft.Voter {
			out = append(out, meta.Voter{Node: node, Directory: dir, Endpoints: raftEndpoint(s.Address)})
		}
	}
	return out
}

// alone says whether no other server waits for what commits here.
func (n *raftNode) alone() bool {
	return len(n.r.GetConfiguration().Configuration().Servers) == 1
}

// handOver gives the leadership to the voter that has most of the log.
func (n *raftNode) handOver() error {
	if n.r.State() != raft.Leader || n.alone() {
		return nil
	}
	return n.r.LeadershipTransfer().Error()
}

// close stops raft, then its connections, then its stores.
func (n *raftNode) close() error {
	err := n.r.Shutdown().Error()
	close(n.notify) // raft has ended: nobody sends any more
	<-n.done
	err = errors.Join(err, n.trans.Close(), n.stream.Close())
	return errors.Join(err, n.stores.close())
}
