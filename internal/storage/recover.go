package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/brokerd/brokerd/internal/record"
	"github.com/brokerd/brokerd/internal/vfs"
)

// recovery brings a log back from disk: trust what the checkpoint names, scan
// what is above it, cut a torn tail, sync what is kept (S4). Nobody else knows
// the log yet.
//
//	sealed (checkpoint) ─────────┬ segment of the point ─┬─ above ──────────►
//	sizes, digests: as noted     │ trusted up to pos     │ scanned; the first
//	anything missing: corrupt    │                       │ bad batch ends the log
type recovery struct {
	l     *Log
	m     *mark // nil: never in a checkpoint
	bases []int64
	t     tail
	segs  []*segment

	start   int64
	later   []epochStart // from the epoch file, at or above the scan
	state   *producersAt // from its file, true up to state.end
	rebuild bool         // producers, aborted transactions and epochs come from the log
	control bool         // a marker was seen below state.end
	stale   bool         // the producer state file is of a tail that was lost
	changed bool         // files were cut or removed: sync even if nothing is kept
	scanned []*segment   // to be synced
	bytes   int64        // that were scanned
}

// load brings the log back, or finds that it has no files.
func (l *Log) load() (scanned int64, err error) {
	r := recovery{l: l, m: l.home().journal.get(l.id), t: newTail(0)}
	if err := r.list(); err != nil {
		return 0, err
	}
	if r.m == nil && len(r.bases) == 0 {
		return 0, nil
	}
	if err := r.trusted(); err != nil {
		return 0, err
	}
	if err := r.above(); err != nil {
		return 0, err
	}
	if err := r.settle(); err != nil {
		return 0, err
	}
	r.publish()
	return r.bytes, nil
}

func corruptf(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrCorrupt, fmt.Errorf(format, args...))
}

// asCorrupt calls damage below the checkpoint by its name; trouble of the disk keeps its own.
func asCorrupt(err error) error {
	if errors.Is(err, errDamaged) {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return err
}

// list finds the segments and clears away what a crash left half done.
func (r *recovery) list() error {
	fsys, dir := r.l.home().fs, r.l.path()
	names, err := fsys.List(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("list %s: %w", dir, err)
	}
	if ours, err := r.ours(); !ours || err != nil {
		return err
	}
	var swaps []int64
	for _, name := range names {
		if base, ok := segmentBase(name, logSuffix); ok {
			r.bases = append(r.bases, base)
		}
		if base, ok := segmentBase(name, logSuffix+swapSuffix); ok {
			swaps = append(swaps, base)
		}
	}
	if err := r.swaps(swaps); err != nil {
		return err
	}
	for _, name := range names {
		if r.leftOver(name) {
			if err := fsys.Remove(path.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("clear %s: %w", dir, err)
			}
		}
	}
	return nil
}

// ours tells whether the directory is this partition's. One that is not is left
// for the first append to set aside, unless the checkpoint wants records from it.
func (r *recovery) ours() (bool, error) {
	id, damage, err := r.l.home().owner(r.l.name())
	if err != nil {
		return false, err
	}
	if damage == nil && id == r.l.id.Topic {
		return true, nil
	}
	if damage == nil {
		damage = fmt.Errorf("%s names topic %s", metadataName, id)
	}
	if r.m != nil && r.m.end > r.m.start {
		return false, corruptf("%s is not of topic %s: %w", r.l.path(), r.l.id.Topic, damage)
	}
	return false, nil
}

// leftOver names files that mean nothing any more: half written ones, those on
// their way out, caches of segments that are gone.
func (r *recovery) leftOver(name string) bool {
	if strings.HasSuffix(name, tempSuffix) || strings.HasSuffix(name, deletedSuffix) {
		return true
	}
	for _, suffix := range []string{indexSuffix, timeIndexSuffix, abortedSuffix} {
		if base, ok := segmentBase(name, suffix); ok {
			return !slices.Contains(r.bases, base)
		}
	}
	return false
}

// trusted takes over everything up to the point of the checkpoint.
func (r *recovery) trusted() error {
	if r.m == nil {
		r.start = r.bases[0]
		r.t = newTail(r.start)
		return r.epochs()
	}
	r.start = r.m.start
	r.dropDeleted()
	if err := r.sealed(); err != nil {
		return err
	}
	if err := r.epochs(); err != nil {
		return err
	}
	if err := r.producers(); err != nil {
		return err
	}
	if err := r.active(); err != nil {
		return err
	}
	if r.rebuild {
		return r.rewalk()
	}
	return nil
}

// dropDeleted removes segments whose deletion the checkpoint knows and the
// directory had not got around to.
func (r *recovery) dropDeleted() {
	var keep []int64
	for i, base := range r.bases {
		known := base >= r.m.segment || slices.ContainsFunc(r.m.sealed, func(s sealedMark) bool { return s.base == base })
		next := r.m.segment
		if i+1 < len(r.bases) {
			next = min(next, r.bases[i+1])
		}
		if !known && next <= r.m.start {
			r.remove(base)
			continue
		}
		keep = append(keep, base)
	}
	r.bases = keep
}

// sealed checks that every sealed segment of the checkpoint is there. Sizes are
// believed: the file is opened when it is read.
func (r *recovery) sealed() error {
	for i, s := range r.m.sealed {
		if s.base >= r.m.segment {
			break // sealed above the point: scanned again
		}
		end := r.m.segment
		if i+1 < len(r.m.sealed) {
			end = min(end, r.m.sealed[i+1].base)
		}
		if !slices.Contains(r.bases, s.base) {
			if end <= r.start {
				continue
			}
			return corruptf("segment %d of %s is missing", s.base, r.l.path())
		}
		seg := &segment{log: r.l, base: s.base, size: s.size, summary: s.summary, digest: s.digest, covers: s.covers}
		seg.space.sealed.Store(true)
		if s.aborted > 0 {
			r.aborted(seg, int(s.aborted))
		}
		r.segs = append(r.segs, seg)
		r.t.sealed += s.size
	}
	for _, base := range r.bases {
		if base < r.m.segment && !slices.ContainsFunc(r.segs, func(s *segment) bool { return s.base == base }) {
			return corruptf("segment %d of %s is not in the checkpoint, which is at %d", base, r.l.path(), r.m.segment)
		}
	}
	return nil
}

// aborted reads the aborted index of a segment; without it the log is walked.
func (r *recovery) aborted(s *segment, count int) {
	p, err := readWhole(r.l.home().fs, s.path(abortedSuffix))
	if err == nil {
		var list []record.Aborted
		if list, err = parseAborted(p); err == nil && len(list) >= count {
			s.aborted = list[:count]
			return
		}
	}
	r.rebuild = true
}

// epochs reads the epoch cache. Without it the log is walked: every batch says
// its epoch.
func (r *recovery) epochs() error {
	p, err := readFrame(r.l.home().fs, path.Join(r.l.path(), epochsName), epochsKind)
	if errors.Is(err, ErrNewer) {
		return err
	}
	var list []epochStart
	if err == nil && p != nil {
		list, err = parseEpochs(p)
	}
	r.l.written.epochs, r.l.written.epochsWrong = list, err != nil
	if r.m != nil && (err != nil || latestEpoch(list) < r.m.epoch) {
		r.l.written.epochsWrong = true
		r.rebuild = r.rebuild || r.m.epoch >= 0
		return nil
	}
	n := 0
	for r.m != nil && n < len(list) && list[n].start <= r.m.end {
		n++
	}
	r.t.epochs, r.later = list[:n:n], list[n:]
	return nil
}

// producers reads the producer state. It is true up to an offset at or above
// the point.
func (r *recovery) producers() error {
	if !r.m.producers {
		return nil
	}
	p, err := readFrame(r.l.home().fs, path.Join(r.l.path(), producersName), producersKind)
	if errors.Is(err, ErrNewer) {
		return err
	}
	if err == nil && p != nil {
		if st, err := parseProducers(p); err == nil && st.end >= r.m.end {
			r.state = st
			r.l.hadProducers = true
			return nil
		}
	}
	r.rebuild = true
	return nil
}

// active takes over the segment of the point, up to its position.
func (r *recovery) active() error {
	r.t.end = r.m.end
	if !slices.Contains(r.bases, r.m.segment) {
		if r.m.pos == 0 { // its file was never needed
			r.t.end = max(r.m.segment, r.m.end)
			return nil
		}
		return corruptf("segment %d of %s is missing", r.m.segment, r.l.path())
	}
	s := &segment{log: r.l, base: r.m.segment}
	h, err := r.l.store.files.get(s, vfs.Write)
	if err != nil {
		return fmt.Errorf("open %s: %w", s.path(logSuffix), err)
	}
	defer h.release()
	size, err := h.Size()
	if err != nil {
		return fmt.Errorf("size of %s: %w", s.path(logSuffix), err)
	}
	if size < r.m.pos {
		return corruptf("%s has %d bytes, the checkpoint vouches for %d", s.path(logSuffix), size, r.m.pos)
	}
	r.t.startSegment(s, time.Now(), r.l.config.Load())
	t := &r.t
	t.pos, t.since, t.digest, t.summary = r.m.pos, r.m.since, r.m.digest, r.m.summary
	if r.m.aborted > 0 {
		r.aborted(s, int(r.m.aborted))
		t.aborted = s.aborted
	}
	return r.index(h)
}

// index reads the active segment's index up to the point, or makes it anew.
func (r *recovery) index(h *handle) error {
	t := &r.t
	if t.pos == 0 {
		return nil
	}
	scan := scanner{h: h, size: t.pos}
	defer scan.close()
	first, err := scan.header(0)
	if err != nil {
		return asCorrupt(err)
	}
	t.first = first.MaxTimestamp()
	fsys := r.l.home().fs
	offsets, err := readWhole(fsys, t.seg.path(indexSuffix))
	if err == nil {
		var times []byte
		if times, err = readWhole(fsys, t.seg.path(timeIndexSuffix)); err == nil {
			entries, ok := parseIndexes(offsets, times)
			for ok && len(entries) > 0 && int64(entries[len(entries)-1].pos) >= t.pos {
				entries = entries[:len(entries)-1]
			}
			if t.takeIndex(entries); ok && t.indexSum == r.m.index {
				return nil
			}
		}
	}
	w := newTail(t.seg.base)
	w.seg = t.seg
	if err := r.l.walk(&w, t.pos); err != nil {
		return asCorrupt(err)
	}
	t.takeIndex(w.index)
	t.since = w.since // by the interval of now
	return nil
}

// takeIndex makes these the entries, and counts what .timeindex has of them.
func (t *tail) takeIndex(entries []indexEntry) {
	t.index, t.indexSum, t.times, t.newest = make([]indexEntry, 0, len(entries)), 0, 0, noTimestamp
	for _, e := range entries {
		t.addEntry(e)
	}
}

// remove unlinks the files of a segment that is no part of the log.
func (r *recovery) remove(base int64) {
	s := segment{log: r.l, base: base}
	for _, suffix := range []string{indexSuffix, timeIndexSuffix, abortedSuffix, logSuffix} {
		if err := r.l.home().fs.Remove(s.path(suffix)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			r.l.home().logger.Warn("file of a removed segment stays", "file", s.path(suffix), "err", err)
		}
	}
	r.changed = true
}
