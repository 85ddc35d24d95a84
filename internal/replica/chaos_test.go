package replica_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/replica"
)

var (
	seeds = flag.Int("seeds", 40, "histories of TestHistories")
	seed  = flag.Int64("seed", 0, "one history of TestHistories, by its seed")
)

// TestHistories lets three brokers live through random kills, power cuts,
// partitions and late metadata, and wants every acknowledged record afterwards,
// once, in order, on replicas that are the same byte for byte.
func TestHistories(t *testing.T) {
	if *seed != 0 {
		history(t, *seed)
		return
	}
	for s := range int64(*seeds) {
		history(t, s+1)
		if t.Failed() {
			return
		}
	}
}

func history(t *testing.T, seed int64) {
	synctest.Test(t, func(t *testing.T) {
		b := newBrokers(t, 3, map[string]string{"replica.lag.time.max.ms": "2000"})
		defer b.Close()
		for _, x := range b.Nodes {
			x.Stop()
			x.SyncTime = time.Duration(x.ID) * 3 * time.Millisecond
			x.Start()
		}
		h := &chaos{b: b, rng: rand.New(rand.NewPCG(uint64(seed), 7)), cut: map[int32]bool{}}
		h.topic = b.Topic("t", nil, 2, []int32{1, 2, 3})
		defer func() {
			if t.Failed() {
				t.Errorf("seed %d:\n%s", seed, strings.Join(h.story, "\n"))
			}
		}()
		for range 60 {
			h.step()
		}
		h.heal()
		h.check()
	})
}

type chaos struct {
	b     *brokers
	rng   *rand.Rand
	topic *meta.Topic
	cut   map[int32]bool // isolated brokers
	story []string

	next   int
	flying []*attempt
	acked  []string
}

type attempt struct {
	value string
	sent  *sent
}

func (h *chaos) note(format string, args ...any) {
	h.story = append(h.story, fmt.Sprintf("%s %s", time.Now().Format("05.000"), fmt.Sprintf(format, args...)))
}

func (h *chaos) node() *node { return h.b.Nodes[int32(h.rng.IntN(3)+1)] }

func (h *chaos) step() {
	x := h.node()
	switch k := h.rng.IntN(20); {
	case k < 10:
		h.produce()
	case k == 10 && x.stop != nil:
		h.note("kill %d", x.ID)
		x.Kill()
		h.gone(x)
	case k == 11 && x.stop != nil:
		h.note("power cut %d", x.ID)
		x.PowerCut()
		h.gone(x)
	case k == 19 && h.rng.IntN(3) == 0:
		h.note("power cut of all")
		for id := range int32(4) {
			if x := h.b.Nodes[id]; x != nil && x.stop != nil {
				x.PowerCut()
			}
		}
		for id := range int32(4) {
			if x := h.b.Nodes[id]; x != nil {
				h.fence(x)
			}
		}
	case k == 12 && x.stop == nil, k == 13 && x.stop == nil:
		h.note("start %d", x.ID)
		x.Start()
	case k == 14 && x.stop != nil && !h.cut[x.ID]:
		h.note("isolate %d", x.ID)
		h.cut[x.ID] = true
		x.Hold()
		h.b.Net.Isolate(fmt.Sprintf("b%d", x.ID), "b1", "b2", "b3")
		h.sleep(500)
		h.fence(x)
	case k == 15 && len(h.cut) > 0:
		h.mend()
	case k == 16:
		h.note("hold %d", x.ID)
		x.Hold()
	case k == 17 && !h.cut[x.ID]:
		h.note("release %d", x.ID)
		x.Release()
	case k == 18:
		lost, none := h.rng.IntN(3) == 0, h.rng.IntN(3) == 0
		h.note("answers none=%v lost=%v", none, lost)
		h.b.Answers(none, lost)
	default:
		h.sleep(3000)
	}
	h.sleep(30)
	h.collect(false)
}

func (h *chaos) sleep(ms int) { time.Sleep(time.Duration(h.rng.IntN(ms)) * time.Millisecond) }

func (h *chaos) gone(x *node) {
	if h.rng.IntN(2) == 0 {
		h.sleep(200)
	}
	h.fence(x)
}

func (h *chaos) fence(x *node) {
	if br, _ := h.b.Image().Broker(x.ID); br.Epoch == x.epoch && br.State == meta.Active {
		h.note("fence %d", x.ID)
		x.Fence()
		h.note("%s", h.state())
	}
}

func (h *chaos) state() string {
	rec := h.b.Record(h.topic, 0)
	return fmt.Sprintf("  leader=%d epoch=%d.%d isr=%v elr=%v", rec.Leader, rec.LeaderEpoch, rec.PartitionEpoch, rec.ISR(), rec.ELR())
}

// mend ends the isolation of everybody.
func (h *chaos) mend() {
	h.note("mend")
	h.b.Net.Heal()
	for id := range int32(4) {
		if h.cut[id] {
			delete(h.cut, id)
			x := h.b.Nodes[id]
			x.Release()
			if x.stop != nil {
				x.Unfence()
			}
		}
	}
}

// produce sends to whoever believes that it leads: there may be several.
func (h *chaos) produce() {
	for id := range int32(4) {
		x := h.b.Nodes[id]
		if x == nil || x.stop == nil || h.rng.IntN(2) == 0 {
			continue
		}
		value := fmt.Sprintf("<value %d>", h.next)
		h.next++
		s := x.Send(h.topic, 0, replica.AcksAll, value)
		h.flying = append(h.flying, &attempt{value, s})
	}
}

// collect notes what has been acknowledged.
func (h *chaos) collect(wait bool) {
	var left []*attempt
	for _, a := range h.flying {
		if wait {
			_ = a.sent.Wait(time.Millisecond) // what is not acknowledged may be there or not
		}
		select {
		case <-a.sent.done:
			if a.sent.Err == nil {
				h.acked = append(h.acked, a.value)
				h.note("  acked %s at %d", a.value, a.sent.Base)
			}
		default:
			if !wait {
				left = append(left, a)
			}
		}
	}
	h.flying = left
}

func (h *chaos) heal() {
	h.note("heal")
	h.b.Answers(false, false)
	h.mend()
	for id := range int32(4) {
		if x := h.b.Nodes[id]; x != nil {
			if x.stop == nil {
				h.note("start %d", id)
				x.Start()
			}
			x.Release()
		}
	}
	h.note("%s", h.state())
	h.b.eventually(30*time.Second, "all are in sync", func() bool {
		h.collect(false)
		return h.b.isr(h.topic, 0) == "[1 2 3]"
	})
	h.note("%s", h.state())
	time.Sleep(time.Second)
	h.collect(true)
}

// check looks for every acknowledged record, once.
func (h *chaos) check() {
	rec := h.b.Record(h.topic, 0)
	leader := h.b.Nodes[rec.Leader]
	leader.ack(h.topic, 0, "last")
	h.b.same(h.topic, 0, 1, 2, 3)
	all := string(leader.Bytes(h.topic, 0))
	for _, v := range h.acked {
		if n := strings.Count(all, v); n != 1 {
			h.b.T.Errorf("%s was acknowledged and is there %d times", v, n)
		}
	}
}
