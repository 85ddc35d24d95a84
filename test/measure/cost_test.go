//go:build measure

package measure

import (
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/brokerd/brokerd/test/harness"
	"github.com/brokerd/brokerd/test/raw"
)

// TestCost reports the server's CPU per record: produce by pipelined requests of
// one connection, fetch in pieces of 1 MiB. The driver takes next to nothing.
func TestCost(t *testing.T) {
	for _, durability := range []string{"isr", "fsync"} {
		for _, b := range []struct{ records, requests int }{{1, 20_000}, {150, 20_000}, {1500, 4_000}, {9000, 600}} {
			t.Run(fmt.Sprintf("%s-%dx100B", durability, b.records), func(t *testing.T) {
				n := harness.Start(t, harness.Options{Properties: map[string]string{"durability": durability}}).Nodes[0]
				c := dial(t, n)
				create(t, c)
				requests := b.requests
				if durability == "fsync" {
					requests /= 4
				}
				batch := raw.Batch(b.records, 100, time.Now().UnixMilli())
				before, begin := cpu(t, n.Pid()), time.Now()
				pipeline(t, c, raw.Produce(topic, 0, 1, batch), requests, 5)
				used, took := cpu(t, n.Pid())-before, time.Since(begin)
				all := time.Duration(requests * b.records)
				t.Logf("produce: %v CPU per record, %v per request, %.0f records/s", used/all, used/time.Duration(requests), float64(all)/took.Seconds())

				before, begin = cpu(t, n.Pid()), time.Now()
				got := consume(t, c, int64(all), b.records)
				used, took = cpu(t, n.Pid())-before, time.Since(begin)
				t.Logf("fetch: %v CPU per record, %.2f GB/s", used/all, float64(got)/1e9/took.Seconds())
			})
		}
	}
}

// pipeline keeps depth requests under way until n have been answered.
func pipeline(t *testing.T, c *raw.Conn, frame []byte, n, depth int) {
	t.Helper()
	for sent, got := 0, 0; got < n; got++ {
		for ; sent < n && sent < got+depth; sent++ {
			if err := c.Send(frame); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := c.Receive(); err != nil {
			t.Fatal(err)
		}
	}
}

// fetch reads the batches from an offset on.
func fetch(t *testing.T, c *raw.Conn, at int64, most int32) []byte {
	t.Helper()
	if err := c.Send(raw.Fetch(topic, 0, at, most)); err != nil {
		t.Fatal(err)
	}
	body, err := c.Receive()
	if err != nil {
		t.Fatal(err)
	}
	resp := kmsg.NewPtrFetchResponse()
	resp.Version = 11
	if err := resp.ReadFrom(body[4:]); err != nil {
		t.Fatal(err)
	}
	return resp.Topics[0].Partitions[0].RecordBatches
}

// consume reads all records, and gives the bytes of their batches.
func consume(t *testing.T, c *raw.Conn, all int64, perBatch int) (bytes int) {
	t.Helper()
	size := len(raw.Batch(perBatch, 100, 0))
	for at := int64(0); at < all; {
		got := fetch(t, c, at, 1<<20)
		if len(got) == 0 {
			t.Fatalf("nothing at offset %d of %d", at, all)
		}
		bytes += len(got)
		at += int64(len(got)/size) * int64(perBatch)
	}
	return bytes
}
