package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"sync/atomic"
	"time"

	"github.com/brokerd/brokerd/internal/vfs"
)

// flusher is the group commit of one directory: it takes the dirty logs, syncs
// what they have, raises their durable ends and tells of them, once per round.
// The next group forms by itself while a sync runs: there is no timer.
type flusher struct {
	dir  *logDir
	wake chan struct{} // capacity 1: one pending wake is enough
	quit chan struct{}
	done chan struct{}

	mu    sync.Mutex
	queue []*Log
	round chan struct{} // closed when the round in progress, or the next, has ended

	spare   []*Log // the queue of the round before
	items   []flushItem
	handles []*handle // of all items
	flushed []Flushed

	// Of each: what its workers do, the next item for them, and work, bound once.
	step    func(*flushItem) error
	next    atomic.Int32
	workers sync.WaitGroup
	worker  func()
}

// flushItem is one log in a round.
type flushItem struct {
	l       *Log
	end     int64
	files   []*handle // a part of flusher.handles
	entries entriesDirty
	gone    bool  // deleted meanwhile: its errors do not matter
	err     error // of the step at work
}

// From so many dirty files on, one syncfs is cheaper than a sync for each.
const syncAllFrom = 16

func newFlusher(d *logDir) *flusher {
	f := &flusher{dir: d, wake: make(chan struct{}, 1), quit: make(chan struct{}), done: make(chan struct{}),
		round: make(chan struct{})}
	f.worker = f.work
	return f
}

// mark puts a log into the queue. It never blocks.
func (f *flusher) mark(l *Log) {
	if l.queued.Load() || l.queued.Swap(true) {
		return
	}
	f.mu.Lock()
	f.queue = append(f.queue, l)
	f.mu.Unlock()
	f.kick()
}

// kick begins a round, though it may be of nothing.
func (f *flusher) kick() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// run works until stop, and then on what is queued.
func (f *flusher) run() {
	defer close(f.done)
	for {
		select {
		case <-f.wake:
			f.once()
		case <-f.quit:
			f.once()
			return
		}
	}
}

// stop ends the flusher after a last round.
func (f *flusher) stop() {
	close(f.quit)
	<-f.done
}

// await waits until everything below end is durable, or it never will be: the log
// was cut below it, or is out of service. One mark is enough: a round that takes
// the log takes all of it, and who keeps rounds away marks it again.
func (f *flusher) await(l *Log, end int64) bool {
	for marked := false; ; marked = true {
		f.mu.Lock()
		round := f.round
		f.mu.Unlock()
		v := l.View()
		if v.Durable >= end {
			return true
		}
		if v.End < end || l.usable() != nil {
			return false
		}
		if home := l.home().flusher; home != f {
			return home.await(l, end) // it has moved
		}
		if !marked {
			f.mark(l)
		}
		select {
		case <-round:
		case <-f.done:
			return l.View().Durable >= end
		}
	}
}

// once is a round.
func (f *flusher) once() {
	f.mu.Lock()
	queue := f.queue
	f.queue = f.spare[:0]
	f.mu.Unlock()
	f.take(queue)
	if d := f.dir; d.failure() == nil {
		if mutations.ackBeforeSync {
			f.settle()
		}
		began := time.Now()
		err := f.sync()
		if synced := d.store.options.Synced; synced != nil && err == nil && len(f.items) > 0 {
			synced(time.Since(began))
		}
		if err != nil {
			_ = d.fail(err) // every log hears of it by itself
		} else {
			f.settle()
		}
	}
	for i := range f.items {
		f.items[i].finish()
		f.items[i] = flushItem{}
	}
	clear(f.handles)
	f.dir.store.files.trim()
	f.tell()
	clear(queue)
	f.spare = queue
	f.mu.Lock()
	close(f.round)
	f.round = make(chan struct{})
	f.mu.Unlock()
}

// take collects what the logs of a round have to sync.
func (f *flusher) take(queue []*Log) {
	f.items, f.handles = f.items[:0], f.handles[:0]
	for _, l := range queue {
		l.queued.Store(false) // before the end is read: what comes later queues again
		from := len(f.handles)
		it, ok := l.beginSync(f.dir, &f.handles)
		switch {
		case ok:
			it.files = f.handles[from:] // stays right when handles grows: the old array keeps these
			f.items = append(f.items, it)
		case l.home() != f.dir:
			l.home().flusher.mark(l) // it has moved since it was queued
		}
	}
}

// settle raises the durable ends.
func (f *flusher) settle() {
	for i := range f.items {
		if it := &f.items[i]; !it.gone && it.l.setDurable(it.end) {
			f.flushed = append(f.flushed, Flushed{it.l, it.end})
		}
	}
}

// tell gives the round to those who wait, holding nothing.
func (f *flusher) tell() {
	if len(f.flushed) > 0 && f.dir.store.options.Flushed != nil {
		f.dir.store.options.Flushed(f.flushed)
	}
	clear(f.flushed)
	f.flushed = f.flushed[:0]
}

// sync makes the files of the round durable, then the directories they are in.
func (f *flusher) sync() error {
	files, dirs := 0, 0
	for i := range f.items {
		files += f.items[i].syncs()
		if f.items[i].entries.own {
			dirs++
		}
	}
	if files >= syncAllFrom {
		if err := f.dir.fs.SyncAll(f.dir.path); !errors.Is(err, errors.ErrUnsupported) {
			if err != nil {
				return fmt.Errorf("sync all of %s: %w", f.dir.path, err)
			}
			return nil
		}
	}
	if err := f.each(files, (*flushItem).syncFiles); err != nil {
		return err
	}
	if mutations.noDirectorySync {
		return nil
	}
	if err := f.each(dirs, (*flushItem).syncDir); err != nil {
		return err
	}
	for i := range f.items {
		if f.items[i].entries.parent { // one sync of the directory of directories is for all
			if err := f.dir.fs.SyncDir(f.dir.path); err != nil {
				return fmt.Errorf("sync %s: %w", f.dir.path, err)
			}
			break
		}
	}
	return nil
}

// each runs step for every item, in parallel where there is more than one thing to sync.
func (f *flusher) each(things int, step func(*flushItem) error) error {
	if things <= 1 || len(f.items) == 1 {
		for i := range f.items {
			f.items[i].err = step(&f.items[i])
		}
	} else {
		f.step = step
		f.next.Store(0)
		n := min(len(f.items), syncAllFrom-1)
		f.workers.Add(n)
		for range n {
			go f.worker()
		}
		f.workers.Wait()
	}
	var errs error
	for i := range f.items {
		if err := f.items[i].err; err != nil {
			errs = errors.Join(errs, err)
		}
	}
	return errs
}

// work takes items until there are no more.
func (f *flusher) work() {
	defer f.workers.Done()
	for {
		i := int(f.next.Add(1)) - 1
		if i >= len(f.items) {
			return
		}
		f.items[i].err = f.step(&f.items[i])
	}
}

// syncs is how many files the item has to sync.
func (it *flushItem) syncs() int {
	n := len(it.files)
	if it.entries.metadata != nil {
		n++
	}
	return n
}

func (it *flushItem) syncFiles() error {
	for _, h := range it.files {
		if err := h.Sync(); err != nil {
			return fmt.Errorf("sync %s: %w", h.seg.path(logSuffix), err)
		}
	}
	if m := it.entries.metadata; m != nil {
		if err := m.Sync(); err != nil {
			return fmt.Errorf("sync %s of %s: %w", metadataName, it.l.path(), err)
		}
	}
	return nil
}

func (it *flushItem) syncDir() error {
	if !it.entries.own {
		return nil
	}
	err := it.l.home().fs.SyncDir(it.l.path())
	if errors.Is(err, fs.ErrNotExist) && it.l.state.Load() != nil {
		it.gone = true
		return nil
	}
	if err != nil {
		return fmt.Errorf("sync %s: %w", it.l.path(), err)
	}
	return nil
}

// finish lets go of the files and of the log.
func (it *flushItem) finish() {
	for _, h := range it.files {
		h.release()
	}
	if m := it.entries.metadata; m != nil {
		_ = m.Close() // synced, or the directory has failed
	}
	it.l.endSync()
}

// entriesDirty are directory entries that are not durable yet.
type entriesDirty struct {
	own      bool     // in the log's directory
	parent   bool     // the log's directory itself
	metadata vfs.File // partition.metadata, held open until it is synced (I6)
}

// beginSync takes what is dirty, if the log is in d: a move holds rounds away, so that
// it is there until endSync. The end is read first: whatever is below it was written
// and noted before.
func (l *Log) beginSync(d *logDir, files *[]*handle) (it flushItem, ok bool) {
	l.syncMu.Lock()
	defer l.syncMu.Unlock()
	if l.holders > 0 || l.home() != d || l.state.Load() != nil && l.state.Load().deleted {
		return it, false
	}
	it = flushItem{l: l, end: l.View().End, entries: l.entries}
	for _, s := range l.dirty {
		if h := s.unsynced.Swap(nil); h != nil {
			*files = append(*files, h)
		}
	}
	l.dirty, l.entries, l.syncing = l.dirty[:0], entriesDirty{}, true
	return it, true
}

func (l *Log) endSync() {
	l.syncMu.Lock()
	defer l.syncMu.Unlock()
	l.syncing = false
	if l.idle != nil {
		close(l.idle)
		l.idle = nil
	}
}

// holdSync keeps rounds away from this log, after the one in flight has ended.
func (l *Log) holdSync() {
	l.syncMu.Lock()
	l.holders++
	for l.syncing {
		if l.idle == nil {
			l.idle = make(chan struct{})
		}
		idle := l.idle
		l.syncMu.Unlock()
		<-idle
		l.syncMu.Lock()
	}
	l.syncMu.Unlock()
}

// releaseSync lets rounds come again. The next one takes what is dirty, and lets
// those look again who wait for what is durable.
func (l *Log) releaseSync() {
	l.syncMu.Lock()
	l.holders--
	l.syncMu.Unlock()
	l.home().flusher.mark(l)
}

// noteDirty makes the next round sync the segment. It comes after the write and
// before the view that shows it: a round that misses the note does not count it.
func (l *Log) noteDirty(s *segment, h *handle) {
	if s.unsynced.Load() != nil || !h.acquire() {
		return
	}
	if !s.unsynced.CompareAndSwap(nil, h) {
		h.release()
		return
	}
	l.syncMu.Lock()
	l.dirty = append(l.dirty, s)
	l.syncMu.Unlock()
}

// setDurable raises the durable end; false: it was there already.
func (l *Log) setDurable(end int64) bool {
	return l.view.update(func(next *view) bool {
		if end <= next.Durable {
			return false
		}
		next.Durable = end
		return true
	})
}
