package meta

import (
	"slices"

	"github.com/brokerd/brokerd/internal/step"
)

// Recovery is a metadata quorum that was lost for good: what a single node
// remembered became the metadata, and that node the only voter.
type Recovery struct {
	ID        step.TopicID // drawn by who recovered; the new quorum's name
	TimeMs    int64        // unix
	Node      int32
	Directory step.TopicID // of its metadata
	Kept      uint64       // index of the last entry that was kept
	Lost      []Voter      // who voted before, but for the node itself
}

// maxRecoveries bounds the history: the oldest goes first.
const maxRecoveries = 16

func (c NoteRecovery) apply(e *Editor) Result {
	if c.ID.IsZero() || c.Directory.IsZero() {
		return failf(ErrMalformed, "a recovery without an id")
	}
	if slices.ContainsFunc(e.im.recovered, func(r Recovery) bool { return r.ID == c.ID }) {
		return Result{}
	}
	list := append(slices.Clone(e.im.recovered), Recovery(c))
	e.im.recovered = list[max(0, len(list)-maxRecoveries):]
	e.changed.Add(&Changes{Features: true})
	return Result{}
}
