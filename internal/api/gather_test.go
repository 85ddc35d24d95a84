package api

import (
	"math/rand/v2"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/brokerd/brokerd/internal/record"
	"github.com/brokerd/brokerd/internal/vfs"
	"github.com/brokerd/brokerd/internal/wire"
)

// together serves requests as a connection does that has received them at once,
// and gives their outcomes.
func (n *dataNode) together(reqs ...kmsg.Request) []wire.Outcome {
	n.t.Helper()
	var run []wire.Outcome
	var bodies [][]byte
	for _, req := range reqs {
		body := req.AppendTo(nil)
		bodies = append(bodies, body)
		run = append(run, n.api.Serve(&wire.Call{Key: req.Key(), Version: req.GetVersion(), Correlation: 5, Body: body, Client: n.client, Later: true}))
	}
	n.api.Gather(run)
	for _, body := range bodies {
		for i := range body {
			body[i] = 0xdb // whatever outlives Gather must have been copied
		}
	}
	return run
}

// Requests that are gathered are answered as if each had come alone, in order.
func TestGather(t *testing.T) {
	for _, durability := range []string{"fsync", "isr"} {
		t.Run(durability, func(t *testing.T) {
			n := startData(t, vfs.NewMem())
			topic := n.topic("t", 2, map[string]string{"durability": durability})
			send := func(sequence int32) []byte {
				return records(t, 2, record.Spec{Producer: &record.Producer{ID: 7, Sequence: sequence}})
			}
			bad := send(2)
			bad[len(bad)-1] ^= 4
			nobody := produceReq(9, 1, topic, send(0))
			nobody.Topics[0].Topic = "nobody"
			reqs := []kmsg.Request{
				produceReq(9, -1, topic, send(0), records(t, 3, record.Spec{})),
				produceReq(9, 1, topic, bad),
				produceReq(13, 1, topic, send(2)),
				nobody,
				produceReq(3, 1, topic, send(8)),
				produceReq(9, -1, topic, send(2), records(t, 1, record.Spec{})),
				produceReq(9, 1, topic, send(4)),
			}
			want := [][2]int64{{0, 0}, {-1, int64(kerr.CorruptMessage.Code)}, {2, 0}, {-1, int64(kerr.UnknownTopicOrPartition.Code)},
				{-1, int64(kerr.OutOfOrderSequenceNumber.Code)}, {2, 0}, {4, 0}}
			for i, o := range n.together(reqs...) {
				resp, closed := n.decode(reqs[i], n.finish(o))
				if closed != "" {
					t.Fatalf("request %d: %s", i, closed)
				}
				ps := resp.(*kmsg.ProduceResponse).Topics[0].Partitions
				if ps[0].BaseOffset != want[i][0] || int64(ps[0].ErrorCode) != want[i][1] {
					t.Errorf("request %d: %+v, want %v", i, ps[0], want[i])
				}
				if other := map[int]int64{0: 0, 5: 3}; len(ps) > 1 && (ps[1].BaseOffset != other[i] || ps[1].ErrorCode != 0) {
					t.Errorf("request %d, the other partition: %+v", i, ps[1])
				}
			}
		})
	}
}

// More batches than are searched for partners keep their order all the same.
func TestGatherMany(t *testing.T) {
	n := startData(t, vfs.NewMem())
	topic := n.topic("t", 30, nil)
	var batches [][]byte
	for range 30 {
		batches = append(batches, records(t, 1, record.Spec{}))
	}
	reqs := []kmsg.Request{produceReq(9, 1, topic, batches...), produceReq(9, 1, topic, batches...), produceReq(9, 1, topic, batches...)}
	for i, o := range n.together(reqs...) {
		resp, _ := n.decode(reqs[i], n.finish(o))
		for _, p := range resp.(*kmsg.ProduceResponse).Topics[0].Partitions {
			if p.BaseOffset != int64(i) || p.ErrorCode != 0 {
				t.Errorf("request %d: %+v", i, p)
			}
		}
	}
}

// Gathered requests may be dropped, expire or be answered, in any order of events.
func TestGatherSettles(t *testing.T) {
	n := startData(t, vfs.NewMem())
	topic := n.topic("t", 3, nil)
	rng := rand.New(rand.NewPCG(1, 1))
	next := int64(0)
	for range 200 {
		var reqs []kmsg.Request
		for range 2 + rng.IntN(6) {
			reqs = append(reqs, produceReq(9, int16(rng.IntN(2))*2-1, topic, records(t, 1, record.Spec{}), records(t, 2, record.Spec{})))
		}
		for i, o := range n.together(reqs...) {
			a, dropped := n.settle(rng, o)
			if dropped {
				next++
				continue
			}
			resp, _ := n.decode(reqs[i], a)
			p := resp.(*kmsg.ProduceResponse).Topics[0].Partitions[0]
			if p.BaseOffset != next && p.ErrorCode != kerr.RequestTimedOut.Code {
				t.Fatalf("%+v, want offset %d", p, next)
			}
			next++
		}
	}
}
