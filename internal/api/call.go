package api

import (
	"net"

	"github.com/brokerd/brokerd/internal/auth"
	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/wire"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	apiVersionsKey = 18
	envelopeKey    = 58
)

// read decodes a call into req. Its strings are copies; its byte fields alias
// the read buffer. false: the bytes are no such request.
func read(c *wire.Call, req kmsg.Request) bool {
	req.SetVersion(c.Version)
	return req.ReadFrom(c.Body) == nil
}

// malformed closes the connection of a client whose bytes cannot be read.
func malformed() wire.Outcome { return refuse("malformed request") }

// refuse answers nothing and closes the connection; reason is counted.
func refuse(reason string) wire.Outcome {
	return &wire.Ready{Answer: wire.Answer{Close: reason}}
}

// asker is who asks, for the authorizer.
func asker(c *wire.Call) auth.Question {
	return auth.Question{Principal: auth.Principal(c.Client.Principal), Host: host(c.Client.Remote)}
}

// view is what one client may see of one image.
type view struct {
	d        Deps
	im       *meta.Image
	listener string
	asks     auth.Question
}

// look takes the image of now for one call.
func look(d Deps, c *wire.Call) view {
	v := view{d: d, im: d.Catalog.Image(), listener: c.Client.Listener}
	if d.Auth.Enabled() {
		v.asks = asker(c) // costs allocations, which the data path should not pay for nothing
	}
	return v
}

// may asks the authorizer.
func (v view) may(op auth.Operation, r auth.Resource) bool {
	q := v.asks
	q.Operation, q.Resource = op, r
	return v.d.Auth.Allows(v.im, q)
}

func (v view) mayTopic(op auth.Operation, name string) bool {
	return v.may(op, auth.Resource{Type: auth.Topic, Name: name})
}

// What can be allowed at all, by kind of resource.
var (
	topicOperations = []auth.Operation{auth.Read, auth.Write, auth.Create, auth.Delete,
		auth.Alter, auth.Describe, auth.DescribeConfigs, auth.AlterConfigs}
	clusterOperations = []auth.Operation{auth.Create, auth.Alter, auth.Describe, auth.ClusterAction,
		auth.DescribeConfigs, auth.AlterConfigs, auth.IdempotentWrite}
)

// allowed packs the operations that the client may do, one bit each.
func (v view) allowed(r auth.Resource, ops []auth.Operation) (set int32) {
	for _, op := range ops {
		if v.may(op, r) {
			set |= 1 << op
		}
	}
	return set
}

// host is the address of a client without its port.
func host(a net.Addr) string {
	if a == nil {
		return ""
	}
	h, _, err := net.SplitHostPort(a.String())
	if err != nil {
		return a.String() // the simulator's addresses have no port
	}
	return h
}
