package storage

import (
	"errors"
	"fmt"
	"path"
	"slices"

	"github.com/brokerd/brokerd/internal/record"
	"github.com/brokerd/brokerd/internal/vfs"
)

// point is a moment of a log, captured by the writer, that a checkpoint may name
// once all of it is durable.
type point struct {
	mark
	seg       *segment
	truncates int64
	entries   []indexEntry
	epochs    []epochStart // that leader-epochs has for it
	aborted   []record.Aborted
	producers []byte // state file; nil: there are none, and were none
	bytes     int64
}

// written is what the small files of a log hold, under its gate.
type written struct {
	epochs      []epochStart
	epochsWrong bool  // the file is there and is not to be believed
	producersAt int64 // log offset of the producer state file, -1: none that we know
	index       fileOf
	aborted     fileOf
}

// fileOf is how much of a segment's cache file was written.
type fileOf struct {
	seg        *segment
	size       int // .index, or entries of .txnindex
	timesBytes int // .timeindex
}

// hasEpochs tells whether the epoch cache is on disk as it is.
func (w *written) hasEpochs(epochs []epochStart) bool {
	return !w.epochsWrong && slices.Equal(epochs, w.epochs)
}

// captureLocked makes the tail the candidate for the next checkpoint.
func (l *Log) captureLocked() {
	t, v := &l.tail, l.view.Load()
	p := &point{seg: t.seg, truncates: l.truncates, entries: t.index, aborted: t.aborted, bytes: v.bytes}
	p.mark = mark{id: l.id, topic: l.topic, epoch: latestEpoch(t.epochs), end: t.end, segment: t.end,
		summary: t.summary, digest: t.digest, aborted: int32(len(t.aborted)), pos: t.pos, since: t.since, index: t.indexSum}
	if t.seg != nil {
		p.segment = t.seg.base
	}
	if len(l.producers.m) > 0 || l.hadProducers {
		l.hadProducers = true
		p.producers = producersFile(t.end, &l.producers, t.txns)
		p.mark.producers = true
	}
	l.candidate = p
}

// checkpointMode says how much is done for a point.
type checkpointMode uint8

const (
	inTurn checkpointMode = iota // logs of durability isr only as far as they are durable
	forced                       // all are made durable up to now
	clean                        // forced, and the logs are closed after it
)

// checkpoint names a durable point for each of these logs: small files first,
// then the journal.
func (d *logDir) checkpoint(logs []*Log, how checkpointMode) error {
	var ready []*point
	var gated []*Log
	defer func() {
		for _, l := range gated {
			l.files.leave()
		}
	}()
	for _, l := range d.capture(logs, how) {
		l.files.enter()
		if home := l.home(); home != d { // it has moved
			l.files.leave()
			home.keeper.touch(l, l.view.Load())
			continue
		}
		gated = append(gated, l)
		p := l.stillTrue()
		if p != nil {
			p.clean = how == clean
			if p.clean && p.known(d.journal.get(l.id)) {
				p = nil // closed as it was opened
			}
		}
		ready = append(ready, p)
	}
	var files []smallFile
	var entries []byte
	for i, l := range gated {
		if p := ready[i]; p != nil {
			files = l.smallFiles(files, p)
			l.writeIndexes(p)
		}
	}
	if err := d.replaceFiles(files); err != nil {
		return d.sort(err)
	}
	for i, l := range gated {
		if p := ready[i]; p != nil {
			l.noteFiles(p)
			entries = l.entriesOf(entries, p)
		}
	}
	if err := d.journal.write(entries); err != nil {
		return d.sort(err)
	}
	for i, l := range gated {
		if p := ready[i]; p != nil {
			l.pointAt.Store(p.bytes)
		}
	}
	return nil
}

// sort gives the directory up where an error came from a sync; a full disk passes.
func (d *logDir) sort(err error) error {
	if s := (*syncError)(nil); errors.As(err, &s) {
		return d.fail(err)
	}
	if isFull(err) {
		d.setFull(true)
		return errors.Join(ErrDiskFull, err)
	}
	return err
}

// capture takes points and waits until they are durable. A log of durability
// isr is captured when it rolls, and named when the flusher has come by.
func (d *logDir) capture(logs []*Log, how checkpointMode) (ready []*Log) {
	ends := make([]int64, len(logs))
	for i, l := range logs {
		l.writeMu.Lock()
		switch {
		case mutations.checkpointAhead:
			l.captureLocked()
		case how != inTurn || l.Durability() == Fsync:
			l.captureLocked()
			d.flusher.mark(l)
		}
		ends[i] = -1
		if l.candidate != nil {
			ends[i] = l.candidate.end
		}
		l.writeMu.Unlock()
	}
	for i, l := range logs {
		switch {
		case ends[i] < 0:
		case mutations.checkpointAhead:
			ready = append(ready, l)
		case how != inTurn || l.Durability() == Fsync:
			if d.flusher.await(l, ends[i]) {
				ready = append(ready, l)
			}
		case l.view.Load().Durable >= ends[i]:
			ready = append(ready, l)
		default:
			d.keeper.touch(l, l.view.Load())
		}
	}
	return ready
}

// stillTrue gives the candidate unless a truncation or a higher start came between. It runs under the gate.
func (l *Log) stillTrue() *point {
	l.writeMu.Lock()
	defer l.writeMu.Unlock()
	p := l.candidate
	v := l.view.Load()
	if p == nil || p.truncates != l.truncates || p.end > v.Durable && !mutations.checkpointAhead {
		return nil
	}
	if l.state.Load() != nil || p.seg == nil && v.Start == 0 && l.home().journal.get(l.id) == nil {
		return nil
	}
	if p.end < v.Start {
		return nil // DeleteRecords overtook it: its position would be of another offset. The next one is above
	}
	l.candidate = nil
	p.start = v.Start
	p.hw = max(min(v.HighWatermark, p.end), v.Start)
	return p
}

// known tells whether the checkpoint has this clean point already.
func (p *point) known(m *mark) bool {
	return m != nil && m.clean && m.start == p.start && m.end == p.end && m.hw == p.hw && m.epoch == p.epoch && m.segment == p.segment
}

// smallFile is a file to be replaced durably.
type smallFile struct {
	path string
	data []byte
}

// smallFiles adds the files that must be true before the point counts.
func (l *Log) smallFiles(files []smallFile, p *point) []smallFile {
	if !l.hasFiles() {
		return files
	}
	p.epochs = l.view.Load().epochs // newer than the point, if a leader began since: that is on disk already
	if !l.written.hasEpochs(p.epochs) {
		files = append(files, smallFile{path.Join(l.path(), epochsName), epochsFile(p.epochs)})
	}
	if p.producers != nil && l.written.producersAt != p.end {
		files = append(files, smallFile{path.Join(l.path(), producersName), p.producers})
	}
	for _, s := range l.freshlySealed(p) {
		if len(s.aborted) > 0 && !l.written.aborted.has(s, len(s.aborted)) {
			files = append(files, smallFile{s.path(abortedSuffix), abortedFile(s.aborted)})
		}
	}
	if len(p.aborted) > 0 && !l.written.aborted.has(p.seg, len(p.aborted)) {
		files = append(files, smallFile{p.seg.path(abortedSuffix), abortedFile(p.aborted)})
	}
	return files
}

func (f fileOf) has(s *segment, size int) bool { return f.seg == s && f.size == size }

// noteFiles remembers what smallFiles wrote.
func (l *Log) noteFiles(p *point) {
	l.written.epochs, l.written.epochsWrong = p.epochs, false
	if p.producers != nil {
		l.written.producersAt = p.end
	}
	if len(p.aborted) > 0 {
		l.written.aborted = fileOf{seg: p.seg, size: len(p.aborted)}
	}
}

// freshlySealed lists sealed segments below the point that the journal does not
// know as they are. Both lists are by base.
func (l *Log) freshlySealed(p *point) (out []*segment) {
	var known []sealedMark
	if m := l.home().journal.get(l.id); m != nil {
		known = m.sealed
	}
	for _, s := range l.view.Load().segs {
		if s.base >= p.segment {
			break
		}
		for len(known) > 0 && known[0].base < s.base {
			known = known[1:]
		}
		if len(known) == 0 || known[0] != s.sealedMark() {
			out = append(out, s)
		}
	}
	return out
}

// entriesOf adds the journal entries of a point.
func (l *Log) entriesOf(entries []byte, p *point) []byte {
	for _, s := range l.freshlySealed(p) {
		entries = s.sealedMark().encode(entries, l.id)
	}
	return appendPoint(entries, &p.mark)
}

// replaceFiles replaces small files durably, all of them by one syncfs if there are many.
func (d *logDir) replaceFiles(files []smallFile) error {
	if len(files) >= syncAllFrom {
		if err := d.replaceAll(files); !errors.Is(err, errors.ErrUnsupported) {
			return err
		}
	}
	for _, f := range files {
		if err := replaceFile(d.fs, f.path, f.data); err != nil {
			return fmt.Errorf("write %s: %w", f.path, err)
		}
	}
	dirs := make([]string, len(files))
	for i, f := range files {
		dirs[i] = path.Dir(f.path)
	}
	slices.Sort(dirs)
	for _, dir := range slices.Compact(dirs) {
		if err := d.fs.SyncDir(dir); err != nil {
			return &syncError{fmt.Errorf("sync %s: %w", dir, err)}
		}
	}
	return nil
}

func (d *logDir) replaceAll(files []smallFile) error {
	for _, f := range files {
		if err := overwrite(d.fs, f.path+tempSuffix, f.data, 0); err != nil {
			return fmt.Errorf("write %s: %w", f.path, err)
		}
	}
	if err := d.syncAll(); err != nil {
		return err
	}
	for _, f := range files {
		if err := d.fs.Rename(f.path+tempSuffix, f.path); err != nil {
			return fmt.Errorf("write %s: %w", f.path, err)
		}
	}
	return d.syncAll()
}

func (d *logDir) syncAll() error {
	err := d.fs.SyncAll(d.path)
	if err == nil || errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	return &syncError{fmt.Errorf("sync all of %s: %w", d.path, err)}
}

// overwrite puts data behind the first keep bytes of a file, without a sync.
func overwrite(fsys vfs.FS, name string, data []byte, keep int64) error {
	f, err := fsys.Open(name, vfs.Create)
	if err != nil {
		return err
	}
	if err = f.Truncate(keep); err == nil {
		_, err = f.WriteAt(data, keep)
	}
	return errors.Join(err, f.Close())
}

// writeIndexes brings the index files up to the point: caches, never synced. An
// error costs only that they are made again.
func (l *Log) writeIndexes(p *point) {
	if !l.hasFiles() {
		return
	}
	for _, s := range l.view.Load().segs {
		if m := s.index.Load(); m != nil && s.base < p.segment {
			if l.writeIndex(s, m.entries, &s.summary) == nil {
				s.index.Store(nil)
			}
		}
	}
	if p.seg != nil {
		_ = l.writeIndex(p.seg, p.entries, nil) // see above
	}
}

// writeIndex writes .index and .timeindex of a segment from where they end.
func (l *Log) writeIndex(s *segment, entries []indexEntry, end *summary) error {
	w := &l.written.index
	if w.seg != s {
		*w = fileOf{seg: s}
	}
	offsets, times := indexFile(entries), timeIndexFile(s.base, entries, end)
	if w.size > len(offsets) || w.timesBytes > len(times) {
		*w = fileOf{seg: s}
	}
	if len(offsets) > w.size || w.size == 0 {
		if err := overwrite(l.home().fs, s.path(indexSuffix), offsets[w.size:], int64(w.size)); err != nil {
			return err
		}
	}
	if len(times) > w.timesBytes || w.timesBytes == 0 {
		if err := overwrite(l.home().fs, s.path(timeIndexSuffix), times[w.timesBytes:], int64(w.timesBytes)); err != nil {
			return err
		}
	}
	w.size, w.timesBytes = len(offsets), len(times)
	return nil
}
