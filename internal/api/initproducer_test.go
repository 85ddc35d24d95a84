package api

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/brokerd/brokerd/internal/controller"
	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/vfs"
	"github.com/brokerd/brokerd/internal/wire"
)

func initReq(txn *string) *kmsg.InitProducerIDRequest {
	req := kmsg.NewPtrInitProducerIDRequest()
	req.Version, req.TransactionalID, req.ProducerID, req.ProducerEpoch = 4, txn, -1, -1
	return req
}

func (n *dataNode) initCall() *wire.Call {
	return &wire.Call{Key: 22, Version: 4, Body: initReq(nil).AppendTo(nil), Client: n.client}
}

func TestInitProducerIDs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startData(t, vfs.NewMem())
		defer n.stop()
		blocks := 0
		a := &initProducerAPI{d: n.d, submit: func(cmds []meta.Command, _ time.Time, done func(controller.Committed)) {
			r := n.must(cmds[0])
			blocks++
			go func() {
				time.Sleep(time.Millisecond)
				done(controller.Committed{Results: []meta.Result{r}})
			}()
		}}
		seen := map[int64]bool{}
		for range 3 { // many ask at once, more than a block has
			var all []wire.Outcome
			for range producerBlock - 10 {
				all = append(all, a.serve(n.initCall()))
			}
			for _, o := range all {
				resp, _ := n.decode(initReq(nil), n.finish(o))
				r := resp.(*kmsg.InitProducerIDResponse)
				if r.ErrorCode != 0 || r.ProducerEpoch != 0 || r.ProducerID < 0 || seen[r.ProducerID] {
					t.Fatalf("%+v, seen %v", r, seen[r.ProducerID])
				}
				seen[r.ProducerID] = true
			}
		}
		if blocks != 3 {
			t.Errorf("%d blocks", blocks)
		}
	})
}

func TestInitProducerWithoutController(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startData(t, vfs.NewMem())
		defer n.stop()
		a := &initProducerAPI{d: n.d, submit: func(_ []meta.Command, at time.Time, done func(controller.Committed)) {
			go func() { done(controller.Committed{Err: controller.ErrNotLeader}) }()
		}}
		for range 2 {
			resp, _ := n.decode(initReq(nil), n.finish(a.serve(n.initCall())))
			if r := resp.(*kmsg.InitProducerIDResponse); r.ErrorCode != kerr.CoordinatorLoadInProgress.Code || r.ProducerID != -1 {
				t.Fatalf("%+v", r)
			}
		}
		silent := &initProducerAPI{d: n.d, submit: func([]meta.Command, time.Time, func(controller.Committed)) {}}
		begin := time.Now()
		resp, _ := n.decode(initReq(nil), n.finish(silent.serve(n.initCall())))
		if r := resp.(*kmsg.InitProducerIDResponse); r.ErrorCode == 0 || time.Since(begin) != blockWait {
			t.Fatalf("%+v after %v", r, time.Since(begin))
		}
	})
}

// TestInitProducerHalf: an id without its epoch, or the other way round.
func TestInitProducerHalf(t *testing.T) {
	n := startData(t, vfs.NewMem())
	for _, v := range []int16{3, 5} {
		req := initReq(nil)
		req.Version, req.ProducerID, req.ProducerEpoch = v, 7, -1
		resp, _ := n.ask(req)
		if r := resp.(*kmsg.InitProducerIDResponse); r.ErrorCode != kerr.InvalidRequest.Code {
			t.Errorf("v%d: %+v", v, r)
		}
	}
}

func TestInitProducerTransactional(t *testing.T) {
	n := startData(t, vfs.NewMem())
	id := "tx"
	resp, _ := n.ask(initReq(&id))
	if r := resp.(*kmsg.InitProducerIDResponse); r.ErrorCode != kerr.UnsupportedVersion.Code || r.ProducerID != -1 {
		t.Fatalf("%+v", r)
	}
}
