package storage

import (
	"encoding/binary"
	"hash/crc32"

	"github.com/brokerd/brokerd/internal/step"
)

// mark is what the checkpoint knows of one log: a point of it that is durable
// (I5), and what recovery needs to go on from there.
type mark struct {
	id    step.PartitionID
	topic string
	clean bool // the log was closed at this point: nothing is above it
	// pending: only sealed segments so far; the point that makes them count follows.
	pending bool

	epoch     int32  // newest epoch in the cache
	start     int64  // log start offset
	end       int64  // of the log at this point, all of it durable
	hw        int64  // a hint
	segment   int64  // base of the segment that holds the point
	pos       int64  // where in its file
	since     int64  // bytes since its last index entry
	index     uint32 // sum of its index entries: the files are not synced, one may be older
	summary          // largest timestamp of that segment, up to the point
	digest    uint32
	aborted   int32 // entries of that segment's aborted index
	producers bool  // a producer state file was written for this point or before
	cleaned   int64 // offset up to which the log was compacted
	sealed    []sealedMark
}

// sealedMark is a sealed segment: all of it is durable.
type sealedMark struct {
	base, size int64
	summary
	digest  uint32
	aborted int32
	covers  int64 // compaction made it of all that was below; 0: it did not
}

// digest is a CRC32C over the first 21 bytes of each batch of a segment. Those
// hold offset, length, epoch, magic and the batch's own CRC of all the rest, so
// it covers every byte of the segment and costs 21 bytes per batch (S5).
const digestBytes = 21

func addDigest(digest uint32, batch []byte) uint32 {
	return crc32.Update(digest, castagnoli, batch[:digestBytes])
}

// Entries of the checkpoint log. The file is an empty frame (16 bytes: magic,
// version), then entries to the end:
//
//	0 length of body 4 | 4 CRC32C of body 4 | 8 body: kind 1 | topic id 16 | partition 4 | …
//
//	kind 1  point:  topic length 2, topic | flags 1 (1 clean, 2 producers) | epoch 4 | start 8
//	                end 8 | high watermark 8 | segment 8 | position 8 | since 8 | top 8
//	                top offset 8 | digest 4 | aborted 4 | index 4
//	kind 2  sealed: base 8 | size 8 | top 8 | top offset 8 | digest 4 | aborted 4
//	kind 3  gone:   nothing; the log was deleted or set aside
//	kind 4  cut:    from 8, to 8; sealed segments with from ≤ base < to are no more
//	kind 5  swapped: as sealed, covers 8; the segment took the place of all with
//	                base ≤ theirs < covers
//	kind 6  cleaned: offset 8 up to which the log was compacted
//
// The newest point of a log counts. Sealed segments are written before the point
// that lies above them, cuts after the point that makes them true. A damaged entry ends the reading: what
// follows was never synced, or the disk lies, and older points are true too.
const (
	entryPoint  = 1
	entrySealed = 2
	entryGone   = 3
	entryCut    = 4
	entrySwap   = 5
	entryClean  = 6

	entryHeader = 8
	maxEntry    = 1 << 12
)

const (
	flagClean     = 1
	flagProducers = 2
)

func beginEntry(p []byte, kind byte, id step.PartitionID) []byte {
	p = append(p, make([]byte, entryHeader)...)
	p = append(p, kind)
	p = append(p, id.Topic[:]...)
	return binary.BigEndian.AppendUint32(p, uint32(id.Index))
}

func endEntry(p []byte, at int) []byte {
	body := p[at+entryHeader:]
	binary.BigEndian.PutUint32(p[at:], uint32(len(body)))
	binary.BigEndian.PutUint32(p[at+4:], crc32.Checksum(body, castagnoli))
	return p
}

func appendPoint(p []byte, m *mark) []byte {
	at := len(p)
	p = beginEntry(p, entryPoint, m.id)
	p = binary.BigEndian.AppendUint16(p, uint16(len(m.topic)))
	p = append(p, m.topic...)
	var flags byte
	if m.clean {
		flags |= flagClean
	}
	if m.producers {
		flags |= flagProducers
	}
	p = append(p, flags)
	p = binary.BigEndian.AppendUint32(p, uint32(m.epoch))
	for _, n := range []int64{m.start, m.end, m.hw, m.segment, m.pos, m.since, m.top, m.topOffset} {
		p = binary.BigEndian.AppendUint64(p, uint64(n))
	}
	p = binary.BigEndian.AppendUint32(p, m.digest)
	p = binary.BigEndian.AppendUint32(p, uint32(m.aborted))
	p = binary.BigEndian.AppendUint32(p, m.index)
	return endEntry(p, at)
}

func appendCleaned(p []byte, id step.PartitionID, offset int64) []byte {
	at := len(p)
	p = beginEntry(p, entryClean, id)
	p = binary.BigEndian.AppendUint64(p, uint64(offset))
	return endEntry(p, at)
}

func appendGone(p []byte, id step.PartitionID) []byte {
	return endEntry(beginEntry(p, entryGone, id), len(p))
}

func appendCut(p []byte, id step.PartitionID, from, to int64) []byte {
	at := len(p)
	p = beginEntry(p, entryCut, id)
	p = binary.BigEndian.AppendUint64(p, uint64(from))
	p = binary.BigEndian.AppendUint64(p, uint64(to))
	return endEntry(p, at)
}

// nextEntry splits the first entry off; ok is false at the end or at damage.
func nextEntry(p []byte) (body, rest []byte, ok bool) {
	if len(p) < entryHeader {
		return nil, nil, false
	}
	n := binary.BigEndian.Uint32(p)
	if n == 0 || n > maxEntry || uint64(n) > uint64(len(p)-entryHeader) {
		return nil, nil, false
	}
	body = p[entryHeader : entryHeader+n]
	if crc32.Checksum(body, castagnoli) != binary.BigEndian.Uint32(p[4:]) {
		return nil, nil, false
	}
	return body, p[entryHeader+n:], true
}

// marks is the state that the entries of a checkpoint log add up to.
type marks map[step.PartitionID]*mark

// apply takes one entry; false: it makes no sense.
func (ms marks) apply(body []byte) bool {
	d := decoder{p: body}
	kind := d.byte()
	var id step.PartitionID
	copy(id.Topic[:], d.take(16))
	id.Index = d.int32()
	if !d.ok() {
		return false
	}
	switch kind {
	case entryPoint:
		return ms.point(id, &d)
	case entrySealed, entrySwap:
		return ms.seal(id, &d, kind == entrySwap)
	case entryClean:
		offset := d.int64()
		if !d.done() || offset < 0 {
			return false
		}
		if m := ms[id]; m != nil {
			next := *m
			next.cleaned = offset
			ms[id] = &next
		}
		return true
	case entryGone:
		delete(ms, id)
		return d.done()
	case entryCut:
		from, to := d.int64(), d.int64()
		if !d.done() || from < 0 || to < from {
			return false
		}
		if m := ms[id]; m != nil {
			next := *m // others may be reading this one
			next.cut(from, to)
			ms[id] = &next
		}
		return true
	}
	return false
}

func (ms marks) point(id step.PartitionID, d *decoder) bool {
	n := int(uint16(d.int16()))
	if !d.ok() || n > len(d.p) {
		return false
	}
	m := mark{id: id, topic: string(d.take(n))}
	flags := d.byte()
	m.clean, m.producers = flags&flagClean != 0, flags&flagProducers != 0
	m.epoch = d.int32()
	for _, to := range []*int64{&m.start, &m.end, &m.hw, &m.segment, &m.pos, &m.since, &m.top, &m.topOffset} {
		*to = d.int64()
	}
	m.digest, m.aborted, m.index = uint32(d.int32()), d.int32(), uint32(d.int32())
	if !d.done() || m.start < 0 || m.end < m.start || m.pos < 0 || m.segment < 0 || m.segment > m.end {
		return false
	}
	if old := ms[id]; old != nil {
		m.sealed, m.cleaned = old.sealed, old.cleaned
		if old.topic == m.topic {
			m.topic = old.topic // one string for all points
		}
	}
	ms[id] = &m
	return true
}

func (ms marks) seal(id step.PartitionID, d *decoder, swapped bool) bool {
	var s sealedMark
	for _, to := range []*int64{&s.base, &s.size, &s.top, &s.topOffset} {
		*to = d.int64()
	}
	s.digest, s.aborted = uint32(d.int32()), d.int32()
	gone := s.base + 1
	if swapped {
		s.covers = d.int64()
		gone = s.covers
	}
	m := ms[id]
	if !d.done() || gone <= s.base || s.base < 0 || s.size < 0 || s.aborted < 0 {
		return false
	}
	next := mark{id: id, pending: true}
	if m != nil {
		next = *m
	}
	cleaned := next.cleaned
	next.cut(s.base, gone)
	next.cleaned = cleaned // nothing of it is new
	m, ms[id] = &next, &next
	m.sealed = append(m.sealed, s)
	for i := len(m.sealed) - 1; i > 0 && m.sealed[i].base < m.sealed[i-1].base; i-- {
		m.sealed[i], m.sealed[i-1] = m.sealed[i-1], m.sealed[i]
	}
	return true
}

// cut forgets sealed segments with from ≤ base < to. The slice is new: older marks
// of the same log keep theirs.
func (m *mark) cut(from, to int64) {
	var kept []sealedMark
	for _, s := range m.sealed {
		if s.base < from || s.base >= to {
			kept = append(kept, s)
		}
	}
	m.sealed = kept
	if from < m.cleaned && m.cleaned < to {
		m.cleaned = from
	}
}

// encode gives the entries of one log, as compaction writes them.
func (m *mark) encode(p []byte) []byte {
	p = appendPoint(p, m)
	for _, s := range m.sealed {
		p = s.encode(p, m.id)
	}
	if m.cleaned > 0 {
		p = appendCleaned(p, m.id, m.cleaned)
	}
	return p
}

// encode gives one entry, also of a segment that takes the place of others, so
// that no tear lies between what comes and what goes.
func (s sealedMark) encode(p []byte, id step.PartitionID) []byte {
	at, kind := len(p), byte(entrySealed)
	if s.covers > 0 {
		kind = entrySwap
	}
	p = beginEntry(p, kind, id)
	for _, n := range []int64{s.base, s.size, s.top, s.topOffset} {
		p = binary.BigEndian.AppendUint64(p, uint64(n))
	}
	p = binary.BigEndian.AppendUint32(p, s.digest)
	p = binary.BigEndian.AppendUint32(p, uint32(s.aborted))
	if kind == entrySwap {
		p = binary.BigEndian.AppendUint64(p, uint64(s.covers))
	}
	return endEntry(p, at)
}

// parseCheckpoint reads a whole checkpoint file. good is how many bytes made
// sense; a shorter good than the file means a torn tail.
func parseCheckpoint(p []byte) (ms marks, good int, err error) {
	ms = marks{}
	if len(p) == 0 {
		return ms, 0, nil
	}
	if _, err := checkpointKind.open(p[:min(frameHeader, len(p))]); err != nil {
		return nil, 0, err
	}
	rest := p[frameHeader:]
	for {
		body, after, ok := nextEntry(rest)
		if !ok || !ms.apply(body) {
			break
		}
		rest = after
	}
	for id, m := range ms {
		if m.pending {
			delete(ms, id)
		}
	}
	return ms, len(p) - len(rest), nil
}
