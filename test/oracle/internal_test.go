//go:build oracle

package oracle

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestInternalTopic: a topic of the brokers themselves is written by them alone.
func TestInternalTopic(t *testing.T) {
	p := newPair(t)
	const name = "__consumer_offsets"
	const quiet = 9 // the hash of no group of an earlier test
	p.coordinators()
	for v := int16(firstProduce); v <= lastProduce; v++ {
		p.ask("internal: produce", v, produce(v, name, -1, batch{records: values(1), baseTime: now()}.bytes()))
	}
	for v := int16(0); v <= 2; v++ {
		p.ask("internal: delete records", v, deleteRecords(name, 0, 0))
	}
	p.ask("internal: fetch", 12, fetch(12, nil, at(name, quiet, 0)))
	p.ask("internal: metadata", 12, func(*side) kmsg.Request {
		req := kmsg.NewPtrMetadataRequest()
		req.Topics = []kmsg.MetadataRequestTopic{{Topic: ptr(name)}}
		return req
	})
	p.ask("internal: page", 0, func(*side) kmsg.Request {
		req := kmsg.NewPtrDescribeTopicPartitionsRequest()
		req.Topics = []kmsg.DescribeTopicPartitionsRequestTopic{{Topic: name}}
		return req
	})
	p.ask("internal: change", 1, func(*side) kmsg.Request {
		req := kmsg.NewPtrIncrementalAlterConfigsRequest()
		req.Resources = []kmsg.IncrementalAlterConfigsRequestResource{{ResourceType: 2, ResourceName: name,
			Configs: []kmsg.IncrementalAlterConfigsRequestResourceConfig{{Name: "retention.ms", Value: ptr("1")}}}}
		return req
	})
	p.ask("internal: delete", 5, func(*side) kmsg.Request {
		req := kmsg.NewPtrDeleteTopicsRequest()
		req.TopicNames = []string{name}
		return req
	})
}
