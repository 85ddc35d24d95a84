package broker

import (
	"time"

	"github.com/brokerd/brokerd/internal/controller"
	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/replica"
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
	b.control.Submit([]meta.Command{cmd}, time.Now().Add(faultWait), func(c controller.Committed) {
		err := c.Err
		if err == nil {
			err = c.Results[0].Err
		}
		if err != nil {
			b.o.Log.Warn("the controller was not told of failed replicas, trying again", "partitions", len(f.Partitions), "error", err)
			time.AfterFunc(faultRetry, func() { b.reportFault(f) })
		}
	})
}
