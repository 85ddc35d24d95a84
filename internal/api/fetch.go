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
	"github.com/brokerd/brokerd/internal/storage"
	"github.com/brokerd/brokerd/internal/wire"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Fetch, key 1.
//
//	v0-3 sets of messages (fetch_old.go); v4 isolation and aborted transactions;
//	v5 log start; v7 sessions; v9 current leader epoch; v10 zstd; v11 rack;
//	v12 flexible, last fetched epoch; v13 topic ids; v15 replica state;
//	v16 node endpoints; v17 directory id; v18 watermark tag
//
// What is there is answered at once; otherwise one waiter per partition and a
// deadline. The first wake that brings enough completes the call, and Finish
// reads once more: what was seen before is not kept.

// maxFetchWait bounds how long a client may have us wait.
const maxFetchWait = time.Minute

type fetchAPI struct {
	d        Deps
	sessions *fetchSessions
	follows  followers
	old      oldAnswers
}

func newFetch(d Deps) *fetchAPI {
	return &fetchAPI{d: d, sessions: newFetchSessions(d.fetchSessionSlots())}
}

func (d Deps) fetchSessionSlots() int {
	if d.Conf == nil {
		return 0
	}
	return d.Conf.FetchSessionSlots
}

// fetchCall is one request, from Serve until its answer has been sent: the
// answer's file ranges are part of it. It is pooled.
//
// gate is 2: Notify takes one, the first sufficient wake the other; who brings
// it to zero calls done. refs counts the connection and every parked waiter.
type fetchCall struct {
	d        Deps
	req      kmsg.FetchRequest
	reply    wire.Reply
	listener string
	deadline time.Time
	bound    replica.Bound
	minBytes int64
	maxBytes int
	parts    []fetching // not moved while waiters are parked

	session     *fetchSession    // nil: none
	follower    *replica.Session // nil: the fetch is a consumer's
	number      int64            // of this request in follower
	doubt       int64            // what the follower is asked to repeat, 0: nothing
	rack        string           // of a consumer that may be sent to a nearer replica
	sessionID   int32
	incremental bool
	err         error // of the whole request

	available atomic.Int64 // bytes that the partitions have for us
	fired     atomic.Bool
	finished  atomic.Bool
	gate      atomic.Int32
	refs      atomic.Int32
	done      func(*wire.Handoff)
	counted   bool // among the parked fetches

	frame   *wire.Frame
	release func() // bound once

	// Of an answer in messages: who counts them, how many bytes may come, and
	// how many are there.
	olds     *oldAnswers
	oldRoom  int
	oldBytes int
}

// fetching is one partition of a call.
type fetching struct {
	waiter    replica.Waiter
	call      *fetchCall
	topic     string // outlives the request
	id        step.TopicID
	partition int32
	offset    int64
	maxBytes  int32
	epoch     int32
	lastEpoch int32
	inSession *sessionPart

	p       *replica.Partition
	denied  error // found at Serve, not asked again
	err     error
	read    replica.Reading
	size    int64 // of read.Range
	start   int64 // of the log, for a follower that has nothing left there
	include bool
	// elsewhere: the preferred replica is to be asked instead of us.
	elsewhere bool
	preferred int32

	// What the one who is woken works with, apart from what Finish reads and
	// writes at the same time.
	at   *replica.Partition
	view storage.View
	seen int64 // bytes counted in call.available
}

var fetchCalls = sync.Pool{New: func() any { return new(fetchCall) }}

func (a *fetchAPI) serve(c *wire.Call) wire.Outcome {
	f := fetchCalls.Get().(*fetchCall)
	if f.release == nil {
		f.release = f.sent
	}
	f.d, f.reply, f.listener, f.olds = a.d, c.Reply(), c.Client.Listener, &a.old
	f.req.SetVersion(c.Version)
	if f.req.UnsafeReadFrom(c.Body) != nil {
		f.recycle()
		return malformed()
	}
	f.refs.Store(1)
	f.gate.Store(2)
	f.limits()
	if f.d.Conf.RackAware && f.reply.Version >= rackVersion {
		f.rack = strings.Clone(f.req.Rack)
	}
	if f.replicaID() >= 0 {
		f.err = f.follow(&a.follows, c)
	} else {
		f.take(a.sessions, c)
	}
	if f.err != nil && c.Version < 7 {
		f.recycle()
		return refuse("fetch refused") // there is no place for an error in the answer
	}
	f.wait()
	return f
}

// limits takes what the request asks for within what we allow.
func (f *fetchCall) limits() {
	wait := time.Duration(max(f.req.MaxWaitMillis, 0)) * time.Millisecond
	f.deadline = time.Now().Add(min(wait, maxFetchWait))
	f.maxBytes = int(f.req.MaxBytes)
	if most := int(f.d.Conf.FetchMaxBytes); most > 0 {
		f.maxBytes = min(f.maxBytes, most)
	}
	if f.old() {
		f.maxBytes = min(f.maxBytes, oldAnswerBytes) // what is read for one is memory, too
	}
	f.minBytes = min(int64(f.req.MinBytes), int64(f.maxBytes)) // more would never come
	f.bound = replica.ToHighWatermark
	if f.req.IsolationLevel == 1 {
		f.bound = replica.ToLastStable
	}
}

// take copies the partitions out of the request, or out of the session.
func (f *fetchCall) take(all *fetchSessions, c *wire.Call) {
	if f.err = all.open(f, c); f.err != nil {
		return
	}
	v := look(f.d, c)
	var name string
	var id step.TopicID
	var denied error
	for i := range f.parts {
		p := &f.parts[i]
		if i == 0 || p.topic != name || p.id != id {
			name, id = p.topic, p.id
			denied = f.mayRead(&v, p)
		}
		p.call, p.denied = f, denied
	}
}

func (f *fetchCall) mayRead(v *view, p *fetching) error {
	name := p.topic
	if f.byID() {
		if t, ok := v.im.Topic(p.id); ok {
			name = t.Name
		}
	}
	if !v.mayTopic(auth.Read, name) {
		return kerr.TopicAuthorizationFailed
	}
	return nil
}

func (f *fetchCall) byID() bool { return f.reply.Version >= 13 }

// fromRequest copies the request's partitions: strings of the request are gone
// when Serve returns.
func (f *fetchCall) fromRequest() {
	n := 0
	for i := range f.req.Topics {
		n += len(f.req.Topics[i].Partitions)
	}
	f.room(n)
	for i := range f.req.Topics {
		t := &f.req.Topics[i]
		name := f.keep(t.Topic)
		for k := range t.Partitions {
			q := &t.Partitions[k]
			f.parts = append(f.parts, fetching{
				topic: name, id: t.TopicID, partition: q.Partition, offset: q.FetchOffset,
				maxBytes: q.PartitionMaxBytes, epoch: q.CurrentLeaderEpoch, lastEpoch: q.LastFetchedEpoch,
			})
		}
	}
}

// room makes sure that n partitions fit without moving.
func (f *fetchCall) room(n int) {
	if cap(f.parts) < n {
		f.parts = make([]fetching, 0, n)
	}
	f.parts = f.parts[:0]
}

// keep gives a name that outlives the request: the image's own where there is one.
func (f *fetchCall) keep(name string) string {
	if name == "" {
		return ""
	}
	if t, ok := f.d.Catalog.Image().TopicNamed(name); ok {
		return t.Name
	}
	return strings.Clone(name)
}

// wait answers at once where there is a reason to, else parks one waiter per
// partition.
func (f *fetchCall) wait() {
	if f.follower != nil {
		f.waitFollower()
		return
	}
	if f.err != nil || f.readAll() || !f.deadline.After(time.Now()) || !f.d.Replicas.Park() {
		f.fired.Store(true)
		return
	}
	f.counted = true
	var total int64
	for i := range f.parts {
		p := &f.parts[i]
		p.at, p.view, p.seen = p.p, p.read.View, p.size
		total += p.size
	}
	f.available.Store(total)
	f.letGo()
	for i := range f.parts {
		p := &f.parts[i]
		if f.fired.Load() {
			break
		}
		p.waiter.Owner, p.waiter.Bound = p, f.bound
		f.refs.Add(1)
		p.park()
	}
}

// readAll reads every partition; true: the answer should leave now.
func (f *fetchCall) readAll() bool {
	im := f.d.Catalog.Image()
	var total int64
	now := false
	for i := range f.parts {
		p := &f.parts[i]
		f.read(im, p, total)
		total += p.size
		now = now || p.err != nil || p.read.Diverged || p.elsewhere
	}
	return now || total >= f.minBytes || len(f.parts) == 0
}

// read reads one partition, after total bytes of others.
func (f *fetchCall) read(im *meta.Image, p *fetching, total int64) {
	p.read, p.size, p.elsewhere = replica.Reading{}, 0, false
	if p.p, p.err = f.find(im, p); p.err != nil {
		return
	}
	if f.rack != "" && f.nearer(im, p) {
		return
	}
	left := max(int64(f.maxBytes)-total, 0)
	p.err = p.p.Read(replica.ReadRequest{
		Offset: p.offset, MaxBytes: int(min(int64(p.maxBytes), left)), FirstWhole: total == 0 || f.reply.Version < 3,
		Epoch: p.epoch, LastEpoch: p.lastEpoch, Bound: f.bound, Follower: f.reply.Version >= rackVersion,
	}, &p.read)
	if !f.finished.Load() { // what has waited was counted before
		p.p.Fetched(p.err != nil && dataCode(p.err) == kerr.KafkaStorageError.Code)
	}
	if p.err != nil {
		p.read = replica.Reading{}
		return
	}
	p.size = p.read.Range.Len()
}

func (f *fetchCall) find(im *meta.Image, p *fetching) (*replica.Partition, error) {
	if p.denied != nil {
		return nil, p.denied
	}
	var t *meta.Topic
	var ok bool
	if f.byID() {
		if t, ok = im.Topic(p.id); !ok {
			return nil, kerr.UnknownTopicID
		}
	} else if t, ok = im.TopicNamed(p.topic); !ok {
		return nil, kerr.UnknownTopicOrPartition
	}
	return f.d.Replicas.Partition(t, p.partition)
}

// letGo releases what readAll holds.
func (f *fetchCall) letGo() {
	for i := range f.parts {
		f.parts[i].read.Range.Release()
		f.parts[i].read.Range = storage.Range{}
	}
}

// park waits at the partition for more than was seen, or completes the call if
// there is news already. It holds a reference that it gives up when not parked.
func (p *fetching) park() {
	f := p.call
	for {
		p.waiter.Seen = max(f.bound.Of(p.view), p.offset)
		if p.at.Wait(&p.waiter) {
			return
		}
		if p.news() {
			f.fire(nil)
			f.unref()
			return
		}
	}
}

// news looks at what the partition has now; true: that is enough to answer. It
// runs on whoever woke us, for min_bytes above 1 only.
func (p *fetching) news() bool {
	f := p.call
	if f.minBytes <= 1 {
		return true
	}
	var r replica.Reading
	err := p.at.Read(replica.ReadRequest{
		Offset: p.offset, MaxBytes: int(p.maxBytes), FirstWhole: true,
		Epoch: p.epoch, LastEpoch: p.lastEpoch, Bound: f.bound, Follower: f.reply.Version >= rackVersion,
	}, &r)
	if err != nil || r.Diverged {
		return true
	}
	n := r.Range.Len()
	r.Range.Release()
	p.view = r.View
	more := n - p.seen
	p.seen = n
	return f.available.Add(more) >= f.minBytes
}

// Woken is called when the partition's bound has moved, or it changed hands.
func (p *fetching) Woken(_ *replica.Waiter, h *wire.Handoff) {
	f := p.call
	f.refs.Add(1)
	defer f.unref()
	switch {
	case f.finished.Load() || f.fired.Load():
		f.unref()
	case p.news():
		f.fire(h)
		f.unref()
	default:
		p.park()
		// Finish may have been through with Unwait before we parked again.
		if f.finished.Load() && p.waiter.Unwait() {
			f.unref()
		}
	}
}

// fire completes the call, once.
func (f *fetchCall) fire(h *wire.Handoff) {
	if f.fired.CompareAndSwap(false, true) && f.gate.Add(-1) == 0 {
		f.done(h)
	}
}

func (f *fetchCall) Ready() bool         { return f.fired.Load() }
func (f *fetchCall) Deadline() time.Time { return f.deadline }

func (f *fetchCall) Notify(done func(*wire.Handoff)) {
	f.done = done
	if f.gate.Add(-1) == 0 {
		done(nil)
	}
}

// Finish reads again if the call has waited, and builds the answer.
func (f *fetchCall) Finish(bool) wire.Answer {
	if f.follower != nil {
		f.serveFollower()
	} else if f.counted {
		f.stop()
		f.readAll()
	}
	return f.answer()
}

// Drop forgets the answer: the connection is gone.
func (f *fetchCall) Drop() {
	if f.follower != nil {
		f.dropFollower()
		return
	}
	if f.counted {
		f.stop()
	} else {
		f.letGo()
	}
	f.unref()
}

// stop takes the waiters back.
func (f *fetchCall) stop() {
	f.finished.Store(true)
	f.counted = false
	f.d.Replicas.Unpark()
	for i := range f.parts {
		if f.parts[i].waiter.Unwait() {
			f.unref()
		}
	}
}

// sent is the answer's Release: the ranges are part of the call, so the call
// lives until they have left.
func (f *fetchCall) sent() {
	f.frame.Release()
	f.frame = nil
	if f.oldBytes > 0 {
		f.olds.held.Add(-int64(f.oldBytes))
		f.oldBytes = 0
	}
	f.unref()
}

func (f *fetchCall) unref() {
	if f.refs.Add(-1) == 0 {
		f.recycle()
	}
}

// These keep an odd huge request from staying in the pool.
const (
	maxPooledParts  = 4096
	maxPooledTopics = 256
)

func (f *fetchCall) recycle() {
	if cap(f.parts) > maxPooledParts || cap(f.req.Topics) > maxPooledTopics {
		return
	}
	clear(f.parts) // what is beyond has been cleared before
	f.parts = f.parts[:0]
	clear(f.req.Topics[:cap(f.req.Topics)])
	clear(f.req.ForgottenTopics[:cap(f.req.ForgottenTopics)])
	f.req.Rack, f.req.ClusterID, f.req.UnknownTags = "", nil, kmsg.Tags{}
	f.doubt = 0
	f.session, f.follower, f.sessionID, f.incremental, f.err, f.rack = nil, nil, 0, false, nil, ""
	f.fired.Store(false)
	f.finished.Store(false)
	f.counted, f.done = false, nil
	fetchCalls.Put(f)
}
