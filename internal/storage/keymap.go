package storage

import (
	"hash/maphash"
	"math/bits"
)

// keyMap knows the newest offset of keys, by 128 bits of a hash: two keys of one
// entry are as likely as a disk that lies, and the seeds, which are new each time,
// let nobody make them. Memory is taken once, for as many records as there can be.
type keyMap struct {
	seeds   [2]maphash.Seed
	entries []keyEntry
	used    int
}

// keyEntry is free while next is 0.
type keyEntry struct {
	hi, lo uint64
	next   int64 // offset + 1
}

const (
	keyEntryBytes = 24
	leastKeys     = 8
)

// newKeyMap makes room for records keys, within budget bytes.
func newKeyMap(records, budget int64) keyMap {
	want := max(records+records/3, leastKeys)
	want = min(want, max(budget/keyEntryBytes, leastKeys))
	size := 1 << (bits.Len64(uint64(want)) - 1) // a power of two, not above
	if int64(size)*3 < records*4 && int64(size)*2*keyEntryBytes <= budget {
		size *= 2
	}
	return keyMap{seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}, entries: make([]keyEntry, size)}
}

// room tells whether n more keys fit. A table of more than three quarters is slow.
func (m *keyMap) room(n int) bool { return (m.used+n)*4 <= len(m.entries)*3 }

// find gives the entry of a key, or the free one where it belongs. nil: all are taken.
func (m *keyMap) find(key []byte) *keyEntry {
	hi, lo := maphash.Bytes(m.seeds[0], key), maphash.Bytes(m.seeds[1], key)
	mask := uint64(len(m.entries) - 1)
	for i := range uint64(len(m.entries)) {
		e := &m.entries[(lo+i)&mask]
		if e.next == 0 || e.hi == hi && e.lo == lo {
			if e.next == 0 {
				e.hi, e.lo = hi, lo
			}
			return e
		}
	}
	return nil
}

// put notes an offset. One for which there is no room is left out: what the map
// does not know stays in the log.
func (m *keyMap) put(key []byte, offset int64) {
	e := m.find(key)
	if e == nil {
		return
	}
	if e.next == 0 {
		m.used++
	}
	e.next = max(e.next, offset+1)
}

func (m *keyMap) get(key []byte) (offset int64, ok bool) {
	e := m.find(key)
	if e == nil || e.next == 0 {
		return 0, false
	}
	return e.next - 1, true
}
