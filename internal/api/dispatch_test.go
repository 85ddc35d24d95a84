package api

import (
	"context"
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
		{3, 14}, {3, -1}, {4, 0}, {127, 0}, {128, 0}, {-1, 0}, {-32768, 0}, {32767, 0}, {9999, 0}, {10004, 0}, {10016, 0}, {10000, 1}, {18, -1},
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
			if e.Key == apiVersionsKey && v < 3 || e.Key == 16 && v < 3 || e.Key == 74 && v == 0 {
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

// far is a controller on another node: it opens envelopes there, or fails.
type far struct {
	at   *testNode
	fail error
	node int32
	key  int16
}

func (f *far) ToController(context.Context, kmsg.Request) (kmsg.Response, error) {
	return nil, wire.ErrPeerUnreachable
}

func (f *far) Ask(_ context.Context, node int32, req kmsg.Request) (kmsg.Response, error) {
	f.node, f.key = node, req.Key()
	if f.fail != nil {
		return nil, f.fail
	}
	f.at.t.Helper()
	return askOn[*kmsg.EnvelopeResponse](f.at, connection("CONTROLLER"), req), nil
}

// TestForward: what is for the controller goes to it when it is another node,
// auto-created topics too, in the name of who asked.
func TestForward(t *testing.T) {
	n := startNode(t)
	var asked []string
	there := n.rebuild(func(d *Deps) {
		d.Auth = rules(func(q auth.Question) bool {
			if q.Resource.Type == auth.Topic {
				asked = append(asked, q.Principal.Name+" from "+q.Host)
			}
			return true
		})
	})
	f := &far{at: there}
	self := *n.deps.Conf
	self.NodeID = 9 // as if we were not the leader, which is 1
	away := n.rebuild(func(d *Deps) { d.Remote, d.Conf = f, &self })
	alice := connection("PLAINTEXT")
	alice.Principal = wire.Principal{Type: "User", Name: "alice"}
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Version, req.TimeoutMillis = 7, 5000
	req.Topics = []kmsg.CreateTopicsRequestTopic{newTopic("x", 1, 1)}
	if got := askOn[*kmsg.CreateTopicsResponse](away, alice, req); got.Topics[0].ErrorCode != 0 || f.node != 1 || f.key != envelopeKey {
		t.Errorf("%+v by way of node %d", got.Topics, f.node)
	}
	if len(asked) == 0 || asked[0] != "alice from 127.0.0.1" {
		t.Errorf("the controller heard of %v", asked)
	}
	old := kmsg.NewPtrCreateTopicsRequest() // a version without tags
	old.Version, old.TimeoutMillis, old.Topics = 2, 5000, []kmsg.CreateTopicsRequestTopic{newTopic("y", 1, 1)}
	if got := askOn[*kmsg.CreateTopicsResponse](away, alice, old); got.Topics[0].ErrorCode != 0 {
		t.Errorf("version 2: %+v", got.Topics)
	}
	auto := metadataFor(12, "new")
	auto.AllowAutoTopicCreation = true
	if got := ask[*kmsg.MetadataResponse](away, auto); got.Topics[0].ErrorCode != 0 {
		t.Errorf("auto-creation: %+v", got.Topics)
	}
	if f.key = 0; create(n, 7, newTopic("here", 1, 1))[0].ErrorCode != 0 || f.key != 0 {
		t.Errorf("the controller forwards")
	}
}

// TestForwardFails: what surely did not reach the controller is served here,
// and hears why not; where nobody can say, the connection closes.
func TestForwardFails(t *testing.T) {
	n := startNode(t)
	follower := newNode(t, false)
	follower.run()
	f := &far{fail: wire.ErrPeerUnreachable}
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Version, req.TimeoutMillis = 7, 5000
	req.Topics = []kmsg.CreateTopicsRequestTopic{newTopic("x", 1, 1)}
	answer := func() wire.Answer {
		o := forward(Deps{Remote: f}, 1, callOf(connection("PLAINTEXT"), req), true, follower.Serve)
		done := make(chan struct{})
		o.Notify(func(*wire.Handoff) { close(done) })
		<-done
		return o.Finish(false)
	}
	resp := kmsg.NewPtrCreateTopicsResponse()
	n.decode(answer(), 7, resp)
	if resp.Topics[0].ErrorCode != kerr.InvalidReplicationFactor.Code { // the follower knows of no broker
		t.Errorf("%+v", resp.Topics)
	}
	f.fail = wire.ErrPeerLost
	if a := answer(); a.Close != "controller lost" {
		t.Errorf("%+v", a)
	}
}

// TestEnvelope: what no controller serves is not served out of an envelope, nor
// what cannot be read.
func TestEnvelope(t *testing.T) {
	n := startNode(t)
	good := envelope(callOf(connection("PLAINTEXT"), metadataFor(12, "x")), true)
	for what, change := range map[string]func(*kmsg.EnvelopeRequest){
		"not for a controller": func(*kmsg.EnvelopeRequest) {},
		"cut off":              func(e *kmsg.EnvelopeRequest) { e.RequestData = e.RequestData[:5] },
		"an envelope in one":   func(e *kmsg.EnvelopeRequest) { e.RequestData = envelopeOf(e) },
		"no principal":         func(e *kmsg.EnvelopeRequest) { e.RequestPrincipal = nil },
	} {
		e := *good
		change(&e)
		if got := askOn[*kmsg.EnvelopeResponse](n, connection("CONTROLLER"), &e); got.ErrorCode != kerr.InvalidRequest.Code {
			t.Errorf("%s: code %d", what, got.ErrorCode)
		}
	}
}

func envelopeOf(e *kmsg.EnvelopeRequest) []byte {
	return envelope(callOf(connection("PLAINTEXT"), e), true).RequestData
}
