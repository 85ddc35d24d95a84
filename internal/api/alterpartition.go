package api

import (
	"errors"
	"time"

	"github.com/brokerd/brokerd/internal/controller"
	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/wire"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// AlterPartition, key 56: leaders tell the controller who is in sync.
//
//	v3 the members with the epochs of their brokers (KIP-903)
//
// The guards are inside the command: a proposal is judged by the image in which
// it takes its place in the log. What was taken over reaches the leader through
// that log, never through this answer.

// alterWait is how long a proposal may wait for its commit.
const alterWait = 5 * time.Second

type alterAPI struct{ d Deps }

func (a alterAPI) serve(c *wire.Call) wire.Outcome {
	req := kmsg.NewPtrAlterPartitionRequest()
	if !read(c, req) {
		return malformed()
	}
	cmds, build := AlterPartitionCommands(req)
	if len(cmds) == 0 {
		return wire.Respond(c, build(nil))
	}
	deadline := time.Now().Add(alterWait)
	reply := c.Reply()
	done := make(chan controller.Committed, 1)
	p := later(deadline, func(bool) wire.Answer {
		select {
		case com := <-done:
			if com.Err == nil {
				return reply.Answer(build(com.Results))
			}
			return reply.Answer(&kmsg.AlterPartitionResponse{ErrorCode: alterCode(com.Err)})
		default:
			return reply.Answer(&kmsg.AlterPartitionResponse{ErrorCode: kerr.RequestTimedOut.Code})
		}
	})
	a.d.Controller.Submit(cmds, deadline, func(com controller.Committed) {
		done <- com
		p.complete(nil)
	})
	return p
}

// alterCode: brokers look for the controller themselves.
func alterCode(err error) int16 {
	if errors.Is(err, controller.ErrNotLeader) {
		return kerr.NotController.Code
	}
	return code(err)
}

// AlterPartitionCommands gives one command per partition of a request, and what
// makes the answer of their results, which is the same wherever they are applied.
func AlterPartitionCommands(req *kmsg.AlterPartitionRequest) ([]meta.Command, func([]meta.Result) *kmsg.AlterPartitionResponse) {
	var cmds []meta.Command
	for i := range req.Topics {
		t := &req.Topics[i]
		for k := range t.Partitions {
			q := &t.Partitions[k]
			cmd := meta.AlterPartition{
				Broker: req.BrokerID, BrokerEpoch: req.BrokerEpoch, Topic: t.TopicID, Partition: q.Partition,
				LeaderEpoch: q.LeaderEpoch, PartitionEpoch: q.PartitionEpoch, Recovered: q.LeaderRecoveryState == 0,
			}
			for _, m := range q.NewEpochISR {
				cmd.ISR = append(cmd.ISR, meta.ISRMember{ID: m.BrokerID, Epoch: m.BrokerEpoch})
			}
			cmds = append(cmds, cmd)
		}
	}
	return cmds, func(results []meta.Result) *kmsg.AlterPartitionResponse {
		resp := kmsg.NewPtrAlterPartitionResponse()
		n := 0
		for i := range req.Topics {
			t := &req.Topics[i]
			out := kmsg.AlterPartitionResponseTopic{TopidID: t.TopicID}
			for k := range t.Partitions {
				o := kmsg.NewAlterPartitionResponseTopicPartition()
				o.Partition, o.LeaderID, o.LeaderEpoch = t.Partitions[k].Partition, -1, -1
				o.ErrorCode = alterResult(results[n].Err)
				out.Partitions = append(out.Partitions, o)
				n++
			}
			resp.Topics = append(resp.Topics, out)
		}
		return resp
	}
}

// alterResult: a topic is named by its id here.
func alterResult(err error) int16 {
	if errors.Is(err, meta.ErrUnknownTopic) {
		return kerr.UnknownTopicID.Code
	}
	return code(err)
}
