package api

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/record"
	"github.com/brokerd/brokerd/internal/vfs"
	"github.com/brokerd/brokerd/internal/wire"
)

func (n *dataNode) fetch(req *kmsg.FetchRequest) *kmsg.FetchResponse {
	n.t.Helper()
	resp, closed := n.ask(req)
	if closed != "" {
		n.t.Fatal(closed)
	}
	return resp.(*kmsg.FetchResponse)
}

func TestFetchEveryVersion(t *testing.T) {
	n := startData(t, vfs.NewMem())
	topic := n.topic("t", 2, nil)
	for range 3 {
		n.produce(topic, records(t, 2, record.Spec{}), 0)
	}
	for v := int16(4); v <= 18; v++ {
		r := n.fetch(fetchReq(v, topic, 3, 0))
		if len(r.Topics) != 1 || len(r.Topics[0].Partitions) != 2 {
			t.Fatalf("v%d: %+v", v, r)
		}
		p := r.Topics[0].Partitions[0]
		if got := offsetsOf(t, p.RecordBatches); len(got) != 2 || got[0] != 2 || got[1] != 4 {
			t.Errorf("v%d: batches at %v", v, got)
		}
		if p.HighWatermark != 6 || p.ErrorCode != 0 || p.LastStableOffset != 6 {
			t.Errorf("v%d: %+v", v, p)
		}
		if v >= 13 && r.Topics[0].TopicID != topic.ID || v < 13 && r.Topics[0].Topic != "t" {
			t.Errorf("v%d: topic %q %x", v, r.Topics[0].Topic, r.Topics[0].TopicID)
		}
	}
}

func TestFetchErrors(t *testing.T) {
	n := startData(t, vfs.NewMem())
	topic := n.topic("t", 1, nil)
	n.produce(topic, records(t, 2, record.Spec{}), 0)
	code := func(change func(*kmsg.FetchRequest)) int16 {
		t.Helper()
		req := fetchReq(12, topic, 0)
		change(req)
		return n.fetch(req).Topics[0].Partitions[0].ErrorCode
	}
	part := func(r *kmsg.FetchRequest) *kmsg.FetchRequestTopicPartition { return &r.Topics[0].Partitions[0] }
	for _, c := range []struct {
		name   string
		want   int16
		change func(*kmsg.FetchRequest)
	}{
		{"at the end", 0, func(r *kmsg.FetchRequest) { part(r).FetchOffset = 2; r.MaxWaitMillis = 1 }},
		{"beyond the end", kerr.OffsetOutOfRange.Code, func(r *kmsg.FetchRequest) { part(r).FetchOffset = 3 }},
		{"negative", kerr.OffsetOutOfRange.Code, func(r *kmsg.FetchRequest) { part(r).FetchOffset = -5 }},
		{"no such topic", kerr.UnknownTopicOrPartition.Code, func(r *kmsg.FetchRequest) { r.Topics[0].Topic = "x" }},
		{"no such id", kerr.UnknownTopicID.Code, func(r *kmsg.FetchRequest) { r.Version = 13; r.Topics[0].TopicID[3]++ }},
		{"no such partition", kerr.UnknownTopicOrPartition.Code, func(r *kmsg.FetchRequest) { part(r).Partition = 9 }},
		{"newer epoch", kerr.UnknownLeaderEpoch.Code, func(r *kmsg.FetchRequest) { part(r).CurrentLeaderEpoch = 99 }},
	} {
		if got := code(c.change); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
	pretender := fetchReq(12, topic, 0)
	pretender.ReplicaID = 2
	if r := n.fetch(pretender); r.ErrorCode != kerr.ClusterAuthorizationFailed.Code || len(r.Topics) != 0 {
		t.Errorf("J-22: %+v", r)
	}
}

func TestFetchWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startData(t, vfs.NewMem())
		defer n.stop()
		topic := n.topic("t", 2, nil)

		begin := time.Now()
		if r := n.fetch(fetchReq(12, topic, 0, 0)); time.Since(begin) != 500*time.Millisecond || len(r.Topics[0].Partitions[1].RecordBatches) != 0 {
			t.Fatalf("waited %v", time.Since(begin))
		}
		req := fetchReq(12, topic, 0, 0)
		o := n.serve(req)
		done := make(chan *kmsg.FetchResponse, 1)
		go func() { r, _ := n.decode(req, n.finish(o)); done <- r.(*kmsg.FetchResponse) }()
		time.Sleep(100 * time.Millisecond)
		begin = time.Now()
		n.produce(topic, records(t, 1, record.Spec{}), 0)
		r := <-done
		if time.Since(begin) != 0 || len(offsetsOf(t, r.Topics[0].Partitions[0].RecordBatches)) != 1 {
			t.Fatalf("waited %v: %+v", time.Since(begin), r)
		}
	})
}

func TestFetchMinBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startData(t, vfs.NewMem())
		defer n.stop()
		topic := n.topic("t", 2, nil)
		size := len(records(t, 1, record.Spec{}))
		req := fetchReq(12, topic, 0, 0)
		req.MinBytes, req.MaxWaitMillis = int32(3*size), 60_000
		o := n.serve(req)
		done := make(chan *kmsg.FetchResponse, 1)
		go func() { r, _ := n.decode(req, n.finish(o)); done <- r.(*kmsg.FetchResponse) }()
		for i := range 3 {
			synctest.Wait()
			select {
			case <-done:
				t.Fatalf("answered with %d batches", i)
			default:
			}
			q := produceReq(9, -1, topic, records(t, 1, record.Spec{}))
			q.Topics[0].Partitions[0].Partition = int32(i % 2)
			if _, closed := n.ask(q); closed != "" {
				t.Fatal(closed)
			}
		}
		begin := time.Now()
		r := <-done
		a, b := r.Topics[0].Partitions[0].RecordBatches, r.Topics[0].Partitions[1].RecordBatches
		if time.Since(begin) != 0 || len(a) != 2*size || len(b) != size {
			t.Fatalf("after %v: %d and %d bytes", time.Since(begin), len(a), len(b))
		}
	})
}

// TestFetchMaxBytes: the first batch comes whole, whatever the limits.
func TestFetchMaxBytes(t *testing.T) {
	n := startData(t, vfs.NewMem())
	topic := n.topic("t", 2, nil)
	for range 2 {
		resp, _ := n.ask(produceReq(9, -1, topic, records(t, 50, record.Spec{}), records(t, 50, record.Spec{})))
		if p := resp.(*kmsg.ProduceResponse).Topics[0].Partitions; p[0].ErrorCode+p[1].ErrorCode != 0 {
			t.Fatal(p)
		}
	}
	req := fetchReq(12, topic, 0, 0)
	req.MaxBytes = 1
	r := n.fetch(req)
	if got := offsetsOf(t, r.Topics[0].Partitions[0].RecordBatches); len(got) != 1 {
		t.Errorf("first partition: %v", got)
	}
	if got := len(r.Topics[0].Partitions[1].RecordBatches); got != 0 {
		t.Errorf("second partition has %d bytes", got)
	}
	req = fetchReq(12, topic, 4, 0)
	req.Topics[0].Partitions[1].PartitionMaxBytes = 1
	r = n.fetch(req)
	if got := offsetsOf(t, r.Topics[0].Partitions[0].RecordBatches); len(got) != 2 {
		t.Errorf("first partition: %v", got)
	}
}

func TestFetchEndsWithItsTopic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startData(t, vfs.NewMem())
		defer n.stop()
		topic := n.topic("t", 1, nil)
		req := fetchReq(13, topic, 0)
		req.MaxWaitMillis = 60_000
		o := n.serve(req)
		begin := time.Now()
		n.must(meta.DeleteTopic{ID: topic.ID})
		r, _ := n.decode(req, n.finish(o))
		if got := r.(*kmsg.FetchResponse).Topics[0].Partitions[0].ErrorCode; got != kerr.UnknownTopicID.Code || time.Since(begin) != 0 {
			t.Fatalf("code %d after %v", got, time.Since(begin))
		}
	})
}

// A real Kafka 4.4.0 sends zstd to kafka-python's v4 as well, even where the
// topic itself says zstd.
func TestFetchZstdForOldClients(t *testing.T) {
	n := startData(t, vfs.NewMem())
	for name, config := range map[string]map[string]string{"sent": nil, "own": {"compression.type": "zstd"}} {
		topic := n.topic(name, 1, config)
		n.produce(topic, records(t, 1, record.Spec{Codec: record.Zstd}), 0)
		for _, v := range []int16{4, 9, 10} {
			if p := n.fetch(fetchReq(v, topic, 0)).Topics[0].Partitions[0]; len(offsetsOf(t, p.RecordBatches)) != 1 {
				t.Fatalf("%s v%d: %+v", name, v, p)
			}
		}
	}
}

func TestFetchSessionOverTheDoor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startData(t, vfs.NewMem())
		defer n.stop()
		topic := n.topic("t", 3, nil)
		req := fetchReq(13, topic, 0, 0, 0)
		req.SessionEpoch = 0
		first := n.fetch(req)
		if first.SessionID == 0 || len(first.Topics[0].Partitions) != 3 {
			t.Fatalf("%+v", first)
		}
		n.produce(topic, records(t, 1, record.Spec{}), 0)
		next := fetchReq(13, topic)
		next.Topics = nil
		next.SessionID, next.SessionEpoch = first.SessionID, 1
		r := n.fetch(next)
		if len(r.Topics) != 1 || len(r.Topics[0].Partitions) != 1 || r.Topics[0].Partitions[0].Partition != 0 {
			t.Fatalf("%+v", r)
		}
	})
}

func TestDropGivesEverythingBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startData(t, vfs.NewMem())
		defer n.stop()
		topic := n.topic("t", 1, nil)
		for range 3 {
			req := fetchReq(12, topic, 0)
			o := n.serve(req)
			o.Notify(func(*wire.Handoff) { t.Error("a dropped fetch was completed") })
			o.Drop()
		}
		n.produce(topic, records(t, 1, record.Spec{}), 0)
		o := n.serve(fetchReq(12, topic, 0))
		if !o.Ready() {
			t.Fatal("data is there")
		}
		o.Drop()
	})
}
