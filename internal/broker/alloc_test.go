package broker

import (
	"encoding/binary"
	"flag"
	"io"
	"net"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/brokerd/brokerd/internal/record"
)

var allocRequests = flag.Int("alloc-requests", 3000, "requests to count allocations over; 100,000 for the record")

// wire client: a frame that is written again and again, and answers that are
// read into one buffer. It allocates nothing, so what is counted is the broker's.
type rawClient struct {
	t    testing.TB
	conn net.Conn
	buf  []byte
}

func dialRaw(t testing.TB, b *Broker) *rawClient {
	t.Helper()
	conn, err := net.Dial("tcp", b.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() }) // of a test
	return &rawClient{t, conn, make([]byte, 4<<20)}
}

// frame encodes a request; correlation and client id are of no interest.
func frame(req kmsg.Request) []byte {
	f := []byte{0, 0, 0, 0}
	f = binary.BigEndian.AppendUint16(f, uint16(req.Key()))
	f = binary.BigEndian.AppendUint16(f, uint16(req.GetVersion()))
	f = append(f, 0, 0, 0, 7, 0, 1, 'x')
	if req.IsFlexible() {
		f = append(f, 0)
	}
	f = req.AppendTo(f)
	binary.BigEndian.PutUint32(f, uint32(len(f)-4))
	return f
}

// roundTrip sends depth copies of f and reads as many answers; the last body is returned.
func (c *rawClient) roundTrip(f []byte, depth int) []byte {
	for range depth {
		if _, err := c.conn.Write(f); err != nil {
			c.t.Fatal(err)
		}
	}
	var n int
	for range depth {
		if _, err := io.ReadFull(c.conn, c.buf[:4]); err != nil {
			c.t.Fatal(err)
		}
		n = int(binary.BigEndian.Uint32(c.buf))
		if _, err := io.ReadFull(c.conn, c.buf[:n]); err != nil {
			c.t.Fatal(err)
		}
	}
	return c.buf[:n]
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

func produceFrame(t testing.TB, topic string, version int16, acks int16, records int) []byte {
	t.Helper()
	var rs []record.Record
	for range records {
		rs = append(rs, record.Record{Timestamp: time.Now().UnixMilli(), Value: make([]byte, 90)})
	}
	batch, err := record.Build(record.Spec{}, rs...)
	if err != nil {
		t.Fatal(err)
	}
	req := kmsg.NewPtrProduceRequest()
	req.Version, req.Acks, req.TimeoutMillis = version, acks, 30_000
	p := kmsg.NewProduceRequestTopicPartition()
	p.Records = batch
	req.Topics = []kmsg.ProduceRequestTopic{{Topic: topic, Partitions: []kmsg.ProduceRequestTopicPartition{p}}}
	return frame(req)
}

func fetchFrame(topic string, version int16, maxBytes int32) []byte {
	req := kmsg.NewPtrFetchRequest()
	req.Version, req.ReplicaID, req.MaxWaitMillis, req.MinBytes, req.MaxBytes = version, -1, 100, 1, maxBytes
	req.SessionEpoch = -1
	p := kmsg.NewFetchRequestTopicPartition()
	p.PartitionMaxBytes = maxBytes
	req.Topics = []kmsg.FetchRequestTopic{{Topic: topic, Partitions: []kmsg.FetchRequestTopicPartition{p}}}
	return frame(req)
}

// TestAllocations counts what the whole process allocates per request: at most
// 8 small ones, whatever the number of records.
func TestAllocations(t *testing.T) {
	if os.Getenv("GORACE") != "" || raceEnabled {
		t.Skip("the race detector allocates")
	}
	for _, durability := range []string{"fsync", "isr"} {
		b := start(t, t.TempDir(), map[string]string{"durability": durability})
		c := client(t, b)
		if _, err := kadm.NewClient(c).CreateTopic(t.Context(), 1, 1, nil, "t"); err != nil {
			t.Fatal(err)
		}
		raw := dialRaw(t, b)
		n := *allocRequests
		if durability == "fsync" {
			n /= 3 // the disk decides how long this takes
		}
		for _, c := range []struct {
			name string
			f    []byte
		}{
			{"produce acks=1, 1 record", produceFrame(t, "t", 9, 1, 1)},
			{"produce acks=all, 150 records", produceFrame(t, "t", 9, -1, 150)},
			{"fetch of 64 KiB", fetchFrame("t", 12, 64<<10)},
		} {
			got := perRequest(t, n, func() { raw.roundTrip(c.f, 1) })
			t.Logf("%s, %s: %.1f allocations", durability, c.name, got)
			if got > 8 {
				t.Errorf("%s, %s: %.1f allocations per request, 8 are allowed", durability, c.name, got)
			}
		}
		c.Close()
		stop(t, b)
	}
}
