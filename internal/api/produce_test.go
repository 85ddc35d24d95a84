package api

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/brokerd/brokerd/internal/record"
	"github.com/brokerd/brokerd/internal/vfs"
)

func TestProduceEveryVersion(t *testing.T) {
	n := startData(t, vfs.NewMem())
	topic := n.topic("t", 2, nil)
	for v := int16(3); v <= 13; v++ {
		resp, closed := n.ask(produceReq(v, -1, topic, records(t, 2, record.Spec{}), records(t, 3, record.Spec{})))
		if closed != "" {
			t.Fatal(closed)
		}
		r := resp.(*kmsg.ProduceResponse)
		if len(r.Topics) != 1 || len(r.Topics[0].Partitions) != 2 {
			t.Fatalf("v%d: %+v", v, r)
		}
		i := int64(v - 3)
		for k, want := range []int64{2 * i, 3 * i} {
			if p := r.Topics[0].Partitions[k]; p.ErrorCode != 0 || p.Partition != int32(k) || p.BaseOffset != want {
				t.Errorf("v%d: partition %+v, want offset %d", v, p, want)
			}
		}
		if v >= 13 && r.Topics[0].TopicID != topic.ID || v < 13 && r.Topics[0].Topic != "t" {
			t.Errorf("v%d: topic %q %x", v, r.Topics[0].Topic, r.Topics[0].TopicID)
		}
	}
}

func TestProduceRefusals(t *testing.T) {
	n := startData(t, vfs.NewMem())
	plain := n.topic("plain", 1, nil)
	compacted := n.topic("compacted", 1, map[string]string{"cleanup.policy": "compact"})
	small := n.topic("small", 1, map[string]string{"max.message.bytes": "100"})
	good := records(t, 1, record.Spec{})
	flipped := append([]byte(nil), good...)
	flipped[len(flipped)-1] ^= 4
	keyless, err := record.Build(record.Spec{}, record.Record{Timestamp: time.Now().UnixMilli(), Value: []byte("v")})
	if err != nil {
		t.Fatal(err)
	}
	n.produce(plain, flipped, kerr.CorruptMessage.Code)
	n.produce(plain, nil, kerr.InvalidRecord.Code)
	n.produce(plain, good[:65], kerr.InvalidRecord.Code)
	n.produce(small, records(t, 9, record.Spec{}), kerr.MessageTooLarge.Code)
	n.produce(plain, records(t, 1, record.Spec{Transactional: true, Producer: &record.Producer{ID: 1}}), kerr.TransactionalIDAuthorizationFailed.Code)
	p := n.produce(compacted, keyless, kerr.InvalidRecord.Code)
	if len(p.ErrorRecords) != 1 || p.ErrorMessage == nil || p.BaseOffset != -1 || p.LogStartOffset != 0 {
		t.Errorf("%+v", p)
	}

	for _, c := range []struct {
		name string
		req  *kmsg.ProduceRequest
		want int16
	}{
		{"acks", produceReq(9, 2, plain, good), kerr.InvalidRequiredAcks.Code},
		{"zstd before v7", produceReq(6, 1, plain, records(t, 1, record.Spec{Codec: record.Zstd})), kerr.UnsupportedCompressionType.Code},
	} {
		resp, _ := n.ask(c.req)
		if got := resp.(*kmsg.ProduceResponse).Topics[0].Partitions[0].ErrorCode; got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}

	unknown := produceReq(9, 1, plain, good)
	unknown.Topics[0].Topic = "nobody"
	byID := produceReq(13, 1, plain, good)
	byID.Topics[0].TopicID = [16]byte{5}
	far := produceReq(9, 1, plain, good)
	far.Topics[0].Partitions[0].Partition = 77
	for want, req := range map[int16]*kmsg.ProduceRequest{
		kerr.UnknownTopicOrPartition.Code: unknown,
		kerr.UnknownTopicID.Code:          byID,
	} {
		resp, _ := n.ask(req)
		if r := resp.(*kmsg.ProduceResponse).Topics[0]; r.Partitions[0].ErrorCode != want || r.Topic != req.Topics[0].Topic && req.Version < 13 {
			t.Errorf("%+v, want %d", r, want)
		}
	}
	resp, _ := n.ask(far)
	if got := resp.(*kmsg.ProduceResponse).Topics[0].Partitions[0].ErrorCode; got != kerr.UnknownTopicOrPartition.Code {
		t.Errorf("partition 77: %d", got)
	}
}

func TestProduceIdempotent(t *testing.T) {
	n := startData(t, vfs.NewMem())
	topic := n.topic("t", 1, nil)
	send := func(sequence int32, epoch int16, want int16) int64 {
		t.Helper()
		return n.produce(topic, records(t, 2, record.Spec{Producer: &record.Producer{ID: 7, Epoch: epoch, Sequence: sequence}}), want).BaseOffset
	}
	for i := range int32(4) {
		send(2*i, 1, 0)
	}
	if got := send(2, 1, 0); got != 2 {
		t.Errorf("duplicate at %d", got)
	}
	send(12, 1, kerr.OutOfOrderSequenceNumber.Code)
	if p := n.produce(topic, records(t, 1, record.Spec{Producer: &record.Producer{ID: 7, Epoch: 1, Sequence: 12}}), kerr.OutOfOrderSequenceNumber.Code); p.LogStartOffset != 0 {
		t.Errorf("a refusal says that the log starts at %d", p.LogStartOffset)
	}
	send(8, 0, kerr.InvalidProducerEpoch.Code)
	if got := send(0, 2, 0); got != 8 {
		t.Errorf("new epoch at %d", got)
	}
}

func TestProduceAcksNone(t *testing.T) {
	n := startData(t, vfs.NewMem())
	topic := n.topic("t", 1, nil)
	a := n.finish(n.serve(produceReq(9, 0, topic, records(t, 1, record.Spec{}))))
	if a.Frame != nil || a.Close != "" {
		t.Fatalf("acks=0 was answered: %+v", a)
	}
	gone := produceReq(9, 0, topic, records(t, 1, record.Spec{}))
	gone.Topics[0].Topic = "gone"
	if a := n.finish(n.serve(gone)); a.Frame != nil || a.Close == "" {
		t.Fatalf("a failed acks=0 left the connection open: %+v", a)
	}
}

func TestProduceTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := vfs.NewFault(vfs.NewMem())
		f.Add(vfs.Rule{Op: vfs.OpSync, Delay: 10 * time.Second})
		n := startData(t, f)
		defer n.stop()
		topic := n.topic("t", 1, nil)
		req := produceReq(9, -1, topic, records(t, 1, record.Spec{}))
		req.TimeoutMillis = 1000
		resp, _ := n.ask(req)
		if got := resp.(*kmsg.ProduceResponse).Topics[0].Partitions[0].ErrorCode; got != kerr.RequestTimedOut.Code {
			t.Fatal(got)
		}
		// The batch is in the log all the same, and the next one is acknowledged.
		if p := n.produce(topic, records(t, 1, record.Spec{}), 0); p.BaseOffset != 1 {
			t.Fatal(p.BaseOffset)
		}
	})
}

func TestProduceDiskFailure(t *testing.T) {
	f := vfs.NewFault(vfs.NewMem())
	n := startData(t, f)
	topic := n.topic("t", 1, nil)
	n.produce(topic, records(t, 1, record.Spec{}), 0)
	f.Add(vfs.Rule{Op: vfs.OpSync, Err: errors.New("disk is gone")})
	n.produce(topic, records(t, 1, record.Spec{}), kerr.KafkaStorageError.Code)
	n.produce(topic, records(t, 1, record.Spec{}), kerr.KafkaStorageError.Code)
}

func TestProduceLogAppendTime(t *testing.T) {
	n := startData(t, vfs.NewMem())
	topic := n.topic("t", 1, map[string]string{"message.timestamp.type": "LogAppendTime"})
	p := n.produce(topic, records(t, 1, record.Spec{}), 0)
	if d := time.Since(time.UnixMilli(p.LogAppendTime)); d < -time.Second || d > time.Minute {
		t.Fatalf("append time %d", p.LogAppendTime)
	}
}
