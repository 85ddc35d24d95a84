package api

import (
	"github.com/brokerd/brokerd/internal/auth"
	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/wire"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// reassigning is one partition of an AlterPartitionReassignments request on its way.
type reassigning struct {
	err error
	cmd meta.Reassign
	at  int
}

// reassign answers AlterPartitionReassignments (45): partitions move to other
// replicas, or with null stay where they were. It is answered when the move has
// begun; the leaders end it, once everybody who is to stay is in sync.
func (a *clusterAPI) reassign(c *wire.Call) wire.Outcome {
	req := kmsg.NewPtrAlterPartitionAssignmentsRequest()
	if !read(c, req) {
		return malformed()
	}
	v := look(a.d, c)
	if !v.may(auth.Alter, auth.TheCluster) {
		resp := kmsg.NewPtrAlterPartitionAssignmentsResponse()
		resp.ErrorCode, resp.ErrorMessage = codeText(faultf(kerr.ClusterAuthorizationFailed, "Cluster authorization failed."))
		return wire.Respond(c, resp)
	}
	list := v.planReassignments(req)
	var cmds []meta.Command
	for i := range list {
		if r := &list[i]; r.err == nil {
			r.at = len(cmds)
			cmds = append(cmds, r.cmd)
		}
	}
	return propose(a.d, c, cmds, timeout(req.TimeoutMillis), func(verdict verdict) kmsg.Response {
		return reassigned(req, list, verdict)
	})
}

// planReassignments checks each partition of a request, in order.
func (v view) planReassignments(req *kmsg.AlterPartitionAssignmentsRequest) (list []reassigning) {
	for i := range req.Topics {
		rt := &req.Topics[i]
		t, ok := v.im.TopicNamed(rt.Topic)
		for k := range rt.Partitions {
			rp := &rt.Partitions[k]
			if !ok {
				list = append(list, reassigning{err: faultf(kerr.UnknownTopicOrPartition, "Unable to find a topic named %s.", printable(rt.Topic))})
				continue
			}
			r := reassigning{cmd: meta.Reassign{Topic: t.ID, Partition: rp.Partition, Target: rp.Replicas}}
			r.err = v.checkReassignment(t, rp, req.AllowReplicationFactorChange)
			list = append(list, r)
		}
	}
	return list
}

func (v view) checkReassignment(t *meta.Topic, rp *kmsg.AlterPartitionAssignmentsRequestTopicPartition, anyFactor bool) error {
	p, ok := t.Partition(rp.Partition)
	if !ok {
		return faultf(kerr.UnknownTopicOrPartition, "Unable to find partition %s:%d.", t.Name, rp.Partition)
	}
	if rp.Replicas == nil {
		return nil // the command knows whether there is anything to cancel
	}
	if err := v.checkReplicas(rp.Replicas); err != nil {
		return err
	}
	if now := len(p.Replicas) - len(p.Removing); !anyFactor && len(rp.Replicas) != now {
		return faultf(kerr.InvalidReplicationFactor, "The replication factor of %s-%d would change from %d to %d, which the request does not allow.",
			t.Name, rp.Partition, now, len(rp.Replicas))
	}
	return nil
}

func reassigned(req *kmsg.AlterPartitionAssignmentsRequest, list []reassigning, verdict verdict) kmsg.Response {
	resp := kmsg.NewPtrAlterPartitionAssignmentsResponse()
	resp.AllowReplicationFactorChange = req.AllowReplicationFactorChange
	n := 0
	for i := range req.Topics {
		o := kmsg.AlterPartitionAssignmentsResponseTopic{Topic: req.Topics[i].Topic}
		for _, rp := range req.Topics[i].Partitions {
			r := &list[n]
			n++
			if r.err == nil {
				r.err = verdict.of(r.at)
			}
			q := kmsg.AlterPartitionAssignmentsResponseTopicPartition{Partition: rp.Partition}
			q.ErrorCode, q.ErrorMessage = codeText(r.err)
			o.Partitions = append(o.Partitions, q)
		}
		resp.Topics = append(resp.Topics, o)
	}
	return resp
}

// reassignments answers ListPartitionReassignments: partitions on their way to
// other replicas. Topics null asks for all of them.
func (a *clusterAPI) reassignments(c *wire.Call) wire.Outcome {
	req := kmsg.NewPtrListPartitionReassignmentsRequest()
	if !read(c, req) {
		return malformed()
	}
	v := look(a.d, c)
	resp := kmsg.NewPtrListPartitionReassignmentsResponse()
	if !v.may(auth.Describe, auth.TheCluster) {
		resp.ErrorCode, resp.ErrorMessage = codeText(faultf(kerr.ClusterAuthorizationFailed, "Cluster authorization failed."))
		return wire.Respond(c, resp)
	}
	if req.Topics == nil {
		for t := range v.im.Topics() {
			resp.Topics = appendMoving(resp.Topics, t, nil)
		}
		return wire.Respond(c, resp)
	}
	for i := range req.Topics {
		if t, ok := v.im.TopicNamed(req.Topics[i].Topic); ok {
			resp.Topics = appendMoving(resp.Topics, t, append([]int32{}, req.Topics[i].Partitions...))
		}
	}
	return wire.Respond(c, resp)
}

// appendMoving adds the partitions of t that are being moved, if there are any;
// indexes nil asks for all of them.
func appendMoving(list []kmsg.ListPartitionReassignmentsResponseTopic, t *meta.Topic, indexes []int32) []kmsg.ListPartitionReassignmentsResponseTopic {
	o := kmsg.ListPartitionReassignmentsResponseTopic{Topic: t.Name}
	add := func(i int32) {
		p, ok := t.Partition(i)
		if ok && len(p.Adding)+len(p.Removing) > 0 {
			o.Partitions = append(o.Partitions, kmsg.ListPartitionReassignmentsResponseTopicPartition{
				Partition: i, Replicas: p.Replicas, AddingReplicas: p.Adding, RemovingReplicas: p.Removing,
			})
		}
	}
	if indexes == nil {
		for i := range t.Partitions() {
			add(i)
		}
	}
	for _, i := range indexes {
		add(i)
	}
	if len(o.Partitions) == 0 {
		return list
	}
	return append(list, o)
}
