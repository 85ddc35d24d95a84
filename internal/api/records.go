package api

import (
	"github.com/brokerd/brokerd/internal/auth"
	"github.com/brokerd/brokerd/internal/wire"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DeleteRecords, key 21: raises the log start of partitions. v2 is flexible.

type recordsAPI struct{ d Deps }

func (a recordsAPI) serve(c *wire.Call) wire.Outcome {
	req := kmsg.NewPtrDeleteRecordsRequest()
	if !read(c, req) {
		return malformed()
	}
	v := look(a.d, c)
	resp := kmsg.NewPtrDeleteRecordsResponse()
	for i := range req.Topics {
		t := &req.Topics[i]
		out := kmsg.NewDeleteRecordsResponseTopic()
		out.Topic = t.Topic
		for _, q := range t.Partitions {
			p := kmsg.NewDeleteRecordsResponseTopicPartition()
			p.Partition = q.Partition
			start, err := a.delete(&v, t.Topic, q)
			p.LowWatermark, p.ErrorCode = start, dataCode(err)
			out.Partitions = append(out.Partitions, p)
		}
		resp.Topics = append(resp.Topics, out)
	}
	return wire.Respond(c, resp)
}

func (a recordsAPI) delete(v *view, topic string, q kmsg.DeleteRecordsRequestTopicPartition) (start int64, err error) {
	p, err := v.led(auth.Delete, topic, q.Partition)
	if err != nil {
		return -1, err
	}
	if t, ok := v.im.TopicNamed(topic); ok && t.Internal {
		return -1, kerr.InvalidTopicException
	}
	return p.DeleteBefore(q.Offset)
}
