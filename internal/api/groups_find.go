package api

import (
	"time"

	"github.com/brokerd/brokerd/internal/auth"
	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/wire"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// FindCoordinator, key 10.
//
//	v1 key type and texts; v4 several keys
//
// The first question brings the offsets topic into being, and is answered
// COORDINATOR_NOT_AVAILABLE: clients ask again. Transactions are not served yet;
// a producer that looks for their coordinator is sent here, where InitProducerId
// says so.

const (
	groupKey       = 0
	transactionKey = 1

	// gatherLimit bounds how long the offsets topic waits for brokers that are
	// configured and not there yet: its replication factor is decided once.
	gatherLimit = 10 * time.Second
)

func (a *groupsAPI) find(c *wire.Call) wire.Outcome {
	req := kmsg.NewPtrFindCoordinatorRequest()
	if !read(c, req) {
		return malformed()
	}
	v := look(a.d, c)
	keys := req.CoordinatorKeys
	if req.Version < 4 {
		keys = []string{req.CoordinatorKey}
	}
	resp := kmsg.NewPtrFindCoordinatorResponse()
	for _, key := range keys {
		resp.Coordinators = append(resp.Coordinators, a.coordinator(&v, c, key, req.CoordinatorType))
	}
	if req.Version < 4 {
		one := &resp.Coordinators[0]
		resp.ErrorCode, resp.ErrorMessage = one.ErrorCode, one.ErrorMessage
		if one.ErrorCode == 0 {
			resp.ErrorMessage = kmsg.StringPtr("NONE") // these versions of Kafka have a text always
		}
		resp.NodeID, resp.Host, resp.Port = one.NodeID, one.Host, one.Port
		resp.Coordinators = nil
	}
	return wire.Respond(c, resp)
}

func (a *groupsAPI) coordinator(v *view, c *wire.Call, key string, kind int8) kmsg.FindCoordinatorResponseCoordinator {
	out := kmsg.NewFindCoordinatorResponseCoordinator()
	out.Key, out.NodeID, out.Port = key, -1, -1
	node, err := a.nodeFor(v, c, key, kind)
	if err == nil {
		var b *meta.Broker
		if b, err = v.live(node); err == nil {
			e, _ := endpointOn(b, v.listener)
			out.NodeID, out.Host, out.Port = b.ID, e.Host, e.Port
			return out
		}
	}
	out.ErrorCode, out.ErrorMessage = codeText(err)
	return out
}

// live finds a broker that this client can reach now.
func (v view) live(node int32) (*meta.Broker, error) {
	b, ok := v.im.Broker(node)
	if ok && b.State != meta.Fenced {
		if _, ok := endpointOn(b, v.listener); ok {
			return b, nil
		}
	}
	return nil, faultf(kerr.CoordinatorNotAvailable, "The coordinator is not available.")
}

func (a *groupsAPI) nodeFor(v *view, c *wire.Call, key string, kind int8) (int32, error) {
	switch kind {
	case groupKey:
		if err := v.allowedGroup(auth.Describe, key); err != nil {
			return -1, err
		}
	case transactionKey:
		if !v.may(auth.Describe, auth.Resource{Type: auth.TransactionalID, Name: key}) {
			return -1, kerr.TransactionalIDAuthorizationFailed
		}
		return v.d.Conf.NodeID, nil
	default:
		return -1, faultf(kerr.InvalidRequest, "Coordinator type %d is not served; 0 is for groups, 1 for transactions.", kind)
	}
	t, ok := v.im.TopicNamed(offsetsTopic)
	if !ok {
		a.bringOffsetsTopic(v, c)
		return -1, faultf(kerr.CoordinatorNotAvailable, "The topic of the coordinators is being created.")
	}
	p, ok := t.Partition(spread(key, t.Partitions()))
	if !ok || p.Leader < 0 {
		return -1, faultf(kerr.CoordinatorNotAvailable, "The coordinator is not available.")
	}
	return p.Leader, nil
}

// bringOffsetsTopic has the topic created, once as many brokers are registered as
// voters are configured, or after a while without them.
func (a *groupsAPI) bringOffsetsTopic(v *view, c *wire.Call) {
	if v.im.BrokerCount() < len(v.d.Conf.Voters) {
		now := time.Now().UnixNano()
		if a.short.CompareAndSwap(0, now) || now-a.short.Load() < int64(gatherLimit) {
			return
		}
	}
	a.create.begin(c, []string{offsetsTopic})
}
