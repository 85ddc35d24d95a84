package api

import (
	"slices"
	"strings"

	"github.com/brokerd/brokerd/internal/auth"
	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/wire"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// maxDescribed is Kafka's max.request.partition.size.limit: how many partitions
// one DescribeTopicPartitions answers, whatever it asks for.
const maxDescribed = 2000

// describePartitions answers DescribeTopicPartitions (75): topics in order of
// their names, a page at a time; the cursor is the first partition left out.
func (m *metadataAPI) describePartitions(c *wire.Call) wire.Outcome {
	req := kmsg.NewPtrDescribeTopicPartitionsRequest()
	if !read(c, req) {
		return malformed()
	}
	limit := min(max(int(req.ResponsePartitionLimit), 1), maxDescribed)
	p := page{view: look(m.d, c), left: limit, resp: kmsg.NewPtrDescribeTopicPartitionsResponse()}
	if _, p.live = p.reachables(); req.Cursor != nil {
		p.from, p.fromPartition = req.Cursor.Topic, req.Cursor.Partition
	}
	if len(req.Topics) > 0 {
		p.named(req)
	} else {
		p.all()
	}
	return wire.Respond(c, p.resp)
}

// page is one answer under construction.
type page struct {
	view
	live          map[int32]bool
	from          string // where the cursor stands; "" at the beginning
	fromPartition int32
	left          int
	resp          *kmsg.DescribeTopicPartitionsResponse
}

// all goes through every topic that the client may see.
func (p *page) all() {
	for t := range p.im.TopicsFrom(p.from) {
		if p.mayTopic(auth.Describe, t.Name) && !p.topic(t) {
			return
		}
	}
}

// named goes through the topics that a request names.
func (p *page) named(req *kmsg.DescribeTopicPartitionsRequest) {
	names := make([]string, 0, len(req.Topics))
	for _, t := range req.Topics {
		names = append(names, t.Topic)
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		if strings.Compare(name, p.from) < 0 {
			continue
		}
		if req.Cursor != nil && req.Cursor.Partition < 0 {
			p.failed(name, kerr.InvalidRequest)
			continue
		}
		t, ok := p.im.TopicNamed(name)
		switch {
		case !p.mayTopic(auth.Describe, name):
			p.failed(name, kerr.TopicAuthorizationFailed)
		case topicNameFault(name) != "":
			p.failed(name, kerr.InvalidTopicException).AuthorizedOperations = p.topicOperations(name)
		case !ok:
			p.failed(name, kerr.UnknownTopicOrPartition).AuthorizedOperations = p.topicOperations(name)
		case !p.topic(t):
			return
		}
	}
}

func (p *page) failed(name string, k *kerr.Error) *kmsg.DescribeTopicPartitionsResponseTopic {
	o := kmsg.NewDescribeTopicPartitionsResponseTopic()
	o.Topic, o.ErrorCode, o.IsInternal = &name, k.Code, internalTopic(name)
	p.resp.Topics = append(p.resp.Topics, o)
	return &p.resp.Topics[len(p.resp.Topics)-1]
}

// topicOperations is what the client may do with a topic of this name.
func (p *page) topicOperations(name string) int32 {
	return p.allowed(auth.Resource{Type: auth.Topic, Name: name}, topicOperations)
}

// topic adds what fits of one topic; false when the page is full.
func (p *page) topic(t *meta.Topic) (more bool) {
	next := int32(0)
	if t.Name == p.from {
		next = max(p.fromPartition, 0)
	}
	if next >= t.Partitions() {
		return true
	}
	if p.left == 0 {
		return p.end(t, next)
	}
	o := kmsg.NewDescribeTopicPartitionsResponseTopic()
	o.Topic, o.TopicID, o.IsInternal = &t.Name, t.ID, t.Internal
	o.AuthorizedOperations = p.topicOperations(t.Name)
	for ; next < t.Partitions() && p.left > 0; next, p.left = next+1, p.left-1 {
		o.Partitions = append(o.Partitions, p.partition(t, next))
	}
	p.resp.Topics = append(p.resp.Topics, o)
	return next == t.Partitions() || p.end(t, next)
}

// end notes where the next page begins.
func (p *page) end(t *meta.Topic, next int32) (more bool) {
	c := kmsg.NewDescribeTopicPartitionsResponseNextCursor()
	c.Topic, c.Partition = t.Name, next
	p.resp.NextCursor = &c
	return false
}

func (p *page) partition(t *meta.Topic, i int32) kmsg.DescribeTopicPartitionsResponseTopicPartition {
	o := kmsg.NewDescribeTopicPartitionsResponseTopicPartition()
	part, _ := t.Partition(i)
	o.Partition, o.LeaderID, o.LeaderEpoch = i, part.Leader, part.LeaderEpoch
	o.Replicas, o.ISR, o.OfflineReplicas = part.Replicas, inSync(&part), offline(part.Replicas, p.live)
	// Never null: null says that the broker does not know eligible replicas.
	o.EligibleLeaderReplicas, o.LastKnownELR = append([]int32{}, part.ELR()...), append([]int32{}, part.LastKnownELR()...)
	if o.ErrorCode = leaderCode(part.Leader, p.live, 6); o.ErrorCode != 0 {
		o.LeaderID = -1
	}
	return o
}
