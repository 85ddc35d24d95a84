//go:build bench

package bench

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/brokerd/brokerd/internal/record"
)

// jsonBatch is a batch of events as services log them, compressed.
func jsonBatch(t testing.TB, codec record.Codec, records int) (batch record.Batch, plain int) {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	var rs []record.Record
	for i := range records {
		value := fmt.Appendf(nil, `{"id":%d,"user":"user-%05d","action":"%s","path":"/api/v1/items/%d","status":%d,"latency_ms":%.3f,"region":"eu-west-%d"}`,
			1_000_000+i, rng.IntN(50_000), []string{"view", "click", "purchase", "search"}[rng.IntN(4)], rng.IntN(10_000),
			[]int{200, 200, 200, 404, 500}[rng.IntN(5)], rng.Float64()*100, rng.IntN(3))
		plain += len(value)
		rs = append(rs, record.Record{Timestamp: time.Now().UnixMilli(), Value: value})
	}
	batch, err := record.Build(record.Spec{Codec: codec}, rs...)
	if err != nil {
		t.Fatal(err)
	}
	return batch, plain
}

const cpuPlainGB = "CPU-s/GB uncompressed"

// s8 is compressed batches, kept as they are and changed into zstd.
func s8(b *bench) {
	const records = 700 // about 90 KB of JSON
	for _, d := range both {
		for _, c := range []record.Codec{record.Zstd, record.LZ4, record.Snappy, record.Gzip} {
			bar := 0.0
			if d == "isr" {
				bar = 5
			}
			b.codec(fmt.Sprintf("%v, kept", c), d, c, records, bar, nil)
		}
		b.codec("lz4 recompressed to zstd", d, record.LZ4, records, 0, map[string]string{"compression.type": "zstd"})
	}
}

func (b *bench) codec(name, durability string, codec record.Codec, records int, bar float64, topic map[string]string) {
	batch, plain := jsonBatch(b.t, codec, records)
	l := produceLoad{records: records, acks: 1, depth: 5, batch: batch, topic: topic, durability: durability}
	perGB := func(v values) values {
		v[cpuPlainGB] = v[usRequest] / 1e6 / (float64(plain) / 1e9)
		return v
	}
	b.compare(cell{
		name: name, durability: durability, metrics: []metric{{cpuPlainGB, "%.3f", false, bar}, {requestRate, "%.0f", true, 0}},
		run: func(t testing.TB, s *system) values {
			name := b.topic()
			s.create(t, name, durability, 1, topic)
			defer s.remove(t, name)
			return perGB(l.drive(t, s, name))
		},
		floor: func(t testing.TB) values {
			s, stop := startFloor(t, durability)
			defer stop()
			return perGB(l.drive(t, s, "floor"))
		},
	})
}
