package broker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/brokerd/brokerd/internal/conf"
	"github.com/brokerd/brokerd/internal/controller"
	"github.com/brokerd/brokerd/internal/wire"
)

// First creation (decisions 4.3). A node without raft state asks the configured
// controllers who they are, until one of these is true:
//
//	any of them has raft state    it joins them, without a vote, whoever it was before
//	it is not one of them         it joins them as soon as it knows their cluster id
//	all of them have answered, agree on who the controllers are, and none has
//	raft state:                   the lowest node.id names the cluster, the others take
//	                              the name over and open raft; then the lowest one
//	                              bootstraps, alone, with all of their ServerIDs
//
// Nothing less than all will do: one wiped disk and one late starter are an empty
// majority beside live data.

const (
	meetEvery   = 50 * time.Millisecond
	meetTimeout = time.Second     // for one answer
	tellFirst   = 2 * time.Second // until somebody is told who is missing
	tellEvery   = 5 * time.Second
)

// seed is a controller as the configuration names it.
type seed struct {
	id   int32 // -1: not told
	addr string
}

func (s seed) String() string {
	if s.id < 0 {
		return s.addr
	}
	return fmt.Sprintf("%d@%s", s.id, s.addr)
}

// seedsOf is every configured controller, this node too.
func seedsOf(c *conf.Broker) (list []seed) {
	for _, v := range c.Voters {
		list = append(list, seed{v.ID, v.Addr()})
	}
	if len(list) > 0 {
		return list
	}
	for _, addr := range c.BootstrapServers {
		list = append(list, seed{-1, addr})
	}
	return list
}

// alone says whether this node needs nobody to found a cluster.
func alone(c *conf.Broker) bool {
	seeds := seedsOf(c)
	return c.HasRole("controller") && (len(seeds) == 0 || len(seeds) == 1 && seeds[0].id == c.NodeID)
}

// heard is what a seed answered.
type heard struct {
	seed
	is  *wire.DescribeNodeResponse // nil: nothing
	err error
}

// circle asks the configured controllers who they are.
type circle struct {
	self  int32
	seeds []seed
	peers []*wire.Peer // by seed
}

func newCircle(self int32, seeds []seed, o wire.PeerOptions) *circle {
	c := &circle{self: self, seeds: seeds}
	for _, s := range seeds {
		o.Addr = s.addr
		c.peers = append(c.peers, wire.NewPeer(o))
	}
	return c
}

func (c *circle) close() {
	for _, p := range c.peers {
		p.Close()
	}
}

// ask asks all of them at once and waits for all, each for meetTimeout at most.
// This node itself, where it is named, is not asked.
func (c *circle) ask(ctx context.Context) []heard {
	ctx, cancel := context.WithTimeout(ctx, meetTimeout)
	defer cancel()
	list := make([]heard, len(c.seeds))
	var all sync.WaitGroup
	for i, s := range c.seeds {
		if list[i].seed = s; s.id == c.self {
			continue
		}
		all.Go(func() {
			resp, err := c.peers[i].Send(&wire.DescribeNodeRequest{}).Wait(ctx)
			is, _ := resp.(*wire.DescribeNodeResponse)
			list[i] = heard{s, is, err}
		})
	}
	all.Wait()
	return list
}

// meeting is what one node makes of the answers. It is without side effects.
type meeting struct {
	self       wire.DescribeNodeResponse
	controller bool // this node has the role
}

// verdict is what to do next.
type verdict struct {
	format  string              // format storage for this cluster; "" and name: for a new one
	name    bool                // this node may name the cluster
	open    bool                // open raft
	voters  []controller.Server // and bootstrap with these
	missing []string            // else why not yet
	refuse  error               // for good
}

func (m meeting) decide(answers []heard) (v verdict) {
	others, listed := m.others(answers)
	v.missing = m.objections(others, listed)
	clusters := clustersOf(others)
	switch joins := slices.ContainsFunc(others, func(h heard) bool { return h.is != nil && h.is.HasState }); {
	case m.self.ClusterID == "" && len(clusters) == 1:
		v.format = clusters[0]
		return v
	case joins && m.self.ClusterID != "":
		v.refuse = m.foreign(others)
		v.open = v.refuse == nil
		return v
	case m.self.ClusterID != "" && (!listed || !m.controller):
		v.open = true
		return v
	case len(v.missing) > 0:
		return v
	case !listed || !m.controller:
		v.missing = []string{"a controller that has formed a cluster"}
		return v
	}
	lowest := !slices.ContainsFunc(others, func(h heard) bool { return h.is.Node < m.self.Node })
	unnamed := slices.ContainsFunc(others, func(h heard) bool { return h.is.ClusterID == "" })
	closed := slices.ContainsFunc(others, func(h heard) bool { return !h.is.Open })
	switch {
	case m.self.ClusterID == "":
		v.name = lowest
	case unnamed:
	case !lowest:
		v.open = true
	case !closed:
		v.open = true
		v.voters = m.voters(answers)
	}
	return v
}

// others is the answers but our own; listed says whether we are among the
// configured controllers.
func (m meeting) others(answers []heard) (others []heard, listed bool) {
	for _, h := range answers {
		switch {
		case h.id == m.self.Node, h.id < 0 && h.is != nil && h.is.Incarnation == m.self.Incarnation:
			listed = true
		default:
			others = append(others, h)
		}
	}
	return others, listed
}

// objections says what keeps the configured controllers from founding a cluster.
func (m meeting) objections(others []heard, listed bool) (list []string) {
	by := map[int32]seed{}
	if listed {
		by[m.self.Node] = seed{m.self.Node, "here"}
	}
	for _, h := range others {
		switch {
		case h.is == nil:
			list = append(list, fmt.Sprintf("%s (%s)", h.seed, reasonOf(h.err)))
			continue
		case h.is.Incarnation == m.self.Incarnation:
			list = append(list, fmt.Sprintf("%s leads to this very node, which is %d", h.seed, m.self.Node))
		case h.id >= 0 && h.id != h.is.Node:
			list = append(list, fmt.Sprintf("%s calls itself node %d", h.seed, h.is.Node))
		case listed && h.is.Controllers != m.self.Controllers:
			list = append(list, fmt.Sprintf("%s takes %s for the controllers, not %s", h.seed, h.is.Controllers, m.self.Controllers))
		case m.self.ClusterID != "" && h.is.ClusterID != "" && h.is.ClusterID != m.self.ClusterID:
			list = append(list, fmt.Sprintf("%s belongs to cluster %s, not %s", h.seed, h.is.ClusterID, m.self.ClusterID))
		}
		if other, twice := by[h.is.Node]; twice && h.id < 0 {
			list = append(list, fmt.Sprintf("%s and %s have the same node.id %d", other.addr, h.addr, h.is.Node))
		}
		by[h.is.Node] = h.seed
	}
	if clusters := clustersOf(others); m.self.ClusterID == "" && len(clusters) > 1 {
		list = append(list, "the controllers belong to different clusters: "+strings.Join(clusters, ", "))
	}
	return list
}

// foreign refuses to join a cluster that our storage does not belong to.
func (m meeting) foreign(others []heard) error {
	for _, h := range others {
		if h.is != nil && h.is.HasState && h.is.ClusterID != m.self.ClusterID {
			return fmt.Errorf("this node's storage %w: its cluster.id is %s, but node %d at %s says %s; name another directory, or the controllers of %s",
				ErrIdentity, m.self.ClusterID, h.is.Node, h.addr, h.is.ClusterID, m.self.ClusterID)
		}
	}
	return nil
}

func clustersOf(list []heard) (ids []string) {
	for _, h := range list {
		if h.is != nil && h.is.ClusterID != "" && !slices.Contains(ids, h.is.ClusterID) {
			ids = append(ids, h.is.ClusterID)
		}
	}
	slices.Sort(ids)
	return ids
}

// voters is every configured controller with the disk that it has. Our own
// address is the one at which we are known.
func (m meeting) voters(answers []heard) (list []controller.Server) {
	for _, h := range answers {
		is := h.is
		if h.id == m.self.Node {
			is = &m.self
		}
		list = append(list, controller.Server{Node: is.Node, Directory: is.Directory, Address: h.addr})
	}
	return list
}

// reasonOf is the innermost word of a network error.
func reasonOf(err error) string {
	switch {
	case err == nil:
		return "answers something else"
	case errors.Is(err, context.DeadlineExceeded):
		return "does not answer"
	case errors.Is(err, wire.ErrPeerVersion):
		return "is no controller of this kind"
	}
	for {
		inner := errors.Unwrap(err)
		if several, ok := err.(interface{ Unwrap() []error }); ok && inner == nil {
			list := several.Unwrap()
			inner = list[len(list)-1]
		}
		if inner == nil {
			return err.Error()
		}
		err = inner
	}
}

// meet asks until it is clear what to do, formats storage on the way, and
// returns the voters to bootstrap with, if that is for this node to do.
func (b *Broker) meet(ctx context.Context, empty []string, w Wanted) ([]controller.Server, error) {
	c := newCircle(b.o.Conf.NodeID, seedsOf(b.o.Conf), b.peerOptions())
	defer c.close()
	teller := newTeller(b)
	for {
		m := meeting{self: b.face.describe(), controller: b.o.Conf.HasRole("controller")}
		v := m.decide(c.ask(ctx))
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case v.refuse != nil:
			return nil, v.refuse
		case v.open:
			return v.voters, nil
		case v.format != "" || v.name:
			b.identity.ClusterID = v.format // "": a random one
			if err := b.identity.formatEmpty(b.o.FS, empty, w); err != nil {
				return nil, err
			}
			b.face.identify(b.identity, b.metadataDir())
			continue
		}
		teller.tell(v.missing)
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(meetEvery):
		}
	}
}
