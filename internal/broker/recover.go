package broker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path"
	"time"

	"github.com/brokerd/brokerd/internal/conf"
	"github.com/brokerd/brokerd/internal/controller"
	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/step"
	"github.com/brokerd/brokerd/internal/vfs"
	"github.com/brokerd/brokerd/internal/wire"
)

// ErrQuorumLives says that the quorum is not lost: it must not be made anew.
var ErrQuorumLives = errors.New("the metadata quorum is not lost")

// ErrNoRecovery says that nobody tells of a quorum that was made anew.
var ErrNoRecovery = errors.New("no node tells of a metadata quorum that was recovered")

// Member is one server of the quorum: a node with one disk.
type Member = controller.Server

// QuorumPlan is what a stopped node knows of the quorum, and what came of asking
// the others.
type QuorumPlan struct {
	Identity Identity
	Self     Member
	Remains  controller.Remains
	Answers  []Member       // voters that answer
	Silent   []Member       // voters that do not, this node not among them
	Done     *meta.Recovery // nil: nothing was changed

	votes bool
}

// offline is the metadata of a node that does not run, held for as long as it is
// looked at.
type offline struct {
	conf     *conf.Broker
	dir      string
	identity Identity
	stores   controller.Stores
	locks    []io.Closer
}

func openOffline(c *conf.Broker, l *slog.Logger) (*offline, error) {
	b := &Broker{o: Options{Conf: c}}
	o := &offline{conf: c, dir: b.metadataDir()}
	f := vfs.NewOS()
	var err error
	if o.locks, _, err = lockDirs(f, []string{o.dir}); err != nil {
		return nil, errors.Join(err, o.close())
	}
	m, err := ReadMeta(f, o.dir)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s is not the metadata directory of a node: %w", o.dir, err), o.close())
	}
	if c.NodeID >= 0 && m.NodeID != c.NodeID {
		return nil, errors.Join(fmt.Errorf("%s %w: it is of node %d, the configuration of %d", o.dir, ErrIdentity, m.NodeID, c.NodeID), o.close())
	}
	o.identity = Identity{ClusterID: m.ClusterID, NodeID: m.NodeID, Directories: map[string]step.TopicID{o.dir: m.Directory}}
	if there, err := exists(f, path.Join(o.dir, raftDir, "raft.db")); err != nil || !there {
		return nil, errors.Join(fmt.Errorf("%s holds no metadata: this node was never a member of a quorum", path.Join(o.dir, raftDir)), err, o.close())
	}
	if o.stores, err = controller.OpenBolt(path.Join(o.dir, raftDir), l); err != nil {
		return nil, errors.Join(err, o.close())
	}
	return o, nil
}

func (o *offline) close() error {
	var errs []error
	if o.stores.Closer != nil {
		errs = append(errs, o.stores.Closer.Close())
	}
	for _, l := range o.locks {
		errs = append(errs, l.Close())
	}
	o.stores.Closer, o.locks = nil, nil
	return errors.Join(errs...)
}

// RecoverQuorum makes a node that does not run the only voter of a new metadata
// quorum, when a majority of the voters is lost for good. dry only looks. It
// refuses while a majority could be had, this node among them.
func RecoverQuorum(ctx context.Context, c *conf.Broker, l *slog.Logger, dry bool) (p QuorumPlan, err error) {
	o, err := openOffline(c, l)
	if err != nil {
		return p, err
	}
	defer func() { err = errors.Join(err, o.close()) }()
	p.Identity = o.identity
	if p.Remains, err = o.stores.Remains(); err != nil {
		return p, err
	}
	p.Self = controller.Server{Node: o.identity.NodeID, Directory: o.identity.Directories[o.dir]}
	for _, s := range append(p.Remains.Voters, p.Remains.Observers...) {
		if s.ID() == p.Self.ID() {
			p.Self = s
		}
	}
	if p.Self.Address == "" {
		return p, fmt.Errorf("this node's own log does not name it among %d voters and %d others: it joined too late to know anything, take another one", len(p.Remains.Voters), len(p.Remains.Observers))
	}
	if err := p.survey(ctx, c); err != nil || dry {
		return p, err
	}
	done, err := controller.Recover(o.stores, p.Self, o.identity.ClusterID, time.Now())
	if err != nil {
		return p, err
	}
	p.Done = &done
	return p, nil
}

// survey asks every member, and refuses when the quorum is not lost.
func (p *QuorumPlan) survey(ctx context.Context, c *conf.Broker) error {
	var others []controller.Server
	seeds := []seed{}
	for i, s := range append(p.Remains.Voters, p.Remains.Observers...) {
		if s.ID() == p.Self.ID() {
			p.votes = i < len(p.Remains.Voters)
			continue
		}
		others, seeds = append(others, s), append(seeds, seed{s.Node, s.Address})
	}
	circle := newCircle(p.Self.Node, seeds, peerOptions(c, wire.TCP{}))
	defer circle.close()
	return p.judge(others, circle.ask(ctx))
}

// judge sorts the voters by who answers, and refuses when that is a majority. A
// leader that somebody tells of counts only where it is not: a node that has lost
// its followers names itself for a moment more, and what is answered here must not
// depend on such a moment.
func (p *QuorumPlan) judge(others []controller.Server, answers []heard) error {
	voters := map[string]bool{}
	for _, v := range p.Remains.Voters {
		voters[v.ID()] = true
	}
	var led error
	for i, s := range others {
		is := answers[i].is
		there := is != nil && is.ClusterID == p.Identity.ClusterID && is.Node == s.Node && is.Directory == s.Directory && is.Recovery == p.Remains.Group
		if there && is.Leader >= 0 && is.Leader != p.Self.Node {
			led = fmt.Errorf("%w: node %d says that node %d leads it; start this node, and it follows", ErrQuorumLives, s.Node, is.Leader)
		}
		switch {
		case voters[s.ID()] && there:
			p.Answers = append(p.Answers, s)
		case voters[s.ID()]:
			p.Silent = append(p.Silent, s)
		}
	}
	have := len(p.Answers)
	if p.votes {
		have++
	}
	if need := len(p.Remains.Voters)/2 + 1; have >= need {
		return fmt.Errorf("%w: %d of its %d voters answer or are this node, and %d are enough; start this node", ErrQuorumLives, have, len(p.Remains.Voters), need)
	}
	return led
}

// Rejoined says what RejoinQuorum did.
type Rejoined struct {
	Identity Identity
	Leader   int32
	Aside    string // where the metadata that this node had is now
}

// RejoinQuorum sets aside what a node that does not run remembers of a quorum that
// was recovered without it: it comes back as a new member, with its partitions.
// Only when a node of its cluster tells of such a recovery.
func RejoinQuorum(ctx context.Context, c *conf.Broker, l *slog.Logger) (r Rejoined, err error) {
	o, err := openOffline(c, l)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, o.close()) }()
	r.Identity = o.identity
	remains, err := o.stores.Remains()
	if err != nil {
		return r, err
	}
	seeds := seedsOf(c)
	for _, s := range append(remains.Voters, remains.Observers...) {
		if s.Node != r.Identity.NodeID {
			seeds = append(seeds, seed{s.Node, s.Address})
		}
	}
	circle := newCircle(r.Identity.NodeID, seeds, peerOptions(c, wire.TCP{}))
	defer circle.close()
	r.Leader = -1
	for _, h := range circle.ask(ctx) {
		if h.is != nil && h.is.ClusterID == r.Identity.ClusterID && h.is.Leader >= 0 && h.is.Recovery != [16]byte{} && h.is.Recovery != remains.Group {
			r.Leader = h.is.Leader
		}
	}
	if r.Leader < 0 {
		return r, fmt.Errorf("%w: start the node on which `brokerd quorum recover` was run, and keep it running; nothing was changed", ErrNoRecovery)
	}
	f := vfs.NewOS()
	if err := o.stores.Closer.Close(); err != nil {
		return r, err
	}
	o.stores.Closer = nil
	if err := markFresh(f, o.dir); err != nil {
		return r, err
	}
	r.Aside = path.Join(o.dir, raftDir+time.Now().UTC().Format(".20060102T150405Z"))
	if err := f.Rename(path.Join(o.dir, raftDir), r.Aside); err != nil {
		return r, fmt.Errorf("set the metadata aside: %w", err)
	}
	return r, f.SyncDir(o.dir)
}
