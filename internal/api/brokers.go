package api

import (
	"github.com/brokerd/brokerd/internal/meta"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// reachable is a broker with the endpoint that a client of one listener can use.
type reachable struct {
	*meta.Broker
	meta.Endpoint
}

// reachables lists the brokers that are not fenced, on the listener the request
// came in on and no other: an address of another one may not exist for the
// client, or ask for other credentials.
func (v view) reachables() (list []reachable, live map[int32]bool) {
	live = make(map[int32]bool)
	for b := range v.im.Brokers() {
		if b.State == meta.Fenced {
			continue
		}
		if e, ok := endpointOn(b, v.listener); ok {
			list = append(list, reachable{b, e})
			live[b.ID] = true
		}
	}
	return list, live
}

func endpointOn(b *meta.Broker, listener string) (meta.Endpoint, bool) {
	for _, e := range b.Endpoints {
		if e.Listener == listener {
			return e, true
		}
	}
	return meta.Endpoint{}, false
}

// controllerFor names the broker to which this client should send
// administration: the controller itself where the client can reach it, else any
// broker, because all of them forward. -1 only when there is none at all: old
// clients give up on it.
func (v view) controllerFor(list []reachable, live map[int32]bool) int32 {
	if node, ok := v.d.Controller.Leader(); ok && live[node] {
		return node
	}
	if live[v.d.Conf.NodeID] {
		return v.d.Conf.NodeID
	}
	if len(list) > 0 {
		return list[0].ID
	}
	return -1
}

// brokers fills in the brokers of a Metadata response.
func (v view) brokers(resp *kmsg.MetadataResponse) (live map[int32]bool) {
	list, live := v.reachables()
	resp.ControllerID = v.controllerFor(list, live)
	resp.Brokers = make([]kmsg.MetadataResponseBroker, len(list))
	for i, b := range list {
		o := &resp.Brokers[i]
		o.NodeID, o.Host, o.Port, o.Rack = b.ID, b.Host, b.Port, rack(b.Rack)
	}
	return live
}

// rack is a rack as responses carry it: none is null.
func rack(name string) *string {
	if name == "" {
		return nil
	}
	return &name
}
