package wire

import "sync"

// Sender is a connection whose head answer is finished.
type Sender interface {
	// Send sends what is finished at the head. It never blocks for long: a slow
	// peer's rest goes to the connection's own drain goroutine.
	Send()
}

// handoffSize is how many connections travel to a writer at once.
const handoffSize = 32

// Handoff collects the connections that a completer of many answers has
// finished, so that a few writer goroutines send for it. Not for concurrent
// use; it may be used again after Flush.
type Handoff struct {
	pending []Sender
	out     func([]Sender)
}

// NewHandoff returns a Handoff that gives groups of connections to out, which
// owns them from then on and must not block.
func NewHandoff(out func([]Sender)) *Handoff { return &Handoff{out: out} }

// Add takes one connection.
func (h *Handoff) Add(s Sender) {
	if h.pending == nil {
		h.pending = takeGroup()
	}
	h.pending = append(h.pending, s)
	if len(h.pending) == handoffSize {
		h.Flush()
	}
}

// Flush hands over what has been collected.
func (h *Handoff) Flush() {
	if len(h.pending) > 0 {
		h.out(h.pending)
		h.pending = nil
	}
}

// group is the backing array of what travels to a writer.
type group [handoffSize]Sender

var groups = sync.Pool{New: func() any { return new(group) }}

func takeGroup() []Sender { return groups.Get().(*group)[:0] }

// giveGroup takes back what takeGroup gave; slices of other origin are dropped.
func giveGroup(s []Sender) {
	if cap(s) != handoffSize {
		return
	}
	clear(s)
	groups.Put((*group)(s[:handoffSize]))
}
