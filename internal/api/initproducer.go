package api

import (
	"context"
	"sync"
	"time"

	"github.com/brokerd/brokerd/internal/auth"
	"github.com/brokerd/brokerd/internal/controller"
	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/wire"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// InitProducerId, key 22, for idempotent producers.
//
//	v2 flexible; v3 the old id and epoch, to be raised (KIP-360); v4 PRODUCER_FENCED
//
// Ids come in blocks from the controller; one is kept here, so most answers are
// ready at once. A block that is half used when the broker stops is lost: ids
// are never given twice.
//
// A transactional id hears UNSUPPORTED_VERSION: no client retries that one, and
// its text says what is the matter. Transactions come later.

const (
	producerBlock = 1000
	// blockWait bounds how long a client waits for the controller.
	blockWait = 5 * time.Second
)

type initProducerAPI struct {
	d      Deps
	submit func([]meta.Command, time.Time, func(controller.Committed))

	mu       sync.Mutex
	next     int64 // [next, end) is in hand
	end      int64
	fetching bool
	waiting  []*idWaiter // bounded by the connections: this request stops the reading
}

// idWaiter is a request that waits for a block. id or err is set before it is completed.
type idWaiter struct {
	*pending
	id  int64
	err error
}

func newInitProducer(d Deps) *initProducerAPI {
	return &initProducerAPI{d: d, submit: d.Controller.Submit}
}

func (a *initProducerAPI) serve(c *wire.Call) wire.Outcome {
	req := kmsg.NewPtrInitProducerIDRequest()
	if !read(c, req) {
		return malformed()
	}
	v := look(a.d, c)
	if err := a.refused(&v, req); err != nil {
		return wire.Respond(c, initAnswer(-1, -1, err))
	}
	// An idempotent producer that lost its sequence raises its epoch by asking
	// again: a new id serves as well, and cannot collide with anything.
	id, ok := a.take()
	if ok {
		return wire.Respond(c, initAnswer(id, 0, nil))
	}
	return a.later(c.Reply())
}

func (a *initProducerAPI) refused(v *view, req *kmsg.InitProducerIDRequest) error {
	if req.TransactionalID != nil {
		if *req.TransactionalID == "" {
			return kerr.InvalidRequest
		}
		if !v.may(auth.Write, auth.Resource{Type: auth.TransactionalID, Name: *req.TransactionalID}) {
			return kerr.TransactionalIDAuthorizationFailed
		}
		return kerr.UnsupportedVersion
	}
	if req.Version >= 3 && (req.ProducerID == -1) != (req.ProducerEpoch == -1) {
		return kerr.InvalidRequest // half of what the producer had
	}
	// Since KIP-854 whoever may write any topic may be idempotent too.
	if !v.may(auth.IdempotentWrite, auth.TheCluster) && !v.writesSomething() {
		return kerr.ClusterAuthorizationFailed
	}
	return nil
}

// writesSomething reports whether the client may write to any topic there is.
func (v *view) writesSomething() bool {
	for t := range v.im.Topics() {
		if v.mayTopic(auth.Write, t.Name) {
			return true
		}
	}
	return false
}

func initAnswer(id int64, epoch int16, err error) *kmsg.InitProducerIDResponse {
	resp := kmsg.NewPtrInitProducerIDResponse()
	resp.ProducerID, resp.ProducerEpoch = id, epoch
	resp.ErrorCode = code(err)
	if resp.ErrorCode == kerr.RequestTimedOut.Code || resp.ErrorCode == kerr.UnknownServerError.Code {
		resp.ErrorCode = kerr.CoordinatorLoadInProgress.Code // what producers retry here
	}
	return resp
}

// take gives an id of the block in hand.
func (a *initProducerAPI) take() (id int64, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.next == a.end {
		return 0, false
	}
	a.next++
	return a.next - 1, true
}

// later waits for the next block, and asks for it if nobody has.
func (a *initProducerAPI) later(r wire.Reply) wire.Outcome {
	w := &idWaiter{id: -1, err: controller.ErrNotLeader}
	deadline := time.Now().Add(blockWait)
	w.pending = later(deadline, func(expired bool) wire.Answer {
		if expired {
			return r.Answer(initAnswer(-1, -1, controller.ErrNotLeader))
		}
		epoch := int16(0)
		if w.err != nil {
			epoch = -1
		}
		return r.Answer(initAnswer(w.id, epoch, w.err))
	})
	a.mu.Lock()
	a.waiting = append(a.waiting, w)
	ask := !a.fetching
	a.fetching = true
	a.mu.Unlock()
	if ask {
		a.ask(deadline)
	}
	return w
}

// ask gets one block from the controller; it serves all who wait by then.
func (a *initProducerAPI) ask(deadline time.Time) {
	if a.d.Remote != nil && !a.d.Controller.Active() {
		go a.askRemote(deadline) // ends by its deadline
		return
	}
	cmd := meta.AllocateProducerIDs{Broker: a.d.Conf.NodeID, BrokerEpoch: a.brokerEpoch(), Count: producerBlock}
	a.submit([]meta.Command{cmd}, deadline, func(c controller.Committed) {
		err := c.Err
		if err == nil {
			err = c.Results[0].Err
		}
		if err != nil {
			a.failed(err)
			return
		}
		a.got(c.Results[0].FirstID, producerBlock, deadline)
	})
}

// askRemote asks the controller on another node.
func (a *initProducerAPI) askRemote(deadline time.Time) {
	ctx, cancel := context.WithDeadline(context.Background(), deadline)
	defer cancel()
	req := kmsg.NewPtrAllocateProducerIDsRequest()
	req.BrokerID, req.BrokerEpoch = a.d.Conf.NodeID, a.brokerEpoch()
	resp, err := a.d.Remote.ToController(ctx, req)
	block, ok := resp.(*kmsg.AllocateProducerIDsResponse)
	switch {
	case err != nil:
		a.failed(controller.ErrNotLeader)
	case !ok || block.ErrorCode != 0 || block.ProducerIDLen <= 0:
		a.failed(controller.ErrUnknownOutcome)
	default:
		a.got(block.ProducerIDStart, int64(block.ProducerIDLen), deadline)
	}
}

func (a *initProducerAPI) brokerEpoch() int64 {
	if b, ok := a.d.Catalog.Image().Broker(a.d.Conf.NodeID); ok {
		return b.Epoch
	}
	return -1
}

// got takes a block and serves who waits. More than a block may wait.
func (a *initProducerAPI) got(first, count int64, deadline time.Time) {
	a.mu.Lock()
	a.next, a.end = first, first+count
	n := min(len(a.waiting), int(count))
	served := a.waiting[:n:n]
	a.waiting = append([]*idWaiter(nil), a.waiting[n:]...)
	for _, w := range served {
		w.id, w.err = a.next, nil
		a.next++
	}
	more := len(a.waiting) > 0
	a.fetching = more
	a.mu.Unlock()
	for _, w := range served {
		w.complete(nil)
	}
	if more {
		a.ask(deadline)
	}
}

func (a *initProducerAPI) failed(err error) {
	a.mu.Lock()
	served := a.waiting
	a.waiting, a.fetching = nil, false
	a.mu.Unlock()
	for _, w := range served {
		w.err = err
		w.complete(nil)
	}
}
