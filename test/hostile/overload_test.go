//go:build hostile

package hostile

import (
	"flag"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/brokerd/brokerd/test/harness"
	"github.com/brokerd/brokerd/test/raw"
)

var (
	overloadFlag = flag.Duration("overload", 10*time.Second, "how long TestOverload offers too much")
	stormFlag    = flag.Int("storm", 10_000, "how many connections of TestOverload reconnect at once")
)

const (
	floodPartitions = 16
	floodConns      = 160
	alone           = 2 * time.Second // how long it is measured what can be served
	// mostOverload is what the broker may take with all of it: 64 MiB of request
	// bodies, and what 10,000 connections and their pipelines cost.
	mostOverload = 512 << 20
)

// TestOverload offers ten times what is served, and lets connections by the
// thousand reconnect at once meanwhile. Memory stays bounded, and what was
// acknowledged is there.
func TestOverload(t *testing.T) {
	v := victim{t, harness.Start(t, harness.Options{Properties: map[string]string{"queued.max.request.bytes": "67108864"}}).Nodes[0]}
	f := &flood{v: v, topic: v.topic("flood", floodPartitions).topic}
	start := v.state()
	v.resetPeak()

	f.run(floodConns, alone, 0)
	before := f.acked.Load()
	capacity := float64(f.served) / alone.Seconds()

	stop := make(chan struct{})
	var storms sync.WaitGroup
	s := storm{v: v}
	storms.Go(func() { s.run(stop, *stormFlag) })
	f.run(floodConns, *overloadFlag, 10*capacity)
	seconds := overloadFlag.Seconds()
	offered, served := float64(f.offered.Load())/seconds, float64(f.served-before)/seconds
	close(stop)
	storms.Wait()

	peak := v.peak()
	after := v.settled(start)
	audited := f.audit()
	t.Logf("alone %.0f requests/s are served; offered %.0f/s for %v, served %.0f/s; answers with an error: %v",
		capacity, offered, *overloadFlag, served, f.errors())
	t.Logf("%d connections reconnected at once %d times: %d accepted, %d refused, slowest answer %v", *stormFlag, s.rounds, s.served.Load(), s.failed.Load(), s.slowest())
	t.Logf("peak memory %d MiB (%d MiB at the start); goroutines %v → %v, descriptors %d → %d",
		peak>>20, start.rss>>20, start.goroutines, after.goroutines, start.descriptors, after.descriptors)
	t.Logf("%d acknowledged records of %d read back", f.acked.Load(), audited)
	if peak > mostOverload {
		t.Errorf("memory rose to %d MiB", peak>>20)
	}
	if after.panics > 0 || after.goroutines > start.goroutines+20 {
		t.Errorf("%v panics, goroutines %v → %v", after.panics, start.goroutines, after.goroutines)
	}
	if offered < 5*served {
		t.Errorf("%.0f/s were offered and %.0f/s served: this was no overload", offered, served)
	}
}

// flood is producers that send by the clock, whether they are answered or not.
type flood struct {
	v              victim
	topic          string
	conns          uint64
	offered, acked atomic.Int64
	served         int64 // acked when the last run stopped offering

	mu     sync.Mutex
	ledger [floodPartitions][]ack
	codes  map[int16]int
}

// run floods from count connections for d. rate is of all together, by the clock;
// 0: a connection sends its next request when one of its depth is answered.
func (f *flood) run(count int, d time.Duration, rate float64) {
	var all sync.WaitGroup
	var pumps []*pump
	for range count {
		f.conns++
		c, err := raw.Dial(f.v.node.Addr())
		if err != nil {
			f.v.t.Fatal(err)
		}
		if err := c.SetDeadline(time.Now().Add(d + 30*time.Second)); err != nil {
			f.v.t.Fatal(err)
		}
		p := &pump{f: f, c: c, id: f.conns, partition: int32(f.conns % floodPartitions), more: make(chan struct{}, 1), quit: make(chan struct{}), closedLoop: rate == 0}
		pumps = append(pumps, p)
		all.Go(p.send)
		all.Go(p.receive)
	}
	f.offer(pumps, d, rate)
	f.served = f.acked.Load() // what is answered from here on was waiting in sockets
	for _, p := range pumps {
		close(p.quit)
	}
	all.Wait()
}

// offer lets the producers want to send, by the clock.
func (f *flood) offer(pumps []*pump, d time.Duration, rate float64) {
	if rate == 0 {
		for _, p := range pumps {
			p.offer(depth)
		}
		time.Sleep(d)
		return
	}
	began, offered := time.Now(), int64(0) // to each
	for now := began; now.Sub(began) < d; now = time.Now() {
		due := int64(rate*now.Sub(began).Seconds()) / int64(len(pumps))
		for _, p := range pumps {
			p.offer(due - offered)
		}
		offered = due
		f.offered.Store(offered * int64(len(pumps)))
		time.Sleep(time.Millisecond)
	}
}
