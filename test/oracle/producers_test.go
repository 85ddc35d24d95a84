//go:build oracle

package oracle

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestInitProducerID asks for ids as idempotent producers do.
func TestInitProducerID(t *testing.T) {
	p := newPair(t)
	for range 500 { // Kafka says 14 until it has its first block
		resp, _ := p.theirs.do(t, 0, kmsg.NewPtrInitProducerIDRequest())
		if r, ok := resp.(*kmsg.InitProducerIDResponse); ok && r.ErrorCode == 0 {
			break
		}
		time.Sleep(10 * time.Millisecond) // and tells nobody when it comes
	}
	for v := int16(0); v <= 5; v++ {
		for _, c := range []struct {
			name    string
			txn     *string
			id      int64
			epoch   int16
			timeout int32
		}{
			{"new", nil, -1, -1, 1000}, {"again", nil, 7, 3, 1000}, {"half", nil, 7, -1, 1000}, {"other half", nil, -1, 3, 1000},
			{"empty transactional id", ptr(""), -1, -1, 1000}, {"no timeout", nil, -1, -1, 0},
		} {
			p.ask("init "+c.name, v, func(s *side) kmsg.Request {
				req := kmsg.NewPtrInitProducerIDRequest()
				req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.TransactionTimeoutMillis = c.txn, c.id, c.epoch, c.timeout
				return req
			})
		}
	}
}

// TestSequences is what idempotent producers may meet, and what the partition
// says of them afterwards.
func TestSequences(t *testing.T) {
	p := newPair(t)
	for _, v := range []int16{3, 8, 13} {
		topic := fmt.Sprintf("q%d", v)
		p.topic(topic, 2)
		t0 := now()
		send := func(name string, id int64, epoch int16, seq int32, n int) {
			t.Helper()
			b := batch{records: values(n), baseTime: t0, id: id, epoch: epoch, seq: seq}.bytes()
			p.ask(fmt.Sprintf("sequence %s", name), v, func(s *side) kmsg.Request {
				req := produce(v, topic, -1, b)(s).(*kmsg.ProduceRequest)
				if id > 203 || id < 0 {
					req.Topics[0].Partitions[0].Partition = 1
				}
				return req
			})
		}
		send("first", 100, 0, 0, 3)
		send("next", 100, 0, 3, 2)
		send("duplicate of the first", 100, 0, 0, 3)
		send("duplicate of the last", 100, 0, 3, 2)
		send("part of an earlier one", 100, 0, 3, 1)
		send("overlap", 100, 0, 4, 3)
		send("gap", 100, 0, 9, 1)
		for i := range int32(6) {
			send(fmt.Sprintf("filler %d", i), 100, 0, 5+i, 1)
		}
		send("duplicate that is forgotten", 100, 0, 0, 3)
		send("duplicate of the fifth last", 100, 0, 6, 1)
		send("duplicate of the sixth last", 100, 0, 5, 1)
		send("new epoch in the middle", 100, 1, 5, 1)
		send("new epoch", 100, 1, 0, 1)
		send("stale epoch", 100, 0, 11, 1)
		send("duplicate of a stale epoch", 100, 0, 10, 1)
		send("unknown producer in the middle", 200, 0, 17, 1)
		send("and on", 200, 0, 18, 1)
		send("unknown producer, high epoch", 201, 9, 0, 1)
		send("near the end", 202, 0, math.MaxInt32-1, 2)
		send("wrapped", 202, 0, 0, 1)
		send("wraps inside", 203, 0, math.MaxInt32-1, 4)
		send("after the wrap", 203, 0, 2, 1)
		send("duplicate of the wrap", 203, 0, math.MaxInt32-1, 4)
		send("negative sequence", 204, 0, -1, 1)
		send("negative sequence 2", 204, 0, -5, 1)
		send("negative epoch", 205, -1, 0, 1)
		send("negative id", -2, 0, 0, 1)
		send("id without sequence", 206, 0, -1, 1)
		p.ask("read sequences", 12, fetch(12, nil, at(topic, 0, 0)))
		for _, q := range []int32{0, 2, -1} {
			p.ask(fmt.Sprintf("producers of %d", q), 0, producers(topic, q))
		}
		p.ask("producers of nowhere", 0, producers("nowhere", 0))
	}
}

func producers(topic string, partition int32) func(*side) kmsg.Request {
	return func(*side) kmsg.Request {
		req := kmsg.NewPtrDescribeProducersRequest()
		t := kmsg.NewDescribeProducersRequestTopic()
		t.Topic, t.Partitions = topic, []int32{partition}
		req.Topics = append(req.Topics, t)
		return req
	}
}

// TestSilence: acks=0 has no answer, and a closed connection when it failed.
func TestSilence(t *testing.T) {
	p := newPair(t)
	p.topic("silent", 1)
	good := batch{records: values(1), baseTime: now()}
	bad := good
	bad.badCRC = true
	for v := int16(firstProduce); v <= lastProduce; v++ {
		for _, c := range []struct {
			name, topic string
			bytes       []byte
		}{{"good", "silent", good.bytes()}, {"bad", "silent", bad.bytes()}, {"unknown topic", "nowhere", good.bytes()}} {
			var ends [2]map[string]string
			for i, s := range []*side{p.theirs, p.ours} {
				s.redial(t)
				ends[i] = map[string]string{"ending": s.after(t, v, produce(v, c.topic, 0, c.bytes)(s))}
			}
			p.compare(fmt.Sprintf("silence %s v%d", c.name, v), ends[0], ends[1])
		}
	}
	p.ask("read silence", 12, fetch(12, nil, at("silent", 0, 0)))
}
