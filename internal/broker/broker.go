package broker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/brokerd/brokerd/internal/api"
	"github.com/brokerd/brokerd/internal/catalog"
	"github.com/brokerd/brokerd/internal/conf"
	"github.com/brokerd/brokerd/internal/controller"
	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/obs"
	"github.com/brokerd/brokerd/internal/replica"
	"github.com/brokerd/brokerd/internal/server"
	"github.com/brokerd/brokerd/internal/storage"
	"github.com/brokerd/brokerd/internal/vfs"
	"github.com/brokerd/brokerd/internal/wire"
)

// ErrSeveralNodes refuses a configuration that only a group of nodes can serve.
var ErrSeveralNodes = errors.New("this release runs single nodes only")

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
}

// Broker is one running node.
type Broker struct {
	o        Options
	identity Identity
	boot     string
	locks    []io.Closer
	catalog  *catalog.Store
	control  *controller.Controller
	replicas *replica.Manager
	logs     *storage.Store
	writers  *wire.Writers
	server   *server.Server
	http     *httpServer
	bound    []Bound
	timing   *timing

	stop  context.CancelFunc // ends the parts' Run
	parts sync.WaitGroup
	fail  chan error // room for one: the first part that ended by itself
	ready chan struct{}
}

// Bound is a listener as it was bound.
type Bound struct {
	conf.Listener          // as configured
	Addr          net.Addr // as bound: the port is known
	Advertised    string   // host:port that clients are told; "" for a controller listener
}

// New starts a broker and returns when it serves. On an error everything that
// was started has ended.
func New(ctx context.Context, o Options) (*Broker, error) {
	o.setDefaults()
	if err := refuseSeveral(o.Conf); err != nil {
		return nil, err
	}
	b := &Broker{o: o, boot: bootID(), fail: make(chan error, 1), ready: make(chan struct{})}
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

// refuseSeveral: a file that names several voters is understood, and one node
// must not act as if it were the group.
func refuseSeveral(c *conf.Broker) error {
	others := len(c.Voters)
	what := "controller.quorum.voters"
	if n := len(c.BootstrapServers); n > others {
		others, what = n, "controller.quorum.bootstrap.servers"
	}
	if others > 1 {
		return fmt.Errorf("%s names %d nodes, but %w; name only this one, or none", what, others, ErrSeveralNodes)
	}
	return nil
}

func (b *Broker) start(ctx context.Context) (err error) {
	c := b.o.Conf
	dirs := b.dirs()
	if b.locks, err = lockDirs(b.o.FS, dirs); err != nil {
		return err
	}
	if b.identity, err = Identify(b.o.FS, Wanted{Dirs: dirs, ClusterID: c.ClusterID, NodeID: c.NodeID, Format: c.AutoFormat}); err != nil {
		return err
	}
	mark, clean, err := takeMarker(b.o.FS, b.metadataDir())
	if err != nil {
		return err
	}
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	b.stop = cancel
	if err := b.openController(running); err != nil {
		return err
	}
	b.writers = wire.NewWriters()
	b.run(running, "writers", b.writers.Run)
	if err := b.openLogs(ctx, clean); err != nil {
		return err
	}
	if err := b.listen(ctx); err != nil {
		return err
	}
	b.run(running, "replicas", b.replicas.Run)
	b.control.Register(b.registration(mark, clean))
	if err := b.joined(ctx); err != nil {
		return err
	}
	b.run(running, "server", b.server.Run)
	close(b.ready)
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

// dirs is every directory of this node.
func (b *Broker) dirs() []string {
	dirs, metadata := b.o.Conf.LogDirs, b.metadataDir()
	if slices.Contains(dirs, metadata) {
		return dirs
	}
	return append(slices.Clone(dirs), metadata)
}

func (b *Broker) openController(running context.Context) error {
	c, dir := b.o.Conf, b.metadataDir()
	stores, err := b.o.Stores(path.Join(dir, "raft"), b.o.Log)
	if err != nil {
		return err
	}
	b.catalog = catalog.NewStore()
	o := controller.Options{
		Node: b.identity.NodeID, Directory: b.identity.Directories[dir], ClusterID: b.identity.ClusterID,
		Address: b.raftAddress(), Catalog: b.catalog, Network: b.o.Network, Stores: stores, Log: b.o.Log,
		HeartbeatInterval: c.HeartbeatInterval, SessionTimeout: c.SessionTimeout,
		ElectionTimeout: c.ElectionTimeout, SnapshotBytes: c.SnapshotBytes,
		Full: func() bool { return b.logs != nil && b.logs.Full(dir) },
	}
	if err := o.BootstrapSelf(); err != nil {
		return errors.Join(err, stores.Closer.Close())
	}
	if b.control, err = controller.Open(o); err != nil {
		return err
	}
	b.run(running, "controller", b.control.Run)
	return nil
}

// raftAddress is where others reach this node's raft streams.
func (b *Broker) raftAddress() string {
	for _, l := range b.o.Conf.Listeners {
		if b.o.Conf.IsController(l.Name) {
			return hostPort(l.Host, l.Port)
		}
	}
	l := b.o.Conf.Listeners[0]
	return hostPort(l.Host, l.Port)
}

func (b *Broker) openLogs(ctx context.Context, clean bool) (err error) {
	c := b.o.Conf
	b.replicas = replica.New(replica.Options{
		Self: b.identity.NodeID, Catalog: b.catalog, Conf: c, Logger: b.o.Log,
		Ready:      b.control.KnowsUs,
		NewHandoff: b.writers.NewHandoff,
		Fault:      b.reportFault,
	})
	b.logs, err = storage.Open(ctx, storage.Options{
		FS: b.o.FS, Dirs: c.LogDirs, Flushed: b.replicas.Flushed, DirFailed: b.replicas.DirFailed, Clean: clean,
		MaxOpenFiles: openFileLimit(), RetentionInterval: c.RetentionCheckInterval, CheckpointInterval: c.CheckpointInterval,
		ProducerExpiry: c.ProducerExpiry, RecoveryParallelism: c.RecoveryThreads * len(c.LogDirs), Logger: b.o.Log,
		ConfigOf: b.replicas.ConfigOf,
	})
	if err != nil {
		return err
	}
	b.replicas.Attach(b.logs)
	return nil
}

// listen binds every listener. Nothing is accepted yet.
func (b *Broker) listen(ctx context.Context) error {
	c := b.o.Conf
	dispatcher := api.New(api.Deps{
		Catalog: b.catalog, Controller: b.control, Conf: c, Replicas: b.replicas, Log: b.o.Log,
	})
	b.timing = newTiming(b.o.Metrics, dispatcher.Keys())
	b.server = server.New(server.Options{
		Network: b.o.Network, Dispatcher: dispatcher, Logger: b.o.Log, OnPanic: b.o.OnPanic, Observe: b.timing.observe,
		RequestMaxBytes: c.RequestMaxBytes, QueuedMaxRequestBytes: queuedBytes(c.QueuedMaxRequestBytes),
		MaxIdle: c.ConnectionsMaxIdle, MaxConnections: c.MaxConnections, MaxConnectionsPerIP: c.MaxConnectionsPerIP,
	})
	ports := map[string]int{} // of port 0: the twin of an address gets the same one
	for _, l := range c.Listeners {
		want := l
		if want.Port == 0 {
			want.Port = ports[l.Name]
		}
		addr, err := b.server.Listen(ctx, server.Listener{Name: l.Name, Addr: hostPort(want.Host, want.Port), Reserved: c.IsController(l.Name)})
		if err != nil && l.Optional {
			b.o.Log.Debug("optional listener is not there", "listener", l.Name, "error", err)
			continue
		}
		if err != nil {
			return &BindError{Listener: l.Name, Addr: hostPort(l.Host, l.Port), Err: err}
		}
		if tcp, ok := addr.(*net.TCPAddr); ok {
			ports[l.Name] = tcp.Port
		}
		b.bound = append(b.bound, Bound{Listener: l, Addr: addr, Advertised: b.advertised(l.Name, ports[l.Name])})
	}
	b.http = newHTTP(b)
	if err := b.http.listen(ctx, b.o.Network, c); err != nil {
		return err
	}
	b.registerMetrics()
	return nil
}

// BindError says that an address could not be bound.
type BindError struct {
	Listener, Addr string
	Err            error
}

func (e *BindError) Error() string { return e.Err.Error() }
func (e *BindError) Unwrap() error { return e.Err }

// advertised is what clients of a listener are told, "" where there are none.
func (b *Broker) advertised(listener string, port int) string {
	for _, a := range b.o.Conf.Advertised {
		if a.Name == listener && !b.o.Conf.IsController(listener) {
			if a.Port != 0 {
				port = a.Port
			}
			return hostPort(a.Host, port)
		}
	}
	return ""
}

// registration is what the controller is told of this broker.
func (b *Broker) registration(mark marker, clean bool) meta.RegisterBroker {
	r := meta.RegisterBroker{
		Rack: b.o.Conf.Rack, BootID: b.boot, Voter: true, Intact: b.logs.Intact(),
		DefaultISR: b.o.Conf.Durability == "isr",
	}
	if clean {
		r.CleanEpoch = mark.epoch
	}
	for _, dir := range b.o.Conf.LogDirs {
		r.Dirs = append(r.Dirs, b.identity.Directories[dir])
	}
	seen := map[string]bool{}
	for _, l := range b.bound {
		if l.Advertised == "" || seen[l.Name] {
			continue
		}
		seen[l.Name] = true
		host, port, err := net.SplitHostPort(l.Advertised)
		if err != nil {
			continue // made by hostPort: cannot be
		}
		n, _ := strconv.Atoi(port) // made by hostPort from an int
		r.Endpoints = append(r.Endpoints, meta.Endpoint{Listener: l.Name, Host: host, Port: int32(n), Protocol: protocolNumber(l.Protocol)})
	}
	return r
}

// joined waits until the cluster knows this broker and its partitions are led (I4).
func (b *Broker) joined(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	joined := make(chan error, 1)
	go func() { // ends with this call, at the latest
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

// Close ends the broker in order: what is written is acknowledged, leaderships
// go, what was taken up is answered,
// logs are synced and closed, and a marker says that the stop was clean. When
// ctx ends, connections that still wait are cut; data is safe either way.
func (b *Broker) Close(ctx context.Context) error {
	b.http.draining.Store(true)
	b.finishWrites(ctx)
	if err := b.control.Leave(ctx); err != nil {
		b.o.Log.Warn("leaving without the controller's consent", "error", err)
	}
	epoch, _ := b.control.Registered()
	drained := make(chan error, 1)
	go func() { drained <- b.server.Shutdown(ctx) }() // joined below
	b.replicas.Shutdown()                             // who waits hears of it, so that the server can drain
	if err := <-drained; err != nil {
		b.o.Log.Warn("connections were cut", "error", err)
	}
	err := b.end()
	if err == nil {
		err = b.leave(epoch)
	}
	return errors.Join(err, b.unlock())
}

// ackPatience is how long a stop waits for what has been written to become
// durable and acknowledged; a high watermark may be frozen for much longer.
const ackPatience = 5 * time.Second

// finishWrites takes no more up and acknowledges what is written, while this
// broker still leads.
func (b *Broker) finishWrites(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, ackPatience)
	defer cancel()
	b.replicas.Quiesce(ctx)
}

// leave writes the marker. Only when everything is on disk: the controller
// believes it (S1).
func (b *Broker) leave(epoch int64) error {
	return leaveMarker(b.o.FS, b.metadataDir(), marker{epoch: epoch, boot: b.boot})
}

// end stops the parts and closes what is on disk.
func (b *Broker) end() error {
	b.stop()
	b.http.close()
	b.parts.Wait()
	return errors.Join(b.logs.Close(), b.control.Close())
}

func (b *Broker) unlock() error {
	var errs []error
	for _, l := range b.locks {
		errs = append(errs, l.Close())
	}
	return errors.Join(errs...)
}

// abandon undoes a start that has failed. It leaves no marker: nothing was
// served, and the next start may as well look twice.
func (b *Broker) abandon() {
	if b.stop != nil {
		b.stop()
	}
	if b.http != nil {
		b.http.close()
	}
	if b.server != nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		_ = b.server.Shutdown(ctx) // nothing has been accepted
		cancel()
	}
	b.parts.Wait()
	if b.logs != nil {
		_ = b.logs.Close() // the first error is what counts
	}
	if b.control != nil {
		_ = b.control.Close()
	}
	_ = b.unlock()
}

func hostPort(host string, port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }

// protocolNumber is Kafka's number of a security protocol.
func protocolNumber(name string) int16 {
	return map[string]int16{"PLAINTEXT": 0, "SSL": 1, "SASL_PLAINTEXT": 2, "SASL_SSL": 3}[name]
}
