package broker

import (
	"crypto/rand"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/brokerd/brokerd/internal/api"
	"github.com/brokerd/brokerd/internal/conf"
	"github.com/brokerd/brokerd/internal/controller"
	"github.com/brokerd/brokerd/internal/wire"
)

// face is what this node tells of itself to who asks (DescribeNode), while it
// still finds out who it is.
type face struct {
	mu      sync.Mutex
	told    wire.DescribeNodeResponse
	control *controller.Controller // nil: raft does not run yet
}

func newFace(c *conf.Broker) *face {
	f := &face{told: wire.DescribeNodeResponse{Node: c.NodeID, Leader: -1, Controllers: controllersText(c)}}
	rand.Read(f.told.Incarnation[:])
	return f
}

// controllersText is who this node takes for the controllers: all of them must
// be of one mind before they found a cluster.
func controllersText(c *conf.Broker) string {
	var list []string
	for _, v := range c.Voters {
		list = append(list, v.String())
	}
	if len(list) == 0 {
		list = slices.Clone(c.BootstrapServers)
	}
	slices.Sort(list)
	return strings.Join(list, ",")
}

// identify notes who this node turned out to be.
func (f *face) identify(id Identity, metadataDir string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.told.ClusterID, f.told.Directory = id.ClusterID, id.Directories[metadataDir]
}

// remember notes that the node has been a member of a raft group before.
func (f *face) remember() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.told.HasState = true
}

// opened notes that raft streams are taken from now on.
func (f *face) opened(c *controller.Controller) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.told.Open, f.control = true, c
}

// describe is the answer to DescribeNode.
func (f *face) describe() wire.DescribeNodeResponse {
	f.mu.Lock()
	told, control := f.told, f.control
	f.mu.Unlock()
	if control == nil {
		return told
	}
	told.HasState = told.HasState || control.HasState()
	told.Recovery = control.Group()
	if node, addr, ok := control.LeaderAddress(); ok {
		told.Leader, told.LeaderAddress = node, addr
	}
	return told
}

// door is the dispatcher of the moment: first one that only tells who this node
// is, then the whole.
type door struct {
	now atomic.Pointer[api.Dispatcher]
}

var _ wire.Dispatcher = (*door)(nil)

func (d *door) Trait(key, version int16) wire.Trait { return d.now.Load().Trait(key, version) }
func (d *door) Serve(c *wire.Call) wire.Outcome     { return d.now.Load().Serve(c) }
func (d *door) Gather(run []wire.Outcome)           { d.now.Load().Gather(run) }
func (d *door) Closed(c *wire.Client)               { d.now.Load().Closed(c) }
