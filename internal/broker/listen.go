package broker

import (
	"context"
	"net"
	"slices"
	"strconv"

	"github.com/brokerd/brokerd/internal/api"
	"github.com/brokerd/brokerd/internal/conf"
	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/server"
	"github.com/brokerd/brokerd/internal/wire"
)

// Bound is a listener as it was bound.
type Bound struct {
	conf.Listener          // as configured
	Addr          net.Addr // as bound: the port is known
	Advertised    string   // host:port that clients are told; "" for a controller listener
}

// listen binds every listener. Those over which nodes find each other accept at
// once, the others when the cluster has let this node in.
func (b *Broker) listen(ctx context.Context) error {
	c := b.o.Conf
	b.door.now.Store(api.NewGreeter(api.Deps{Catalog: b.catalog, Conf: c, Node: b.face.describe}))
	b.timing = newTiming(b.o.Metrics, api.Keys())
	b.syncs = b.o.Metrics.Durations("brokerd_flush_duration_seconds", "Time of a round of syncs of a log directory: one for all logs that wait.").With()
	b.failures = wire.NewFailures(api.Keys())
	b.server = server.New(server.Options{
		Network: b.o.Network, Dispatcher: b.door, Logger: b.o.Log, OnPanic: b.o.OnPanic, Observe: b.timing.observe,
		RequestMaxBytes: c.RequestMaxBytes, QueuedMaxRequestBytes: queuedBytes(c.QueuedMaxRequestBytes),
		MaxIdle: c.ConnectionsMaxIdle,
	})
	b.limit(ctx, c.Limits(conf.Dynamic{}))
	ports := map[string]int{} // of port 0: the twin of an address gets the same one
	for _, l := range c.Listeners {
		want := l
		if want.Port == 0 {
			want.Port = ports[l.Name]
		}
		addr, err := b.server.Listen(ctx, server.Listener{Name: l.Name, Addr: hostPort(want.Host, want.Port), Reserved: c.IsController(l.Name), Late: !b.forNodes(l.Name)})
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
	return b.http.listen(ctx, b.o.Network, c)
}

// forNodes says whether other nodes open raft streams on a listener.
func (b *Broker) forNodes(listener string) bool {
	c := b.o.Conf
	return c.IsController(listener) || !c.HasRole("controller") && listener == c.InterBroker
}

// raftListener is the listener over which others open raft streams, as bound.
func (b *Broker) raftListener() Bound {
	i := slices.IndexFunc(b.bound, func(l Bound) bool { return b.forNodes(l.Name) })
	return b.bound[max(i, 0)] // there is one: the configuration sees to it
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
		Rack: b.o.Conf.Rack, BootID: b.boot, Voter: b.o.Conf.HasRole("controller"), Intact: b.logs.Intact(),
		DefaultISR: b.o.Conf.Durability == "isr",
	}
	if clean {
		r.CleanEpoch = mark.epoch
	}
	for _, dir := range b.o.Conf.LogDirs {
		if b.unusable[dir] == nil {
			r.Dirs = append(r.Dirs, b.identity.Directories[dir])
		}
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

func hostPort(host string, port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }

// protocolNumber is Kafka's number of a security protocol.
func protocolNumber(name string) int16 {
	return map[string]int16{"PLAINTEXT": 0, "SSL": 1, "SASL_PLAINTEXT": 2, "SASL_SSL": 3}[name]
}
