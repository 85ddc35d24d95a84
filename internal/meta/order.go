package meta

import (
	"iter"
	"slices"
	"sort"
)

// orderChunk is the most names that one chunk of an order holds.
const orderChunk = 512

// order is an immutable sorted list of topic names in chunks: a change copies
// one chunk and the list of chunks. It gives Topics and paged listings without
// sorting two million names each time.
type order struct{ chunks [][]string }

// from visits the names at and after start.
func (o order) from(start string) iter.Seq[string] {
	return func(yield func(string) bool) {
		c := o.chunkOf(start)
		for ; c < len(o.chunks); c++ {
			names := o.chunks[c]
			i, _ := slices.BinarySearch(names, start)
			for _, name := range names[i:] {
				if !yield(name) {
					return
				}
			}
		}
	}
}

// chunkOf is the chunk that holds name or should; len(chunks) if name is past all.
func (o order) chunkOf(name string) int {
	return sort.Search(len(o.chunks), func(i int) bool {
		names := o.chunks[i]
		return names[len(names)-1] >= name
	})
}

// orderEdit is the next version in the making.
type orderEdit struct {
	order
	fresh bool // the list of chunks is ours; chunks themselves are copied each time
}

func (e *orderEdit) own() {
	if !e.fresh {
		e.chunks, e.fresh = slices.Clone(e.chunks), true
	}
}

// add puts a name in that is not there.
func (e *orderEdit) add(name string) {
	e.own()
	c := e.chunkOf(name)
	if c == len(e.chunks) { // past the end: the last chunk takes it, or a new one
		if c == 0 || len(e.chunks[c-1]) == orderChunk {
			e.chunks = append(e.chunks, append(make([]string, 0, orderChunk), name))
			return
		}
		c--
	}
	old := e.chunks[c]
	i, _ := slices.BinarySearch(old, name)
	names := make([]string, 0, orderChunk+1)
	names = append(append(append(names, old[:i]...), name), old[i:]...)
	if len(names) <= orderChunk {
		e.chunks[c] = names
		return
	}
	half := len(names) / 2
	e.chunks[c] = slices.Clone(names[:half])
	e.chunks = slices.Insert(e.chunks, c+1, slices.Clone(names[half:]))
}

// drop takes a name out that is there.
func (e *orderEdit) drop(name string) {
	e.own()
	c := e.chunkOf(name)
	old := e.chunks[c]
	if len(old) == 1 {
		e.chunks = slices.Delete(e.chunks, c, c+1)
		return
	}
	i, _ := slices.BinarySearch(old, name)
	names := make([]string, 0, len(old)-1)
	e.chunks[c] = append(append(names, old[:i]...), old[i+1:]...)
}

// append is add for a name known to come after all others, without copying:
// only for an order that nobody else has seen yet (a snapshot being read).
func (e *orderEdit) append(name string) {
	if n := len(e.chunks); n > 0 && len(e.chunks[n-1]) < orderChunk {
		e.chunks[n-1] = append(e.chunks[n-1], name)
		return
	}
	e.chunks = append(e.chunks, append(make([]string, 0, orderChunk), name))
}
