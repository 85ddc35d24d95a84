//go:build oracle

package oracle

import (
	"fmt"
	"testing"

	"github.com/brokerd/brokerd/internal/record"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestListOffsets looks up every kind of time in every version.
func TestListOffsets(t *testing.T) {
	p := newPair(t)
	p.filled("l")
	p.topic("odd", 2)
	p.fill("odd", batch{records: []rec{{time: 5}, {time: 50}, {time: 50}, {time: 20}}, baseTime: 1000, codec: record.Gzip}.bytes())
	p.fill("odd", batch{records: []rec{{time: 1}, {time: 2}}, baseTime: 900}.bytes())
	p.fill("odd", batch{records: []rec{{time: 1}, {time: 200}, {time: 3}}, baseTime: 900, codec: record.LZ4}.bytes())
	p.fill("odd", batch{records: values(2), baseTime: -1}.bytes())
	p.topic("appended-l", 1, "message.timestamp.type", "LogAppendTime")
	p.fill("appended-l", batch{records: values(3), baseTime: 7}.bytes())
	base := int64(1_700_000_000_000)
	times := []int64{-1, -2, -3, -4, -5, -6, -7, -99, 0, 1, 900, 901, 902, 1000, 1005, 1006, 1050, 1051, 1100, 1101, base - 1, base, base + 500, base + 1000, base + 5500, base + 11000, base + 11001, 1 << 50}
	for v := int16(0); v <= 11; v++ {
		for _, topic := range []string{"l", "odd", "appended-l", "nowhere"} {
			for partition := int32(-1); partition <= 2; partition++ {
				for _, ts := range times {
					if topic == "nowhere" && ts != -1 || partition == -1 && ts > 0 || partition > 0 && ts > 1000 {
						continue
					}
					for isolation := range int8(2) {
						if isolation == 1 && ts >= 0 {
							continue
						}
						p.ask(fmt.Sprintf("list %s %d at %d isolation %d", topic, partition, ts, isolation), v, list(topic, partition, ts, -1, isolation))
					}
				}
			}
		}
		for _, e := range []int32{0, 1, 5, -2} {
			for _, ts := range []int64{-1, -2, base} {
				p.ask(fmt.Sprintf("list at %d leader epoch %d", ts, e), v, list("l", 0, ts, e, 0))
			}
		}
		p.ask("list as nobody", v, func(s *side) kmsg.Request {
			req := list("l", 0, -2, -1, 0)(s).(*kmsg.ListOffsetsRequest)
			req.ReplicaID, req.Topics[0].Partitions[0].MaxNumOffsets = -2, 5
			return req
		})
		p.ask("list twice", v, func(s *side) kmsg.Request {
			req := list("l", 0, -1, -1, 0)(s).(*kmsg.ListOffsetsRequest)
			again := req.Topics[0].Partitions[0]
			again.Timestamp = -2
			req.Topics[0].Partitions = append(req.Topics[0].Partitions, again)
			return req
		})
	}
}

func list(topic string, partition int32, ts int64, epoch int32, isolation int8) func(*side) kmsg.Request {
	return func(*side) kmsg.Request {
		req := kmsg.NewPtrListOffsetsRequest()
		req.ReplicaID, req.IsolationLevel, req.TimeoutMillis = -1, isolation, 5000
		t := kmsg.NewListOffsetsRequestTopic()
		q := kmsg.NewListOffsetsRequestTopicPartition()
		q.Partition, q.Timestamp, q.CurrentLeaderEpoch, q.MaxNumOffsets = partition, ts, epoch, 1
		t.Topic, t.Partitions = topic, append(t.Partitions, q)
		req.Topics = append(req.Topics, t)
		return req
	}
}

// TestEpochs asks where leader epochs end.
func TestEpochs(t *testing.T) {
	p := newPair(t)
	p.filled("e")
	for v := int16(0); v <= 4; v++ {
		for _, topic := range []string{"e", "nowhere"} {
			for partition := int32(-1); partition <= 3; partition++ {
				for _, asked := range []int32{-2, -1, 0, 1, 7} {
					for _, current := range []int32{-1, 0, 1} {
						p.ask(fmt.Sprintf("end of %d in %s %d at %d", asked, topic, partition, current), v, func(*side) kmsg.Request {
							req := kmsg.NewPtrOffsetForLeaderEpochRequest()
							req.ReplicaID = -1
							t := kmsg.NewOffsetForLeaderEpochRequestTopic()
							q := kmsg.NewOffsetForLeaderEpochRequestTopicPartition()
							q.Partition, q.LeaderEpoch, q.CurrentLeaderEpoch = partition, asked, current
							t.Topic, t.Partitions = topic, append(t.Partitions, q)
							req.Topics = append(req.Topics, t)
							return req
						})
					}
				}
			}
		}
	}
}

// TestDeleteRecords raises the start, and looks at what follows from it.
func TestDeleteRecords(t *testing.T) {
	p := newPair(t)
	p.filled("compacted-d", "cleanup.policy", "compact")
	p.filled("both-d", "cleanup.policy", "compact,delete")
	for v := int16(0); v <= 2; v++ {
		topic := fmt.Sprintf("d%d", v)
		p.filled(topic)
		for _, c := range []struct {
			topic     string
			partition int32
			offset    int64
		}{
			{topic, 0, 7}, {topic, 0, 3}, {topic, 0, 10}, {topic, 0, -2}, {topic, 0, 79}, {topic, 3, 1}, {topic, -1, 1}, {"nowhere", 0, 1},
			{topic, 2, 0}, {topic, 2, -1}, {topic, 2, 1}, {topic, 1, -1}, {topic, 1, -1}, {"compacted-d", 0, 1}, {"both-d", 0, 1 + int64(v)},
		} {
			p.ask(fmt.Sprintf("delete %s %d before %d", c.topic, c.partition, c.offset), v, deleteRecords(c.topic, c.partition, c.offset))
			if c.topic != topic || c.partition < 0 {
				continue
			}
			for _, ts := range []int64{-1, -2, -3, -4, 0} {
				p.ask(fmt.Sprintf("list after deletion of %d at %d", c.offset, ts), 8, list(topic, c.partition, ts, -1, 0))
			}
			for _, offset := range []int64{0, 6, 7, 9, 10} {
				p.ask(fmt.Sprintf("read %d after deletion of %d", offset, c.offset), 12, fetch(12, nil, at(topic, c.partition, offset)))
			}
		}
	}
}

func deleteRecords(topic string, partition int32, before int64) func(*side) kmsg.Request {
	return func(*side) kmsg.Request {
		req := kmsg.NewPtrDeleteRecordsRequest()
		req.TimeoutMillis = 5000
		t := kmsg.NewDeleteRecordsRequestTopic()
		q := kmsg.NewDeleteRecordsRequestTopicPartition()
		q.Partition, q.Offset = partition, before
		t.Topic, t.Partitions = topic, append(t.Partitions, q)
		req.Topics = append(req.Topics, t)
		return req
	}
}
