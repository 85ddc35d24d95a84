package api

import (
	"errors"

	"github.com/brokerd/brokerd/internal/auth"
	"github.com/brokerd/brokerd/internal/replica"
	"github.com/brokerd/brokerd/internal/wire"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// moveReplicas answers AlterReplicaLogDirs (34): replicas of this broker go to other
// log directories of it, in the background. DescribeLogDirs shows them on their way.
// v2 is flexible.
func (a *clusterAPI) moveReplicas(c *wire.Call) wire.Outcome {
	req := kmsg.NewPtrAlterReplicaLogDirsRequest()
	if !read(c, req) {
		return malformed()
	}
	v := look(a.d, c)
	allowed := v.may(auth.Alter, auth.TheCluster)
	resp := kmsg.NewPtrAlterReplicaLogDirsResponse()
	at := map[string]int{} // of a topic in the answer: it may be in several directories of the request
	for _, d := range req.Dirs {
		for _, t := range d.Topics {
			if len(t.Partitions) == 0 {
				continue // as Kafka does
			}
			i, ok := at[t.Topic]
			if !ok {
				i = len(resp.Topics)
				at[t.Topic] = i
				out := kmsg.NewAlterReplicaLogDirsResponseTopic()
				out.Topic = t.Topic
				resp.Topics = append(resp.Topics, out)
			}
			for _, n := range t.Partitions {
				p := kmsg.NewAlterReplicaLogDirsResponseTopicPartition()
				p.Partition, p.ErrorCode = n, kerr.ClusterAuthorizationFailed.Code
				if allowed {
					p.ErrorCode = moveCode(v.moveReplica(t.Topic, n, d.Dir))
				}
				resp.Topics[i].Partitions = append(resp.Topics[i].Partitions, p)
			}
		}
	}
	return wire.Respond(c, resp)
}

func (v *view) moveReplica(topic string, i int32, dir string) error {
	if err := v.d.Replicas.HasDir(dir); err != nil {
		return err
	}
	t, ok := v.im.TopicNamed(topic)
	if !ok {
		return kerr.UnknownTopicOrPartition
	}
	return v.d.Replicas.MoveReplica(t, i, dir)
}

// moveCode is Kafka's answer: it has another one than elsewhere for a replica that is
// not here.
func moveCode(err error) int16 {
	if errors.Is(err, replica.ErrNotLeader) {
		return kerr.ReplicaNotAvailable.Code
	}
	return dataCode(err)
}
