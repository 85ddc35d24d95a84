package api

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/record"
	"github.com/brokerd/brokerd/internal/vfs"
	"github.com/brokerd/brokerd/internal/wire"
)

var stressFor = flag.Duration("stress", time.Second, "how long to stress the data path")

// settle ends an outcome as a server might: at once, when it is completed, at
// its deadline, or because the connection went away.
func (n *dataNode) settle(rng *rand.Rand, o wire.Outcome) (a wire.Answer, dropped bool) {
	if o.Ready() {
		if rng.IntN(10) == 0 {
			o.Drop()
			return a, true
		}
		return o.Finish(false), false
	}
	if rng.IntN(10) == 0 {
		o.Drop() // before anybody waits
		return a, true
	}
	done := make(chan struct{})
	o.Notify(func(*wire.Handoff) { close(done) })
	switch rng.IntN(4) {
	case 0:
		o.Drop()
		return a, true
	case 1:
		return o.Finish(true), false // a completion may be under way
	}
	select {
	case <-done:
		return o.Finish(false), false
	case <-time.After(time.Until(o.Deadline())):
		return o.Finish(true), false
	}
}

// TestDataPathUnderStress lets producers and consumers share pooled calls while
// topics come and go and connections are dropped: nothing acknowledged is lost,
// offsets are contiguous, no call is used twice at a time (-race).
func TestDataPathUnderStress(t *testing.T) {
	disk := vfs.NewFault(vfs.NewMem())
	disk.Add(vfs.Rule{Op: vfs.OpSync, Delay: time.Millisecond})
	n := startData(t, disk)
	stay := n.topic("stay", 3, nil)
	var come atomic.Pointer[meta.Topic]
	come.Store(n.topic("come0", 2, nil))
	stopped := time.Now().Add(*stressFor)
	served := make(chan struct{}) // tells of a request when somebody listens
	tell := func() {
		select {
		case served <- struct{}{}:
		default:
		}
	}
	var wg sync.WaitGroup
	var acked [3]atomic.Int64 // the highest acknowledged offset + 1

	for i := range 4 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(i), 1))
			batch := records(t, 3, record.Spec{})
			for time.Now().Before(stopped) {
				version, acks := int16(3+rng.IntN(11)), []int16{-1, -1, 1, 0}[rng.IntN(4)]
				req := produceReq(version, acks, stay, batch, batch, batch)
				if rng.IntN(2) == 0 {
					req = produceReq(version, acks, come.Load(), batch, batch)
				}
				a, dropped := n.settle(rng, n.serve(req))
				tell()
				if dropped {
					continue
				}
				resp, closed := n.decode(req, a)
				if closed != "" || resp == nil || req.Topics[0].TopicID != stay.ID {
					continue
				}
				for k, p := range resp.(*kmsg.ProduceResponse).Topics[0].Partitions {
					if p.ErrorCode == 0 {
						raise(&acked[k], p.BaseOffset+3)
					}
				}
			}
		})
	}
	for i := range 4 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(i), 2))
			var at [3]int64
			for time.Now().Before(stopped) {
				req := fetchReq(int16(4+rng.IntN(15)), stay, at[0], at[1], at[2])
				if rng.IntN(3) == 0 {
					req = fetchReq(int16(4+rng.IntN(15)), come.Load(), 0, 0)
				}
				req.MinBytes, req.MaxWaitMillis = int32(rng.IntN(3)*200), int32(rng.IntN(20))
				a, dropped := n.settle(rng, n.serve(req))
				tell()
				if dropped {
					continue
				}
				resp, _ := n.decode(req, a)
				if req.Topics[0].TopicID != stay.ID {
					continue
				}
				for k, p := range resp.(*kmsg.FetchResponse).Topics[0].Partitions {
					for _, base := range offsetsOf(t, p.RecordBatches) {
						if base != at[k] {
							t.Errorf("partition %d: batch at %d, expected %d", k, base, at[k])
							return
						}
						at[k] += 3
					}
				}
			}
		})
	}
	over, end := context.WithDeadline(t.Context(), stopped)
	defer end()
	for i := 1; time.Now().Before(stopped); i++ {
		for range 100 { // requests to each topic that comes
			select {
			case <-served:
			case <-over.Done():
			}
		}
		old := come.Load()
		durability := []string{"fsync", "isr"}[i/2%2]
		come.Store(n.topic(fmt.Sprintf("come%d", i%2), 2, map[string]string{"durability": durability}))
		n.must(meta.DeleteTopic{ID: old.ID})
	}
	wg.Wait()
	for k := range acked {
		p, err := n.d.Replicas.Partition(stay, int32(k))
		if err != nil {
			t.Fatal(err)
		}
		deadline := time.Now().Add(10 * time.Second)
		for p.Log().View().HighWatermark < p.Log().View().End && time.Now().Before(deadline) {
			time.Sleep(time.Millisecond)
		}
		if v := p.Log().View(); v.HighWatermark < acked[k].Load() || v.HighWatermark != v.End {
			t.Errorf("partition %d: %+v, acknowledged up to %d", k, v, acked[k].Load())
		}
	}
}

func raise(a *atomic.Int64, to int64) {
	for {
		old := a.Load()
		if old >= to || a.CompareAndSwap(old, to) {
			return
		}
	}
}
