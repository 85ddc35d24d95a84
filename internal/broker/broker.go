package broker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path"
	"sync"
	"sync/atomic"

	"github.com/brokerd/brokerd/internal/api"
	"github.com/brokerd/brokerd/internal/catalog"
	"github.com/brokerd/brokerd/internal/conf"
	"github.com/brokerd/brokerd/internal/controller"
	"github.com/brokerd/brokerd/internal/coord"
	"github.com/brokerd/brokerd/internal/obs"
	"github.com/brokerd/brokerd/internal/replica"
	"github.com/brokerd/brokerd/internal/server"
	"github.com/brokerd/brokerd/internal/step"
	"github.com/brokerd/brokerd/internal/storage"
	"github.com/brokerd/brokerd/internal/vfs"
	"github.com/brokerd/brokerd/internal/wire"
)

// Options is what a broker is made of. The zero values are the product's.
type Options struct {
	Conf    *conf.Broker
	Version string
	FS      vfs.FS                                                      // nil: the operating system's
	Network wire.Network                                                // nil: TCP
	Stores  func(dir string, l *slog.Logger) (controller.Stores, error) // nil: raft-boltdb and snapshot files
	Metrics *obs.Registry                                               // nil: a new one
	Log     *slog.Logger                                                // nil: slog.Default
	OnPanic func(v any, stack []byte)                                   // of a request; nil: logged and counted
	Waiting func(missing string)                                        // told each time it is said who is missing; nil: nobody is
}

// Broker is one running node.
type Broker struct {
	o         Options
	identity  Identity
	boot      string
	face      *face
	door      *door
	peers     *peers
	told      atomic.Pointer[string] // who is missing, while somebody is
	hint      atomic.Pointer[leaderHint]
	locks     []io.Closer
	unusable  map[string]error   // log directories that were left out, and why
	stores    *controller.Stores // of raft, opened and not handed over yet
	catalog   *catalog.Store
	control   *controller.Controller
	replicas  *replica.Manager
	groups    *coord.Runtime
	logs      *storage.Store
	recovered atomic.Pointer[storage.Store] // logs, for the controller, which runs while they are being opened
	writers   *wire.Writers
	server    *server.Server
	http      *httpServer
	bound     []Bound
	timing    *timing
	syncs     *obs.Histogram
	failures  *wire.Failures

	stop  context.CancelFunc // ends the parts' Run
	parts sync.WaitGroup
	fail  chan error // room for one: the first part that ended by itself
	ready chan struct{}
}

// New starts a broker and returns when it serves. On an error everything that
// was started has ended.
func New(ctx context.Context, o Options) (*Broker, error) {
	o.setDefaults()
	b := &Broker{
		o: o, boot: bootID(), fail: make(chan error, 1), ready: make(chan struct{}),
		catalog: catalog.NewStore(), face: newFace(o.Conf), door: &door{},
	}
	if err := b.start(ctx); err != nil {
		b.abandon()
		return nil, err
	}
	return b, nil
}

func (o *Options) setDefaults() {
	if o.FS == nil {
		o.FS = vfs.NewOS()
	}
	if o.Network == nil {
		o.Network = wire.TCP{Congestion: o.Conf.TCPCongestion}
	}
	if o.Stores == nil {
		o.Stores = controller.OpenBolt
	}
	if o.Metrics == nil {
		o.Metrics = obs.NewRegistry()
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
}

// start goes through the house from the cellar up. The listeners for other nodes
// are the first to accept: who this node is may be for the others to say.
func (b *Broker) start(ctx context.Context) (err error) {
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	b.stop = cancel
	if b.locks, b.unusable, err = lockDirs(b.o.FS, b.dirs()); err != nil {
		return err
	}
	empty, err := b.recognize()
	if err != nil {
		return err
	}
	if err := b.listen(ctx); err != nil {
		return err
	}
	b.run(running, "server", b.server.Run)
	voters, err := b.settle(ctx, empty)
	if err != nil {
		return err
	}
	mark, clean, err := takeMarker(b.o.FS, b.metadataDir(), b.o.Log)
	if err != nil {
		return err
	}
	diskError, err := diskErrorLatched(b.o.FS, b.dirs())
	if err != nil {
		return fmt.Errorf("look for the note of a failed disk: %w", err)
	}
	b.writers = wire.NewWriters()
	b.run(running, "writers", b.writers.Run)
	if err := b.openController(ctx, running, voters); err != nil {
		return err
	}
	if err := b.openLogs(ctx, clean); err != nil {
		return err
	}
	b.run(running, "limits", b.keepLimits)
	b.registerMetrics()
	if b.o.Conf.HasRole("broker") {
		b.run(running, "replicas", b.replicas.Run)
		b.run(running, "groups", b.groups.Run)
		b.run(running, "coordinators", b.followGroups)
		r := b.registration(mark, clean)
		r.DiskError = diskError
		b.control.Register(r)
	}
	if err := b.joined(ctx); err != nil {
		return err
	}
	if diskError {
		b.unlatchDiskError()
	}
	if err := b.settled(); err != nil {
		return err
	}
	close(b.ready)
	b.server.Admit()
	return nil
}

// metadataDir holds raft's files and the clean-stop marker: one of the log
// directories, or one of its own.
func (b *Broker) metadataDir() string {
	dir := b.o.Conf.MetadataDir
	if dir == "" {
		return b.o.Conf.LogDirs[0]
	}
	for _, d := range b.o.Conf.LogDirs {
		if path.Clean(d) == path.Clean(dir) {
			return d
		}
	}
	return dir
}

// dirs is every directory of this node that can be used. That of the metadata comes first: it is
// the first to be formatted, so that a crash between two leaves no directory
// that seems to have lost its metadata.
func (b *Broker) dirs() []string {
	dirs := []string{b.metadataDir()}
	for _, dir := range b.o.Conf.LogDirs {
		if dir != dirs[0] && b.unusable[dir] == nil {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// openController opens raft. voters, if any, is the group that this node founds.
func (b *Broker) openController(ctx, running context.Context, voters []controller.Server) error {
	c, dir := b.o.Conf, b.metadataDir()
	stores, err := b.openStores()
	if err != nil {
		return err
	}
	o := controller.Options{
		Node: b.identity.NodeID, Directory: b.identity.Directories[dir], ClusterID: b.identity.ClusterID,
		Address: b.raftAddress(ctx), Catalog: b.catalog, Network: b.o.Network, Stores: stores, Log: b.o.Log,
		Remote: remote{b}, InterBroker: c.InterBroker, HeartbeatInterval: c.HeartbeatInterval, SessionTimeout: c.SessionTimeout,
		ElectionTimeout: c.ElectionTimeout, SnapshotBytes: c.SnapshotBytes, BalanceInterval: c.BalanceInterval, UncleanElection: c.UncleanElection,
		Full: func() bool { logs := b.recovered.Load(); return logs != nil && logs.Full(dir) }, FullDirs: b.fullDirs,
	}
	if c.Groups.ReplicationFactor == 0 {
		o.Grow = append(o.Grow, offsetsTopic)
	}
	switch {
	case alone(c):
		err = o.BootstrapSelf()
	case len(voters) > 0:
		err = o.BootstrapGroup(voters)
	}
	if err != nil {
		return errors.Join(err, stores.Closer.Close())
	}
	if b.control, err = controller.Open(o); err != nil {
		return err
	}
	b.peers = newPeers(b)
	b.replicas = replica.New(replica.Options{
		Self: b.identity.NodeID, Catalog: b.catalog, Conf: c, Logger: b.o.Log,
		Ready:      b.control.KnowsUs,
		NewHandoff: b.writers.NewHandoff,
		Fault:      b.reportFault,
		Dirs:       b.identity.Directories,
		Assign:     b.assignDir,
		Peer:       b.peers.optionsOf,
		Alter:      b.peers.alterPartition,
	})
	if b.o.Conf.HasRole("broker") {
		b.groups = b.newGroups()
	}
	b.door.now.Store(api.New(b.deps()))
	b.face.opened(b.control)
	b.run(running, "controller", b.control.Run)
	if !alone(c) {
		b.run(running, "membership", b.keepMember)
	}
	return nil
}

// deps is what the API reaches for once everything is there.
func (b *Broker) deps() api.Deps {
	return api.Deps{
		Catalog: b.catalog, Controller: b.control, Conf: b.o.Conf, Replicas: b.replicas, Groups: b.groups, Log: b.o.Log,
		Node: b.face.describe, Ready: b.isReady, Remote: remote{b}, Failures: b.failures,
	}
}

func (b *Broker) isReady() bool {
	select {
	case <-b.ready:
		return true
	default:
		return false
	}
}

func (b *Broker) openLogs(ctx context.Context, clean bool) (err error) {
	c := b.o.Conf
	b.logs, err = storage.Open(ctx, storage.Options{
		FS: b.o.FS, Dirs: c.LogDirs, Unusable: b.unusable, Flushed: b.replicas.Flushed, Began: b.replicas.Began, DirFailed: b.dirFailed, Filled: b.control.Beat, Clean: clean,
		MaxOpenFiles: openFileLimit(), RetentionInterval: c.RetentionCheckInterval, CheckpointInterval: c.CheckpointInterval,
		ProducerExpiry: c.Limits(conf.Dynamic{}).ProducerExpiry, RecoveryParallelism: c.RecoveryThreads * len(c.LogDirs), Logger: b.o.Log,
		ConfigOf: b.replicas.ConfigOf, NoCleaner: !c.CleanerEnable, Cleaner: b.replicas.Cleaner,
		ScrubInterval: c.ScrubInterval, Damaged: b.replicas.Damaged, Synced: b.syncs.Observe,
		Arriving: b.replicas.Arriving, Moved: b.replicas.Moved, MoveRate: b.replicas.MoveRate,
	})
	if err != nil {
		return err
	}
	b.recovered.Store(b.logs)
	b.replicas.Attach(b.logs)
	return nil
}

// dirFailed is the store's callback: a log directory is gone for good (S3).
func (b *Broker) dirFailed(dir string, err error) {
	b.latchDiskError(dir, err)
	b.replicas.DirFailed(dir, err)
}

// fullDirs is the ids of the log directories that take no records for want of space.
// It is asked from this broker's registration on, when its logs are open.
func (b *Broker) fullDirs() (ids []step.TopicID) {
	for _, dir := range b.logs.FullDirs() {
		ids = append(ids, b.identity.Directories[dir])
	}
	return ids
}

// joined waits until the cluster knows this broker and its partitions are led
// (I4); a node that is no broker, until there is a controller.
func (b *Broker) joined(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	joined := make(chan error, 1)
	go func() { // ends with this call, at the latest
		if !b.o.Conf.HasRole("broker") {
			joined <- b.control.WaitLeader(ctx)
			return
		}
		_, err := b.control.WaitActive(ctx)
		if err == nil {
			select {
			case <-b.replicas.Started():
			case <-ctx.Done():
				err = ctx.Err()
			}
		}
		joined <- err
	}()
	select {
	case err := <-joined:
		return err
	case err := <-b.fail: // a part has ended: nobody will let us in
		return err
	case err := <-b.control.Rejected():
		return err
	}
}

// run starts a part. That it ends before it is told to is the broker's end.
func (b *Broker) run(ctx context.Context, name string, part func(context.Context) error) {
	b.parts.Go(func() {
		err := part(ctx)
		if ctx.Err() == nil && !b.closing() {
			select {
			case b.fail <- fmt.Errorf("%s ended: %w", name, errors.Join(err, errors.New("it should not have"))):
			default: // somebody else's end is reported already
			}
		}
	})
}

func (b *Broker) closing() bool {
	select {
	case <-b.ready:
		return b.http.draining.Load()
	default:
		return false
	}
}

// Unusable says why a log directory could not be used at the start, nil: it could.
func (b *Broker) Unusable(dir string) error { return b.unusable[dir] }

// Failed gives the error of a part that has ended by itself.
func (b *Broker) Failed() <-chan error { return b.fail }

// Identity is who this node is.
func (b *Broker) Identity() Identity { return b.identity }

// Listeners is what was bound, in the order of the configuration.
func (b *Broker) Listeners() []Bound { return b.bound }

// HTTPAddr is where metrics and health are served, "" if nowhere.
func (b *Broker) HTTPAddr() string { return b.http.addr() }

// Addr is where clients reach the first listener that serves them.
func (b *Broker) Addr() string {
	for _, l := range b.bound {
		if l.Advertised != "" {
			return l.Addr.String()
		}
	}
	return ""
}
