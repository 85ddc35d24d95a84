package api

import (
	"sync"

	"github.com/brokerd/brokerd/internal/auth"
	"github.com/brokerd/brokerd/internal/conf"
	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/wire"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// creation is one topic of a CreateTopics request on its way.
type creation struct {
	err error // why it is refused, else it is proposed
	cmd meta.CreateTopic
	at  int // which command of the request it is
}

func (t *topicsAPI) create(c *wire.Call) wire.Outcome {
	req := kmsg.NewPtrCreateTopicsRequest()
	if !read(c, req) {
		return malformed()
	}
	v := look(t.d, c)
	list := v.planTopics(req)
	var cmds []meta.Command
	for i := range list {
		if list[i].err == nil && !req.ValidateOnly {
			list[i].at = len(cmds)
			cmds = append(cmds, list[i].cmd)
		}
	}
	return propose(t.d, c, cmds, timeout(req.TimeoutMillis), func(verdict verdict) kmsg.Response {
		return v.created(req, list, verdict)
	})
}

// planTopics decides each topic of a request: what to propose, or why not.
func (v view) planTopics(req *kmsg.CreateTopicsRequest) []creation {
	count := make(map[string]int, len(req.Topics))
	for i := range req.Topics {
		count[req.Topics[i].Topic]++
	}
	list := make([]creation, len(req.Topics))
	unset := sync.OnceValues(func() (int8, error) { return v.checkTopic(nil) })
	keys := make(map[string]string) // names of this request by collision key
	partitions := 0
	for i := range req.Topics {
		rt := &req.Topics[i]
		if count[rt.Topic] > 1 {
			list[i].err = errDuplicateTopic
			continue
		}
		list[i] = v.planTopic(rt, unset)
		if list[i].err != nil {
			continue
		}
		if other, taken := keys[collisionKey(rt.Topic)]; taken {
			list[i].err = collision(rt.Topic, other)
			continue
		}
		keys[collisionKey(rt.Topic)] = rt.Topic
		if partitions += len(list[i].cmd.Assignments); partitions > maxNewPartitions {
			list[i].err = faultf(kerr.PolicyViolation, "Excessively large number of partitions per request.")
		}
	}
	return list
}

// planTopic decides one. unset is what checkTopic says of a topic that sets nothing.
func (v view) planTopic(rt *kmsg.CreateTopicsRequestTopic, unset func() (int8, error)) creation {
	cmd := meta.CreateTopic{ID: newTopicID(), Name: rt.Topic, Internal: internalTopic(rt.Topic)}
	err := v.checkNewTopic(rt)
	if err == nil {
		cmd.Config, err = topicConfig(rt)
	}
	if err == nil && rt.Topic == offsetsTopic {
		v.offsetsConfig(cmd.Config)
	}
	switch {
	case err != nil:
	case len(cmd.Config) == 0:
		cmd.MinISR, err = unset()
	default:
		cmd.MinISR, err = v.checkTopic(cmd.Config)
	}
	if err == nil {
		cmd.Assignments, err = v.assignments(rt)
	}
	if err == nil {
		err = v.checkRoom(len(cmd.Assignments), len(cmd.Assignments[0]))
	}
	return creation{err: err, cmd: cmd}
}

// checkTopic checks the settings of a new topic.
func (v view) checkTopic(set map[string]string) (minISR int8, err error) {
	return v.checkSettings(set, conf.Dynamic{Cluster: v.im.Config(clusterDefault)})
}

// checkNewTopic checks name and numbers, in the order in which Kafka does.
func (v view) checkNewTopic(rt *kmsg.CreateTopicsRequestTopic) error {
	switch {
	case !v.may(auth.Create, auth.TheCluster) && !v.mayTopic(auth.Create, rt.Topic):
		return faultf(kerr.TopicAuthorizationFailed, "Authorization failed.")
	case rt.Topic == clusterMetadataTopic:
		return faultf(kerr.InvalidRequest, "Creation of internal topic %s is prohibited.", clusterMetadataTopic)
	}
	if err := checkTopicName(rt.Topic); err != nil {
		return err
	}
	if _, exists := v.im.TopicNamed(rt.Topic); exists {
		return faultf(kerr.TopicAlreadyExists, "Topic '%s' already exists.", rt.Topic)
	}
	if other, yes := v.im.Colliding(rt.Topic); yes {
		return collision(rt.Topic, other.Name)
	}
	return checkNumbers(rt)
}

func collision(name, other string) error {
	return faultf(kerr.InvalidTopicException, "Topic '%s' collides with existing topic: %s", name, other)
}

// checkNumbers: partitions and replication factor, or a manual assignment, not
// both. -1 is "as configured", in the versions before 4 too: Kafka takes it so.
func checkNumbers(rt *kmsg.CreateTopicsRequestTopic) error {
	n, rf := rt.NumPartitions, rt.ReplicationFactor
	switch manual := len(rt.ReplicaAssignment) > 0; {
	case manual && rf != -1:
		return faultf(kerr.InvalidRequest, "A manual partition assignment was specified, but replication factor was not set to -1.")
	case manual && n != -1:
		return faultf(kerr.InvalidRequest, "A manual partition assignment was specified, but numPartitions was not set to -1.")
	case manual:
		return nil
	case rf < -1 || rf == 0:
		return faultf(kerr.InvalidReplicationFactor, "Replication factor must be larger than 0, or -1 to use the default value.")
	case n < -1 || n == 0:
		return faultf(kerr.InvalidPartitions, "Number of partitions was set to an invalid non-positive value.")
	case n > maxNewPartitions:
		return faultf(kerr.PolicyViolation, "Excessively large number of partitions per request.")
	}
	return nil
}

// topicConfig collects the settings of a new topic.
func topicConfig(rt *kmsg.CreateTopicsRequestTopic) (map[string]string, error) {
	set := make(map[string]string, len(rt.Configs))
	for _, c := range rt.Configs {
		if c.Value == nil {
			return nil, faultf(kerr.InvalidConfig, "Null value not supported for topic configs: %s", printable(c.Name))
		}
		set[c.Name] = *c.Value
	}
	return set, nil
}

// assignments gives the replicas of a new topic: as the client says, or placed.
func (v view) assignments(rt *kmsg.CreateTopicsRequestTopic) ([][]int32, error) {
	if len(rt.ReplicaAssignment) > 0 {
		return v.manual(rt.ReplicaAssignment)
	}
	n, rf := rt.NumPartitions, rt.ReplicationFactor
	if rt.Topic == offsetsTopic && rf == -1 {
		return v.offsetsAssignments(n)
	}
	if n == -1 {
		n = v.d.Conf.NumPartitions
	}
	if rf == -1 {
		rf = v.d.Conf.DefaultReplicationFactor
	}
	return v.place(n, 0, rf)
}

// manual reads a manual assignment, whose partitions come in any order.
func (v view) manual(list []kmsg.CreateTopicsRequestTopicReplicaAssignment) ([][]int32, error) {
	a := make([][]int32, len(list))
	for _, p := range list {
		switch {
		case p.Partition < 0 || int(p.Partition) >= len(a):
			return nil, faultf(kerr.InvalidReplicaAssignment, "partitions should be a consecutive 0-based integer sequence")
		case a[p.Partition] != nil:
			return nil, faultf(kerr.InvalidReplicaAssignment, "Found multiple manual partition assignments for partition %d", p.Partition)
		}
		if err := v.checkAssignment(p.Replicas, len(a[0])); err != nil {
			return nil, err
		}
		a[p.Partition] = p.Replicas
	}
	for i := range a {
		if len(a[i]) != len(a[0]) {
			return nil, v.checkAssignment(a[i], len(a[0]))
		}
	}
	return a, nil
}

// created answers a CreateTopics request.
func (v view) created(req *kmsg.CreateTopicsRequest, list []creation, verdict verdict) kmsg.Response {
	resp := kmsg.NewPtrCreateTopicsResponse()
	resp.Topics = make([]kmsg.CreateTopicsResponseTopic, len(list))
	standard := map[int][]kmsg.CreateTopicsResponseTopicConfig{}
	for i := range list {
		o, it := &resp.Topics[i], &list[i]
		o.Default()
		o.Topic = req.Topics[i].Topic
		if it.err == nil {
			if it.err = verdict.of(it.at); len(req.Topics[i].ReplicaAssignment) == 0 {
				it.err = placed(it.err)
			}
		}
		if o.ErrorCode, o.ErrorMessage = codeText(it.err); it.err != nil {
			o.NumPartitions, o.ReplicationFactor = -1, -1
			o.Configs = []kmsg.CreateTopicsResponseTopicConfig{} // null says that one may not see them
			continue
		}
		if !req.ValidateOnly {
			o.TopicID = it.cmd.ID
		}
		o.NumPartitions, o.ReplicationFactor = int32(len(it.cmd.Assignments)), int16(len(it.cmd.Assignments[0]))
		v.createdConfig(o, it.cmd.Config, standard)
	}
	return resp
}

// createdConfig shows the settings that a new topic has, to those who may see them.
// standard keeps those of topics that set none, by replication factor. [Described for
// each, they were half of what ten thousand topics of one partition took]
func (v view) createdConfig(o *kmsg.CreateTopicsResponseTopic, overrides map[string]string, standard map[int][]kmsg.CreateTopicsResponseTopicConfig) {
	if !v.mayTopic(auth.DescribeConfigs, o.Topic) {
		o.ConfigErrorCode = kerr.TopicAuthorizationFailed.Code
		o.NumPartitions, o.ReplicationFactor = -1, -1
		return
	}
	rf := int(o.ReplicationFactor)
	if known, ok := standard[rf]; ok && len(overrides) == 0 {
		o.Configs = known
		return
	}
	for _, d := range v.d.Conf.DescribeTopic(v.dynamic(), overrides, rf) {
		c := kmsg.CreateTopicsResponseTopicConfig{
			Name: d.Name, ReadOnly: d.ReadOnly, Source: int8(d.Source), IsSensitive: d.Sensitive,
		}
		if !d.IsNull && !d.Sensitive {
			c.Value = &d.Value
		}
		o.Configs = append(o.Configs, c)
	}
	if len(overrides) == 0 {
		standard[rf] = o.Configs
	}
}
