package wire

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/brokerd/brokerd/test/captured"
)

func sampleReplicas() (*DescribeReplicasRequest, *DescribeReplicasResponse) {
	text := "somebody else leads"
	return &DescribeReplicasRequest{Topics: []DescribeReplicasRequestTopic{
			{Topic: "orders", Partitions: []int32{0, 7}},
			{Topic: "all of it"},
			{Topic: "none of it", Partitions: []int32{}},
		}}, &DescribeReplicasResponse{ErrorCode: 6, ErrorMessage: &text, Topics: []DescribeReplicasResponseTopic{{
			Topic: "orders", TopicID: [16]byte{1, 2},
			Partitions: []DescribeReplicasResponsePartition{{
				Partition: 7, Leader: 1, LeaderEpoch: 3, LogStart: 10, LastStable: 90, HighWatermark: 100,
				Replicas: []DescribeReplicasResponseReplica{
					{Broker: 1, State: InSync, LogEnd: 120, DurableEnd: 110},
					{Broker: 2, State: Eligible, LogEnd: 100, DurableEnd: -1, LagRecords: 20, LagMillis: 1500},
				},
			}, {Partition: 8, ErrorCode: 6, Leader: 2}},
		}}}
}

func TestDescribeReplicasRoundTrip(t *testing.T) {
	req, resp := sampleReplicas()
	gotReq, gotResp := new(DescribeReplicasRequest), new(DescribeReplicasResponse)
	if err := gotReq.ReadFrom(req.AppendTo(nil)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(req, gotReq); diff != "" {
		t.Error(diff)
	}
	if err := gotResp.ReadFrom(resp.AppendTo(nil)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(resp, gotResp); diff != "" {
		t.Error(diff)
	}
	full := resp.AppendTo(nil)
	for cut := range full {
		if new(DescribeReplicasResponse).ReadFrom(full[:cut]) == nil {
			t.Errorf("read without its last %d bytes", len(full)-cut)
		}
	}
}

// FuzzDescribeReplicas: no panic, and what is read is written as it was, tags aside.
func FuzzDescribeReplicas(f *testing.F) {
	req, resp := sampleReplicas()
	f.Add(req.AppendTo(nil))
	f.Add(resp.AppendTo(nil))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0x0f})
	for _, p := range append(captured.Spoiled(req.AppendTo(nil)), captured.Spoiled(resp.AppendTo(nil))...) {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		q, p := new(DescribeReplicasRequest), new(DescribeReplicasResponse)
		if q.ReadFrom(b) == nil {
			once := q.AppendTo(nil)
			again := new(DescribeReplicasRequest)
			if err := again.ReadFrom(once); err != nil || !bytes.Equal(again.AppendTo(nil), once) {
				t.Errorf("request %x changes: %v", b, err)
			}
		}
		if p.ReadFrom(b) == nil {
			once := p.AppendTo(nil)
			again := new(DescribeReplicasResponse)
			if err := again.ReadFrom(once); err != nil || !bytes.Equal(again.AppendTo(nil), once) {
				t.Errorf("response %x changes: %v", b, err)
			}
		}
	})
}

// TestOwnTags: a tag count without bytes behind it ends at once; kmsg's own
// reader would turn four billion times.
func TestOwnTags(t *testing.T) {
	endless := []byte{0xff, 0xff, 0xff, 0xff, 0x0f}
	if new(DescribeReplicasRequest).ReadFrom(append([]byte{1}, endless...)) == nil {
		t.Error("DescribeReplicas is read")
	}
	if new(OpenRaftStreamRequest).ReadFrom(append([]byte{1, 1, 1}, endless...)) == nil {
		t.Error("OpenRaftStream is read")
	}
	if new(OpenRaftStreamResponse).ReadFrom(append([]byte{0, 0, 1}, endless...)) == nil {
		t.Error("its response is read")
	}
	if ReadResponse(append([]byte{0, 0, 0, 1}, endless...), 1, new(OpenRaftStreamResponse)) == nil {
		t.Error("a response header is read")
	}
}
