package api

import (
	"log/slog"

	"github.com/brokerd/brokerd/internal/auth"
	"github.com/brokerd/brokerd/internal/catalog"
	"github.com/brokerd/brokerd/internal/conf"
	"github.com/brokerd/brokerd/internal/controller"
	"github.com/brokerd/brokerd/internal/coord"
	"github.com/brokerd/brokerd/internal/replica"
	"github.com/brokerd/brokerd/internal/wire"
)

// Deps is everything that handlers reach for.
type Deps struct {
	Catalog    *catalog.Store
	Controller *controller.Controller
	Conf       *conf.Broker
	Replicas   *replica.Manager
	Groups     *coord.Runtime  // nil: groups are coordinated elsewhere
	Auth       auth.Authorizer // nil: AllowAll
	Log        *slog.Logger    // nil: slog.Default
	// Remote takes requests for the controller to it, when it is another node.
	// nil: there is no other.
	Remote Remote
	// Node tells who this node is (DescribeNode).
	Node func() wire.DescribeNodeResponse
	// Failures counts the error codes that leave; nil: nobody does.
	Failures *wire.Failures
	// Ready says whether the cluster has let this broker in; nil: it has. Before
	// that only what brings it in is served.
	Ready func() bool
}

// Place is where a request must be served.
type Place uint8

const (
	Anywhere   Place = iota
	Controller       // on the active controller: forwarded if we are not it
	Peer             // anywhere, but asked by brokers only (ClusterAction)
)

// Endpoint is one API of the broker.
type Endpoint struct {
	Key, Min, Max int16
	Where         Place
	// ReadsOn lets the connection go on reading while this one waits.
	ReadsOn bool
	// Light says that a request that waits keeps nothing of its body.
	Light bool
	// Gathers: see wire.Trait.
	Gathers bool
	// Hidden keeps it out of ApiVersions, unless the client is one of ours.
	Hidden bool
	// Serve runs on the connection's goroutine and must not wait.
	Serve func(*wire.Call) wire.Outcome
	// Closed, if set, hears of every connection that has gone.
	Closed func(*wire.Client)
}

// Table lists every API of the broker.
func Table(d Deps) []Endpoint {
	topics, configs, cluster, own := &topicsAPI{d}, &configsAPI{d}, &clusterAPI{d}, &ownAPI{d}
	life, voters := newLife(d), votersAPI{d}
	create := onController(d, firstFlexible(createTopicsKey, 7), topics.create)
	meta, fetch := newMetadata(d, create), newFetch(d)
	groups := &groupsAPI{d: d, create: newAutocreate(create)}

	table := []Endpoint{
		{Key: 0, Min: 0, Max: 13, ReadsOn: true, Light: true, Gathers: true, Serve: produceAPI{d}.serve},
		{Key: 1, Min: 0, Max: 18, ReadsOn: true, Serve: fetch.serve, Closed: fetch.follows.end},
		{Key: 2, Min: 0, Max: 11, Serve: offsetsAPI{d}.list},
		{Key: 3, Min: 0, Max: 13, Serve: meta.serve, Closed: meta.closed},
		{Key: 8, Min: 0, Max: 10, ReadsOn: true, Serve: groups.commit},
		{Key: 9, Min: 0, Max: 10, ReadsOn: true, Serve: groups.fetch},
		{Key: 10, Min: 0, Max: 6, Serve: groups.find, Closed: groups.create.forget},
		{Key: 11, Min: 0, Max: 9, ReadsOn: true, Serve: groups.join},
		{Key: 12, Min: 0, Max: 4, ReadsOn: true, Serve: groups.heartbeat},
		{Key: 13, Min: 0, Max: 5, ReadsOn: true, Serve: groups.leave},
		{Key: 14, Min: 0, Max: 5, ReadsOn: true, Serve: groups.sync},
		{Key: 15, Min: 0, Max: 6, Serve: groups.describe},
		{Key: 16, Min: 0, Max: 5, Serve: groups.list},
		{Key: apiVersionsKey, Min: 0, Max: 5}, // made of this table, below
		{Key: createTopicsKey, Min: 0, Max: 7, Where: Controller, Serve: topics.create},
		{Key: 20, Min: 0, Max: 6, Where: Controller, Serve: topics.delete},
		{Key: 21, Min: 0, Max: 2, Serve: recordsAPI{d}.serve},
		{Key: 22, Min: 0, Max: 5, Serve: newInitProducer(d).serve},
		{Key: 23, Min: 0, Max: 4, Serve: offsetsAPI{d}.epochs},
		{Key: 32, Min: 0, Max: 4, Serve: configs.describe},
		{Key: 33, Min: 0, Max: 2, Where: Controller, Serve: configs.alter},
		{Key: 34, Min: 0, Max: 2, Serve: cluster.moveReplicas},
		{Key: 35, Min: 0, Max: 5, Serve: cluster.logDirs},
		{Key: 37, Min: 0, Max: 3, Where: Controller, Serve: topics.grow},
		{Key: 42, Min: 0, Max: 3, Serve: groups.delete},
		{Key: 43, Min: 0, Max: 2, Where: Controller, Serve: cluster.elect},
		{Key: 44, Min: 0, Max: 1, Where: Controller, Serve: configs.incremental},
		{Key: 45, Min: 0, Max: 1, Where: Controller, Serve: cluster.reassign},
		{Key: 46, Min: 0, Max: 0, Serve: cluster.reassignments},
		{Key: 47, Min: 0, Max: 0, Serve: groups.deleteOffsets},
		{Key: 55, Min: 0, Max: 2, Where: Controller, Serve: cluster.quorum},
		{Key: 56, Min: 3, Max: 3, Hidden: true, Where: Peer, Serve: alterAPI{d}.serve},
		{Key: envelopeKey, Min: 0, Max: 0, Hidden: true, ReadsOn: true, Where: Peer}, // opened by the dispatcher
		{Key: 57, Min: 0, Max: 2, Where: Controller, Serve: featuresAPI{d}.update},
		{Key: 60, Min: 0, Max: 2, Serve: cluster.describe},
		{Key: 61, Min: 0, Max: 0, Serve: producersAPI{d}.serve},
		{Key: 62, Min: 0, Max: 4, Hidden: true, Where: Peer, Serve: life.register},
		{Key: 63, Min: 0, Max: 2, Hidden: true, Where: Peer, Serve: life.heartbeat, Closed: life.closed},
		{Key: 64, Min: 0, Max: 0, Where: Controller, Serve: voters.unregister},
		{Key: 67, Min: 0, Max: 0, Hidden: true, Where: Peer, Serve: life.producerIDs},
		{Key: 68, Min: 0, Max: 1, ReadsOn: true, Serve: groups.beat},
		{Key: 69, Min: 0, Max: 1, Serve: groups.describeConsumers},
		{Key: 73, Min: 0, Max: 0, Hidden: true, Where: Peer, Serve: life.dirs},
		{Key: 74, Min: 0, Max: 1, Serve: configs.list},
		{Key: 75, Min: 0, Max: 0, Serve: meta.describePartitions},
		{Key: 80, Min: 0, Max: 1, Where: Controller, Serve: voters.add},
		{Key: 81, Min: 0, Max: 0, Where: Controller, Serve: voters.remove},
		{Key: 82, Min: 0, Max: 0, Hidden: true, Where: Peer, Serve: life.member},
		{Key: wire.KeyDescribeReplicas, Min: 0, Max: 0, Hidden: true, Serve: own.replicas},
		{Key: wire.KeyOpenRaftStream, Min: 0, Max: 0, Hidden: true, Where: Peer, Serve: own.raftStream},
		{Key: wire.KeyDescribeNode, Min: 0, Max: 0, Hidden: true, Where: Peer, Serve: own.node},
		{Key: wire.KeyReportFault, Min: 0, Max: 0, Hidden: true, Where: Peer, Serve: life.fault},
	}
	for i := range table {
		if table[i].Key == apiVersionsKey {
			table[i].Serve = newVersions(d, table).serve
		}
	}
	return table
}
