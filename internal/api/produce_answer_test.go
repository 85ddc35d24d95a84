package api

import (
	"bytes"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/brokerd/brokerd/internal/replica"
	"github.com/brokerd/brokerd/internal/step"
	"github.com/brokerd/brokerd/internal/vfs"
	"github.com/brokerd/brokerd/internal/wire"
)

// TestProduceAnswerDecodes writes every version by hand and reads it by kmsg.
func TestProduceAnswerDecodes(t *testing.T) {
	n := startData(t, vfs.NewMem())
	topic := n.topic("a", 3, nil)
	for v := int16(0); v <= 13; v++ {
		p := &produceCall{d: n.d, reply: wire.Reply{Version: v}, listener: "PLAINTEXT"}
		p.batches = []producing{
			{topic: "a", id: topic.ID, first: true, partition: 0, ticket: replica.Ticket{Base: 5, AppendTime: 77, Start: 2}},
			{topic: "a", id: topic.ID, partition: 1, err: replica.ErrNotLeader},
			{topic: "b", id: step.TopicID{1}, first: true, partition: 2, ticket: replica.Ticket{Err: &replica.BatchError{
				Err: replica.ErrInvalidRecord, Text: "whole", Records: []replica.RecordFault{{Index: 3, Text: "third"}},
			}}},
		}
		a := p.answer()
		resp := kmsg.NewPtrProduceResponse()
		resp.SetVersion(v)
		body := a.Frame[8:]
		if v >= 9 {
			body = body[1:]
		}
		if err := resp.ReadFrom(body); err != nil {
			t.Fatalf("v%d: %v", v, err)
		}
		if got := resp.AppendTo(nil); !bytes.Equal(got, body) {
			t.Errorf("v%d: kmsg writes %x, we %x", v, got, body)
		}
		ok, moved, bad := resp.Topics[0].Partitions[0], resp.Topics[0].Partitions[1], resp.Topics[1].Partitions[0]
		if ok.BaseOffset != 5 || v >= 2 && ok.LogAppendTime != 77 || v >= 5 && ok.LogStartOffset != 2 {
			t.Errorf("v%d: %+v", v, ok)
		}
		if moved.ErrorCode != kerr.NotLeaderForPartition.Code || moved.BaseOffset != -1 {
			t.Errorf("v%d: %+v", v, moved)
		}
		if v >= 10 && (moved.CurrentLeader.LeaderID != nodeID || len(resp.Brokers) != 1 || resp.Brokers[0].Host != "h1") {
			t.Errorf("v%d: %+v, brokers %+v", v, moved, resp.Brokers)
		}
		if v >= 8 && (len(bad.ErrorRecords) != 1 || bad.ErrorRecords[0].RelativeOffset != 3 || *bad.ErrorMessage != "whole") {
			t.Errorf("v%d: %+v", v, bad)
		}
		a.Release()
	}
}
