package broker

import (
	"context"
	"slices"
	"time"

	"github.com/brokerd/brokerd/internal/controller"
	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/replica"
	"github.com/brokerd/brokerd/internal/wire"
	"github.com/twmb/franz-go/pkg/kerr"
)

const (
	// faultWait is how long one report may take, faultRetry the pause before it
	// is sent again: until the controller knows, clients are sent here.
	faultWait  = 10 * time.Second
	faultRetry = time.Second
)

// reportFault tells the controller of replicas that cannot be served any more.
// It returns at once and tries until the report is applied or the broker ends.
func (b *Broker) reportFault(f replica.Fault) {
	if b.closing() {
		return
	}
	cmd := meta.ReportFault{Broker: b.identity.NodeID, Corrupt: f.Corrupt, Partitions: f.Partitions}
	if r, ok := b.catalog.Image().Broker(cmd.Broker); ok {
		cmd.BrokerEpoch = r.Epoch
	}
	done := func(err error) {
		if err != nil {
			b.o.Log.Warn("the controller was not told of failed replicas, trying again", "partitions", len(f.Partitions), "error", err)
			time.AfterFunc(faultRetry, func() { b.reportFault(f) })
		}
	}
	if !b.control.Active() {
		go func() { done(b.reportFar(cmd)) }() // ends within faultWait
		return
	}
	b.control.Submit([]meta.Command{cmd}, time.Now().Add(faultWait), func(c controller.Committed) {
		if c.Err == nil {
			c.Err = c.Results[0].Err
		}
		done(c.Err)
	})
}

// reportFar tells the controller on another node.
func (b *Broker) reportFar(cmd meta.ReportFault) error {
	ctx, cancel := context.WithTimeout(context.Background(), faultWait)
	defer cancel()
	resp, err := b.peers.toController(ctx, faultRequest(cmd))
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(resp.(*wire.ReportFaultResponse).ErrorCode)
}

func faultRequest(cmd meta.ReportFault) *wire.ReportFaultRequest {
	req := &wire.ReportFaultRequest{Broker: cmd.Broker, BrokerEpoch: cmd.BrokerEpoch, Corrupt: cmd.Corrupt}
	for _, id := range cmd.Partitions {
		i := slices.IndexFunc(req.Topics, func(t wire.ReportFaultRequestTopic) bool { return t.TopicID == id.Topic })
		if i < 0 {
			i = len(req.Topics)
			req.Topics = append(req.Topics, wire.ReportFaultRequestTopic{TopicID: id.Topic})
		}
		req.Topics[i].Partitions = append(req.Topics[i].Partitions, id.Index)
	}
	return req
}
