package client

import (
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kbin"
)

func TestReplicasRequestBytes(t *testing.T) {
	var r replicasRequest
	r.add("t", 0)
	r.add("t", 2)
	want := []byte{2, 2, 't', 3, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0}
	if got := r.AppendTo(nil); !slices.Equal(got, want) {
		t.Errorf("% x, want % x", got, want)
	}
}

func replicasBytes() []byte {
	b := kbin.AppendInt32(nil, 0)
	b = kbin.AppendInt16(b, 0)
	b = append(b, 0, 2)                     // no message, one topic
	b = kbin.AppendCompactString(b, "t")    //
	b = append(b, make([]byte, 16+2)...)    // id, no error
	b = append(b, 2)                        // one partition
	b = kbin.AppendInt32(b, 3)              // index
	b = kbin.AppendInt16(b, 0)              //
	b = kbin.AppendInt32(b, 1)              // leader
	b = kbin.AppendInt32(b, 5)              // epoch
	for _, n := range []int64{10, 20, 30} { // start, stable, watermark
		b = kbin.AppendInt64(b, n)
	}
	b = append(b, 2) // one replica
	b = kbin.AppendInt32(b, 1)
	b = append(b, 1) // in sync
	for _, n := range []int64{40, 30, 0, -1} {
		b = kbin.AppendInt64(b, n)
	}
	return append(b, 0, 0, 0, 0)
}

func TestReplicasResponse(t *testing.T) {
	var r replicasResponse
	if err := r.ReadFrom(replicasBytes()); err != nil {
		t.Fatal(err)
	}
	if len(r.partitions) != 1 || r.err != nil {
		t.Fatalf("%+v", r)
	}
	p := r.partitions[0]
	if p.Topic != "t" || p.Partition != 3 || p.HighWatermark != 30 || len(p.Replicas) != 1 {
		t.Fatalf("%+v", p)
	}
	if got := p.Replicas[0]; got != (Replica{Broker: 1, State: InSync, LogEnd: 40, DurableEnd: 30, LagMs: -1}) {
		t.Fatalf("%+v", got)
	}
}

func FuzzReplicasResponse(f *testing.F) {
	f.Add(replicasBytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		var r replicasResponse
		_ = r.ReadFrom(b) // an error or a value, never a panic, never for long
	})
}
