package api

import (
	"github.com/brokerd/brokerd/internal/auth"
	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/wire"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

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
