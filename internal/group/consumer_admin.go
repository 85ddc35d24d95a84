package group

import (
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// describeConsumer takes a ConsumerGroupDescribe of one group.
func (t *turn) describeConsumer(id string) {
	r := kmsg.NewConsumerGroupDescribeResponseGroup()
	r.Group, r.Members = id, []kmsg.ConsumerGroupDescribeResponseGroupMember{}
	g := t.groups[id]
	switch {
	case id == "":
		r.ErrorCode = codeInvalidGroupID
	case g == nil:
		r.ErrorCode, r.ErrorMessage = codeGroupNotFound, notFound(id)
	case g.consumer == nil:
		why := fmt.Sprintf("Group %s is not a consumer group.", id)
		r.ErrorCode, r.ErrorMessage = codeGroupNotFound, &why
	default:
		t.showConsumer(g.consumer, &r)
	}
	t.answer(id, &r)
}

func (t *turn) showConsumer(c *consumer, r *kmsg.ConsumerGroupDescribeResponseGroup) {
	r.State, r.Epoch, r.AssignmentEpoch, r.AssignorName = c.stateName(), c.epoch, c.placed, t.assignor(c)
	for _, id := range c.ids() {
		m := c.members[id]
		d := kmsg.NewConsumerGroupDescribeResponseGroupMember()
		d.MemberID, d.InstanceID, d.RackID, d.MemberEpoch = id, m.about.instance, m.about.rack, m.current.epoch
		d.ClientID, d.ClientHost = m.about.client.ID, m.about.client.Host
		d.SubscribedTopics, d.SubscribedTopicRegex = append([]string{}, m.about.topics...), kmsg.StringPtr(text(m.about.regex))
		d.Assignment, d.TargetAssignment = t.shown(m.current.assigned, m.current.revoking), t.shown(m.target, nil)
		if d.MemberType = 1; m.about.classic != nil {
			d.MemberType = 0
		}
		r.Members = append(r.Members, d)
	}
}

// shown is an assignment with the names of its topics, and behind it what a
// member has to give up and still has. Topics that are no more have no name, and
// are left out.
func (t *turn) shown(s, revoking parts) kmsg.Assignment {
	a := kmsg.NewAssignment()
	a.TopicPartitions = []kmsg.AssignmentTopicPartition{}
	for _, id := range s.union(revoking).topics() {
		if name, _, ok := t.in.Cluster.Named(id); ok {
			a.TopicPartitions = append(a.TopicPartitions, kmsg.AssignmentTopicPartition{TopicID: id, Topic: name, Partitions: slices.Concat(s[id], revoking[id])})
		}
	}
	return a
}

// endConsumer writes the end of a group without members.
func (t *turn) endConsumer(g *group) {
	for _, regex := range sorted(g.consumer.regexes) {
		t.write(g, fact{key: keyRegex, name: regex, gone: true})
	}
	t.write(g, fact{key: keyTarget, gone: true}, fact{key: keyConsumer, gone: true})
}
