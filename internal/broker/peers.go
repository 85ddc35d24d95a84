package broker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/brokerd/brokerd/internal/catalog"
	"github.com/brokerd/brokerd/internal/conf"
	"github.com/brokerd/brokerd/internal/wire"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// purpose keeps requests apart that must not wait for one another.
type purpose uint8

const (
	forLife    purpose = iota // registration, heartbeats: short
	forControl                // what waits for the controller to commit
	forClients                // what clients asked of the controller
	forScrapes                // what metrics ask of other brokers
)

// leaderPoll is how often a wait for the controller looks whether it still leads.
const leaderPoll = 100 * time.Millisecond

var errNoController = errors.New("no controller is known")

// peers is this node's connections to the others: one per node and purpose.
//
//	toController ─► the node that leads the raft group, at the address of its raft streams
//	at           ─► a broker, for what metrics ask
//	optionsOf    ─► a broker, at its endpoint of the inter-broker listener: for a connection of the asker's own
type peers struct {
	options     wire.PeerOptions // without address
	catalog     *catalog.Store
	interBroker string
	leader      func() (node int32, addr string, ok bool)

	mu     sync.Mutex
	open   map[peerKey]*peerAt
	closed bool
}

type peerKey struct {
	node int32
	use  purpose
}

type peerAt struct {
	*wire.Peer
	addr string
}

func newPeers(b *Broker) *peers {
	return &peers{
		options: b.peerOptions(), catalog: b.catalog, interBroker: b.o.Conf.InterBroker,
		leader: b.leaderAddress, open: map[peerKey]*peerAt{},
	}
}

// peerOptions is how this node speaks to others.
func (b *Broker) peerOptions() wire.PeerOptions { return peerOptions(b.o.Conf, b.o.Network) }

func peerOptions(c *conf.Broker, n wire.Network) wire.PeerOptions {
	return wire.PeerOptions{
		Network: n, ClientID: fmt.Sprintf("brokerd-%d", c.NodeID),
		Software: "brokerd", SoftwareVersion: "1", Timeout: c.RequestTimeout,
	}
}

// optionsOf is how a connection of its own to a broker is made.
func (p *peers) optionsOf(node int32) (wire.PeerOptions, error) {
	o := p.options
	var err error
	o.Addr, err = p.addressOf(node)
	return o, err
}

// alterPartition takes a leader's in-sync sets to the controller.
func (p *peers) alterPartition(ctx context.Context, req *kmsg.AlterPartitionRequest) (*kmsg.AlterPartitionResponse, error) {
	resp, err := p.toController(ctx, req)
	answer, _ := resp.(*kmsg.AlterPartitionResponse)
	return answer, err
}

// addressOf is where other brokers reach a broker.
func (p *peers) addressOf(node int32) (string, error) {
	b, ok := p.catalog.Image().Broker(node)
	if !ok {
		return "", fmt.Errorf("broker %d is not registered", node)
	}
	for _, e := range b.Endpoints {
		if e.Listener == p.interBroker {
			return hostPort(e.Host, int(e.Port)), nil
		}
	}
	return "", fmt.Errorf("broker %d has no listener %s, over which brokers talk here", node, p.interBroker)
}

// toController sends a request to the controller, whoever that is, and waits
// for its answer: until ctx ends it tries again when the controller is another
// one, is not known or cannot be reached. So req must bear to be carried out
// twice.
func (p *peers) toController(ctx context.Context, req kmsg.Request) (kmsg.Response, error) {
	var last error
	for {
		node, addr, ok := p.leader()
		if !ok {
			last = errNoController
		} else {
			resp, err := p.whileLeading(ctx, node, addr, req)
			switch {
			case err == nil && !notController(resp):
				return resp, nil
			case errors.Is(err, wire.ErrPeerVersion), errors.Is(err, wire.ErrPeerClosed) && p.ended():
				return nil, err
			case err == nil:
				err = fmt.Errorf("node %d is not the active controller", node)
			}
			last = err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w", ctx.Err(), last)
		case <-time.After(leaderPoll / 2):
		}
	}
}

// whileLeading waits for node's answer no longer than it leads: a controller
// that has lost its place may never answer.
func (p *peers) whileLeading(ctx context.Context, node int32, addr string, req kmsg.Request) (kmsg.Response, error) {
	key := peerKey{node, forControl}
	q := p.at(key, addr).Send(req)
	poll := time.NewTicker(leaderPoll)
	defer poll.Stop()
	for {
		select {
		case <-q.Done():
			return q.Wait(ctx)
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-poll.C:
			if now, at, ok := p.leader(); ok && (now != node || at != addr) {
				p.drop(key)
			}
		}
	}
}

// askLeader sends one request to node, if it is the one that leads.
func (p *peers) askLeader(ctx context.Context, node int32, use purpose, req kmsg.Request) (kmsg.Response, error) {
	leads, addr, ok := p.leader()
	if !ok || leads != node {
		return nil, fmt.Errorf("%w: node %d does not lead any more", wire.ErrPeerUnreachable, node)
	}
	return p.at(peerKey{node, use}, addr).Send(req).Wait(ctx)
}

// notController says whether the answer is that another node is the controller.
func notController(resp kmsg.Response) bool {
	code := int16(0)
	switch r := resp.(type) {
	case *kmsg.AlterPartitionResponse:
		code = r.ErrorCode
	case *kmsg.AllocateProducerIDsResponse:
		code = r.ErrorCode
	case *kmsg.BrokerRegistrationResponse:
		code = r.ErrorCode
	case *kmsg.BrokerHeartbeatResponse:
		code = r.ErrorCode
	case *kmsg.AssignReplicasToDirsResponse:
		code = r.ErrorCode
	case *kmsg.UpdateRaftVoterResponse:
		code = r.ErrorCode
	case *wire.ReportFaultResponse:
		code = r.ErrorCode
	}
	return code == kerr.NotController.Code
}

// at is the connection for key; a node that has moved gets another one.
func (p *peers) at(key peerKey, addr string) *wire.Peer {
	p.mu.Lock()
	old := p.open[key]
	if old != nil && (old.addr == addr || p.closed) {
		p.mu.Unlock()
		return old.Peer
	}
	o := p.options
	o.Addr = addr
	next := &peerAt{wire.NewPeer(o), addr}
	closed := p.closed
	p.open[key] = next
	p.mu.Unlock()
	if old != nil {
		old.Close()
	}
	if closed {
		next.Close()
	}
	return next.Peer
}

// drop ends a connection with all that is under way on it.
func (p *peers) drop(key peerKey) {
	p.mu.Lock()
	old := p.open[key]
	delete(p.open, key)
	p.mu.Unlock()
	if old != nil {
		old.Close()
	}
}

func (p *peers) ended() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}

// close ends every connection.
func (p *peers) close() {
	p.mu.Lock()
	p.closed = true
	var all []*peerAt
	for _, q := range p.open {
		all = append(all, q)
	}
	p.mu.Unlock()
	for _, q := range all {
		q.Close()
	}
}
