package storage

import "errors"

// Close flushes everything, writes indexes, producer states and checkpoints,
// and gives the files back. After a clean Close the next Open scans nothing.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	var logs []*Log
	for _, l := range s.logs {
		logs = append(logs, l)
	}
	s.mu.Unlock()
	for _, d := range s.dirs {
		d.mover.stop()
	}
	for _, d := range s.dirs {
		close(d.cleaner.quit)
		close(d.scrubber.quit)
		d.keeper.stop()
	}
	var errs error
	for _, d := range s.dirs {
		errs = errors.Join(errs, d.close(logs))
	}
	s.background.wait()
	for _, l := range logs {
		for _, g := range l.view.Load().segs {
			s.files.drop(g)
		}
	}
	return errs
}

// close brings a directory to rest.
func (d *logDir) close(all []*Log) error {
	var logs []*Log
	for _, l := range all {
		if l.home() == d {
			l.endWrites()
			logs = append(logs, l)
		}
	}
	for _, l := range logs {
		d.flusher.mark(l)
	}
	d.flusher.stop()
	if d.journal == nil {
		return nil // it failed at Open
	}
	err := d.failure()
	if err == nil {
		for _, l := range logs {
			for _, g := range l.view.Load().segs {
				l.giveBack(g)
			}
		}
		err = d.checkpoint(logs, clean)
	}
	for _, l := range logs {
		l.stop(ErrClosed, false)
		l.dropUnsynced()
	}
	return errors.Join(err, d.journal.close())
}

// endWrites refuses appends from here on. One in progress ends first.
func (l *Log) endWrites() {
	l.writeMu.Lock()
	l.closing = true
	l.writeMu.Unlock()
}

// dropUnsynced lets go of files that a failed directory left unsynced.
func (l *Log) dropUnsynced() {
	l.syncMu.Lock()
	defer l.syncMu.Unlock()
	for _, s := range l.dirty {
		if h := s.unsynced.Swap(nil); h != nil {
			h.release()
		}
	}
	l.dirty = nil
	if m := l.entries.metadata; m != nil {
		_ = m.Close() // the directory has failed
	}
	l.entries = entriesDirty{}
}
