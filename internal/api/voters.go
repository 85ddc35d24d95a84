package api

import (
	"time"

	"github.com/brokerd/brokerd/internal/auth"
	"github.com/brokerd/brokerd/internal/controller"
	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/wire"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// votersAPI changes who belongs to the cluster: AddRaftVoter (80), RemoveRaftVoter
// (81), UnregisterBroker (64).
type votersAPI struct{ d Deps }

// add gives a vote to a member. Its address is the one that it told when it
// became a member; the listeners of the request are not needed.
func (a votersAPI) add(c *wire.Call) wire.Outcome {
	req := kmsg.NewPtrAddRaftVoterRequest()
	if !read(c, req) {
		return malformed()
	}
	build := func(com controller.Committed) kmsg.Response {
		resp := kmsg.NewPtrAddRaftVoterResponse()
		resp.ErrorCode, resp.ErrorMessage = codeText(a.failed(c, com.Err))
		return resp
	}
	if err := a.refused(c, req.ClusterID); err != nil {
		return wire.Respond(c, build(controller.Committed{Err: err}))
	}
	return peerAnswer(c, func(_ time.Time, done func(controller.Committed)) {
		a.d.Controller.PromoteMember(req.VoterID, req.VoterDirectoryID, func(err error) { done(controller.Committed{Err: err}) })
	}, build)
}

func (a votersAPI) remove(c *wire.Call) wire.Outcome {
	req := kmsg.NewPtrRemoveRaftVoterRequest()
	if !read(c, req) {
		return malformed()
	}
	build := func(com controller.Committed) kmsg.Response {
		resp := kmsg.NewPtrRemoveRaftVoterResponse()
		resp.ErrorCode, resp.ErrorMessage = codeText(a.failed(c, com.Err))
		return resp
	}
	if err := a.refused(c, req.ClusterID); err != nil {
		return wire.Respond(c, build(controller.Committed{Err: err}))
	}
	return peerAnswer(c, func(_ time.Time, done func(controller.Committed)) {
		a.d.Controller.DismissVoter(req.VoterID, req.VoterDirectoryID, func(err error) { done(controller.Committed{Err: err}) })
	}, build)
}

// unregister forgets a broker that is fenced, and its place in the raft group
// unless it votes.
func (a votersAPI) unregister(c *wire.Call) wire.Outcome {
	req := kmsg.NewPtrUnregisterBrokerRequest()
	if !read(c, req) {
		return malformed()
	}
	build := func(com controller.Committed) kmsg.Response {
		resp := kmsg.NewPtrUnregisterBrokerResponse()
		resp.ErrorCode, resp.ErrorMessage = codeText(a.failed(c, com.Err))
		return resp
	}
	v := look(a.d, c)
	if !v.may(auth.Alter, auth.TheCluster) {
		return wire.Respond(c, build(controller.Committed{Err: kerr.ClusterAuthorizationFailed}))
	}
	b, ok := v.im.Broker(req.BrokerID)
	if !ok {
		return wire.Respond(c, build(controller.Committed{Err: faultf(kerr.BrokerIDNotRegistered, "broker %d is not registered", req.BrokerID)}))
	}
	cmd := meta.UnregisterBroker{ID: b.ID, Epoch: b.Epoch}
	return peerAnswer(c, func(deadline time.Time, done func(controller.Committed)) {
		a.d.Controller.Submit([]meta.Command{cmd}, deadline, func(com controller.Committed) {
			if com.Err != nil || com.Results[0].Err != nil {
				done(com)
				return
			}
			a.d.Controller.ForgetMember(b.ID, func(err error) { done(controller.Committed{Err: err}) })
		})
	}, build)
}

func (a votersAPI) refused(c *wire.Call, cluster *string) error {
	if v := look(a.d, c); !v.may(auth.Alter, auth.TheCluster) {
		return kerr.ClusterAuthorizationFailed
	}
	return sameCluster(a.d, cluster)
}

func (a votersAPI) failed(c *wire.Call, err error) error {
	return verdict{direct: a.d.Conf.IsController(c.Client.Listener)}.failed(err)
}
