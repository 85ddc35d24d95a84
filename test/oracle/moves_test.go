//go:build oracle

package oracle

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestElections elects leaders where there is one broker to choose.
func TestElections(t *testing.T) {
	p := newPair(t)
	p.topic("el", 2)
	for v := int16(0); v <= 2; v++ {
		for _, kind := range []int8{0, 1, 9} {
			for name, topics := range map[string][]kmsg.ElectLeadersRequestTopic{
				// All topics (null) are not asked for: where nothing is to be elected Kafka
				// names topics without partitions, ours none.
				"none": {}, "one": {{Topic: "el", Partitions: []int32{1}}}, "unknown ones": {{Topic: "el", Partitions: []int32{0, 7, -1}}, {Topic: "nowhere", Partitions: []int32{0}}},
				"without a topic": {{Topic: "", Partitions: []int32{0}}},
			} {
				if v == 0 && kind > 0 || kind == 9 && name != "one" {
					continue
				}
				p.ask(fmt.Sprintf("elect %s by %d", name, kind), v, func(*side) kmsg.Request {
					req := kmsg.NewPtrElectLeadersRequest()
					req.ElectionType, req.TimeoutMillis, req.Topics = kind, 10_000, topics
					return req
				})
			}
		}
	}
}

// TestMoves moves partitions to where they are, and to where they cannot be.
func TestMoves(t *testing.T) {
	p := newPair(t)
	p.topic("re", 2)
	for v := int16(0); v <= 1; v++ {
		for _, allow := range []bool{true, false} {
			for _, c := range []struct {
				name, topic string
				partition   int32
				replicas    []int32
			}{
				{"to where it is", "re", 0, []int32{1}}, {"the second to where it is", "re", 1, []int32{1}}, {"to nobody", "re", 0, []int32{}}, {"twice to one", "re", 0, []int32{1, 1}}, {"to a stranger", "re", 0, []int32{2}},
				{"to more", "re", 0, []int32{1, 2}}, {"to a negative one", "re", 0, []int32{-1}}, {"back", "re", 0, nil}, {"what is unknown", "re", 7, []int32{1}}, {"what is nowhere", "nowhere", 0, []int32{1}},
			} {
				p.ask(fmt.Sprintf("move %s, allowed %v", c.name, allow), v, func(*side) kmsg.Request {
					req := kmsg.NewPtrAlterPartitionAssignmentsRequest()
					req.TimeoutMillis, req.AllowReplicationFactorChange = 10_000, allow
					req.Topics = []kmsg.AlterPartitionAssignmentsRequestTopic{{Topic: c.topic,
						Partitions: []kmsg.AlterPartitionAssignmentsRequestTopicPartition{{Partition: c.partition, Replicas: c.replicas}}}}
					return req
				})
			}
		}
	}
}
