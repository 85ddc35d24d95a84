package api

import (
	"encoding/binary"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/brokerd/brokerd/internal/record"
	"github.com/brokerd/brokerd/internal/vfs"
	"github.com/brokerd/brokerd/internal/wire"
	"github.com/brokerd/brokerd/test/captured"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// adminKeys are the families that need no data.
var adminKeys = []int16{3, 18, 19, 20, 32, 33, 37, 43, 44, 45, 46, 55, 60, 74, 75, 10001}

func requestOf(key int16) kmsg.Request {
	if key == wire.KeyOpenRaftStream {
		return &wire.OpenRaftStreamRequest{}
	}
	return kmsg.RequestForKey(key)
}

// addCaptured gives f the bodies of what real clients sent.
func addCaptured(f func(key, version int16, body []byte)) {
	for _, p := range captured.Requests() {
		h, rest := wire.ParseFixed(p)
		req := requestOf(h.Key)
		req.SetVersion(h.Version)
		if body, err := h.ParseRest(rest, req.IsFlexible()); err == nil {
			f(h.Key, h.Version, body)
		}
	}
}

// FuzzServe gives the administrative calls any bytes: nothing panics, and what
// is answered is a frame that a client can read. There is an image with topics,
// but no controller, so that nothing is written.
func FuzzServe(f *testing.F) {
	n := startNode(f)
	createTopic(n, "some-name-or-other", 3)
	createTopic(n, "x", 1)
	idle := newNode(f, false)
	idle.run()
	n = n.rebuild(func(d *Deps) { d.Controller = idle.deps.Controller })

	rng := rand.New(rand.NewPCG(7, 8))
	for _, key := range adminKeys {
		versionsOf(n, key, func(version int16) {
			req := requestOf(key)
			req.SetVersion(version)
			if kmsg.RequestForKey(key) != nil {
				fill(rng, reflect.ValueOf(req).Elem())
			}
			f.Add(key, version, req.AppendTo(nil), version%2 == 0)
		})
	}
	addCaptured(func(key, version int16, body []byte) { f.Add(key, version, body, false) })
	f.Fuzz(func(t *testing.T, key, version int16, body []byte, onController bool) {
		if !slices.Contains(adminKeys, key) {
			return
		}
		c := connection("PLAINTEXT")
		if onController {
			c = connection("CONTROLLER")
		}
		o := n.Serve(&wire.Call{Key: key, Version: version, Correlation: 77, Body: body, Client: c})
		if o == nil {
			t.Fatalf("key %d v%d is not answered", key, version)
		}
		if !o.Ready() {
			if left := time.Until(o.Deadline()); left > longestWait {
				t.Fatalf("waits for %v", left)
			}
			done := make(chan struct{})
			o.Notify(func(*wire.Handoff) { close(done) })
			<-done
		}
		a := o.Finish(false)
		if a.Close != "" {
			return
		}
		resp := requestOf(key).ResponseKind()
		if r := n.route(key); version > r.Max {
			version = 0
		}
		resp.SetVersion(version)
		rest := a.Frame[8:]
		if resp.IsFlexible() && key != apiVersionsKey {
			rest = rest[1:]
		}
		if int(binary.BigEndian.Uint32(a.Frame)) != len(a.Frame)-4 || resp.ReadFrom(rest) != nil {
			t.Fatalf("key %d v%d is answered with no frame: %x", key, version, a.Frame)
		}
	})
}

// dataKeys are the calls that touch logs.
var dataKeys = []int16{0, 1, 2, 21, 23, 35, 61, 10000}

// FuzzServeData does the same with a broker that has records. What would wait
// is answered as if its deadline had passed.
func FuzzServeData(f *testing.F) {
	n := startData(f, vfs.NewMem())
	topic := n.topic("some-name-or-other"[:9], 2, nil)
	n.produce(topic, records(f, 3, record.Spec{}), 0)
	n.topic("s", 1, nil)
	f.Add(int16(0), int16(9), produceReq(9, -1, topic, records(f, 2, record.Spec{})).AppendTo(nil))
	f.Add(int16(1), int16(12), fetchReq(12, topic, 0).AppendTo(nil))
	rng := rand.New(rand.NewPCG(9, 10))
	for _, key := range dataKeys {
		r := n.api.route(key)
		for v := r.Min; v <= r.Max; v++ {
			if req := kmsg.RequestForKey(key); req != nil {
				req.SetVersion(v)
				fill(rng, reflect.ValueOf(req).Elem())
				f.Add(key, v, req.AppendTo(nil))
			}
		}
	}
	addCaptured(func(key, version int16, body []byte) { f.Add(key, version, body) })
	f.Fuzz(func(t *testing.T, key, version int16, body []byte) {
		if !slices.Contains(dataKeys, key) || !n.api.Trait(key, version).Known {
			return
		}
		o := n.api.Serve(&wire.Call{Key: key, Version: version, Correlation: 5, Body: body, Client: n.client})
		if o == nil {
			t.Fatalf("key %d v%d is not answered", key, version)
		}
		expired := !o.Ready()
		if expired {
			o.Notify(func(*wire.Handoff) {})
		}
		a := o.Finish(expired)
		if a.Close != "" || a.Frame == nil {
			if a.Release != nil {
				a.Release()
			}
			return
		}
		if int64(binary.BigEndian.Uint32(a.Frame)) != a.Size()-4 {
			t.Fatalf("key %d v%d: frame of %d bytes says %d", key, version, a.Size(), binary.BigEndian.Uint32(a.Frame))
		}
		if a.Release != nil {
			a.Release()
		}
	})
}
