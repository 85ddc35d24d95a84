package api

import (
	"github.com/brokerd/brokerd/internal/auth"
	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/wire"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// growth is one topic of a CreatePartitions request on its way.
type growth struct {
	err error
	cmd meta.CreatePartitions
	at  int
}

// grow answers CreatePartitions.
func (t *topicsAPI) grow(c *wire.Call) wire.Outcome {
	req := kmsg.NewPtrCreatePartitionsRequest()
	if !read(c, req) {
		return malformed()
	}
	list := look(t.d, c).planGrowths(req)
	var cmds []meta.Command
	for i := range list {
		if list[i].err == nil && !req.ValidateOnly {
			list[i].at = len(cmds)
			cmds = append(cmds, list[i].cmd)
		}
	}
	return propose(t.d, c, cmds, timeout(req.TimeoutMillis), func(verdict verdict) kmsg.Response {
		resp := kmsg.NewPtrCreatePartitionsResponse()
		for i := range list {
			o, err := kmsg.NewCreatePartitionsResponseTopic(), list[i].err
			if err == nil {
				if err = verdict.of(list[i].at); req.Topics[i].Assignment == nil {
					err = placed(err)
				}
			}
			o.Topic = req.Topics[i].Topic
			o.ErrorCode, o.ErrorMessage = codeText(err)
			resp.Topics = append(resp.Topics, o)
		}
		return resp
	})
}

func (v view) planGrowths(req *kmsg.CreatePartitionsRequest) []growth {
	count := make(map[string]int, len(req.Topics))
	for i := range req.Topics {
		count[req.Topics[i].Topic]++
	}
	list := make([]growth, len(req.Topics))
	partitions := 0
	for i := range req.Topics {
		rt := &req.Topics[i]
		if count[rt.Topic] > 1 {
			list[i].err = errDuplicateTopic
			continue
		}
		list[i] = v.planGrowth(rt)
		if partitions += len(list[i].cmd.Assignments); list[i].err == nil && partitions > maxNewPartitions {
			list[i].err = faultf(kerr.PolicyViolation, "Excessively large number of additional partitions per request.")
		}
	}
	return list
}

func (v view) planGrowth(rt *kmsg.CreatePartitionsRequestTopic) (g growth) {
	if !v.mayTopic(auth.Alter, rt.Topic) {
		g.err = faultf(kerr.TopicAuthorizationFailed, "Authorization failed.")
		return g
	}
	t, ok := v.im.TopicNamed(rt.Topic)
	if !ok {
		g.err = faultf(kerr.UnknownTopicOrPartition, "This server does not host this topic-partition.")
		return g
	}
	if g.err = mayAlterTopic(t.Name); g.err == nil {
		g.err = checkGrowth(t, rt)
	}
	if g.err != nil {
		return g
	}
	g.cmd = meta.CreatePartitions{ID: t.ID, Before: t.Partitions()}
	if g.cmd.Assignments, g.err = v.newAssignments(t, rt); g.err == nil {
		g.err = v.checkRoom(len(g.cmd.Assignments), len(g.cmd.Assignments[0]))
	}
	return g
}

// checkGrowth: partitions only ever grow in number, because keys are spread by it.
func checkGrowth(t *meta.Topic, rt *kmsg.CreatePartitionsRequestTopic) error {
	now, more := t.Partitions(), rt.Count-t.Partitions()
	switch {
	case rt.Count == now:
		return faultf(kerr.InvalidPartitions, "Topic already has %d partition(s).", now)
	case rt.Count < now:
		return faultf(kerr.InvalidPartitions, "The topic %s currently has %d partition(s); %d would not be an increase.", t.Name, now, rt.Count)
	case more > maxNewPartitions:
		return faultf(kerr.PolicyViolation, "Excessively large number of additional partitions per request.")
	case rt.Assignment != nil && int(more) != len(rt.Assignment):
		return faultf(kerr.InvalidReplicaAssignment, "Attempted to add %d additional partition(s), but only %d assignment(s) were specified.", more, len(rt.Assignment))
	}
	return nil
}

// newAssignments gives the replicas of the partitions to add, as many as the
// first partition has.
func (v view) newAssignments(t *meta.Topic, rt *kmsg.CreatePartitionsRequestTopic) ([][]int32, error) {
	first, _ := t.Partition(0)
	rf := len(first.Replicas)
	if rt.Assignment == nil {
		return v.place(rt.Count-t.Partitions(), t.Partitions(), int16(rf))
	}
	a := make([][]int32, len(rt.Assignment))
	for i, r := range rt.Assignment {
		if err := v.checkAssignment(r.Replicas, rf); err != nil {
			return nil, err
		}
		a[i] = r.Replicas
	}
	return a, nil
}
