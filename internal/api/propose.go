package api

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/brokerd/brokerd/internal/controller"
	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/wire"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	// visibleWithin bounds the wait for slow brokers once a change is
	// committed: then it is answered although not everybody shows it yet.
	visibleWithin = time.Second
	// longestWait bounds what a client may ask us to wait for a commit.
	longestWait = time.Minute
)

// propose submits commands and answers, once every active broker shows what they
// did, with what build makes of the verdict. Without commands it answers at once.
// build may run on another goroutine; it runs once.
func propose(d Deps, c *wire.Call, cmds []meta.Command, timeout time.Duration, build func(verdict) kmsg.Response) wire.Outcome {
	if len(cmds) == 0 {
		return wire.Respond(c, build(verdict{}))
	}
	deadline := time.Now().Add(min(max(timeout, 0), longestWait))
	direct := d.Conf.IsController(c.Client.Listener)
	reply := c.Reply()

	var committed atomic.Pointer[controller.Committed]
	p := later(deadline, func(bool) wire.Answer {
		return reply.Answer(build(verdict{committed.Load(), direct, true}))
	})
	d.Controller.Submit(cmds, deadline, func(com controller.Committed) {
		committed.Store(&com)
		if com.Err != nil {
			p.complete(nil)
			return
		}
		d.Controller.WhenApplied(com.Index, visibleWithin, func() { p.complete(nil) })
	})
	return p
}

// verdict is what became of the commands of one request.
type verdict struct {
	committed *controller.Committed // nil: not known yet
	direct    bool                  // the client addressed the controller itself
	asked     bool
}

// of gives what became of command i. An outcome that is not known is a time-out:
// the change may still happen, and a client that repeats it hears which.
func (v verdict) of(i int) error {
	switch {
	case !v.asked:
		return nil
	case v.committed == nil:
		return faultf(kerr.RequestTimedOut, "the change was not committed in time; it may still happen: look before you repeat it")
	case v.committed.Err != nil:
		return v.failed(v.committed.Err)
	}
	return v.committed.Results[i].Err
}

func (v verdict) failed(err error) error {
	switch {
	case v.direct && errors.Is(err, controller.ErrNotLeader):
		return faultf(kerr.NotController, "this node is not the active controller")
	case errors.Is(err, controller.ErrNotLeader):
		return faultf(kerr.RequestTimedOut, "no controller is active, metadata changes are refused until one is; reads and writes go on")
	case errors.Is(err, controller.ErrBusy):
		return faultf(kerr.RequestTimedOut, "the controller has more changes queued than it can take: try again later")
	case errors.Is(err, context.DeadlineExceeded):
		return verdict{asked: true}.of(0)
	}
	return err
}

// timeout reads a timeout field of a request.
func timeout(millis int32) time.Duration { return time.Duration(millis) * time.Millisecond }
