package api

import (
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/brokerd/brokerd/internal/auth"
	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/replica"
	"github.com/brokerd/brokerd/internal/step"
	"github.com/brokerd/brokerd/internal/wire"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Produce, key 0.
//
//	v0-2 sets of messages, which become a batch (record.Upgrade); v1 throttle;
//	v2 append time; v3 record batches; v5 log start offset; v7 zstd; v8 record errors and a
//	message; v9 flexible; v10 current leader; v13 topic ids
//
// A batch is appended while the request is taken up, so the order of requests on
// a connection is the order in the log; what waits is the acknowledgement.

// batchSince is the first version that brings batches, zstdSince the first whose
// clients may use zstd.
const (
	batchSince = 3
	zstdSince  = 7
)

type produceAPI struct{ d Deps }

// produceCall is one request, from Serve until its answer is built. It is
// pooled, with the kmsg structs and the tickets in it: the steady state
// allocates nothing of its own.
//
// left counts the waiting tickets, and one more until somebody waits for us:
// who brings it to zero calls done. refs counts who still holds the call: the
// connection, and every ticket that is queued at a partition.
type produceCall struct {
	d        Deps
	req      kmsg.ProduceRequest
	reply    wire.Reply
	listener string
	deadline time.Time
	batches  []producing // never moved once the first is appended

	left atomic.Int32
	refs atomic.Int32
	done func(*wire.Handoff)
}

// producing is one batch of a request.
type producing struct {
	ticket    replica.Ticket
	later     *replica.Partition // where gather appends it
	topic     string             // the image's string, or a copy: the request's is gone when we answer
	id        step.TopicID
	first     bool // of its topic in the request
	partition int32
	err       error
}

var produceCalls = sync.Pool{New: func() any { return new(produceCall) }}

func (a produceAPI) serve(c *wire.Call) wire.Outcome {
	p := produceCalls.Get().(*produceCall)
	p.d, p.reply, p.listener = a.d, c.Reply(), c.Client.Listener
	p.req.SetVersion(c.Version)
	if p.req.UnsafeReadFrom(c.Body) != nil {
		p.recycle()
		return malformed()
	}
	p.left.Store(1)
	p.refs.Store(1)
	p.deadline = time.Now().Add(time.Duration(p.req.TimeoutMillis) * time.Millisecond)
	p.append(c)
	return p
}

// append takes every partition of the request, in order.
func (p *produceCall) append(c *wire.Call) {
	n := 0
	for i := range p.req.Topics {
		n += len(p.req.Topics[i].Partitions)
	}
	if cap(p.batches) < n {
		p.batches = make([]producing, 0, n)
	}
	p.batches = p.batches[:0]
	v := look(p.d, c)
	opt := replica.AppendOptions{Acks: replica.Acks(p.req.Acks), Zstd: c.Version >= zstdSince, Transaction: p.req.TransactionID != nil, Set: c.Version < batchSince}
	whole := p.refused(&v)
	for i := range p.req.Topics {
		t := &p.req.Topics[i]
		topic, name, err := p.topic(&v, t)
		if whole != nil {
			err = whole
		}
		for k := range t.Partitions {
			p.batches = append(p.batches, producing{
				topic: name, id: t.TopicID, first: k == 0, partition: t.Partitions[k].Partition, err: err,
			})
			if err == nil {
				p.appendOne(topic, &p.batches[len(p.batches)-1], t.Partitions[k].Records, opt, c.Later)
			}
		}
	}
}

// refused is what is wrong with the request as a whole.
func (p *produceCall) refused(v *view) error {
	switch p.req.Acks {
	case int16(replica.AcksNone), int16(replica.AcksLeader), int16(replica.AcksAll):
	default:
		return faultf(kerr.InvalidRequiredAcks, "acks is %d; it can be 0, 1 or -1 (all)", p.req.Acks)
	}
	id := p.req.TransactionID
	if id != nil && !v.may(auth.Write, auth.Resource{Type: auth.TransactionalID, Name: *id}) {
		return kerr.TransactionalIDAuthorizationFailed
	}
	return nil
}

// topic finds the topic of a request by name or by id. name outlives the request.
func (p *produceCall) topic(v *view, t *kmsg.ProduceRequestTopic) (topic *meta.Topic, name string, err error) {
	var ok bool
	if p.reply.Version >= 13 {
		if topic, ok = v.im.Topic(t.TopicID); !ok {
			return nil, "", kerr.UnknownTopicID
		}
	} else if topic, ok = v.im.TopicNamed(t.Topic); !ok {
		name = strings.Clone(t.Topic)
		if !v.mayTopic(auth.Write, name) {
			return nil, name, kerr.TopicAuthorizationFailed
		}
		return nil, name, kerr.UnknownTopicOrPartition
	}
	switch {
	case !v.mayTopic(auth.Write, topic.Name):
		return nil, topic.Name, kerr.TopicAuthorizationFailed
	case topic.Internal:
		return nil, topic.Name, faultf(kerr.InvalidTopicException, "topic %s is internal: only the broker writes to it", topic.Name)
	}
	return topic, topic.Name, nil
}

func (p *produceCall) appendOne(topic *meta.Topic, b *producing, records []byte, opt replica.AppendOptions, later bool) {
	part, err := p.d.Replicas.Partition(topic, b.partition)
	if err != nil {
		b.err = err
		return
	}
	p.left.Add(1)
	p.refs.Add(1)
	b.ticket.Owner, b.ticket.Records, b.ticket.Options = p, records, opt
	if later {
		b.later = part
		return
	}
	one := [1]*replica.Ticket{&b.ticket}
	part.AppendEach(one[:])
	p.appended(b)
}

// appended takes back what appendOne has counted for a ticket that does not wait.
func (p *produceCall) appended(b *producing) {
	b.ticket.Records = nil
	if !b.ticket.Waiting {
		p.left.Add(-1)
		p.refs.Add(-1)
	}
}

// Completed is called by whoever acknowledges a batch.
func (p *produceCall) Completed(_ *replica.Ticket, h *wire.Handoff) {
	if p.left.Add(-1) == 0 {
		p.done(h)
	}
	p.unref()
}

func (p *produceCall) Ready() bool         { return p.left.Load() == 1 }
func (p *produceCall) Deadline() time.Time { return p.deadline }

func (p *produceCall) Notify(done func(*wire.Handoff)) {
	p.done = done
	if p.left.Add(-1) == 0 {
		done(nil)
	}
}

// Finish answers. Batches that are not acknowledged yet hear that time is up:
// they are in the log, and may be committed later.
func (p *produceCall) Finish(expired bool) wire.Answer {
	if expired {
		p.cancel()
	}
	var a wire.Answer
	if p.req.Acks == int16(replica.AcksNone) {
		a = p.silence()
	} else {
		a = p.answer()
	}
	p.unref()
	return a
}

// Drop forgets the answer: the connection is gone.
func (p *produceCall) Drop() {
	p.cancel()
	p.unref()
}

func (p *produceCall) cancel() {
	for i := range p.batches {
		if p.batches[i].ticket.Cancel() {
			p.refs.Add(-1) // cannot be the last: the connection holds one
		}
	}
}

// silence is the answer to acks=0: none, and a closed connection where something
// went wrong, so that the client asks for metadata.
func (p *produceCall) silence() wire.Answer {
	for i := range p.batches {
		if p.batches[i].failure() != nil {
			return wire.Answer{Close: "produce with acks=0 failed"}
		}
	}
	return wire.Answer{}
}

func (b *producing) failure() error {
	if b.err != nil {
		return b.err
	}
	return b.ticket.Err
}

func (p *produceCall) unref() {
	if p.refs.Add(-1) == 0 {
		p.recycle()
	}
}

// maxPooledBatches keeps an odd huge request from staying in the pool.
const maxPooledBatches = 1024

// recycle forgets what aliases the request, so that its buffer is not held.
func (p *produceCall) recycle() {
	if cap(p.batches) > maxPooledBatches || cap(p.req.Topics) > maxPooledTopics {
		return
	}
	clear(p.batches) // what is beyond has been cleared before
	p.batches = p.batches[:0]
	clear(p.req.Topics[:cap(p.req.Topics)])
	p.req.TransactionID = nil
	p.done = nil
	produceCalls.Put(p)
}
