package replica

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/brokerd/brokerd/internal/catalog"
	"github.com/brokerd/brokerd/internal/conf"
	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/step"
	"github.com/brokerd/brokerd/internal/storage"
	"github.com/brokerd/brokerd/internal/wire"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Options says what a Manager works with.
type Options struct {
	Self    int32
	Catalog *catalog.Store
	Conf    *conf.Broker
	// Ready reports whether an image holds this broker's own registration of
	// this run: before that nothing is acted on (D5).
	Ready func(*meta.Image) bool
	// NewHandoff makes a collector for completers of many answers.
	NewHandoff func() *wire.Handoff
	// Peer says how another broker is reached. nil: nobody is followed.
	Peer func(broker int32) (wire.PeerOptions, error)
	// Alter takes ISR proposals to the controller. nil: nothing is proposed. It may
	// wait until ctx ends; an error leaves open what became of them.
	Alter func(ctx context.Context, req *kmsg.AlterPartitionRequest) (*kmsg.AlterPartitionResponse, error)
	// Fault tells the controller of replicas whose directory failed or whose data
	// is bad, so that they leave ISR and ELR. It must not block. May be nil.
	Fault func(Fault)
	// Dirs are the ids of the log directories, by path. Assign tells the controller
	// which replicas lie in one; it may wait until ctx ends. nil: nobody is told.
	Dirs   map[string]step.TopicID
	Assign func(ctx context.Context, dir step.TopicID, ids []step.PartitionID) error
	Logger *slog.Logger
}

// Fault is a set of replicas that this broker cannot serve any more.
type Fault struct {
	Corrupt    bool // else their directory failed
	Partitions []step.PartitionID
}

// Manager hosts the partitions of this broker.
type Manager struct {
	self     int32
	catalog  *catalog.Store
	conf     *conf.Broker
	isReady  func(*meta.Image) bool
	handoffs sync.Pool // of *wire.Handoff, empty ones
	peer     func(broker int32) (wire.PeerOptions, error)
	alter    func(context.Context, *kmsg.AlterPartitionRequest) (*kmsg.AlterPartitionResponse, error)
	fault    func(Fault)
	dirs     map[string]step.TopicID
	assign   func(context.Context, step.TopicID, []step.PartitionID) error
	log      *slog.Logger
	began    time.Time

	store   *storage.Store            // set by Attach, before anybody asks
	missing map[step.PartitionID]bool // set before started is closed: may lie in a failed directory
	started chan struct{}             // closed once D5 holds and what was on disk is known
	closed  atomic.Bool

	topics  table
	configs configs
	lost    lost
	lanes   lanes
	insync  insync
	places  places
	copied  copied

	doubts   atomic.Int64 // how many have been numbered
	doubtful doubtful

	sending, fetching throttle     // of leader.replication.throttled.rate, follower.…
	moving            atomic.Int64 // replica.alter.log.dirs.io.max.bytes.per.second
	parked            atomic.Int64 // fetches that wait now
}

// New makes a manager. It does nothing before Attach and Run.
func New(o Options) *Manager {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	m := &Manager{
		self: o.Self, catalog: o.Catalog, conf: o.Conf, isReady: o.Ready,
		peer: o.Peer, alter: o.Alter, fault: o.Fault, dirs: o.Dirs, assign: o.Assign, log: o.Logger,
		began: time.Now(), started: make(chan struct{}),
	}
	m.handoffs.New = func() any { return o.NewHandoff() }
	m.topics.init()
	m.sending.rate.Store(unlimited)
	m.fetching.rate.Store(unlimited)
	m.moving.Store(unlimited)
	m.insync.wake = make(chan struct{}, 1)
	m.places.wake = make(chan struct{}, 1)
	return m
}

// Attach gives the manager its logs. The store was opened with m.Flushed and
// m.DirFailed (and m.Began) as its callbacks, so it could not be there earlier.
func (m *Manager) Attach(s *storage.Store) { m.store = s }

// Started is closed when the manager acts on the metadata: requests for
// partitions are refused as NOT_LEADER until then.
func (m *Manager) Started() <-chan struct{} { return m.started }

// now is the moment as the cores know it.
func (m *Manager) now() step.Instant { return step.Instant(time.Since(m.began)) }

// nowMs is the time that records carry.
func (m *Manager) nowMs() int64 { return time.Now().UnixMilli() }

// Run reconciles the partitions with the metadata until ctx ends. It is the one
// watcher goroutine of the broker; it joins the lanes, the keeper of the in-sync
// sets and that of the places.
func (m *Manager) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	m.lanes.open(ctx)
	all.Go(func() { m.keepInSync(ctx) })
	if m.assign != nil {
		all.Go(func() { m.keepPlaces(ctx) })
	}
	defer func() {
		cancel()
		m.lanes.close()
		all.Wait()
	}()
	return m.watch(ctx)
}

func (m *Manager) watch(ctx context.Context) error {
	w := m.catalog.Watch()
	defer w.Close()
	for begun := false; ; {
		im, changes, err := w.Next(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		switch {
		case begun:
			m.reconcile(im, changes)
		case m.isReady(im):
			m.setThrottles(im)
			m.adopt(im)
			begun = true
			close(m.started)
			for t := range im.Topics() {
				m.followTopic(im, t.ID)
			}
			m.moveOn(im)
			m.warm(im)
		}
	}
}

// Shutdown ends every leadership: whoever still waits hears NOT_LEADER. The
// store may be closed afterwards.
func (m *Manager) Shutdown() {
	m.closed.Store(true)
	m.eachOpen(func(p *Partition) { p.resign(ErrNotLeader) })
}

// Flushed is the store's callback: once per round of a directory's flusher.
func (m *Manager) Flushed(round []storage.Flushed) {
	h := m.handoffs.Get().(*wire.Handoff)
	for _, f := range round {
		if p := m.topics.open(f.Log.ID()); p != nil {
			var out woken
			p.flushed(f.End, &out)
			out.tell(h)
		}
	}
	h.Flush()
	m.handoffs.Put(h)
}

// DirFailed is the store's callback: a log directory is gone for good (S3).
func (m *Manager) DirFailed(dir string, _ error) { // storage has told the operator
	f := Fault{Partitions: m.topics.coldIn(dir)}
	m.eachOpen(func(p *Partition) {
		if p.log.Dir() == dir {
			p.resign(storage.ErrDirFailed)
			p.leaveLane() // before the controller hears of it
			f.Partitions = append(f.Partitions, p.id)
		}
	})
	m.report(f)
}

func (m *Manager) report(f Fault) {
	if m.fault != nil && len(f.Partitions) > 0 {
		m.fault(f)
	}
}

// Park counts a fetch that is going to wait; false when too many do already.
// The limit keeps a broker's memory bounded whatever its clients ask.
func (m *Manager) Park() bool {
	if m.parked.Add(1) > maxParked {
		m.parked.Add(-1)
		return false
	}
	return true
}

// Unpark ends what Park began.
func (m *Manager) Unpark() { m.parked.Add(-1) }

const maxParked = 100_000

// resign ends the leadership for a reason that is not in the metadata.
func (p *Partition) resign(err error) {
	var out woken
	p.mu.Lock()
	p.resignLocked(err, &out)
	p.mu.Unlock()
	p.tell(&out)
}
