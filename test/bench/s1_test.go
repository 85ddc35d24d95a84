//go:build bench

package bench

import (
	"testing"
	"time"

	"github.com/brokerd/brokerd/test/raw"
)

// s1 is one partition, one connection: what a batch costs by its size, and what
// reading it costs.
func s1(b *bench) {
	for _, d := range both {
		isr := func(bar float64) float64 { // the bars are for isr; fsync is told beside it
			if d == "isr" {
				return bar
			}
			return 0
		}
		b.produce("100 B, 16.5 KB batches, 5 in flight, acks=1", d, produceLoad{records: 150, size: 100, acks: 1, depth: 5},
			metric{usRequest, "%.1f", false, isr(4)}, metric{recordRate, "%.2f", true, 0})
		b.produce("100 B, 16.5 KB batches, 5 in flight, acks=all", d, produceLoad{records: 150, size: 100, acks: -1, depth: 5},
			metric{usRequest, "%.1f", false, isr(4)}, metric{recordRate, "%.2f", true, 0})
		b.produce("100 B, 16.5 KB batches, acks=0", d, produceLoad{records: 150, size: 100, acks: 0, depth: 5},
			metric{usRequest, "%.1f", false, 0}, metric{recordRate, "%.2f", true, 0})
		b.produce("100 B, 165 KB batches, 5 in flight, acks=1", d, produceLoad{records: 1500, size: 100, acks: 1, depth: 5},
			metric{nsRecord, "%.0f", false, isr(3)}, metric{recordRate, "%.2f", true, isr(2.5)})
		b.produce("100 B, 1 MB batches, 5 in flight, acks=1", d, produceLoad{records: 9000, size: 100, acks: 1, depth: 5},
			metric{nsRecord, "%.0f", false, isr(2.5)}, metric{recordRate, "%.2f", true, isr(2.5)})
		b.produce("1 KB, 16.5 KB batches, 5 in flight, acks=1", d, produceLoad{records: 16, size: 1024, acks: 1, depth: 5},
			metric{cpuGB, "%.2f", false, isr(3)})
		b.produce("1 KB, 165 KB batches, 5 in flight, acks=1", d, produceLoad{records: 160, size: 1024, acks: 1, depth: 5},
			metric{cpuGB, "%.2f", false, isr(2.5)})
		b.produce("1 KB, 1 MB batches, 5 in flight, acks=1", d, produceLoad{records: 1000, size: 1024, acks: 1, depth: 5},
			metric{cpuGB, "%.2f", false, isr(2)})
	}
	b.fetch("isr", 150, 100)
	b.fetch("isr", 1500, 100)
	b.franz("isr")
	b.java("isr")
	b.nats("sync")
	b.nats()
}

// fetch reads a log of 256 MiB in pieces of 1 MiB.
func (b *bench) fetch(durability string, records, size int) {
	const bytes = 256 << 20
	batch := raw.Batch(records, size, time.Now().UnixMilli())
	topic, end := map[*system]string{}, map[*system]int64{}
	b.compare(cell{
		name: "fetch of 1 MiB, batches of " + kb(len(batch)), durability: durability,
		metrics: []metric{{cpuGB, "%.3f", false, 1.5}, {gbRate, "%.2f", true, 0}},
		run: func(t testing.TB, s *system) values {
			if topic[s] == "" {
				topic[s] = b.topic()
				s.create(t, topic[s], durability, 1, nil)
				end[s] = fill(t, s, topic[s], batch, records, bytes)
			}
			before, begin := cpu(t, s.pid), time.Now()
			n := read(t, s, topic[s], 0, end[s], 1<<20)
			took, used := time.Since(begin), cpu(t, s.pid)-before
			return values{cpuGB: used.Seconds() / (float64(n) / 1e9), gbRate: float64(n) / 1e9 / took.Seconds()}
		},
		floor: func(t testing.TB) values {
			s, stop := startFloor(t, durability)
			defer stop()
			l := produceLoad{records: records, size: size, acks: 1, depth: 5, bytes: bytes}
			was := *section
			*section = time.Minute // as many bytes as it takes
			l.drive(t, s, "floor")
			*section = was
			c := dial(t, s.addr)
			defer c.Close()
			before, begin := cpu(t, s.pid), time.Now()
			sent := 0
			err := c.Window(raw.Fetch("floor", 0, 0, 1<<20), 1, func([]byte) (bool, error) {
				sent += 1 << 20
				return sent < bytes, nil
			})
			if err != nil {
				t.Fatal(err)
			}
			took, used := time.Since(begin), cpu(t, s.pid)-before
			return values{cpuGB: used.Seconds() / (float64(sent) / 1e9), gbRate: float64(sent) / 1e9 / took.Seconds()}
		},
	})
	for s, name := range topic {
		s.remove(b.t, name)
	}
}

const gbRate = "GB/s"

func kb(n int) string {
	if n >= 1e6 {
		return "1 MB"
	}
	if n > 100e3 {
		return "165 KB"
	}
	return "16.5 KB"
}

// s2 spreads the load over partitions.
func s2(b *bench) {
	for _, d := range both {
		for _, c := range []struct {
			name              string
			conns, partitions int
			bar               float64
		}{{"16 connections to 16 partitions", 16, 16, 3}, {"64 connections to 1,000 partitions", 64, 1000, 3}} {
			bar, rate := c.bar, 2.5
			if d == "fsync" {
				bar, rate = 0, 0
			}
			b.spread(c.name+", 16.5 KB batches", d, c.conns, c.partitions, 150, bar, rate)
			b.spread(c.name+", one record", d, c.conns, c.partitions, 1, 0, 0)
		}
	}
}

// spread gives every connection partitions of its own, one after the other.
func (b *bench) spread(name, durability string, conns, partitions, records int, cpuBar, rateBar float64) {
	topic := map[*system]string{}
	l := produceLoad{records: records, size: 100, acks: 1, depth: 5, conns: conns, partitions: partitions, bytes: 256 << 20}
	b.compare(cell{
		name: name, durability: durability,
		metrics: []metric{{usRequest, "%.1f", false, cpuBar}, {requestRate, "%.0f", true, rateBar}},
		run: func(t testing.TB, s *system) values {
			if topic[s] == "" { // making and deleting a thousand files would measure the file system
				topic[s] = b.topic()
				s.create(t, topic[s], durability, partitions, nil)
				l.around(t, s, topic[s])
			}
			return l.around(t, s, topic[s])
		},
	})
	for s, name := range topic {
		s.remove(b.t, name)
	}
}

// s7 sends one record per request.
func s7(b *bench) {
	for _, d := range both {
		isr := func(bar float64) float64 {
			if d == "isr" {
				return bar
			}
			return 0
		}
		for _, c := range []struct {
			name         string
			conns, depth int
			bar          float64
		}{
			{"1 connection, 1 in flight", 1, 1, 3}, {"1 connection, 5 in flight", 1, 5, 6},
			{"16 connections, 1 in flight", 16, 1, 3}, {"256 connections, 1 in flight", 256, 1, 2.5},
		} {
			metrics := []metric{{usRequest, "%.1f", false, isr(c.bar)}, {requestRate, "%.0f", true, 0}}
			if c.depth == 1 {
				metrics = append(metrics, metric{ackP50, "%.0f", false, 0})
			}
			b.produce(c.name, d, produceLoad{records: 1, size: 100, acks: 1, depth: c.depth, conns: c.conns}, metrics...)
		}
	}
	b.nats("sync")
	b.nats()
}

// s9 is durability before every answer.
func s9(b *bench) {
	b.produce("1 connection, 1 in flight, one record", "fsync", produceLoad{records: 1, size: 100, acks: -1, depth: 1},
		metric{ackP50, "%.0f", false, 1.5}, metric{ackP99, "%.0f", false, 0}, metric{usRequest, "%.0f", false, 0})
	for _, n := range []int{32, 256} {
		bar := 0.0
		name := "256 connections, 1 in flight, one record"
		if n == 32 {
			bar, name = 8, "32 connections, 1 in flight, one record"
		}
		b.produce(name, "fsync", produceLoad{records: 1, size: 100, acks: -1, depth: 1, conns: n},
			metric{requestRate, "%.0f", true, bar}, metric{ackP50, "%.0f", false, 0}, metric{usRequest, "%.1f", false, 0})
	}
	b.spread("64 connections to 1,000 partitions, 16.5 KB batches", "fsync", 64, 1000, 150, 0, 5)
	b.nats("sync")
}
