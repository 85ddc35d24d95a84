package api

import "encoding/binary"

// kmsg decodes eagerly: it allocates what a count asks for, and turns its tag
// loop as often as a count says, even when the bytes have ended. So every body is
// walked first, by the shape of its version, which allocates nothing:
//
//	n elements need n × (least encoded size) bytes      ─┐ else the connection
//	decoded size ≤ 16 × received size + 64 KiB           ├ is closed
//	every length and tag stays within the body          ─┘
const (
	decodedPerByte = 16
	decodedFree    = 64 << 10
	// maxBodyTags bounds the tagged fields of one request.
	maxBodyTags = 10_000
	// What kmsg keeps for tags that it does not know: a map where there are
	// any, and an entry each.
	tagMapCost, tagCost = 384, 64
)

// fieldKind is what a field looks like on the wire.
type fieldKind uint8

const (
	fixed    fieldKind = iota // size bytes
	text                      // nullable or not, compact where flexible
	blob                      // as text, with a wider length; kmsg aliases it
	list                      // elements with fields, and tags where flexible
	bareList                  // elements without tags
	optional                  // a byte, then, unless it is -1, fields
	inline                    // fields, and tags where flexible
)

// field is one field of a request in one version.
type field struct {
	kind fieldKind
	size int     // fixed: its length
	elem []field // list, bareList, optional, inline
	min  int     // list, bareList: least encoded size of an element; inline: its own
	cost int     // list, bareList: decoded size of an element
}

// bodyShape is a request in one version.
type bodyShape struct {
	flexible bool
	fields   []field
}

// fits reports whether p may be decoded as s.
func (s *bodyShape) fits(p []byte) bool {
	k := skim{p: p, flexible: s.flexible, budget: decodedPerByte*len(p) + decodedFree, tags: maxBodyTags}
	return k.structure(s.fields) && k.budget >= 0
}

// skim walks one body.
type skim struct {
	p        []byte
	flexible bool
	budget   int // what may still be allocated
	tags     int // how many may still come
}

// structure walks fields and the tags after them.
func (k *skim) structure(fields []field) bool {
	return k.walk(fields) && (!k.flexible || k.tagged())
}

func (k *skim) walk(fields []field) bool {
	for i := range fields {
		if !k.one(&fields[i]) {
			return false
		}
	}
	return true
}

func (k *skim) one(f *field) bool {
	switch f.kind {
	case fixed:
		return k.skip(f.size)
	case text:
		n, ok := k.length(2)
		k.budget -= n
		return ok && k.skip(n)
	case blob:
		n, ok := k.length(4)
		return ok && k.skip(n)
	case optional:
		if len(k.p) == 0 {
			return false
		}
		present := k.p[0] != 0xff
		k.p = k.p[1:]
		return !present || k.structure(f.elem)
	case inline:
		return k.structure(f.elem)
	}
	return k.elements(f)
}

func (k *skim) elements(f *field) bool {
	n, ok := k.length(4)
	if !ok || n > len(k.p)/f.min {
		return false
	}
	if k.budget -= n * f.cost; k.budget < 0 {
		return false
	}
	if f.kind == bareList && f.elem[0].kind == fixed {
		return k.skip(n * f.elem[0].size)
	}
	for range n {
		if f.kind == bareList && !k.walk(f.elem) || f.kind == list && !k.structure(f.elem) {
			return false
		}
	}
	return true
}

// length reads a length or a count: compact where flexible, else wide bytes. null is 0.
func (k *skim) length(wide int) (n int, ok bool) {
	if k.flexible {
		x, ok := k.uvarint()
		return max(int(x)-1, 0), ok
	}
	if len(k.p) < wide {
		return 0, false
	}
	if wide == 2 {
		n = int(int16(binary.BigEndian.Uint16(k.p)))
	} else {
		n = int(int32(binary.BigEndian.Uint32(k.p)))
	}
	k.p = k.p[wide:]
	return max(n, 0), n >= -1
}

func (k *skim) uvarint() (uint32, bool) {
	x, n := binary.Uvarint(k.p)
	if n <= 0 || n > 5 || x > 1<<32-1 {
		return 0, false
	}
	k.p = k.p[n:]
	return uint32(x), true
}

func (k *skim) skip(n int) bool {
	if n > len(k.p) {
		return false
	}
	k.p = k.p[n:]
	return true
}

// tagged walks the tagged fields after a structure.
func (k *skim) tagged() bool {
	if len(k.p) > 0 && k.p[0] == 0 {
		k.p = k.p[1:] // nearly always
		return true
	}
	n, ok := k.uvarint()
	if !ok || int(n) > k.tags || int(n) > len(k.p)/2 {
		return false
	}
	k.tags -= int(n)
	k.budget -= tagMapCost + tagCost*int(n)
	for range n {
		if _, ok = k.uvarint(); !ok {
			return false
		}
		size, ok := k.uvarint()
		if !ok || uint64(size) > uint64(len(k.p)) {
			return false
		}
		k.p = k.p[size:]
	}
	return k.budget >= 0
}
