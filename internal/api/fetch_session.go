package api

import (
	"math"
	"math/rand/v2"
	"sync"

	"github.com/brokerd/brokerd/internal/step"
	"github.com/brokerd/brokerd/internal/wire"
	"github.com/twmb/franz-go/pkg/kerr"
)

// A fetch session (KIP-227) keeps the partitions of a consumer, so that its next
// request names only what changed, and its answer has only what is new.
//
//	id 0, epoch -1  no session            id x, epoch 0   a new one, instead of x
//	id x, epoch -1  end x                 id x, epoch n   the next request of x
const (
	finalEpoch   = -1
	initialEpoch = 0
	// defaultSessions is max.incremental.fetch.session.cache.slots.
	defaultSessions = 1000
)

// fetchSessions holds at most limit sessions; the least recently used goes, and
// its client falls back to a full fetch.
type fetchSessions struct {
	limit int

	mu         sync.Mutex
	byID       map[int32]*fetchSession
	head, tail *fetchSession // least and most recently used
}

type fetchSession struct {
	id         int32
	prev, next *fetchSession // guarded by fetchSessions.mu

	mu    sync.Mutex
	epoch int32 // of the next request
	byIDs bool  // topics are named by id: the version must not change to names
	parts map[sessionKey]*sessionPart

	// order of answers: what was served moves to the end, so that none starves.
	first, last *sessionPart
}

type sessionKey struct {
	topic     string
	id        step.TopicID
	partition int32
}

// sessionPart is one partition of a session, and what its client knows of it.
type sessionPart struct {
	sessionKey
	prev, next *sessionPart
	offset     int64
	maxBytes   int32
	epoch      int32
	lastEpoch  int32

	told      bool
	hw, start int64
}

func newFetchSessions(limit int) *fetchSessions {
	if limit <= 0 {
		limit = defaultSessions
	}
	return &fetchSessions{limit: limit, byID: make(map[int32]*fetchSession)}
}

// open fills the partitions of a call, from its request and its session.
func (s *fetchSessions) open(f *fetchCall, c *wire.Call) error {
	id, epoch := f.req.SessionID, f.req.SessionEpoch
	if c.Version < 7 {
		id, epoch = 0, finalEpoch
	}
	if epoch == finalEpoch || epoch == initialEpoch {
		if id != 0 {
			s.remove(id)
		}
		f.fromRequest()
		if epoch == initialEpoch && len(f.parts) > 0 {
			s.create(f)
		}
		return nil
	}
	return s.resume(f, id, epoch)
}

// create starts a session with the partitions of a full fetch.
func (s *fetchSessions) create(f *fetchCall) {
	x := &fetchSession{epoch: 1, byIDs: f.byID(), parts: make(map[sessionKey]*sessionPart, len(f.parts))}
	for i := range f.parts {
		f.parts[i].inSession = x.put(&f.parts[i])
	}
	s.add(x)
	f.session, f.sessionID = x, x.id
}

// resume takes the next request of a session.
func (s *fetchSessions) resume(f *fetchCall, id, epoch int32) error {
	x := s.use(id)
	if x == nil {
		return kerr.FetchSessionIDNotFound
	}
	if err := x.step(f, epoch); err != nil {
		return err
	}
	if len(f.parts) == 0 { // it has forgotten all: as Kafka does, so do we
		s.remove(id)
		return nil
	}
	f.session, f.sessionID, f.incremental = x, id, true
	return nil
}

// step takes a request's changes, and gives the call all partitions.
func (x *fetchSession) step(f *fetchCall, epoch int32) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	switch {
	case x.epoch != epoch:
		return kerr.InvalidFetchSessionEpoch
	case x.byIDs != f.byID():
		return kerr.FetchSessionTopicIDError
	}
	x.epoch = nextEpoch(epoch)
	f.fromRequest()
	for i := range f.parts {
		x.put(&f.parts[i])
	}
	x.forget(f)
	x.load(f)
	return nil
}

func nextEpoch(e int32) int32 {
	if e == math.MaxInt32 {
		return 1
	}
	return e + 1
}

// put adds or changes a partition. x.mu is held, or x is not shared yet.
func (x *fetchSession) put(p *fetching) *sessionPart {
	key := sessionKey{p.topic, p.id, p.partition}
	q := x.parts[key]
	if q == nil {
		q = &sessionPart{sessionKey: key}
		x.parts[key] = q
		x.append(q)
	}
	q.offset, q.maxBytes, q.epoch, q.lastEpoch = p.offset, p.maxBytes, p.epoch, p.lastEpoch
	return q
}

// forget drops what the request names as forgotten. x.mu is held.
func (x *fetchSession) forget(f *fetchCall) {
	for i := range f.req.ForgottenTopics {
		t := &f.req.ForgottenTopics[i]
		for _, partition := range t.Partitions {
			key := sessionKey{t.Topic, t.TopicID, partition}
			if q := x.parts[key]; q != nil {
				delete(x.parts, key)
				x.unlink(q)
			}
		}
	}
}

// load fills the call with all partitions in their turn. x.mu is held.
func (x *fetchSession) load(f *fetchCall) {
	f.room(len(x.parts))
	for q := x.first; q != nil; q = q.next {
		f.parts = append(f.parts, fetching{
			topic: q.topic, id: q.id, partition: q.partition, offset: q.offset,
			maxBytes: q.maxBytes, epoch: q.epoch, lastEpoch: q.lastEpoch, inSession: q,
		})
	}
}

// changed reports whether the client has to hear of p, and notes what it hears.
// A full answer has everything. The session's mu is held.
func (q *sessionPart) changed(p *fetching, incremental bool) bool {
	if p.err != nil {
		q.told = false // it hears again once the error is gone
		return true
	}
	news := !incremental || !q.told || p.size > 0 || p.read.Diverged || p.elsewhere ||
		q.hw != p.read.View.HighWatermark || q.start != p.read.View.Start
	q.told, q.hw, q.start = true, p.read.View.HighWatermark, p.read.View.Start
	return news
}

// rotate puts q last. x.mu is held.
func (x *fetchSession) rotate(q *sessionPart) {
	if x.parts[q.sessionKey] == q && x.last != q {
		x.unlink(q)
		x.append(q)
	}
}

func (x *fetchSession) append(q *sessionPart) {
	q.prev, q.next = x.last, nil
	if x.last == nil {
		x.first = q
	} else {
		x.last.next = q
	}
	x.last = q
}

func (x *fetchSession) unlink(q *sessionPart) {
	if q.prev == nil {
		x.first = q.next
	} else {
		q.prev.next = q.next
	}
	if q.next == nil {
		x.last = q.prev
	} else {
		q.next.prev = q.prev
	}
	q.prev, q.next = nil, nil
}

// add gives the session an id that nobody can guess, and room.
func (s *fetchSessions) add(x *fetchSession) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.byID) >= s.limit {
		s.removeLocked(s.head)
	}
	for x.id == 0 || s.byID[x.id] != nil {
		x.id = rand.Int32()
	}
	s.byID[x.id] = x
	s.pushLocked(x)
}

// use finds a session and makes it the most recently used.
func (s *fetchSessions) use(id int32) *fetchSession {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.byID[id]
	if x != nil && s.tail != x {
		s.unlinkLocked(x)
		s.pushLocked(x)
	}
	return x
}

func (s *fetchSessions) remove(id int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if x := s.byID[id]; x != nil {
		s.removeLocked(x)
	}
}

func (s *fetchSessions) removeLocked(x *fetchSession) {
	delete(s.byID, x.id)
	s.unlinkLocked(x)
}

func (s *fetchSessions) pushLocked(x *fetchSession) {
	x.prev, x.next = s.tail, nil
	if s.tail == nil {
		s.head = x
	} else {
		s.tail.next = x
	}
	s.tail = x
}

func (s *fetchSessions) unlinkLocked(x *fetchSession) {
	if x.prev == nil {
		s.head = x.next
	} else {
		x.prev.next = x.next
	}
	if x.next == nil {
		s.tail = x.prev
	} else {
		x.next.prev = x.prev
	}
	x.prev, x.next = nil, nil
}
