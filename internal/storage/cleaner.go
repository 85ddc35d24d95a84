package storage

import (
	"errors"
	"sync/atomic"
	"time"
)

// cleaner compacts the logs of one directory, one after the other, the dirtiest
// first. It has a goroutine only while there is something to clean.
type cleaner struct {
	dir     *logDir
	planned atomic.Bool // the keeper will start it
	busy    atomic.Bool
	quit    chan struct{}

	passes, read, written atomic.Int64
}

func newCleaner(d *logDir) *cleaner { return &cleaner{dir: d, quit: make(chan struct{})} }

// plan has it look around after the backoff.
func (c *cleaner) plan() {
	if c.dir.store.options.NoCleaner || c.planned.Swap(true) {
		return
	}
	c.dir.keeper.later(time.Now().Add(c.dir.store.options.Cleaner().Backoff), func() {
		c.planned.Store(false)
		if c.busy.Swap(true) {
			return
		}
		c.dir.store.background.run(c.run)
	})
}

// run cleans until nothing is due.
func (c *cleaner) run() {
	defer c.busy.Store(false)
	o := c.dir.store.options.Cleaner()
	p := newPace(o.BytesPerSecond, c.quit)
	tried := map[*Log]bool{}
	for {
		l, waiting := c.dirtiest(tried)
		if l == nil {
			if waiting {
				c.plan()
			}
			return
		}
		before := l.cleaned()
		err := l.compact(c.dir.store.believed(), o.KeyBytes, p)
		switch {
		case errors.Is(err, errQuit) || c.dir.failure() != nil:
			return
		case err != nil && l.usable() == nil && !errors.Is(err, errMoved):
			c.dir.logger.Warn("log not compacted; it is tried again", "log", l.path(), "err", err)
		}
		tried[l] = err != nil || l.cleaned() == before
	}
}

// dirtiest chooses the log that is to be cleaned next. waiting: others may be due
// soon. What only its age makes due, or was tried in vain, the next sweep finds.
func (c *cleaner) dirtiest(tried map[*Log]bool) (best *Log, waiting bool) {
	now, most := c.dir.store.believed(), -1.0
	for _, l := range c.dir.store.openLogs(c.dir) {
		conf := l.config.Load()
		if !conf.Compact || l.usable() != nil {
			continue
		}
		v := l.view.Load()
		cleaned := max(l.cleaned(), v.Start)
		share, due, later := v.dirtiness(conf, cleaned, now)
		if !due || tried[l] {
			waiting = waiting || later
			continue
		}
		if share > most {
			best, most = l, share
		}
	}
	return best, waiting
}

// pace holds the cleaner to a rate, so that those who write and read are not slowed.
type pace struct {
	rate float64 // bytes per second; 0: none
	quit chan struct{}
	from time.Time
	done float64
}

func newPace(rate float64, quit chan struct{}) *pace {
	return &pace{rate: rate, quit: quit, from: time.Now()}
}

// take waits until n more bytes may be moved. errQuit: the store closes.
func (p *pace) take(n int64) error {
	select {
	case <-p.quit:
		return errQuit
	default:
	}
	if p.rate <= 0 {
		return nil
	}
	p.done += float64(n)
	ahead := time.Duration(p.done/p.rate*float64(time.Second)) - time.Since(p.from)
	if ahead < paceStep {
		return nil
	}
	t := time.NewTimer(ahead)
	defer t.Stop()
	select {
	case <-p.quit:
		return errQuit
	case <-t.C:
		return nil
	}
}

// paceStep is the shortest wait worth a timer.
const paceStep = 10 * time.Millisecond

// CleanerStats is what compaction has done since the start.
type CleanerStats struct {
	Passes, BytesRead, BytesWritten int64
}

// Cleaner sums up what the cleaners of all directories did.
func (s *Store) Cleaner() (out CleanerStats) {
	for _, d := range s.dirs {
		out.Passes += d.cleaner.passes.Load()
		out.BytesRead += d.cleaner.read.Load()
		out.BytesWritten += d.cleaner.written.Load()
	}
	return out
}
