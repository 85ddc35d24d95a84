package replica

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/brokerd/brokerd/internal/isr"
	"github.com/brokerd/brokerd/internal/step"
	"github.com/brokerd/brokerd/internal/storage"
	"github.com/brokerd/brokerd/internal/wire"
)

// lane fetches from one other broker, over a connection of its own, for the
// partitions of one log directory and one kind of durability: what waits for the
// group commit of one disk holds nobody else up.
//
//	add, drop (roles) ─► fresh, gone ─┐
//	group commit ─► poke ─────────────┼─► run: request ─► reply ─► write ─► …
//
// It exists while it has partitions. One that is added interrupts the fetch that
// waits at the leader: another request follows it at once, which names the new
// partition and makes the leader answer the first.
type lane struct {
	m    *Manager
	key  laneKey
	log  *slog.Logger
	wake chan struct{} // room for one: look again

	// mu is held for memory only.
	mu      sync.Mutex
	members map[step.PartitionID]*following
	fresh   []*following
	gone    []step.PartitionID
	link    *wire.Link    // open, to be interrupted
	at      *following    // being written to now
	idle    chan struct{} // closed when at is done; nil if nobody waits
	ended   bool
}

type laneKey struct {
	peer  int32
	dir   string
	fsync bool
	shard int // of num.replica.fetchers
}

// following is one partition that this broker follows, for one leader epoch.
type following struct {
	p     *Partition
	lane  *lane // set before p names it as its following
	epoch int32
	core  *isr.Follower // under p.mu
	out   atomic.Bool   // set under lane.mu: it has been dropped

	// Of the lane's goroutine.
	inSession bool
	queued    bool // in work.todo: the next request names it
	asked     isr.Fetch
	after     time.Time // it rests until then
	rest      time.Duration

	leaderHW atomic.Int64 // as of the last reply that brought it
}

// lanes is every lane of this broker: at most peers × directories × 2 × fetchers.
type lanes struct {
	mu     sync.Mutex
	byKey  map[laneKey]*lane
	ctx    context.Context
	all    sync.WaitGroup // joined by Manager.Run
	closed bool
}

// open lets lanes run until ctx ends.
func (s *lanes) open(ctx context.Context) {
	s.mu.Lock()
	s.ctx, s.byKey = ctx, map[laneKey]*lane{}
	s.mu.Unlock()
}

// close waits for every lane.
func (s *lanes) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.all.Wait()
}

// join puts f into its lane, which is made if need be.
func (m *Manager) join(f *following, key laneKey) {
	s := &m.lanes
	for m.peer != nil {
		s.mu.Lock()
		if s.closed || s.ctx == nil {
			s.mu.Unlock()
			return
		}
		l := s.byKey[key]
		if l == nil {
			l = newLane(m, key)
			s.byKey[key] = l
			s.all.Go(func() { l.run(s.ctx) })
		}
		s.mu.Unlock()
		f.lane = l
		f.p.follows(f)
		if l.add(f) {
			return
		}
		f.p.follows(nil)
		s.mu.Lock()
		if s.byKey[key] == l {
			delete(s.byKey, key) // it has just ended
		}
		s.mu.Unlock()
	}
}

func newLane(m *Manager, key laneKey) *lane {
	return &lane{
		m: m, key: key, wake: make(chan struct{}, 1), members: map[step.PartitionID]*following{},
		log: m.log.With("leader", key.peer),
	}
}

// add takes a partition in; false: the lane has ended.
func (l *lane) add(f *following) bool {
	l.mu.Lock()
	if l.ended {
		l.mu.Unlock()
		return false
	}
	if !f.out.Load() { // else it has been left already
		l.members[f.p.id] = f
		l.fresh = append(l.fresh, f)
	}
	l.mu.Unlock()
	l.poke()
	return true
}

// drop takes a partition out. When it returns the lane does not touch its log.
func (l *lane) drop(f *following) {
	l.mu.Lock()
	l.dropLocked(f)
	var idle chan struct{}
	if l.at == f {
		if l.idle == nil {
			l.idle = make(chan struct{})
		}
		idle = l.idle
	}
	l.mu.Unlock()
	l.poke()
	if idle != nil {
		<-idle
	}
}

// leave takes out a partition that cannot be followed any more.
func (l *lane) leave(f *following) {
	l.mu.Lock()
	l.dropLocked(f)
	l.mu.Unlock()
}

func (l *lane) dropLocked(f *following) {
	f.out.Store(true)
	if l.members[f.p.id] == f {
		delete(l.members, f.p.id)
		l.gone = append(l.gone, f.p.id)
	}
}

// begin claims a partition for writing; false: it has been dropped.
func (l *lane) begin(f *following) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if f.out.Load() {
		return false
	}
	l.at = f
	return true
}

func (l *lane) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.at = nil
	if l.idle != nil {
		close(l.idle)
		l.idle = nil
	}
}

// poke makes the goroutine look again: at what was added or dropped, or at what
// is durable now.
func (l *lane) poke() {
	l.mu.Lock()
	link := l.link
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
	if link != nil {
		link.Interrupt()
	}
}

// run fetches until nothing is left to follow, or ctx ends.
func (l *lane) run(ctx context.Context) {
	stop := context.AfterFunc(ctx, l.poke)
	defer stop()
	for rest := time.Duration(0); l.needed(ctx); {
		err := l.fetch(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, errAnew):
			rest = 0
			continue
		case err == nil:
			continue
		}
		if rest == 0 {
			l.log.Warn("following is interrupted; trying again", "dir", l.key.dir, "err", err)
		}
		rest = min(max(2*rest, restMin), l.m.conf.ReplicaFetchBackoff)
		l.pause(ctx, rest)
	}
}

// restMin is the first pause after an error. It doubles up to
// replica.fetch.backoff.ms.
const restMin = 20 * time.Millisecond

// needed says whether there is still something to follow; if not, the lane ends.
func (l *lane) needed(ctx context.Context) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = len(l.members) == 0 || ctx.Err() != nil
	return !l.ended
}

// pause rests, unless the broker stops.
func (l *lane) pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// connect opens a link and makes it the one to interrupt.
func (l *lane) connect(ctx context.Context) (*wire.Link, error) {
	o, err := l.m.peer(l.key.peer)
	if err != nil {
		return nil, err
	}
	link, err := wire.DialLink(ctx, o)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	l.link = link
	l.mu.Unlock()
	return link, nil
}

func (l *lane) disconnect(link *wire.Link) {
	l.mu.Lock()
	l.link = nil
	l.mu.Unlock()
	link.Close()
	link.Release()
}

// startFollowing makes p fetch from its leader. It runs where roles change.
func (p *Partition) startFollowing(w want) {
	fsync := p.log.Durability() == storage.Fsync
	v := p.log.View()
	f := &following{p: p, epoch: w.rec.LeaderEpoch}
	cfg := isr.Config{Self: p.m.self, Fsync: fsync, LagMax: p.m.conf.ReplicaLagTimeMax}
	f.core = isr.NewFollower(cfg, w.rec, isr.Log{End: v.End, Durable: v.Durable, HighWatermark: v.HighWatermark})
	key := laneKey{peer: w.leader, dir: p.log.Dir(), fsync: fsync}
	if n := p.m.conf.ReplicaFetchers; n > 1 {
		key.shard = int(uint32(p.id.Index)+uint32(p.id.Topic[15])) % n
	}
	p.m.join(f, key)
	if _, err := p.log.Fence(w.rec.LeaderEpoch); err != nil {
		p.leaveLane() // out of service since the fence before: whoever found it out may have found no lane
	}
}

// follows publishes whom a group commit has to tell. It comes before the lane
// knows f, which looks at the durable end itself first.
func (p *Partition) follows(f *following) {
	p.mu.Lock()
	p.following = f
	p.mu.Unlock()
}

// stopFollowing ends it. When it returns, nobody writes to the log but the
// caller.
func (p *Partition) stopFollowing() {
	p.mu.Lock()
	f := p.following
	p.following = nil
	p.mu.Unlock()
	if f != nil {
		f.lane.drop(f)
	}
}

// leaveLane makes the lane forget p, whose log is out of service: a follower that
// fetches on looks caught up, and its leader would take it back into the ISR (R19).
// It does not wait: the lane may be who found it out.
func (p *Partition) leaveLane() {
	p.mu.Lock()
	f, l := p.followingLocked()
	p.mu.Unlock()
	if f != nil && !f.out.Load() {
		l.leave(f)
		l.poke()
	}
}

// followingLocked gives the lane too, for whoever does not change p's role: when a
// lane has just ended, join gives f another one as soon as p does not name f.
func (p *Partition) followingLocked() (f *following, l *lane) {
	if f = p.following; f != nil {
		l = f.lane
	}
	return f, l
}
