//go:build cluster

package cluster

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/brokerd/brokerd/test/harness"
)

// TestRollingRestart stops and starts every node, the controller last, under a
// load of acks=all: no record fails, none is lost or doubled.
func TestRollingRestart(t *testing.T) {
	c := harness.Start(t, harness.Options{Nodes: 3})
	v := agree(t, c.Nodes, 3)
	const partitions = 6
	if _, err := kadm.NewClient(client(t, c.Bootstrap())).CreateTopic(within(t), partitions, 3, nil, "t"); err != nil {
		t.Fatal(err)
	}
	cl := client(t, c.Bootstrap())
	var sent, acked, worst atomic.Int64
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() { // ends by stop
		defer close(ended)
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
			}
			began := time.Now()
			cl.Produce(t.Context(), &kgo.Record{Topic: "t", Value: fmt.Appendf(nil, "%d", sent.Add(1))}, func(_ *kgo.Record, err error) {
				if err != nil {
					t.Errorf("a record failed: %v", err)
					return
				}
				acked.Add(1)
				took := time.Since(began)
				for w := worst.Load(); int64(took) > w && !worst.CompareAndSwap(w, int64(took)); w = worst.Load() {
				}
			})
		}
	}()
	order := append(c.Nodes[v.controller:], c.Nodes[:v.controller]...)
	for _, n := range order {
		worst.Store(0)
		began := time.Now()
		n.Stop()
		stopped := time.Since(began)
		time.Sleep(500 * time.Millisecond) // of load on the others
		n.Restart()
		eventually(t, "everybody is in sync", func() error { return inSync(t, c, "t", 3) })
		t.Logf("node %d stopped in %v; the slowest record until all are in sync again took %v", n.ID, stopped, time.Duration(worst.Load()))
	}
	close(stop)
	<-ended
	if err := cl.Flush(within(t)); err != nil {
		t.Fatal(err)
	}
	ends, err := kadm.NewClient(cl).ListEndOffsets(within(t), "t")
	if err != nil {
		t.Fatal(err)
	}
	var have int64
	for p := range int32(partitions) {
		end, _ := ends.Lookup("t", p)
		have += end.Offset
	}
	if have != sent.Load() || acked.Load() != sent.Load() {
		t.Errorf("%d sent, %d acknowledged, %d there", sent.Load(), acked.Load(), have)
	}
}
