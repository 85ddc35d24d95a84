package api

import (
	"context"
	"encoding/binary"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/brokerd/brokerd/internal/catalog"
	"github.com/brokerd/brokerd/internal/conf"
	"github.com/brokerd/brokerd/internal/controller"
	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/step"
	"github.com/brokerd/brokerd/internal/wire"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// testNode is one broker without data: a dispatcher over a real catalog and a
// real controller.
type testNode struct {
	t testing.TB
	*Dispatcher
	deps Deps
}

// startNode starts broker 1 of a cluster of one, with settings as key, value, …
func startNode(t testing.TB, settings ...string) *testNode {
	t.Helper()
	n := newNode(t, true, settings...)
	n.run()
	n.activate()
	return n
}

// newNode opens a node. One that does not found a cluster never has a controller.
func newNode(t testing.TB, founds bool, settings ...string) *testNode {
	t.Helper()
	values := map[string]string{
		"node.id": "1", "process.roles": "broker,controller", "log.dirs": t.TempDir(),
		"listeners":                 "PLAINTEXT://127.0.0.1:9092,OTHER://127.0.0.1:9192,CONTROLLER://127.0.0.1:9093",
		"controller.listener.names": "CONTROLLER", "inter.broker.listener.name": "PLAINTEXT",
		"listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,OTHER:PLAINTEXT,CONTROLLER:PLAINTEXT",
	}
	for i := 0; i < len(settings); i += 2 {
		values[settings[i]] = settings[i+1]
	}
	c, err := conf.New(values)
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	stores, err := controller.OpenBolt(t.TempDir(), log)
	if err != nil {
		t.Fatal(err)
	}
	o := controller.Options{
		Node: 1, Directory: step.TopicID{15: 1}, ClusterID: "the-cluster", Address: "127.0.0.1:9093",
		Catalog: catalog.NewStore(), Stores: stores, Log: log,
	}
	if founds {
		if err := o.BootstrapSelf(); err != nil {
			t.Fatal(err)
		}
	}
	ctl, err := controller.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := ctl.Close(); err != nil {
			t.Error(err)
		}
	})
	d := Deps{Catalog: o.Catalog, Controller: ctl, Conf: c, Log: log}
	return &testNode{t: t, Dispatcher: New(d), deps: d}
}

// run starts the controller.
func (n *testNode) run() {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = n.deps.Controller.Run(ctx) }) // ends with ctx, without error
	n.t.Cleanup(func() { cancel(); running.Wait() })
}

// activate registers broker 1 and waits until it is active.
func (n *testNode) activate() {
	n.t.Helper()
	ctl := n.deps.Controller
	ctl.Register(meta.RegisterBroker{
		Dirs: []step.TopicID{{14: 1}}, BootID: "boot", Voter: true, Rack: "r1",
		Endpoints: []meta.Endpoint{
			{Listener: "PLAINTEXT", Host: "plain.example", Port: 9092},
			{Listener: "OTHER", Host: "other.example", Port: 9192},
		},
	})
	wait, stop := context.WithTimeout(context.Background(), 20*time.Second)
	defer stop()
	if _, err := ctl.WaitActive(wait); err != nil {
		n.t.Fatal(err)
	}
}

// rebuild makes the dispatcher anew after a change of deps.
func (n *testNode) rebuild(change func(*Deps)) *testNode {
	d := n.deps
	change(&d)
	return &testNode{t: n.t, Dispatcher: New(d), deps: d}
}

// submit puts commands through the controller.
func (n *testNode) submit(cmds ...meta.Command) {
	n.t.Helper()
	done := make(chan controller.Committed, 1)
	n.deps.Controller.Submit(cmds, time.Now().Add(20*time.Second), func(c controller.Committed) { done <- c })
	c := <-done
	if c.Err != nil {
		n.t.Fatal(c.Err)
	}
	for i, r := range c.Results {
		if r.Err != nil {
			n.t.Fatalf("%s: %v", meta.KindName(cmds[i]), r.Err)
		}
	}
}

// connection is one client of a test.
func connection(listener string) *wire.Client {
	return &wire.Client{
		ID: 7, Listener: listener, Principal: wire.Anonymous,
		Remote: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 40000},
	}
}

// call makes the call that a request arrives as. Its body is poisoned after
// Serve, as a read buffer would be used again.
func callOf(c *wire.Client, req kmsg.Request) *wire.Call {
	return &wire.Call{
		Key: req.Key(), Version: req.GetVersion(), Correlation: 77, ClientID: "test",
		Body: req.AppendTo(nil), Client: c,
	}
}

// ask sends a request on the listener PLAINTEXT, in its own version.
func ask[R kmsg.Response](n *testNode, req kmsg.Request) R {
	n.t.Helper()
	return askOn[R](n, connection("PLAINTEXT"), req)
}

func askOn[R kmsg.Response](n *testNode, c *wire.Client, req kmsg.Request) R {
	n.t.Helper()
	answer := n.serve(callOf(c, req))
	resp, ok := req.ResponseKind().(R)
	if !ok {
		n.t.Fatalf("%T does not answer %T", resp, req)
	}
	n.decode(answer, req.GetVersion(), resp)
	return resp
}

// serve runs a call to its answer as the server does.
func (n *testNode) serve(c *wire.Call) wire.Answer {
	n.t.Helper()
	o := n.Serve(c)
	if o == nil {
		n.t.Fatalf("key %d v%d is not answered", c.Key, c.Version)
	}
	if o.Ready() {
		return o.Finish(false)
	}
	for i := range c.Body {
		c.Body[i] = 0xdb
	}
	done := make(chan struct{})
	o.Notify(func(*wire.Handoff) { close(done) })
	deadline := time.NewTimer(time.Until(o.Deadline()))
	defer deadline.Stop()
	select {
	case <-done:
		return o.Finish(false)
	case <-deadline.C:
		return o.Finish(true)
	}
}

// decode checks the frame and reads its body.
func (n *testNode) decode(a wire.Answer, version int16, resp kmsg.Response) {
	n.t.Helper()
	if a.Close != "" || len(a.Frame) < 8 || int(binary.BigEndian.Uint32(a.Frame)) != len(a.Frame)-4 {
		n.t.Fatalf("answer %+v is no frame", a)
	}
	if got := binary.BigEndian.Uint32(a.Frame[4:]); got != 77 {
		n.t.Fatalf("correlation id %d", got)
	}
	resp.SetVersion(version)
	body := a.Frame[8:]
	if resp.IsFlexible() && resp.Key() != apiVersionsKey {
		if body[0] != 0 {
			n.t.Fatalf("response header has %d tags", body[0])
		}
		body = body[1:]
	}
	if err := resp.ReadFrom(append([]byte{}, body...)); err != nil {
		n.t.Fatalf("%T v%d: %v", resp, version, err)
	}
	if a.Release != nil {
		a.Release()
	}
}

func ptr[T any](v T) *T { return &v }

// versionsOf visits the versions of a key that the table serves.
func versionsOf(n *testNode, key int16, visit func(version int16)) {
	r := n.route(key)
	for v := r.Min; v <= r.Max; v++ {
		visit(v)
	}
}
