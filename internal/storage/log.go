package storage

import (
	"path"
	"sync"
	"sync/atomic"

	"github.com/brokerd/brokerd/internal/step"
)

// Log is the log of one partition.
type Log struct {
	id    step.PartitionID
	topic string
	store *Store
	at    atomic.Pointer[site] // deletion and a move change it

	config atomic.Pointer[Config]
	view   latest
	state  atomic.Pointer[logState]

	// writeMu spans the disk write of an append. It guards what describes the tail.
	writeMu   sync.Mutex
	tail      tail
	vector    [][]byte // scratch of one append
	producers producers
	candidate *point // captured, not yet on disk; see keeper
	cutting   bool   // a truncation is at work: nobody writes
	closing   bool   // the store is: nobody writes
	truncates int64  // how many there were

	queued   atomic.Bool // in the flusher's queue
	touched  atomic.Bool // in the keeper's list
	flushDue atomic.Bool // the keeper will queue it: flush.ms

	// syncMu guards what the flusher and those who wait for it share.
	syncMu  sync.Mutex
	dirty   []*segment    // have an unsynced handle
	entries entriesDirty  // directory entries that are not durable yet
	syncing bool          // a round is at work on this log
	holders int           // who keep the next round away
	idle    chan struct{} // closed when the round ends, if somebody waits

	moving       atomic.Pointer[move] // to another directory, if it is; changed under files
	files        gate                 // guards the small files, and keeps maintenance of one log in a row
	written      written              // under files
	hadProducers bool                 // under writeMu
	pointAt      atomic.Int64
}

// site is where a log lives: a directory of that name in one of log.dirs.
type site struct {
	dir  *logDir
	name string
}

// logState says why a log takes no more work; nil: it does.
type logState struct {
	err     error
	deleted bool
}

func newLog(s *Store, d *logDir, id step.PartitionID, topic, name string, c Config) *Log {
	l := &Log{id: id, topic: topic, store: s, files: newGate()}
	l.written.producersAt = -1
	l.at.Store(&site{d, name})
	l.config.Store(&c)
	l.tail = newTail(0)
	l.view.Store(&view{View: View{Epoch: -1}, summary: summary{noTimestamp, noTimestamp}})
	return l
}

func (l *Log) ID() step.PartitionID   { return l.id }
func (l *Log) Topic() string          { return l.topic }
func (l *Log) Dir() string            { return l.home().path }
func (l *Log) Durability() Durability { return l.config.Load().Durability }
func (l *Log) home() *logDir          { return l.at.Load().dir }
func (l *Log) name() string           { return l.at.Load().name }
func (l *Log) path() string           { return l.at.Load().path() }
func (s *site) path() string          { return path.Join(s.dir.path, s.name) }

// Size is the number of bytes of all segments.
func (l *Log) Size() int64 { return l.view.Load().bytes }

// Segments is the number of segments.
func (l *Log) Segments() int { return len(l.view.Load().segs) }

// SetConfig takes new settings; they hold from the next append on. Who asks for
// durability gets it for what is there already.
func (l *Log) SetConfig(c Config) {
	was := l.config.Swap(&c)
	if v := l.view.Load(); was.Durability == ISR && c.Durability == Fsync && v.Durable < v.End {
		l.home().flusher.mark(l)
	}
}

// usable says why the log takes no work, if it does not.
func (l *Log) usable() error {
	if s := l.state.Load(); s != nil {
		return s.err
	}
	if err := l.home().failure(); err != nil {
		return err
	}
	return nil
}

// stop makes every later call answer err, unless another reason was first.
func (l *Log) stop(err error, deleted bool) bool {
	return l.state.CompareAndSwap(nil, &logState{err, deleted})
}

// publishTail makes the tail visible. It runs under writeMu.
func (l *Log) publishTailLocked() {
	t := &l.tail
	l.view.update(func(next *view) bool {
		next.End, next.pos, next.bytes = t.end, t.pos, t.sealed+t.pos
		next.index, next.places, next.summary, next.aborted = t.index, t.places, t.summary, t.aborted
		next.epochs, next.txns = t.epochs, t.txns
		next.settle()
		return true
	})
}

// hasFiles tells whether the log has a directory: from the first append on.
func (l *Log) hasFiles() bool { return len(l.view.Load().segs) > 0 }
