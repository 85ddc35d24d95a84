package meta

import (
	"fmt"
	"slices"
)

// Described is one command of an entry as its bytes name it.
type Described struct {
	Version uint8
	Command Command // Malformed where the bytes are none that this release knows
	Body    []byte  // aliases the entry

	kind kind
}

// Describe reads an entry for people: what DecodeEntry gives, and what the bytes
// say that it was, whether this release knows it or not.
func Describe(entry []byte) []Described { return slices.Collect(commands(entry)) }

// Kind names what the bytes ask for.
func (d Described) Kind() string {
	if info, ok := infoOf(d.kind); ok {
		return info.name
	}
	return fmt.Sprintf("unknown(%d)", d.kind)
}
