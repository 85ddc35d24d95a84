package meta

import (
	"maps"
	"slices"
)

// shards is how many parts a shardMap has. A batch of changes clones each part
// that it touches once: at two million keys a part holds 2,000.
const shards = 1024

// shardMap is an immutable map in parts, so that the next version shares all
// parts but the few that differ. The zero value with a hash is empty.
type shardMap[K comparable, V any] struct {
	hash  func(K) uint32 // only its low ten bits count
	parts *[shards]map[K]V
	n     int
}

func (m *shardMap[K, V]) get(k K) (v V, ok bool) {
	if m.parts == nil {
		return v, false
	}
	v, ok = m.parts[m.hash(k)%shards][k]
	return v, ok
}

func (m *shardMap[K, V]) len() int { return m.n }

// keys gives every key, in the order of less.
func (m *shardMap[K, V]) keys(less func(a, b K) int) []K {
	if m.n == 0 {
		return nil
	}
	all := make([]K, 0, m.n)
	for _, part := range m.parts {
		all = append(all, sorted(part, less)...)
	}
	slices.SortFunc(all, less)
	return all
}

// shardEdit is the next version of a shardMap in the making. It reads its own
// writes and never touches a part that an image holds.
type shardEdit[K comparable, V any] struct {
	m     shardMap[K, V]
	fresh bool // m.parts is ours
	owned [shards / 64]uint64
}

func (m shardMap[K, V]) edit() shardEdit[K, V] { return shardEdit[K, V]{m: m} }

func (e *shardEdit[K, V]) get(k K) (V, bool) { return e.m.get(k) }

func (e *shardEdit[K, V]) put(k K, v V) {
	part := e.own(k)
	before := len(part)
	part[k] = v
	e.m.n += len(part) - before
}

func (e *shardEdit[K, V]) del(k K) {
	if _, ok := e.m.get(k); !ok {
		return
	}
	delete(e.own(k), k)
	e.m.n--
}

// done gives the new version; the edit must not be used any more.
func (e *shardEdit[K, V]) done() shardMap[K, V] { return e.m }

// own returns the part that k belongs to, as one that we may write to.
func (e *shardEdit[K, V]) own(k K) map[K]V {
	if !e.fresh {
		parts := new([shards]map[K]V)
		if e.m.parts != nil {
			*parts = *e.m.parts
		}
		e.m.parts, e.fresh = parts, true
	}
	i := e.m.hash(k) % shards
	if bit := uint64(1) << (i % 64); e.owned[i/64]&bit == 0 {
		e.owned[i/64] |= bit
		if e.m.parts[i] == nil {
			e.m.parts[i] = make(map[K]V, 1)
		} else {
			e.m.parts[i] = maps.Clone(e.m.parts[i])
		}
	}
	return e.m.parts[i]
}

// mix folds 64 bits into a shard number's 32.
func mix(h uint64) uint32 {
	h ^= h >> 32
	h *= 0x9e3779b97f4a7c15
	return uint32(h >> 40)
}

// hashString reads eight bytes at a time: topic names have up to 249.
func hashString(s string) uint32 {
	h := uint64(len(s)) * 0xff51afd7ed558ccd
	for len(s) >= 8 {
		w := uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
			uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
		h = (h ^ w) * 0xc4ceb9fe1a85ec53
		h ^= h >> 29
		s = s[8:]
	}
	var w uint64
	for i := range len(s) {
		w = w<<8 | uint64(s[i])
	}
	return mix((h ^ w) * 0xff51afd7ed558ccd)
}
