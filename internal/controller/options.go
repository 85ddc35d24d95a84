package controller

import (
	"crypto/rand"
	"log/slog"
	"time"

	"github.com/brokerd/brokerd/internal/catalog"
	"github.com/brokerd/brokerd/internal/step"
	"github.com/brokerd/brokerd/internal/wire"
)

// Options is what a controller is made of.
type Options struct {
	Node      int32
	Directory step.TopicID // directory.id of the metadata directory (meta.properties)
	ClusterID string
	// Address is the host:port at which others reach this node's raft streams:
	// its controller listener, or the inter-broker one on a node without.
	Address string

	Catalog *catalog.Store
	Network wire.Network // nil: no other node can be dialled
	// InterBroker is the listener on which a broker is looked for that may be
	// dead; empty: its last one.
	InterBroker string
	Stores      Stores // owned by the controller from Open on

	// Bootstrap, on the very first start, is every voter of the new cluster. The
	// stores must be without state. See BootstrapSelf and BootstrapGroup.
	Bootstrap []Server

	// Remote reaches the controller on another node; nil while there is no other.
	Remote Remote

	// Full reports whether the metadata directory is nearly full (S8); nil: never.
	Full func() bool

	// FullDirs lists the log directories of this broker that take no records for want
	// of space; nil: none ever. It does not wait.
	FullDirs func() []step.TopicID

	Log *slog.Logger // nil: slog.Default

	// The zero values mean Kafka-like defaults that decisions 4.6 gives.
	HeartbeatInterval time.Duration // of brokers; 500 ms
	SessionTimeout    time.Duration // of brokers; 3 s
	ElectionTimeout   time.Duration // of raft; 500 ms. The lease is half of it
	// BalanceInterval is how often leads go back to preferred replicas; 0: never.
	BalanceInterval time.Duration
	// UncleanElection gives partitions that nobody in sync is left of to whoever is
	// there, where no dynamic setting says anything (E3).
	UncleanElection bool
	// Grow names the internal topics whose replicas follow the number of brokers:
	// those for which nobody set a replication factor.
	Grow []string
	// SnapshotBytes of applied entries make a snapshot worth while; 64 MiB.
	SnapshotBytes int64
}

// BootstrapSelf makes this node the only voter of a new cluster, unless its
// stores remember an older one.
func (o *Options) BootstrapSelf() error {
	if err := o.Stores.undoHalfBootstrap(); err != nil {
		return err
	}
	old, err := o.Stores.HasState()
	if err == nil && !old {
		o.Bootstrap = []Server{o.server()}
	}
	return err
}

// BootstrapGroup makes servers the voters of a new cluster. It is for the one
// node that may (decisions 4.3), and only while its stores are without state.
func (o *Options) BootstrapGroup(servers []Server) error {
	if err := o.Stores.undoHalfBootstrap(); err != nil {
		return err
	}
	o.Bootstrap = servers
	return nil
}

func (o *Options) server() Server { return Server{o.Node, o.Directory, o.Address} }

func (o *Options) setDefaults() {
	setDefault(&o.HeartbeatInterval, 500*time.Millisecond)
	setDefault(&o.SessionTimeout, 3*time.Second)
	setDefault(&o.ElectionTimeout, 500*time.Millisecond)
	setDefault(&o.SnapshotBytes, 64<<20)
	setDefault(&o.Log, slog.Default())
}

func setDefault[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}

// newID makes a random id, never the zero one.
func newID() (id step.TopicID) {
	for id.IsZero() {
		rand.Read(id[:])
	}
	return id
}
