package replica

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/step"
	"github.com/brokerd/brokerd/internal/storage"
)

// places collects in which log directory replicas lie, for the controller to
// know when that directory does not come back. Only replicas with files have a
// place. One report follows the other, and each has what is so when it leaves: the
// last one is right. It holds an entry per file that is new and per move.
type places struct {
	wake chan struct{} // room for one: there is something to tell

	mu    sync.Mutex
	queue map[string][]step.PartitionID // by the directory's path
	// untold counts what is in the queue or on its way to the controller; told is
	// closed when it falls to 0, nil while nobody waits for that.
	untold int
	told   chan struct{}

	arrivals map[step.PartitionID]arrival // of logs that wait until their place is known
}

const (
	// placeBatch bounds one report, so that it fits into one metadata entry.
	placeBatch = 5000
	// placeRest is the pause before a report that failed is repeated.
	placeRest = time.Second
)

// Began is the store's callback: a log has made its first file. It does not block.
func (m *Manager) Began(l *storage.Log) { m.place(l.Dir(), l.ID()) }

func (m *Manager) place(dir string, id step.PartitionID) {
	s := &m.places
	s.mu.Lock()
	if s.queue == nil {
		s.queue = map[string][]step.PartitionID{}
	}
	s.queue[dir] = append(s.queue[dir], id)
	s.untold++
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// take gives one report, nothing when all is told.
func (s *places) take() (dir string, ids []step.PartitionID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for dir, ids = range s.queue {
		break
	}
	if len(ids) > placeBatch {
		ids, s.queue[dir] = ids[:placeBatch:placeBatch], ids[placeBatch:]
	} else {
		delete(s.queue, dir)
	}
	return dir, ids
}

// TellPlaces waits until the controller knows where every replica lies that has
// files, or ctx ends: false. A stop after that is a clean one: whatever is unknown
// then has no files, and nothing to lose with a directory.
func (m *Manager) TellPlaces(ctx context.Context) bool {
	s := &m.places
	s.mu.Lock()
	if s.untold == 0 || m.assign == nil {
		s.mu.Unlock()
		return true
	}
	if s.told == nil {
		s.told = make(chan struct{})
	}
	told := s.told
	s.mu.Unlock()
	select {
	case <-told:
		return true
	case <-ctx.Done():
		return false
	}
}

func (s *places) done(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.untold -= n; s.untold == 0 && s.told != nil {
		close(s.told)
		s.told = nil
	}
}

// keepPlaces tells the controller where replicas lie, until ctx ends. What is not
// told at a stop is told at the next start.
func (m *Manager) keepPlaces(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-m.places.wake:
		}
		for dir, ids := m.places.take(); len(ids) > 0; dir, ids = m.places.take() {
			for now := m.stillIn(dir, ids); len(now) > 0; now = m.stillIn(dir, ids) {
				if m.assign(ctx, m.dirs[dir], now) == nil {
					m.places.heard(dir, now)
					break
				}
				select {
				case <-ctx.Done():
					return
				case <-time.After(placeRest):
				}
			}
			m.places.done(len(ids))
		}
	}
}

// awayError says why a replica is offline: the directory that holds it is not
// among those of this broker.
type awayError struct{ dir step.TopicID }

func (e *awayError) Error() string {
	if e.dir == meta.LostDir {
		return "it may lie in a log directory that is not here: mount or restore it and restart the broker, or delete the topic"
	}
	return fmt.Sprintf("its log directory %s is not here: mount or restore it and restart the broker, or delete the topic", e.dir)
}

func (e *awayError) Unwrap() error { return storage.ErrDirFailed }

// missAway takes out of service the only replicas that lie in a directory which
// did not come back (an empty disk has a new id). Led from here they would begin
// anew, empty. A replica that others have too is fetched from them again.
func (m *Manager) missAway(im *meta.Image) {
	own := make(map[step.TopicID]bool, len(m.dirs))
	for _, id := range m.dirs {
		own[id] = true
	}
	found := map[step.PartitionID]bool{}
	for _, f := range m.store.Found() {
		found[f.ID] = true
	}
	gone := map[step.TopicID]int{}
	for t := range im.Topics() {
		for i := range t.Partitions() {
			rec, _ := t.Partition(i)
			id := step.PartitionID{Topic: t.ID, Index: i}
			if len(rec.Replicas) != 1 || rec.Replicas[0] != m.self || rec.Dirs == nil || rec.Dirs[0].IsZero() || own[rec.Dirs[0]] || found[id] || m.missing[id] {
				continue
			}
			gone[rec.Dirs[0]]++
			m.lost.put(Lost{id, t.Name, &awayError{rec.Dirs[0]}})
		}
	}
	for dir, n := range gone {
		if dir == meta.LostDir {
			m.log.Error("a log directory did not come back after an unclean stop, and these partitions may lie in it: they stay offline; mount or restore it and restart the broker, or delete their topics",
				"partitions", n)
			continue
		}
		m.log.Error("a log directory is not here: its partitions stay offline; mount or restore it and restart the broker, or delete their topics",
			"directory", dir, "partitions", n)
	}
}

// placeFound tells of the logs that were found elsewhere than the image says.
func (m *Manager) placeFound(rec *meta.Partition, id step.PartitionID, dir string) {
	for i, r := range rec.Replicas {
		if r == m.self && (rec.Dirs == nil || rec.Dirs[i] != m.dirs[dir]) {
			m.place(dir, id)
		}
	}
}
