package broker

import (
	"flag"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/brokerd/brokerd/test/raw"
)

var allocRequests = flag.Int("alloc-requests", 3000, "requests to count allocations over; 100,000 for the record")

// roundTrip sends f and waits for its answer. The client allocates nothing, so
// what is counted is the broker's.
func roundTrip(t testing.TB, c *raw.Conn, f []byte) []byte {
	t.Helper()
	if err := c.Send(f); err != nil {
		t.Fatal(err)
	}
	answer, err := c.Receive()
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

func perRequest(t testing.TB, n int, one func()) float64 {
	t.Helper()
	for range 300 {
		one()
	}
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range n {
		one()
	}
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs-before.Mallocs) / float64(n)
}

// produceFrame is a request with one batch for each of the first partitions of topic.
func produceFrame(topic string, version int16, acks int16, partitions int32, records int) []byte {
	req := kmsg.NewPtrProduceRequest()
	req.Acks, req.TimeoutMillis = acks, 30_000
	t := kmsg.ProduceRequestTopic{Topic: topic}
	for i := range partitions {
		p := kmsg.NewProduceRequestTopicPartition()
		p.Partition, p.Records = i, raw.Batch(records, 90, time.Now().UnixMilli())
		t.Partitions = append(t.Partitions, p)
	}
	req.Topics = []kmsg.ProduceRequestTopic{t}
	return raw.Frame(version, 7, req)
}

// fetchFrame asks for the first partitions of topic, maxBytes of each.
func fetchFrame(topic string, version int16, partitions, maxBytes int32) []byte {
	req := kmsg.NewPtrFetchRequest()
	req.ReplicaID, req.MaxWaitMillis, req.MinBytes, req.MaxBytes = -1, 100, 1, partitions*maxBytes
	req.SessionEpoch = -1
	t := kmsg.FetchRequestTopic{Topic: topic}
	for i := range partitions {
		p := kmsg.NewFetchRequestTopicPartition()
		p.Partition, p.PartitionMaxBytes = i, maxBytes
		t.Partitions = append(t.Partitions, p)
	}
	req.Topics = []kmsg.FetchRequestTopic{t}
	return raw.Frame(version, 7, req)
}

// TestAllocationsOfSealed: who catches up reads sealed segments, whose index is
// not in memory any more.
func TestAllocationsOfSealed(t *testing.T) {
	if os.Getenv("GORACE") != "" || raceEnabled {
		t.Skip("the race detector allocates")
	}
	dir, overrides := t.TempDir(), map[string]string{"durability": "isr"}
	b := start(t, dir, overrides)
	c := client(t, b)
	megabyte := "1048576"
	if _, err := kadm.NewClient(c).CreateTopic(t.Context(), 1, 1, map[string]*string{"segment.bytes": &megabyte}, "t"); err != nil {
		t.Fatal(err)
	}
	conn, err := raw.Dial(b.Addr())
	if err != nil {
		t.Fatal(err)
	}
	f := produceFrame("t", 9, 1, 1, 150)
	for range 300 { // 4 MB
		roundTrip(t, conn, f)
	}
	conn.Close()
	c.Close()
	stop(t, b)

	b = start(t, dir, overrides)
	if conn, err = raw.Dial(b.Addr()); err != nil {
		t.Fatal(err)
	}
	f = fetchFrame("t", 12, 1, 64<<10)
	for len(roundTrip(t, conn, f)) < 32<<10 { // until it leads the partition
	}
	got := perRequest(t, *allocRequests, func() { roundTrip(t, conn, f) })
	t.Logf("fetch of 64 KiB from a sealed segment: %.1f allocations", got)
	if got > 8 {
		t.Errorf("fetch of 64 KiB from a sealed segment: %.1f allocations per request, 8 are allowed", got)
	}
	conn.Close()
	stop(t, b)
}

// TestAllocations counts what the whole process allocates per request: at most
// 8 small ones, whatever the number of records and of partitions.
func TestAllocations(t *testing.T) {
	if os.Getenv("GORACE") != "" || raceEnabled {
		t.Skip("the race detector allocates")
	}
	for _, durability := range []string{"fsync", "isr"} {
		b := start(t, t.TempDir(), map[string]string{"durability": durability})
		c := client(t, b)
		if _, err := kadm.NewClient(c).CreateTopic(t.Context(), 20, 1, nil, "t"); err != nil {
			t.Fatal(err)
		}
		conn, err := raw.Dial(b.Addr())
		if err != nil {
			t.Fatal(err)
		}
		n := *allocRequests
		if durability == "fsync" {
			n /= 3 // the disk decides how long this takes
		}
		for _, c := range []struct {
			name string
			f    []byte
		}{
			{"produce acks=1, 1 record", produceFrame("t", 9, 1, 1, 1)},
			{"produce acks=all, 150 records", produceFrame("t", 9, -1, 1, 150)},
			{"fetch of 64 KiB", fetchFrame("t", 12, 1, 64<<10)},
			{"produce of 20 partitions", produceFrame("t", 9, 1, 20, 10)},
			{"fetch of 20 partitions", fetchFrame("t", 12, 20, 4<<10)},
		} {
			got := perRequest(t, n, func() { roundTrip(t, conn, c.f) })
			t.Logf("%s, %s: %.1f allocations", durability, c.name, got)
			if got > 8 {
				t.Errorf("%s, %s: %.1f allocations per request, 8 are allowed", durability, c.name, got)
			}
		}
		conn.Close()
		c.Close()
		stop(t, b)
	}
}
