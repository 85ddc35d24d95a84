package api

import (
	"log/slog"

	"github.com/brokerd/brokerd/internal/auth"
	"github.com/brokerd/brokerd/internal/invariant"
	"github.com/brokerd/brokerd/internal/wire"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Kafka's keys and ours, each in an array of its own: a look-up is an index.
const (
	kafkaKeys   = 128
	ownKeys     = 16
	firstOwnKey = 10000
)

// Dispatcher finds the endpoint of a call. It is what the server sees of us.
type Dispatcher struct {
	d     Deps
	kafka [kafkaKeys]*route
	own   [ownKeys]*route

	closed []func(*wire.Client) // who keeps something per connection
}

// route is an endpoint with what is known of it before its body is read.
type route struct {
	Endpoint
	firstFlexible int16
	shapes        []*bodyShape // by version from Min on; nil: decodes with care itself
}

var _ wire.Dispatcher = (*Dispatcher)(nil)

// New builds the table and the way into it.
func New(d Deps) *Dispatcher {
	d = d.withDefaults()
	t := &Dispatcher{d: d}
	table := Table(d)
	for i := range table {
		if table[i].Key == envelopeKey {
			table[i].Serve = t.openEnvelope
		}
	}
	return t.fill(table)
}

// NewGreeter serves what a node can tell before it has settled who it is:
// ApiVersions and DescribeNode.
func NewGreeter(d Deps) *Dispatcher {
	d = d.withDefaults()
	var table []Endpoint
	for _, e := range Table(d) {
		if e.Key == apiVersionsKey || e.Key == wire.KeyDescribeNode {
			table = append(table, e)
		}
	}
	for i := range table {
		if table[i].Key == apiVersionsKey {
			table[i].Serve = newVersions(d, table).serve
		}
	}
	return (&Dispatcher{d: d}).fill(table)
}

// Keys lists the APIs that a node serves.
func Keys() (keys []int16) {
	for _, e := range Table(Deps{}.withDefaults()) {
		keys = append(keys, e.Key)
	}
	return keys
}

func (t *Dispatcher) fill(table []Endpoint) *Dispatcher {
	for _, e := range table {
		slot := t.slot(e.Key)
		invariant.Check(slot != nil && *slot == nil, "api key %d has no place in the table, or two", e.Key)
		*slot = newRoute(e)
		if e.Closed != nil {
			t.closed = append(t.closed, e.Closed)
		}
	}
	return t
}

func newRoute(e Endpoint) *route {
	r := &route{Endpoint: e, firstFlexible: firstFlexible(e.Key, e.Max)}
	for v := e.Min; v <= e.Max; v++ {
		r.shapes = append(r.shapes, shapeOf(e.Key, v))
	}
	return r
}

// bounded reports whether the body may be decoded (P3). Versions beyond the
// table are not decoded at all.
func (r *route) bounded(c *wire.Call) bool {
	i := int(c.Version - r.Min)
	return i >= len(r.shapes) || r.shapes[i] == nil || r.shapes[i].fits(c.Body)
}

func (d Deps) withDefaults() Deps {
	if d.Auth == nil {
		d.Auth = auth.AllowAll{}
	}
	if d.Log == nil {
		d.Log = slog.Default()
	}
	return d
}

// Trait says what the server must know before it reads on. ApiVersions is known
// in every version: a too new one is answered, not refused (KIP-511). Its
// header is the flexible one then, as that of all its versions since 3.
func (t *Dispatcher) Trait(key, version int16) wire.Trait {
	r := t.route(key)
	if r == nil || version < r.Min || version > r.Max && key != apiVersionsKey {
		return wire.Trait{}
	}
	return wire.Trait{Known: true, Flexible: version >= r.firstFlexible, ReadsOn: r.ReadsOn, Light: r.Light, Gathers: r.Gathers}
}

// Serve takes up one call. nil closes the connection.
func (t *Dispatcher) Serve(c *wire.Call) wire.Outcome {
	c.Failures = t.d.Failures
	r := t.route(c.Key)
	switch {
	case r == nil || c.Version < r.Min || c.Version > r.Max && c.Key != apiVersionsKey:
		return refuse("unsupported version")
	case r.Where == Peer && !look(t.d, c).may(auth.ClusterAction, auth.TheCluster):
		return refuse("not a broker")
	case !r.early() && t.d.Ready != nil && !t.d.Ready():
		return refuse("starting")
	case !r.bounded(c):
		return malformed()
	case r.Where == Controller:
		return onController(t.d, r.firstFlexible, r.Serve)(c)
	}
	return r.Serve(c)
}

// Gather appends what came together. Only Produce gathers.
func (t *Dispatcher) Gather(run []wire.Outcome) { gather(run) }

// early says whether an API is served before the cluster has let this broker
// in: that is how it comes to be let in.
func (r *route) early() bool {
	return r.Where != Anywhere || r.Key == apiVersionsKey
}

// onController serves a call where the controller is: here, or forwarded. With
// no controller it is served here, and hears so from the one who proposes.
func onController(d Deps, firstFlexible int16, serve func(*wire.Call) wire.Outcome) func(*wire.Call) wire.Outcome {
	return func(c *wire.Call) wire.Outcome {
		if d.Remote != nil {
			if node, ok := d.Controller.Leader(); ok && node != d.Conf.NodeID {
				return forward(d, node, c, c.Version >= firstFlexible, serve)
			}
		}
		return serve(c)
	}
}

// Closed tells that a connection has gone.
func (t *Dispatcher) Closed(c *wire.Client) {
	for _, closed := range t.closed {
		closed(c)
	}
}

func (t *Dispatcher) route(key int16) *route {
	if slot := t.slot(key); slot != nil {
		return *slot
	}
	return nil
}

func (t *Dispatcher) slot(key int16) **route {
	switch own := int(key) - firstOwnKey; {
	case key >= 0 && key < kafkaKeys:
		return &t.kafka[key]
	case own >= 0 && own < ownKeys:
		return &t.own[own]
	}
	return nil
}

// firstFlexible asks kmsg from which version on headers carry tagged fields.
// Own APIs do from the start.
func firstFlexible(key, max int16) int16 {
	req := kmsg.RequestForKey(key)
	if req == nil {
		return 0
	}
	for v := int16(0); v <= max; v++ {
		req.SetVersion(v)
		if req.IsFlexible() {
			return v
		}
	}
	return max + 1
}
