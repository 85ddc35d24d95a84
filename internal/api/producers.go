package api

import (
	"github.com/brokerd/brokerd/internal/auth"
	"github.com/brokerd/brokerd/internal/wire"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DescribeProducers, key 61: who has written to a partition and may go on.

type producersAPI struct{ d Deps }

func (a producersAPI) serve(c *wire.Call) wire.Outcome {
	req := kmsg.NewPtrDescribeProducersRequest()
	if !read(c, req) {
		return malformed()
	}
	v := look(a.d, c)
	resp := kmsg.NewPtrDescribeProducersResponse()
	for i := range req.Topics {
		t := &req.Topics[i]
		out := kmsg.NewDescribeProducersResponseTopic()
		out.Topic = t.Topic
		for _, partition := range t.Partitions {
			out.Partitions = append(out.Partitions, a.describe(&v, t.Topic, partition))
		}
		resp.Topics = append(resp.Topics, out)
	}
	return wire.Respond(c, resp)
}

func (a producersAPI) describe(v *view, topic string, partition int32) kmsg.DescribeProducersResponseTopicPartition {
	out := kmsg.NewDescribeProducersResponseTopicPartition()
	out.Partition = partition
	p, err := v.led(auth.Read, topic, partition)
	if err != nil {
		_, out.ErrorMessage = codeText(err)
		out.ErrorCode = dataCode(err)
		return out
	}
	list, err := p.Producers()
	if err != nil {
		_, out.ErrorMessage = codeText(err)
		out.ErrorCode = dataCode(err)
		return out
	}
	for _, s := range list {
		x := kmsg.NewDescribeProducersResponseTopicPartitionActiveProducer()
		x.ProducerID, x.ProducerEpoch, x.LastSequence = s.ID, int32(s.Epoch), s.LastSequence
		x.LastTimestamp, x.CoordinatorEpoch, x.CurrentTxnStartOffset = s.LastTimestamp, s.CoordinatorEpoch, s.TxnStart
		out.ActiveProducers = append(out.ActiveProducers, x)
	}
	return out
}
