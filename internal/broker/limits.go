package broker

import (
	"context"
	"net"
	"net/netip"
	"strconv"

	"github.com/brokerd/brokerd/internal/conf"
	"github.com/brokerd/brokerd/internal/meta"
)

// keepLimits brings settings of the broker that change while it runs to who
// obeys them, until ctx ends.
func (b *Broker) keepLimits(ctx context.Context) error {
	w := b.catalog.Watch()
	defer w.Close()
	for first := true; ; first = false {
		im, changes, err := w.Next(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		changed := first
		for _, r := range changes.Configs {
			changed = changed || r.Type == meta.BrokerResource
		}
		if changed {
			b.limit(ctx, b.o.Conf.Limits(conf.Dynamic{
				PerBroker: im.Config(meta.Resource{Type: meta.BrokerResource, Name: strconv.Itoa(int(b.identity.NodeID))}),
				Cluster:   im.Config(meta.Resource{Type: meta.BrokerResource}),
			}))
		}
	}
}

func (b *Broker) limit(ctx context.Context, l conf.Limits) {
	b.server.SetPlaces(l.MaxConnections, l.MaxConnectionsPerIP, b.addresses(ctx, l.PerIP))
	if b.logs != nil {
		b.logs.SetProducerExpiry(l.ProducerExpiry)
	}
}

// addresses resolves hosts to addresses; one that cannot be is left out.
func (b *Broker) addresses(ctx context.Context, hosts map[string]int) map[netip.Addr]int {
	out := make(map[netip.Addr]int, len(hosts))
	for host, n := range hosts {
		list, err := []netip.Addr(nil), error(nil)
		if ip, bad := netip.ParseAddr(host); bad == nil {
			list = append(list, ip)
		} else if list, err = net.DefaultResolver.LookupNetIP(ctx, "ip", host); err != nil {
			b.o.Log.Warn("max.connections.per.ip.overrides: a host has no address, and max.connections.per.ip holds for it", "host", host, "error", err)
		}
		for _, ip := range list {
			out[ip.Unmap()] = n
		}
	}
	return out
}
