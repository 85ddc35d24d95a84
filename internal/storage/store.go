package storage

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/brokerd/brokerd/internal/step"
	"github.com/brokerd/brokerd/internal/vfs"
)

// Options says where a Store lives and whom it calls.
type Options struct {
	FS   vfs.FS
	Dirs []string // log.dirs, formatted already (meta.properties is not ours)
	// Unusable are those of Dirs that somebody has found to be so: they count as
	// failed, and nothing in them is touched.
	Unusable map[string]error
	// Flushed is called by a directory's flusher once per round, with every log
	// whose durable end rose. It must not block. The slice is the flusher's: it is
	// valid during the call only.
	Flushed func([]Flushed)
	// Synced is told how long each round of a flusher has synced. May be nil.
	Synced func(took time.Duration)
	// DirFailed is called once when a directory has failed for good (S3).
	DirFailed func(dir string, err error)
	// Filled is called when a directory has become full, or has room again; FullDirs
	// says which. It must not block. May be nil.
	Filled func()
	// Clean is what the broker's marker says of the last stop. The checkpoint
	// decides by itself what is to be scanned; a contradiction is logged.
	Clean bool
	// Began is called when a log makes its first file. It must not block: the log
	// is being written. May be nil.
	Began               func(*Log)
	MaxOpenFiles        int
	RetentionInterval   time.Duration // log.retention.check.interval.ms
	CheckpointInterval  time.Duration
	ProducerExpiry      time.Duration // producer.id.expiration.ms
	RecoveryParallelism int
	NoCleaner           bool // nothing is compacted
	// Cleaner gives the settings of compaction, each time anew. nil: the defaults.
	Cleaner func() Cleaner
	// ScrubInterval is in which time all that is sealed is read once; 0: never.
	ScrubInterval time.Duration
	// Damaged is called when that found a log damaged. The log serves on unless
	// the callee condemns it. May be nil.
	Damaged func(*Log, error)
	// Arriving is called when a log is about to be in another directory, before it is:
	// the channel is closed when whoever must know it does; nil: nobody must. Moved is
	// called when a move has ended; an error says that the log is where it was. Neither
	// may block. Both may be nil.
	Arriving func(l *Log, dir string) <-chan struct{}
	Moved    func(l *Log, err error)
	// MoveRate is how many bytes per second may be copied; 0: any. nil: any.
	MoveRate func() int64
	Logger   *slog.Logger
	// ConfigOf gives the settings of a partition that is on disk and was not used
	// since the start, so that its retention is looked after too. May be nil.
	ConfigOf func(step.PartitionID) (Config, bool)
}

// Flushed tells that everything below End of Log is durable.
type Flushed struct {
	Log *Log
	End int64
}

func (o *Options) setDefaults() {
	setDefault(&o.MaxOpenFiles, 8192)
	setDefault(&o.RetentionInterval, 5*time.Minute)
	setDefault(&o.CheckpointInterval, 5*time.Second)
	setDefault(&o.ProducerExpiry, 24*time.Hour)
	setDefault(&o.RecoveryParallelism, max(8, runtime.GOMAXPROCS(0)))
	if o.Cleaner == nil {
		o.Cleaner = func() Cleaner { return Cleaner{Backoff: 15 * time.Second, KeyBytes: 128 << 20} }
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
}

func setDefault[T int | time.Duration](to *T, value T) {
	if *to <= 0 {
		*to = value
	}
}

// Store keeps all logs of one broker.
type Store struct {
	options        Options
	dirs           []*logDir
	files          fdCache
	background     background // short-lived goroutines
	clean          bool
	blind          bool         // a directory could not be looked into: see Blind
	producerExpiry atomic.Int64 // ns
	began          time.Time
	wall           *step.Wall
	damaged        atomic.Bool // recovery could not bring a log back: see Intact
	moveRate       moveRate
	twins          []twin           // partitions that Open has found twice
	refused        map[string]error // directories of a newer release or that cannot be read, by name; as they were listed at Open

	mu       sync.Mutex
	logs     map[step.PartitionID]*Log
	opening  map[step.PartitionID]chan struct{}
	found    map[step.PartitionID]onDisk
	unopened []Unopened
	futures  []future // that Open has found
	closed   bool
}

// onDisk is a partition as a directory was listed at Open.
type onDisk struct {
	dir   *logDir
	topic string
	bytes int64
	clean bool // the checkpoint says that nothing is above its point
}

// Open discovers the logs of every directory and recovers what an unclean stop
// left; logs that were not open at the stop are touched only when first used.
func Open(ctx context.Context, o Options) (*Store, error) {
	o.setDefaults()
	s := &Store{options: o, logs: map[step.PartitionID]*Log{}, opening: map[step.PartitionID]chan struct{}{},
		found: map[step.PartitionID]onDisk{}, refused: map[string]error{}, clean: true}
	s.producerExpiry.Store(int64(o.ProducerExpiry))
	s.began = time.Now()
	s.wall = step.NewWall(s.began.UnixMilli(), 0)
	s.files = fdCache{fs: o.FS, max: o.MaxOpenFiles}
	if err := s.discover(); err != nil {
		return nil, err
	}
	s.start()
	if err := s.recover(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if o.Clean && !s.clean {
		o.Logger.Warn("the last stop was marked clean, the checkpoints say it was not: recovered")
	}
	return s, nil
}

// believed is the time for those who delete by age: a clock that has jumped does not
// make them (step.Wall).
func (s *Store) believed() time.Time {
	now := time.Now()
	ms, jumped := s.wall.Believe(now.UnixMilli(), now.Sub(s.began))
	if jumped != 0 {
		s.options.Logger.Error("the clock has jumped: by age nothing is deleted or compacted that was not due before, until it has gone on for an hour; set it right if it is wrong",
			"by", jumped.Round(time.Second), "now", now.Round(0))
	}
	return time.UnixMilli(ms)
}

// SetProducerExpiry changes after which time without a record a producer is forgotten.
func (s *Store) SetProducerExpiry(d time.Duration) { s.producerExpiry.Store(int64(d)) }

// start begins the goroutines of every directory; Close ends and joins them.
func (s *Store) start() {
	for _, d := range s.dirs {
		go d.flusher.run()
		go d.keeper.run()
		if s.options.ScrubInterval > 0 {
			s.background.run(d.scrubber.run)
		}
	}
}

// recover opens what the last stop left open, several at a time, biggest first.
func (s *Store) recover(ctx context.Context) error {
	var ids []step.PartitionID
	for id, f := range s.found {
		if !f.clean && f.dir.failure() == nil {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b step.PartitionID) int {
		if s.found[a].bytes != s.found[b].bytes {
			return int(min(max(s.found[b].bytes-s.found[a].bytes, -1), 1))
		}
		return slices.Compare(a.Topic[:], b.Topic[:])*2 + int(min(max(a.Index-b.Index, -1), 1))
	})
	next := make(chan step.PartitionID)
	var wg sync.WaitGroup
	for range min(s.options.RecoveryParallelism, len(ids)) {
		wg.Go(func() {
			for id := range next {
				s.recoverOne(id)
			}
		})
	}
	var err error
	for i := 0; i < len(ids) && err == nil; i++ {
		select {
		case next <- ids[i]:
		case <-ctx.Done():
			err = fmt.Errorf("recovery interrupted: %w", ctx.Err())
		}
	}
	close(next)
	wg.Wait()
	if err == nil {
		s.clearNotes()
	}
	return err
}

// clearNotes ends the suspicion of directories whose logs all came back.
func (s *Store) clearNotes() {
	for _, d := range s.dirs {
		bad := d.failure() != nil || slices.ContainsFunc(s.unopened, func(u Unopened) bool { return s.found[u.ID].dir == d })
		if d.suspect && !bad {
			d.clearNote()
		}
	}
}

// recoverOne brings one log back. What goes wrong stays with the log: whoever
// asks for it hears of it.
func (s *Store) recoverOne(id step.PartitionID) {
	f := s.found[id]
	l, err := s.Log(id, f.topic, defaultConfig)
	if err != nil {
		s.damaged.Store(true)
		s.mu.Lock()
		s.unopened = append(s.unopened, Unopened{id, f.topic, err})
		s.mu.Unlock()
		s.options.Logger.Error("log not recovered", "topic", f.topic, "partition", id.Index, "dir", f.dir.path, "err", err)
		return
	}
	f.dir.keeper.touch(l, l.view.Load())
}

// defaultConfig serves recovery, which knows no topics; the first Log call of
// the partition's owner replaces it before anything is appended.
var defaultConfig = Config{SegmentBytes: 1 << 30, IndexIntervalBytes: 4096, SegmentIndexBytes: 10 << 20, RetentionAge: -1, RetentionBytes: -1}

// WasClean tells whether the checkpoints say that the last stop was clean.
func (s *Store) WasClean() bool { return s.clean }

// Log opens the log of a partition. No file is made until the first append.
// Calling it again gives the same Log, with the newer settings.
func (s *Store) Log(id step.PartitionID, topic string, c Config) (*Log, error) {
	for {
		s.mu.Lock()
		if s.closed {
			s.mu.Unlock()
			return nil, ErrClosed
		}
		if l := s.logs[id]; l != nil {
			s.mu.Unlock()
			l.SetConfig(c)
			return l, nil
		}
		if wait := s.opening[id]; wait != nil {
			s.mu.Unlock()
			<-wait
			continue
		}
		wait := make(chan struct{})
		s.opening[id] = wait
		d := s.placeLocked(id)
		s.mu.Unlock()
		l, err := s.open(d, id, topic, c)
		s.mu.Lock()
		delete(s.opening, id)
		if err == nil {
			s.logs[id] = l
		}
		s.mu.Unlock()
		close(wait)
		return l, err
	}
}

// placeLocked chooses the directory: where the log is, or where the fewest are, of
// those that have room if there are any.
func (s *Store) placeLocked(id step.PartitionID) *logDir {
	if f, ok := s.found[id]; ok {
		return f.dir
	}
	var best *logDir
	for _, d := range s.dirs {
		switch {
		case d.failure() != nil:
		case best == nil || best.full.Load() && !d.full.Load():
			best = d
		case d.full.Load() == best.full.Load() && d.logs < best.logs:
			best = d
		}
	}
	if best == nil {
		best = s.dirs[0]
	}
	best.logs++
	return best
}

func (s *Store) open(d *logDir, id step.PartitionID, topic string, c Config) (*Log, error) {
	if err := d.failure(); err != nil {
		return nil, err
	}
	l := newLog(s, d, id, topic, dirName(topic, id.Index), c)
	if err := s.refused[l.name()]; err != nil {
		return nil, err
	}
	s.mu.Lock()
	_, there := s.found[id]
	s.mu.Unlock()
	if !there {
		return l, nil
	}
	scanned, err := l.load()
	if err != nil {
		return nil, fmt.Errorf("open log %s in %s: %w", l.name(), d.path, unreadable(err))
	}
	if scanned > 0 {
		d.logger.Info("log recovered", "topic", topic, "partition", id.Index, "scanned", scanned, "end", l.View().End)
		d.keeper.touch(l, l.view.Load())
	}
	return l, nil
}

// Stored is a partition as found on disk.
type Stored struct {
	ID    step.PartitionID
	Topic string
	Dir   string
	Bytes int64
}

// Found lists the partitions that are on disk, by directory: for the start-up
// check against the metadata (strays are quarantined, never deleted).
func (s *Store) Found() []Stored {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Stored, 0, len(s.found))
	for id, f := range s.found {
		out = append(out, Stored{id, f.topic, f.dir.path, f.bytes})
	}
	slices.SortFunc(out, func(a, b Stored) int {
		if a.Dir != b.Dir {
			return slices.Compare([]byte(a.Dir), []byte(b.Dir))
		}
		return slices.Compare([]byte(dirName(a.Topic, a.ID.Index)), []byte(dirName(b.Topic, b.ID.Index)))
	})
	return out
}

// Unopened is a log that Open found and could not bring back. The topic's id is
// zero where only the directory's name tells whose it is.
type Unopened struct {
	ID    step.PartitionID
	Topic string
	Err   error
}

// Unopened lists the logs that Open could not bring back.
func (s *Store) Unopened() []Unopened {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.unopened)
}
