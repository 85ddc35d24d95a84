package sim

import "github.com/brokerd/brokerd/internal/step"

// truth is what the checkers know of one partition: what was committed, who led
// when, who was answered.
type truth struct {
	p         int
	committed []rec // exposed below some high watermark, by offset

	leaders      []int8 // node+1 by leader epoch
	uncleanEpoch int32  // of the last unclean election, 0: none; what was committed under epochs before may be gone

	unsettled bool // who was elected then does not lead yet

	asked    int32
	answered []bool // by request
	accepted []step.Instant

	seenEnd   int64 // what a client saw as the end, and under which epoch
	seenEpoch int32
}

func newTruth(p int) *truth { return &truth{p: p} }

func (t *truth) ask() int32 {
	t.asked++
	t.answered = append(t.answered, false)
	t.accepted = append(t.accepted, -1)
	return t.asked - 1
}
