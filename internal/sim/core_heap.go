package sim

import "github.com/brokerd/brokerd/internal/step"

// event is one thing that happens: its kind says what the numbers mean.
type event struct {
	at   step.Instant
	seq  uint64 // ties break in the order of scheduling
	kind eventKind
	node int8
	part int16
	life int32 // of the node that it is meant for; another life ignores it
	a    int64
	msg  *message
}

type eventKind uint8

const (
	evMessage  eventKind = iota // msg arrives at node
	evFlushed                   // a group commit of node is over
	evRetry                     // a follower looks whether its question was answered
	evTick                      // node looks at lag and deadlines
	evBeat                      // node's heartbeat leaves
	evApply                     // node applies metadata up to entry a
	evRegister                  // node asks for its registration
	evPropose                   // msg, a proposal, reaches the controller
	evAnswer                    // the controller's verdict on msg reaches node
	evSessions                  // the controller looks who is silent
	evControl                   // a controller is elected
	evClient                    // a client acts
	evStart                     // node starts
	evExchange                  // node, whose disk is fenced, starts again
	evSpace                     // node's disk has room again
	evResume                    // node, that paused, goes on
	evStop                      // node, shutting down in order, looks whether it may go
	evMend                      // connections of node, or all (-1), are whole again
)

// events is a binary heap, by moment.
type events struct {
	heap []event
	seq  uint64
}

func before(a, b *event) bool { return a.at < b.at || a.at == b.at && a.seq < b.seq }

func (q *events) push(e event) {
	q.seq++
	e.seq = q.seq
	q.heap = append(q.heap, e)
	h := q.heap
	i := len(h) - 1
	for i > 0 {
		up := (i - 1) / 2
		if !before(&e, &h[up]) {
			break
		}
		h[i] = h[up]
		i = up
	}
	h[i] = e
}

func (q *events) pop() event {
	h := q.heap
	top, last := h[0], h[len(h)-1]
	q.heap = h[:len(h)-1]
	h = q.heap
	if len(h) == 0 {
		return top
	}
	i := 0
	for {
		down := 2*i + 1
		if down >= len(h) {
			break
		}
		if down+1 < len(h) && before(&h[down+1], &h[down]) {
			down++
		}
		if !before(&h[down], &last) {
			break
		}
		h[i] = h[down]
		i = down
	}
	h[i] = last
	return top
}
