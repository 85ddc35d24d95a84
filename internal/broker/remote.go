package broker

import (
	"context"
	"fmt"

	"github.com/brokerd/brokerd/internal/api"
	"github.com/brokerd/brokerd/internal/controller"
	"github.com/brokerd/brokerd/internal/meta"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// remote is the controller on another node, as the controller package and the
// API see it.
type remote struct{ b *Broker }

var (
	_ controller.Remote = remote{}
	_ api.Remote        = remote{}
)

func (r remote) Register(ctx context.Context, node int32, cmd meta.RegisterBroker) (int64, error) {
	resp, err := r.b.peers.askLeader(ctx, node, forLife, api.RegistrationRequest(cmd))
	if err != nil {
		return 0, err
	}
	answer := resp.(*kmsg.BrokerRegistrationResponse)
	return answer.BrokerEpoch, lifeError(answer.ErrorCode)
}

func (r remote) Heartbeat(ctx context.Context, node int32, h controller.Heartbeat) (controller.HeartbeatReply, error) {
	resp, err := r.b.peers.askLeader(ctx, node, forLife, api.HeartbeatRequest(h))
	if err != nil {
		return controller.HeartbeatReply{}, err
	}
	answer := resp.(*kmsg.BrokerHeartbeatResponse)
	return controller.HeartbeatReply{
		Fenced: answer.IsFenced, CaughtUp: answer.IsCaughtUp, ShouldShutDown: answer.ShouldShutdown,
	}, lifeError(answer.ErrorCode)
}

func (r remote) Ask(ctx context.Context, node int32, req kmsg.Request) (kmsg.Response, error) {
	return r.b.peers.askLeader(ctx, node, forClients, req)
}

func (r remote) ToController(ctx context.Context, req kmsg.Request) (kmsg.Response, error) {
	return r.b.peers.toController(ctx, req)
}

// lifeError turns a code of the controller back into the error it was.
func lifeError(code int16) error {
	switch code {
	case 0:
		return nil
	case kerr.NotController.Code:
		return controller.ErrNotLeader
	case kerr.StaleBrokerEpoch.Code:
		return meta.ErrStaleBroker
	case kerr.BrokerIDNotRegistered.Code:
		return meta.ErrUnknownBroker
	case kerr.DuplicateBrokerRegistration.Code:
		return meta.ErrDuplicateBroker
	case kerr.InconsistentClusterID.Code:
		return meta.ErrClusterID
	}
	return fmt.Errorf("the controller answered: %w", kerr.ErrorForCode(code))
}
