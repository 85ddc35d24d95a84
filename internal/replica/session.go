package replica

import (
	"sync"
	"sync/atomic"

	"github.com/brokerd/brokerd/internal/isr"
	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/step"
	"github.com/brokerd/brokerd/internal/storage"
	"github.com/brokerd/brokerd/internal/wire"
)

// Session is what this broker, as a leader, keeps of one fetcher of a follower:
// the partitions that it asks for, and which of them have something to tell.
//
//	append, role change ─► mark ─► dirty: [p7][p2] ─► Serve ─► the answer
//	                        │                ▲
//	                        └─► the parked   └─ Update: what the request asks anew
//	                            fetch wakes
//
// A partition that is answered with records, an error or a divergence is not
// asked any more until the follower names it again; one that is told nothing, or
// watermarks only, stays asked. So an idle partition is in neither request nor
// answer, and costs its entry.
type Session struct {
	m           *Manager
	broker      int32
	brokerEpoch int64
	spoke       atomic.Int64 // step.Instant of its last request
	requests    int64        // of the one who calls Update

	// mu is held for memory only.
	mu     sync.Mutex
	asked  map[step.PartitionID]*asked
	dirty  list[asked]
	urgent int // how many of dirty are worth an answer of their own
	parked SessionWaiter
	ended  bool
	wanted int64 // the newest doubt about what it follows
	asking int64 // the newest that an answer has brought it, at most wanted

	said atomic.Int64 // the newest that it has repeated

	resting []*asked // throttled: a timer ends it
}

// SessionWaiter is the fetch that waits at a session.
type SessionWaiter interface {
	// Wake tells that there is something to serve, or another request: once,
	// holding no lock. It must not block.
	Wake(h *wire.Handoff)
}

// asked is one partition of a session. The session's mu guards it, but follows.
type asked struct {
	s    *Session
	id   step.PartitionID
	link link[asked] // in dirty

	p       *Partition // nil: err says why
	err     error      // why the question has no answer
	q       FollowerAsks
	number  int64        // the request that asked: its answer, or a later one, tells
	open    bool         // asked and not answered
	urgent  bool         // counted in Session.urgent
	rests   bool         // in Session.resting
	follows atomic.Int32 // the epoch in which the follower follows p; -1: not known

	hw, start int64 // what it was told last; -1: nothing
}

// FollowerAsks is one partition of a follower's request.
type FollowerAsks struct {
	ID        step.PartitionID
	Offset    int64 // its end; under fsync its durable end
	Epoch     int32 // the leader epoch that it follows
	LastEpoch int32 // epoch of its last record, -1: it has none
	MaxBytes  int32
}

// Served is one partition of an answer.
type Served struct {
	ID        step.PartitionID
	Partition *Partition // nil with some errors
	Err       error
	Start     int64 // log start: also with ErrOutOfRange, so that a follower knows where to begin
	Reading   Reading
}

// NewSession begins a session of the registered broker. End ends it.
func (m *Manager) NewSession(broker int32, brokerEpoch int64) *Session {
	return &Session{m: m, broker: broker, brokerEpoch: brokerEpoch, asked: map[step.PartitionID]*asked{}}
}

// Broker is whose session it is.
func (s *Session) Broker() (id int32, epoch int64) { return s.broker, s.brokerEpoch }

// Update takes a request in: what it does not want any more, then what it asks
// anew. The fetch that is parked is answered first. What becomes committed by it
// is handed on, not sent from here. Calls come one after the other; number is the
// request's, for Serve. said is the number that an answer asked for, 0: none.
func (s *Session) Update(im *meta.Image, asks []FollowerAsks, forget []step.PartitionID, said int64) (number int64) {
	s.requests++
	s.wake(nil)
	for _, id := range forget {
		s.forget(id)
	}
	s.spoke.Store(int64(s.m.now())) // for those that it still wants
	h := s.m.handoffs.Get().(*wire.Handoff)
	for i := range asks {
		s.ask(im, &asks[i], h)
	}
	if said > s.said.Load() { // all that it takes back has been noted
		s.said.Store(said)
		for _, p := range s.m.doubtful.list() {
			p.confirm(h)
		}
	}
	h.Flush()
	s.m.handoffs.Put(h)
	return s.requests
}

// ask notes one question, and what it tells about the follower.
func (s *Session) ask(im *meta.Image, q *FollowerAsks, h *wire.Handoff) {
	a, before := s.entry(q.ID)
	p, err := s.m.followed(im, q.ID)
	if before != p {
		if before != nil {
			before.unwatch(a)
		}
		if p != nil {
			p.watch(a) // before the view is loaded: an append is seen here or marks
		}
	}
	s.mu.Lock()
	a.p, a.err, a.q, a.number = p, err, *q, s.requests
	a.open, a.hw, a.start = true, -1, -1
	s.mu.Unlock()
	if err == nil {
		var news bool
		a.follows.Store(q.Epoch) // before the step that may end a doubt by it
		news, err = p.fetchedBy(s, q, h)
		if err == nil {
			s.urge(p.doubted.Load())
		}
		if err == nil && !news {
			return
		}
		s.mu.Lock()
		a.err = err
		s.mu.Unlock()
	}
	if err != nil {
		a.follows.Store(-1)
	}
	s.mark(a, true, nil)
}

// entry finds or makes the entry of a partition, and the partition it was with.
func (s *Session) entry(id step.PartitionID) (a *asked, p *Partition) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a = s.asked[id]; a == nil {
		a = &asked{s: s, id: id}
		a.follows.Store(-1)
		a.link.of = a
		s.asked[id] = a
	}
	return a, a.p
}

func (s *Session) forget(id step.PartitionID) {
	s.mu.Lock()
	a := s.asked[id]
	if a == nil {
		s.mu.Unlock()
		return
	}
	delete(s.asked, id)
	a.open = false
	s.cleanLocked(a)
	p := a.p
	s.mu.Unlock()
	if p != nil {
		p.unwatch(a)
	}
}

// End forgets everything: the connection is gone, or has begun anew.
func (s *Session) End() {
	s.mu.Lock()
	all := s.asked
	s.asked, s.ended, s.parked = nil, true, nil
	s.mu.Unlock()
	for _, a := range all {
		if a.p != nil { // nobody changes it any more
			a.p.unwatch(a)
		}
	}
}

// mark notes that a has something to tell; urgent: at once.
func (s *Session) mark(a *asked, urgent bool, h *wire.Handoff) {
	s.mu.Lock()
	if !a.open || a.rests || s.ended {
		s.mu.Unlock()
		return
	}
	if !a.link.in {
		s.dirty.pushBack(&a.link)
	}
	var w SessionWaiter
	if urgent {
		if !a.urgent {
			a.urgent = true
			s.urgent++
		}
		w, s.parked = s.parked, nil
	}
	s.mu.Unlock()
	if w != nil {
		w.Wake(h)
	}
}

// cleanLocked takes a off the dirty list.
func (s *Session) cleanLocked(a *asked) {
	if a.link.in {
		s.dirty.remove(&a.link)
	}
	if a.urgent {
		a.urgent = false
		s.urgent--
	}
}

// Park makes w the fetch that waits. false: there is something to serve already.
func (s *Session) Park(w SessionWaiter) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.urgent > 0 || s.ended || s.wanted > s.asking {
		return false
	}
	s.parked = w
	return true
}

// Unpark takes w back. false: it is not parked, or just being woken.
func (s *Session) Unpark(w SessionWaiter) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.parked != w {
		return false
	}
	s.parked = nil
	return true
}

func (s *Session) wake(h *wire.Handoff) {
	s.mu.Lock()
	w := s.parked
	s.parked = nil
	s.mu.Unlock()
	if w != nil {
		w.Wake(h)
	}
}

// Serve gives what there is to tell in the answer to a request, up to maxBytes of
// records (at least one batch), to visit. What a later request has asked waits
// for its own: the follower would not believe this one. The ranges are visit's
// to release.
func (s *Session) Serve(number, maxBytes int64, visit func(*Served)) {
	s.mu.Lock()
	left := len(s.asked) // no entry comes twice
	s.mu.Unlock()
	for total := int64(0); left > 0 && (total == 0 || total < maxBytes); left-- {
		a, ask := s.next()
		if a == nil {
			return
		}
		var out Served
		if ask.number > number {
			s.later(a)
		} else if s.read(a, ask, maxBytes-total, total == 0, &out) {
			total += out.Reading.Range.Len()
			visit(&out)
		}
	}
}

// question is what the reading of one entry works with.
type question struct {
	p         *Partition
	err       error
	q         FollowerAsks
	number    int64
	hw, start int64
}

func (s *Session) next() (*asked, question) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dirty.head == nil {
		return nil, question{}
	}
	a := s.dirty.head.of
	s.cleanLocked(a)
	return a, question{a.p, a.err, a.q, a.number, a.hw, a.start}
}

// read answers one entry; false: there is nothing to tell, or it was asked anew
// meanwhile.
func (s *Session) read(a *asked, k question, left int64, first bool, out *Served) bool {
	*out = Served{ID: k.q.ID, Partition: k.p, Err: k.err, Start: -1}
	if k.err == nil {
		if d := k.p.throttledTo(s.broker); d > 0 {
			s.rest(a, d)
			return false
		}
		out.Err = k.p.Read(ReadRequest{
			Offset: k.q.Offset, MaxBytes: int(min(int64(k.q.MaxBytes), left)), FirstWhole: first,
			Epoch: k.q.Epoch, LastEpoch: k.q.LastEpoch, Bound: ToEnd,
		}, &out.Reading)
	}
	if k.p != nil {
		out.Start = k.p.log.View().Start
		k.p.sent(s.broker, out.Reading.Range.Len())
	}
	v := out.Reading.View
	final := out.Err != nil || out.Reading.Diverged || out.Reading.Range.Len() > 0
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case a.number != k.number || !a.open:
		out.Reading.Range.Release()
		return false
	case final:
		a.open = false
	case v.HighWatermark == k.hw && v.Start == k.start:
		if v.End > k.q.Offset { // its bytes did not fit into this answer
			s.againLocked(a)
		}
		return false
	}
	if out.Err == nil {
		a.hw, a.start = v.HighWatermark, v.Start
	}
	if !final && v.End > k.q.Offset {
		s.againLocked(a)
	}
	return true
}

func (s *Session) later(a *asked) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a.open {
		s.againLocked(a)
	}
}

// againLocked leaves a for the next answer.
func (s *Session) againLocked(a *asked) {
	if !a.link.in {
		s.dirty.pushBack(&a.link)
	}
	if !a.urgent {
		a.urgent = true
		s.urgent++
	}
}

// followed opens the partition that a follower asks for.
func (m *Manager) followed(im *meta.Image, id step.PartitionID) (*Partition, error) {
	t, ok := im.Topic(id.Topic)
	if !ok {
		return nil, ErrUnknownPartition
	}
	return m.Partition(t, id.Index)
}

// fetchedBy notes a follower's progress. news: there is something to answer.
func (p *Partition) fetchedBy(s *Session, q *FollowerAsks, h *wire.Handoff) (news bool, err error) {
	if _, err := p.feeding(q.Epoch); err != nil {
		return false, err
	}
	v := p.log.View()
	if q.LastEpoch >= 0 {
		var r Reading
		if diverged, err := p.diverged(ReadRequest{Offset: q.Offset, LastEpoch: q.LastEpoch}, &r); diverged || err != nil {
			return true, err // no point of our log: its offset says nothing
		}
	}
	if q.Offset < v.Start || q.Offset > v.End {
		return false, storage.ErrOutOfRange
	}
	var out woken
	p.mu.Lock()
	if p.leader == nil {
		p.mu.Unlock()
		return false, p.gone()
	}
	p.eff = isr.Effects{}
	now := p.m.now()
	// What has been read may be what its appender has not told the core yet.
	p.leader.Appended(now, q.Epoch, p.log.View().End, &p.eff)
	err = p.leader.Fetched(now, isr.Fetched{
		Replica: s.broker, BrokerEpoch: s.brokerEpoch, LeaderEpoch: q.Epoch, Offset: q.Offset,
	}, &p.eff)
	p.takeLocked(&out)
	p.mu.Unlock()
	out.tell(h)
	return q.Offset < v.End, err
}

// watch registers an entry: whatever happens to the partition marks it.
func (p *Partition) watch(a *asked) {
	p.mu.Lock()
	defer p.mu.Unlock()
	old := p.watchers()
	next := append(old[:len(old):len(old)], a)
	p.watched.Store(&next)
}

func (p *Partition) unwatch(a *asked) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var next []*asked
	for _, x := range p.watchers() {
		if x != a {
			next = append(next, x)
		}
	}
	p.watched.Store(&next)
}

// watchers lists the followers' entries; nobody writes to it.
func (p *Partition) watchers() []*asked {
	if w := p.watched.Load(); w != nil {
		return *w
	}
	return nil
}

// markWatchers tells the followers' sessions that the partition has news.
func (p *Partition) markWatchers(urgent bool, h *wire.Handoff) {
	for _, a := range p.watchers() {
		a.s.mark(a, urgent, h)
	}
}
