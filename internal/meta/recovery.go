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

// EncodeRecovery writes a record as it stands in an entry, DecodeRecovery reads it.
func EncodeRecovery(r Recovery) []byte { return putRecovery(nil, r) }

func DecodeRecovery(b []byte) (Recovery, error) {
	d := decoder{b: b}
	r := d.recovery()
	if d.err == nil && len(d.b) > 0 {
		d.fail()
	}
	return r, d.err
}

// At is the image after an entry that has changed nothing.
func (im *Image) At(index uint64) *Image {
	next := *im
	next.index = max(im.index, index)
	return &next
}

// What a lost quorum may have given out beyond what is remembered of it: entries,
// epochs of partitions, producer ids. A new one must not give them out again: two
// leaders of one epoch could not be told apart, nor two producers of one id.
const (
	renewIndex    = 1 << 30
	renewEpochs   = 1 << 16
	renewProducer = 1 << 30
)

// Renewed is the image as a new quorum begins with it, when the one before is lost
// for good: what it says of topics and brokers is the same, and everything that is
// counted goes on far beyond.
func (im *Image) Renewed() *Image {
	e := im.Edit()
	e.im.index += renewIndex
	e.im.nextID += renewProducer
	for name := range e.byName.from("") {
		id, _ := e.names.get(name)
		t, _ := e.topic(id)
		for i := range t.n {
			p := *t.at(i)
			p.leaderEpoch += renewEpochs
			p.partitionEpoch += renewEpochs
			e.putPart(t, i, p)
		}
	}
	next, _ := e.Done()
	return next
}
