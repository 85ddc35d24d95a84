package api

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/brokerd/brokerd/internal/auth"
	"github.com/brokerd/brokerd/internal/coord"
	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/wire"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// offsetsTopic holds the groups: each of its partitions is a coordinator's log.
const offsetsTopic = "__consumer_offsets"

// groupsAPI serves the calls of consumer groups. What a group answers the machine
// on its partition decides; here calls are read, allowed, taken there and
// answered when it is safe to.
type groupsAPI struct {
	d Deps
	// create brings the offsets topic into being.
	create *autocreate
	// short is since when fewer brokers were registered than there are voters.
	short atomic.Int64
}

// heard is what a machine, or its runtime, said.
type heard struct {
	body any
	err  error
}

// allowedGroup asks for an operation on a group. The error is GROUP_AUTHORIZATION_FAILED.
func (v view) allowedGroup(op auth.Operation, group string) error {
	if !v.may(op, auth.Resource{Type: auth.Group, Name: group}) {
		return kerr.GroupAuthorizationFailed
	}
	return nil
}

// coordinatorOf is the partition of the offsets topic that a group lives on.
func coordinatorOf(im *meta.Image, group string) (partition int32, ok bool) {
	t, ok := im.TopicNamed(offsetsTopic)
	if !ok || t.Partitions() == 0 {
		return 0, false
	}
	return spread(group, t.Partitions()), true
}

// spread is Kafka's choice among n partitions: Java's String.hashCode without its
// sign, where the smallest number counts as 0.
func spread(key string, n int32) int32 {
	h := javaHash(key)
	switch {
	case h == -1<<31:
		h = 0
	case h < 0:
		h = -h
	}
	return h % n
}

// javaHash is String.hashCode: over UTF-16 units.
func javaHash(s string) (h int32) {
	for _, r := range s {
		if r > 0xffff {
			r -= 0x10000
			h = 31*h + (0xd800 + r>>10)
			r = 0xdc00 + r&0x3ff
		}
		h = 31*h + r
	}
	return h
}

// member takes what a member says of its group to the group's machine, whose
// answer is the call's. failed is the answer with an error.
func (a *groupsAPI) member(c *wire.Call, group string, event any, failed func(code int16) kmsg.Response) wire.Outcome {
	v := look(a.d, c)
	if err := v.allowedGroup(auth.Read, group); err != nil {
		return wire.Respond(c, failed(groupCode(err)))
	}
	return a.send(&v, c, group, event, func(h heard) kmsg.Response {
		if h.err != nil {
			return failed(groupCode(h.err))
		}
		return h.body.(kmsg.Response)
	})
}

// send takes an event of one group to its machine; then answers the call with
// what build makes of it. It waits as long as the group does.
func (a *groupsAPI) send(v *view, c *wire.Call, group string, event any, build func(heard) kmsg.Response) wire.Outcome {
	ask := func(_ int, done coord.Done) { a.submit(v, group, event, done) }
	return askAll(c, 1, ask, func(all []heard) kmsg.Response { return build(all[0]) })
}

// submit finds the group's machine.
func (a *groupsAPI) submit(v *view, group string, event any, done coord.Done) {
	partition, ok := coordinatorOf(v.im, group)
	if a.d.Groups == nil || !ok {
		done(nil, coord.ErrNotCoordinator, nil)
		return
	}
	a.d.Groups.Submit(partition, event, done)
}

func handoff(h coord.Hand) *wire.Handoff {
	if h == nil {
		return nil
	}
	return h.(*wire.Handoff)
}

// askAll asks n questions and answers the call with what build makes of all that
// was heard. ask(i) must lead to heard(i) once.
func askAll(c *wire.Call, n int, ask func(i int, done coord.Done), build func([]heard) kmsg.Response) wire.Outcome {
	if n == 0 {
		return wire.Respond(c, build(nil))
	}
	reply := c.Reply()
	all := make([]heard, n)
	p := later(time.Time{}, func(bool) wire.Answer { return reply.Answer(build(all)) })
	var left atomic.Int32
	left.Store(int32(n))
	for i := range n {
		ask(i, func(body any, err error, h coord.Hand) {
			all[i] = heard{body, err}
			if left.Add(-1) == 0 {
				p.complete(handoff(h))
			}
		})
	}
	return p
}

// groupCode is what a client hears of an error of the runtime.
func groupCode(err error) int16 {
	switch {
	case errors.Is(err, coord.ErrLoading):
		return kerr.CoordinatorLoadInProgress.Code
	case errors.Is(err, coord.ErrUnavailable):
		return kerr.CoordinatorNotAvailable.Code
	case errors.Is(err, coord.ErrNotCoordinator):
		return kerr.NotCoordinator.Code
	}
	return code(err)
}
