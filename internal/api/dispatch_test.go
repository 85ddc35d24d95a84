package api

import (
	"testing"

	"github.com/brokerd/brokerd/internal/auth"
	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/wire"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestUnknown: what the table does not list is closed, never answered (P6).
func TestUnknown(t *testing.T) {
	n := startNode(t)
	for _, c := range []struct{ key, version int16 }{
		{3, 14}, {3, -1}, {4, 0}, {127, 0}, {128, 0}, {-1, 0}, {-32768, 0}, {32767, 0}, {9999, 0}, {10002, 0}, {10016, 0}, {10000, 1}, {18, -1},
	} {
		if n.Trait(c.key, c.version).Known {
			t.Errorf("key %d v%d is known", c.key, c.version)
		}
		o := n.Serve(&wire.Call{Key: c.key, Version: c.version, Client: connection("PLAINTEXT")})
		if a := o.Finish(false); a.Close == "" || a.Frame != nil {
			t.Errorf("key %d v%d is answered: %+v", c.key, c.version, a)
		}
	}
}

// TestTraits: every endpoint has its header right and its neighbours unknown.
func TestTraits(t *testing.T) {
	n := startNode(t)
	for _, e := range Table(n.deps.withDefaults()) {
		if n.Trait(e.Key, e.Max+1).Known != (e.Key == apiVersionsKey) || e.Min > 0 && n.Trait(e.Key, e.Min-1).Known {
			t.Errorf("%s is known outside %d–%d", keyName(e.Key), e.Min, e.Max)
		}
		for v := e.Min; v <= e.Max; v++ {
			flexible := true
			if req := kmsg.RequestForKey(e.Key); req != nil {
				req.SetVersion(v)
				flexible = req.IsFlexible()
			}
			if got := n.Trait(e.Key, v); !got.Known || got.Flexible != flexible || got.ReadsOn != e.ReadsOn {
				t.Errorf("%s v%d: %+v", keyName(e.Key), v, got)
			}
		}
	}
}

// TestMalformed: a body that is none closes the connection.
func TestMalformed(t *testing.T) {
	n := startNode(t)
	for _, e := range Table(n.deps.withDefaults()) {
		for v := e.Min; v <= e.Max; v++ {
			if e.Key == apiVersionsKey && v < 3 || e.Key == 74 && v == 0 {
				continue // has no fields
			}
			o := n.Serve(&wire.Call{Key: e.Key, Version: v, Body: []byte{}, Client: connection("CONTROLLER")})
			if a := o.Finish(false); a.Close != "malformed request" {
				t.Errorf("%s v%d: %+v", keyName(e.Key), v, a)
			}
		}
	}
}

// rules is an authorizer that allows what the function says.
type rules func(auth.Question) bool

func (r rules) Allows(_ *meta.Image, q auth.Question) bool { return r(q) }
func (rules) Enabled() bool                                { return true }

// TestNobodyMay: a principal without any right learns nothing and changes nothing.
func TestNobodyMay(t *testing.T) {
	n := startNode(t)
	createTopic(n, "secret", 2)
	before := n.deps.Catalog.Image().Index()
	n = n.rebuild(func(d *Deps) { d.Auth = rules(func(auth.Question) bool { return false }) })

	all := kmsg.NewPtrMetadataRequest()
	all.Version = 9
	if got := ask[*kmsg.MetadataResponse](n, all); len(got.Topics) != 0 {
		t.Errorf("sees %d topics", len(got.Topics))
	}
	for _, name := range []string{"secret", "absent"} { // the same answer for both
		req := metadataFor(12, name)
		req.AllowAutoTopicCreation = true
		if got := ask[*kmsg.MetadataResponse](n, req); got.Topics[0].ErrorCode != kerr.TopicAuthorizationFailed.Code {
			t.Errorf("metadata of %s: code %d", name, got.Topics[0].ErrorCode)
		}
		del := kmsg.NewPtrDeleteTopicsRequest()
		del.TopicNames = []string{name}
		if got := ask[*kmsg.DeleteTopicsResponse](n, del); got.Topics[0].ErrorCode != kerr.TopicAuthorizationFailed.Code {
			t.Errorf("delete %s: code %d", name, got.Topics[0].ErrorCode)
		}
		desc := kmsg.NewPtrDescribeConfigsRequest()
		desc.Resources = []kmsg.DescribeConfigsRequestResource{{ResourceType: 2, ResourceName: name}, {ResourceType: 4, ResourceName: "1"}}
		got := ask[*kmsg.DescribeConfigsResponse](n, desc)
		if got.Resources[0].ErrorCode != kerr.TopicAuthorizationFailed.Code || got.Resources[1].ErrorCode != kerr.ClusterAuthorizationFailed.Code {
			t.Errorf("configs of %s: %+v", name, got)
		}
	}
	if got := create(n, 7, newTopic("x", 1, 1)); got[0].ErrorCode != kerr.TopicAuthorizationFailed.Code {
		t.Errorf("create: code %d", got[0].ErrorCode)
	}
	if got := ask[*kmsg.DescribeLogDirsResponse](n, &kmsg.DescribeLogDirsRequest{Version: 4}); got.ErrorCode != kerr.ClusterAuthorizationFailed.Code {
		t.Errorf("log dirs: code %d", got.ErrorCode)
	}
	o := n.Serve(callOf(connection("CONTROLLER"), &wire.OpenRaftStreamRequest{}))
	if a := o.Finish(false); a.Close != "not a broker" {
		t.Errorf("raft stream: %+v", a)
	}
	if after := n.deps.Catalog.Image().Index(); after != before {
		t.Errorf("something was written: index %d after %d", after, before)
	}
}

// forwarder notes what it was given.
type forwarder struct {
	node int32
	call *wire.Call
}

func (f *forwarder) Forward(node int32, c *wire.Call) wire.Outcome {
	f.node, f.call = node, c
	return refuse("forwarded")
}

// TestForward: what is for the controller goes to it when it is another node,
// auto-created topics too; with no controller it is served here.
func TestForward(t *testing.T) {
	n := startNode(t)
	f := &forwarder{}
	self := *n.deps.Conf
	self.NodeID = 9 // as if we were not the leader, which is 1
	away := n.rebuild(func(d *Deps) { d.Forward, d.Conf = f, &self })
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Version = 7
	if a := away.Serve(callOf(connection("PLAINTEXT"), req)).Finish(false); a.Close != "forwarded" || f.node != 1 || f.call.Key != 19 {
		t.Errorf("%+v to %d", a, f.node)
	}
	f.call = nil
	auto := metadataFor(12, "new")
	auto.AllowAutoTopicCreation = true
	if got := ask[*kmsg.MetadataResponse](away, auto); f.call == nil || f.call.Key != 19 || got.Topics[0].ErrorCode != kerr.LeaderNotAvailable.Code {
		t.Errorf("auto-creation: %+v, %+v", f.call, got.Topics)
	}
	f.call = nil
	here := n.rebuild(func(d *Deps) { d.Forward = f })
	if got := create(here, 7, newTopic("here", 1, 1)); got[0].ErrorCode != 0 || f.call != nil {
		t.Errorf("the controller forwards: %+v", got)
	}
}
