package controller

import (
	"slices"

	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/step"
)

// Heartbeat is what a broker tells the active controller, every 500 ms and at
// once after it has applied an entry that somebody waits for.
type Heartbeat struct {
	Broker       int32
	Epoch        int64  // of its registration
	Applied      uint64 // index of the image it acts on
	Last         uint64 // last index of its log
	WantFence    bool
	WantShutdown bool
	Full         []step.TopicID // its directories that take no records for want of space
}

// HeartbeatReply is what the controller makes of it.
type HeartbeatReply struct {
	Fenced         bool
	CaughtUp       bool // it has applied its own registration
	ShouldShutDown bool // nothing depends on it any more
}

// session is what the active controller knows of one broker's life. It is lost
// with the leadership, and then begins anew for everybody.
type session struct {
	epoch        int64
	dead         bool // nobody listens where it did, and it has not been heard of since
	heard        bool // at least one heartbeat or registration since this leadership began
	seen         step.Instant
	seenMs       int64 // unix ms of the last heartbeat, 0: none
	caughtUpMs   int64 // unix ms when it last had everything
	applied      uint64
	last         uint64
	wantFence    bool
	wantShutdown bool
	told         bool           // full is what its heartbeats say
	full         []step.TopicID // of its directories, in their order
	leaveAt      uint64         // index from which on the image shows it as shutting down; 0: not yet
}

// Liveness is what Plan may know of the world beside the image.
type Liveness struct {
	Session  int64 // nanoseconds that a silent broker is given
	sessions map[int32]*session
	deleted  map[step.TopicID]step.Instant // since when a topic is known as deleted
	balance  balancing
	grow     growing
	rescue   rescuing
}

// newLiveness begins a leadership: whoever the image calls alive has the whole
// session to show that it is.
func newLiveness(im *meta.Image, sessionNs int64, now step.Instant) *Liveness {
	l := &Liveness{
		Session: sessionNs, sessions: make(map[int32]*session),
		deleted: make(map[step.TopicID]step.Instant),
	}
	for b := range im.Brokers() {
		l.sessions[b.ID] = &session{epoch: b.Epoch, seen: now}
	}
	return l
}

// of is the session of the registration that the image has, or nil.
func (l *Liveness) of(b *meta.Broker) *session {
	if s := l.sessions[b.ID]; s != nil && s.epoch == b.Epoch {
		return s
	}
	return nil
}

func (l *Liveness) fresh(s *session, now step.Instant) bool {
	return s != nil && !s.dead && int64(now-s.seen) < l.Session
}

// died ends the session of a broker that is surely dead, unless it has
// registered anew meanwhile.
func (l *Liveness) died(b *meta.Broker) bool {
	s := l.of(b)
	if s == nil || s.dead {
		return false
	}
	s.dead = true
	return true
}

// occupied says whether a broker id is in use by a process that is surely alive:
// another one must not register under it. One that leaves makes way: it goes on
// to send heartbeats until its last connection is drained, and a start right
// after a stop need not wait for its session to end.
func (l *Liveness) occupied(b *meta.Broker, incarnation step.TopicID, now step.Instant) bool {
	s := l.of(b)
	leaves := b.State == meta.ControlledShutdown && s != nil && s.wantShutdown
	return b.Incarnation != incarnation && s != nil && s.heard && !leaves && l.fresh(s, now)
}

// registered begins the session of a new registration.
func (l *Liveness) registered(id int32, epoch int64, now step.Instant) {
	if s := l.sessions[id]; s == nil || s.epoch < epoch {
		l.sessions[id] = &session{epoch: epoch, heard: true, seen: now}
	}
}

// heard takes a heartbeat in. news is false when Plan would find nothing in it
// that it did not know.
func (l *Liveness) heard(b *meta.Broker, h Heartbeat, now step.Instant, nowMs int64, caughtUp bool) (s *session, news bool) {
	s = l.of(b)
	if s == nil {
		s = &session{epoch: b.Epoch}
		l.sessions[b.ID] = s
		news = true
	}
	news = news || s.wantFence != h.WantFence || s.wantShutdown != h.WantShutdown ||
		b.State == meta.Fenced && !h.WantFence && !h.WantShutdown && int64(h.Applied) >= b.Epoch
	full := b.Among(h.Full)
	news = news || !s.told || !slices.Equal(s.full, full)
	s.told, s.full = true, full
	s.heard, s.dead, s.seen, s.seenMs = true, false, now, nowMs
	s.applied, s.last = max(s.applied, h.Applied), max(s.last, h.Last)
	s.wantFence, s.wantShutdown = h.WantFence, h.WantShutdown
	if caughtUp {
		s.caughtUpMs = nowMs
	}
	return s, news
}

// appliedByActive says whether every active broker has applied index, with the
// exception of one that knows by itself.
func (l *Liveness) appliedByActive(im *meta.Image, index uint64, but int32) bool {
	for b := range im.Brokers() {
		if b.State != meta.Active || b.ID == but {
			continue
		}
		if s := l.of(b); s == nil || s.applied < index {
			return false
		}
	}
	return true
}
