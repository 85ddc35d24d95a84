package api

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"time"

	"github.com/brokerd/brokerd/internal/wire"
	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Remote is the controller on another node.
type Remote interface {
	// Ask sends req to node, which leads the raft group as far as we know.
	Ask(ctx context.Context, node int32, req kmsg.Request) (kmsg.Response, error)
	// ToController finds the controller, again and again until ctx ends.
	ToController(ctx context.Context, req kmsg.Request) (kmsg.Response, error)
}

// Envelope (58) carries a client's request, with its principal, from the broker
// that was asked to the controller.
//
//	client ─ CreateTopics ─► broker ─ Envelope{header + body, principal, host} ─► controller
//	       ◄──────────────── broker ◄─ Envelope{header + body of the answer} ────

// forwardWait bounds the wait for the controller's answer: its own requests wait
// longestWait at most.
const forwardWait = longestWait + peerWait

// forward sends c to the controller on node and answers what it answers. When
// it surely was not served there, it is served here, where it hears why not.
func forward(d Deps, node int32, c *wire.Call, flexible bool, local func(*wire.Call) wire.Outcome) wire.Outcome {
	body := append([]byte(nil), c.Body...)
	kept, client := *c, *c.Client
	kept.Body, kept.Client = body, &client
	deadline := time.Now().Add(forwardWait)
	f := &forwarded{}
	f.pending = later(deadline, func(expired bool) wire.Answer {
		if expired || f.answer == nil {
			return wire.Answer{Close: "controller did not answer"}
		}
		return f.answer()
	})
	go func() { // ends by its deadline
		ctx, cancel := context.WithDeadline(context.Background(), deadline)
		defer cancel()
		resp, err := d.Remote.Ask(ctx, node, envelope(&kept, flexible))
		f.answer = answerOf(resp, err)
		if f.answer == nil {
			f.answer = serveHere(&kept, local)
		}
		f.complete(nil)
	}()
	return f
}

// forwarded is a request on its way. answer is set before it is completed.
type forwarded struct {
	*pending
	answer func() wire.Answer
}

func envelope(c *wire.Call, flexible bool) *kmsg.EnvelopeRequest {
	req := kmsg.NewPtrEnvelopeRequest()
	h := wire.Header{Key: c.Key, Version: c.Version, Correlation: c.Correlation, ClientID: []byte(c.ClientID)}
	version := 1
	if flexible {
		version = 2
	}
	req.RequestData = append(h.AppendHeader(nil, version), c.Body...)
	req.RequestPrincipal = appendPrincipal(nil, c.Client.Principal)
	if ip := net.ParseIP(host(c.Client.Remote)); ip.To4() != nil {
		req.ClientHostAddress = ip.To4()
	} else {
		req.ClientHostAddress = ip
	}
	return req
}

// answerOf is what the controller answered; nil when it surely did nothing. When
// nobody can say, the connection closes, and the client looks itself.
func answerOf(resp kmsg.Response, err error) func() wire.Answer {
	e, ok := resp.(*kmsg.EnvelopeResponse)
	switch {
	case err != nil && (errors.Is(err, wire.ErrPeerUnreachable) || errors.Is(err, wire.ErrPeerBusy) || errors.Is(err, wire.ErrPeerVersion)):
		return nil
	case err != nil || !ok:
		return func() wire.Answer { return wire.Answer{Close: "controller lost"} }
	case e.ErrorCode != 0:
		return nil
	}
	frame := append(binary.BigEndian.AppendUint32(nil, uint32(len(e.ResponseData))), e.ResponseData...)
	return func() wire.Answer { return wire.Answer{Frame: frame} }
}

// serveHere runs a call to its end on this goroutine.
func serveHere(c *wire.Call, local func(*wire.Call) wire.Outcome) func() wire.Answer {
	o := local(c)
	if o == nil || o.Ready() {
		return func() wire.Answer { return finish(o, false) }
	}
	done := make(chan struct{})
	o.Notify(func(*wire.Handoff) { close(done) })
	limit := time.NewTimer(time.Until(o.Deadline()))
	defer limit.Stop()
	select {
	case <-done:
		return func() wire.Answer { return o.Finish(false) }
	case <-limit.C:
		return func() wire.Answer { return o.Finish(true) }
	}
}

func finish(o wire.Outcome, expired bool) wire.Answer {
	if o == nil {
		return wire.Answer{Close: "malformed request"}
	}
	return o.Finish(expired)
}

// openEnvelope serves what is in an envelope, in the name of its principal. Only
// what a controller serves may be in one.
func (t *Dispatcher) openEnvelope(c *wire.Call) wire.Outcome {
	req := kmsg.NewPtrEnvelopeRequest()
	if !read(c, req) {
		return malformed()
	}
	inner, ok := t.unpack(c, req)
	if !ok {
		return wire.Respond(c, &kmsg.EnvelopeResponse{ErrorCode: kerr.InvalidRequest.Code})
	}
	if !t.d.Controller.Active() {
		return wire.Respond(c, &kmsg.EnvelopeResponse{ErrorCode: kerr.NotController.Code})
	}
	return &opened{t.route(inner.Key).Serve(inner), c.Reply()}
}

func (t *Dispatcher) unpack(c *wire.Call, req *kmsg.EnvelopeRequest) (*wire.Call, bool) {
	if len(req.RequestData) < wire.FixedHeader {
		return nil, false
	}
	h, rest := wire.ParseFixed(req.RequestData)
	r := t.route(h.Key)
	if r == nil || r.Where != Controller || h.Version < r.Min || h.Version > r.Max {
		return nil, false
	}
	body, err := h.ParseRest(rest, h.Version >= r.firstFlexible)
	principal, named := readPrincipal(req.RequestPrincipal)
	if err != nil || !named {
		return nil, false
	}
	// The listener is one for clients: who asked does not know of the controller's.
	client := &wire.Client{ID: c.Client.ID, Listener: t.d.Conf.InterBroker, Principal: principal}
	if n := len(req.ClientHostAddress); n == net.IPv4len || n == net.IPv6len {
		client.Remote = &net.TCPAddr{IP: append(net.IP(nil), req.ClientHostAddress...)}
	}
	inner := &wire.Call{Key: h.Key, Version: h.Version, Correlation: h.Correlation, ClientID: string(h.ClientID), Body: body, Client: client, Failures: c.Failures}
	return inner, r.bounded(inner)
}

// opened is the outcome of what was in an envelope: its answer goes back in one.
type opened struct {
	wire.Outcome
	reply wire.Reply
}

func (o *opened) Finish(expired bool) wire.Answer {
	a := o.Outcome.Finish(expired)
	if a.Release != nil {
		defer a.Release()
	}
	resp := &kmsg.EnvelopeResponse{}
	if a.Close != "" || len(a.Frame) < 4 {
		resp.ErrorCode = kerr.InvalidRequest.Code
	} else {
		resp.ResponseData = a.Frame[4:]
	}
	return o.reply.Answer(resp)
}

// A principal travels as Kafka's DefaultPrincipalData, version 0:
//
//	version int16 | type compact string | name compact string | by token bool | tags
func appendPrincipal(b []byte, p wire.Principal) []byte {
	b = kbin.AppendInt16(b, 0)
	b = kbin.AppendCompactString(b, p.Type)
	b = kbin.AppendCompactString(b, p.Name)
	return append(b, 0, 0)
}

func readPrincipal(b []byte) (p wire.Principal, ok bool) {
	k := kbin.Reader{Src: b}
	version := k.Int16()
	p.Type, p.Name = k.CompactString(), k.CompactString()
	_ = k.Bool() // by a delegation token or not is the same to an authorizer
	return p, k.Ok() && version >= 0 && p.Type != ""
}
