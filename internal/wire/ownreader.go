package wire

import "github.com/twmb/franz-go/pkg/kbin"

// ownReader reads our own messages: it believes no count beyond the bytes there
// are. (kmsg.ReadTags turns its loop as often as a varint says, with or without
// bytes behind it.)
type ownReader struct{ kbin.Reader }

// count reads the length of an array whose elements take at least min bytes.
func (b *ownReader) count(min int) int {
	n, _ := b.nullableCount(min)
	return n
}

func (b *ownReader) nullableCount(min int) (n int, null bool) {
	n = int(b.CompactArrayLen())
	if n > len(b.Src)/min {
		b.fail()
		return 0, false
	}
	return max(n, 0), n < 0
}

// tags walks tagged fields of which none is known.
func (b *ownReader) tags() { b.eachTag(func(uint32, []byte) {}) }

// eachTag walks the tagged fields after a structure.
func (b *ownReader) eachTag(f func(tag uint32, v []byte)) {
	if !b.Ok() {
		return
	}
	rest, err := walkTags(b.Src, f)
	if err != nil {
		b.fail()
		return
	}
	b.Src = rest
}

// fail makes everything from here on an error.
func (b *ownReader) fail() { b.Span(len(b.Src) + 1) }
