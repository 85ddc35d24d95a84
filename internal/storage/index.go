package storage

import (
	"encoding/binary"
	"math/bits"
	"sort"
)

// indexEntry is one point of the sparse index of a segment: the batch at pos,
// the offset of its last record, and the largest timestamp up to and with it
// beside the last offset of the batch that brought it. Offsets are relative to
// the segment's base. 20 bytes: the timestamp is split to avoid padding.
type indexEntry struct {
	last, pos    uint32
	topLast      uint32
	topHi, topLo uint32
}

func (e indexEntry) top() int64 { return int64(e.topHi)<<32 | int64(e.topLo) }

func newIndexEntry(last, pos int64, topLast, top int64) indexEntry {
	return indexEntry{uint32(last), uint32(pos), uint32(topLast), uint32(uint64(top) >> 32), uint32(top)}
}

// addTo continues a sum over entries. It tells index files of one moment from
// those of another, and costs no more than a few multiplications.
func (e indexEntry) addTo(sum uint32) uint32 {
	for _, n := range [...]uint32{e.last, e.pos, e.topLast, e.topHi, e.topLo} {
		sum = bits.RotateLeft32(sum^n, 13) * 0x9e3779b1
	}
	return sum
}

// Kafka's two index files, big endian, offsets relative to the base:
//
//	.index      last offset of a batch 4 | position of the batch 4
//	.timeindex  largest timestamp so far 8 | last offset of the batch that has it 4
//
// A time entry is written with an offset entry, if the timestamp rose, and once
// more when the segment is sealed.
const (
	offsetEntryBytes = 8
	timeEntryBytes   = 12
)

// noTimestamp is Kafka's value for "none".
const noTimestamp = -1

// summary is the end of a segment's time index: what a seal adds to it.
type summary struct {
	top, topOffset int64 // noTimestamp: none
}

// indexFile gives the bytes of .index.
func indexFile(entries []indexEntry) []byte {
	p := make([]byte, 0, len(entries)*offsetEntryBytes)
	for _, e := range entries {
		p = binary.BigEndian.AppendUint32(p, e.last)
		p = binary.BigEndian.AppendUint32(p, e.pos)
	}
	return p
}

// timeIndexFile gives the bytes of .timeindex; end is nil while the segment is active.
func timeIndexFile(base int64, entries []indexEntry, end *summary) []byte {
	p := make([]byte, 0, (len(entries)+1)*timeEntryBytes)
	newest := int64(noTimestamp)
	add := func(top int64, last uint32) {
		if top > newest {
			newest = top
			p = binary.BigEndian.AppendUint64(p, uint64(top))
			p = binary.BigEndian.AppendUint32(p, last)
		}
	}
	for _, e := range entries {
		add(e.top(), e.topLast)
	}
	if end != nil && end.top > noTimestamp {
		add(end.top, uint32(end.topOffset-base))
	}
	return p
}

// parseIndexes reads both files back. ok is false where they cannot be right:
// they are caches, and the caller makes them anew from the log.
func parseIndexes(offsets, times []byte) (entries []indexEntry, ok bool) {
	if len(offsets)%offsetEntryBytes != 0 || len(times)%timeEntryBytes != 0 {
		return nil, false
	}
	top, topLast := int64(noTimestamp), uint32(0)
	for i := 0; i < len(offsets); i += offsetEntryBytes {
		last, pos := binary.BigEndian.Uint32(offsets[i:]), binary.BigEndian.Uint32(offsets[i+4:])
		if last > maxRelative || pos > maxRelative {
			return nil, false
		}
		if n := len(entries); n > 0 && (last <= entries[n-1].last || pos <= entries[n-1].pos) {
			return nil, false
		}
		if len(times) > 0 && binary.BigEndian.Uint32(times[8:]) <= last {
			t, l := int64(binary.BigEndian.Uint64(times)), binary.BigEndian.Uint32(times[8:])
			if t <= top || l < topLast {
				return nil, false
			}
			top, topLast, times = t, l, times[timeEntryBytes:]
		}
		if len(times) > 0 && binary.BigEndian.Uint32(times[8:]) <= last {
			return nil, false // one time entry per offset entry at most
		}
		entries = append(entries, newIndexEntry(int64(last), int64(pos), int64(topLast), top))
	}
	return entries, true
}

// maxRelative is the largest relative offset and position: both are signed in Kafka.
const maxRelative = 1<<31 - 1

// floorOffset gives the position of the last entry at or below a relative offset, 0 if none.
func floorOffset(entries []indexEntry, rel int64) int64 {
	i := sort.Search(len(entries), func(i int) bool { return int64(entries[i].last) > rel })
	if i == 0 {
		return 0
	}
	return int64(entries[i-1].pos)
}

// floorPosition gives the position of the last entry at or below pos, 0 if none.
func floorPosition(entries []indexEntry, pos int64) int64 {
	i := sort.Search(len(entries), func(i int) bool { return int64(entries[i].pos) > pos })
	if i == 0 {
		return 0
	}
	return int64(entries[i-1].pos)
}

// floorTime gives the position of the last entry before which every timestamp
// is below ts, 0 if none.
func floorTime(entries []indexEntry, ts int64) int64 {
	i := sort.Search(len(entries), func(i int) bool { return entries[i].top() >= ts })
	if i == 0 {
		return 0
	}
	return int64(entries[i-1].pos)
}

// place is where a batch starts, with its first offset and the one after its last.
type place struct{ offset, next, pos int64 }

// The newest batches are kept by place, so that a reader at the tail or at the
// high watermark needs no scan: at least minPlaces, and all above the high
// watermark up to maxPlaces (the index serves what is older).
const (
	minPlaces = 64
	maxPlaces = 4096
)

// addPlace appends to the newest places. The slice only grows within its array,
// because readers of older views share it; full, it moves what is still wanted.
func addPlace(places []place, p place, hw int64) []place {
	if len(places) == cap(places) {
		keep := len(places) - sort.Search(len(places), func(i int) bool { return places[i].offset >= hw })
		keep = min(max(keep+1, minPlaces/2), len(places), maxPlaces/2)
		moved := make([]place, keep, max(minPlaces, 2*keep))
		copy(moved, places[len(places)-keep:])
		places = moved
	}
	return append(places, p)
}
