package broker

import (
	"context"
	"net"
	"path"
	"strconv"

	"github.com/brokerd/brokerd/internal/controller"
)

// recognize reads who this node is. What is empty is formatted at once, unless
// only others can tell the cluster it is to belong to: then it says what is
// empty.
func (b *Broker) recognize() (empty []string, err error) {
	c := b.o.Conf
	b.identity, empty, err = examine(b.o.FS, b.wanted())
	if err != nil {
		return nil, err
	}
	if err := expectMetadata(b.o.FS, b.metadataDir(), b.identity, empty); err != nil {
		return nil, err
	}
	if b.identity.ClusterID != "" || alone(c) {
		if err := b.identity.formatEmpty(b.o.FS, empty, b.wanted()); err != nil {
			return nil, err
		}
		empty = nil
	} else if !c.AutoFormat {
		return nil, b.identity.formatEmpty(b.o.FS, empty, b.wanted()) // which refuses
	}
	if len(empty) > 0 {
		return empty, nil
	}
	b.face.identify(b.identity, b.metadataDir())
	stores, err := b.openStores()
	if err != nil {
		return nil, err
	}
	old, err := stores.HasState()
	if err == nil && !old {
		err = expectState(b.o.FS, b.metadataDir(), b.identity)
	}
	if err != nil {
		_ = stores.Closer.Close() // the first error is what counts
		return nil, err
	}
	if old {
		b.face.remember()
	}
	b.stores = &stores
	return nil, nil
}

func (b *Broker) wanted() Wanted {
	c := b.o.Conf
	return Wanted{Dirs: b.dirs(), ClusterID: c.ClusterID, NodeID: c.NodeID, Format: c.AutoFormat}
}

// raftDir is where raft keeps its files, in the metadata directory.
const raftDir = "raft"

// openStores gives raft's stores, which are opened once.
func (b *Broker) openStores() (controller.Stores, error) {
	if s := b.stores; s != nil {
		b.stores = nil // theirs who asked
		return *s, nil
	}
	return b.o.Stores(path.Join(b.metadataDir(), raftDir), b.o.Log)
}

// settle finds out, with the others, which cluster this node belongs to, and
// whether it is the one to found it.
func (b *Broker) settle(ctx context.Context, empty []string) ([]controller.Server, error) {
	if alone(b.o.Conf) || b.face.describe().HasState {
		return nil, nil
	}
	return b.meet(ctx, empty, b.wanted())
}

// raftAddress is where others reach this node's raft streams: where the
// configuration of all says, else at its listener.
func (b *Broker) raftAddress(ctx context.Context) string {
	c := b.o.Conf
	for _, v := range c.Voters {
		if v.ID == c.NodeID {
			return v.Addr()
		}
	}
	if addr, ok := b.ownSeed(ctx); ok {
		return addr
	}
	l := b.raftListener()
	if l.Advertised != "" {
		return l.Advertised
	}
	host, port := l.Host, l.Port
	if tcp, ok := l.Addr.(*net.TCPAddr); ok && port == 0 {
		port = tcp.Port
	}
	if l.Wildcard() && len(c.Advertised) > 0 {
		host = c.Advertised[0].Host
	}
	return net.JoinHostPort(host, strconv.Itoa(port))
}

// ownSeed is the address of controller.quorum.bootstrap.servers that leads here.
func (b *Broker) ownSeed(ctx context.Context) (string, bool) {
	c := b.o.Conf
	if len(c.Voters) > 0 || !c.HasRole("controller") || len(c.BootstrapServers) == 0 {
		return "", false
	}
	circle := newCircle(c.NodeID, seedsOf(c), b.peerOptions())
	defer circle.close()
	me := b.face.describe().Incarnation
	for _, h := range circle.ask(ctx) {
		if h.is != nil && h.is.Incarnation == me {
			return h.addr, true
		}
	}
	return "", false
}
