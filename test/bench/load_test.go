//go:build bench

package bench

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/brokerd/brokerd/test/raw"
)

// load is what a section sends: conns connections, each with depth requests of
// one batch under way, connection i to partition i of partitions, and so on around.
type produceLoad struct {
	records, size int
	acks          int16
	depth         int
	conns         int
	partitions    int
	bytes         int    // most that a section may send
	batch         []byte // nil: made of records and size
	topic         map[string]string
	durability    string
}

// sectionBytes is what a section sends at most, so that disk and memory hold it.
const sectionBytes = 256 << 20

func (l produceLoad) withDefaults() produceLoad {
	l.conns, l.partitions, l.depth = max(l.conns, 1), max(l.partitions, 1), max(l.depth, 1)
	if l.bytes == 0 {
		l.bytes = sectionBytes
	}
	if l.batch == nil {
		l.batch = raw.Batch(l.records, l.size, time.Now().UnixMilli())
	}
	return l
}

// drive sends the load to a topic for a section and gives the figures that every
// produce cell may want.
func (l produceLoad) drive(t testing.TB, s *system, topic string) values {
	t.Helper()
	l = l.withDefaults()
	touch(t, l.bytes*max(len(s.nodes), 1))
	conns := make([]*raw.Conn, l.conns)
	for i := range conns {
		conns[i] = dial(t, s.addr)
		defer conns[i].Close()
	}
	perConn := max(l.bytes/l.conns/len(l.batch), l.depth)
	var wg sync.WaitGroup
	counts, errs, waits := make([]int, l.conns), make([]error, l.conns), make([][]time.Duration, l.conns)
	everywhere := cpuOf(t, s.nodes)
	before, begin := cpu(t, s.pid), time.Now()
	stop := begin.Add(*section)
	for i, c := range conns {
		wg.Go(func() {
			var each []time.Duration
			counts[i], each, errs[i] = l.one(c, s, topic, i, perConn, stop)
			waits[i] = each
		})
	}
	wg.Wait()
	took, used := time.Since(begin), cpu(t, s.pid)-before
	everywhere = cpuOf(t, s.nodes) - everywhere
	requests := 0
	for i := range conns {
		if errs[i] != nil {
			t.Fatalf("%s: %v", s.name, errs[i])
		}
		requests += counts[i]
	}
	gb := float64(requests*len(l.batch)) / 1e9
	all := slices.Sorted(slices.Values(slices.Concat(waits...)))
	v := values{
		usRequest:   us(used) / float64(requests),
		nsRecord:    float64(used.Nanoseconds()) / float64(requests*l.records),
		cpuGB:       used.Seconds() / gb,
		requestRate: float64(requests) / took.Seconds(),
		recordRate:  float64(requests*l.records) / took.Seconds() / 1e6,
		cores:       used.Seconds() / took.Seconds(),

		leaderUs: us(used) / float64(requests),
		leaderGB: used.Seconds() / gb,
		allUs:    us(everywhere) / float64(requests),
		allGB:    everywhere.Seconds() / gb,
		mbRate:   gb * 1e3 / took.Seconds(),
	}
	if len(all) > 0 {
		v[ackP50], v[ackP99] = us(all[len(all)/2]), us(all[len(all)*99/100])
	}
	return v
}

// Names of metrics.
const (
	usRequest   = "CPU µs/request"
	nsRecord    = "CPU ns/record"
	cpuGB       = "CPU-s/GB"
	requestRate = "requests/s"
	recordRate  = "M records/s"
	cores       = "cores"
	ackP50      = "ack p50 µs"
	ackP99      = "ack p99 µs"
	leaderUs    = "leader's CPU µs/request"
	leaderGB    = "leader's CPU-s/GB"
	allUs       = "all three: CPU µs/request"
	allGB       = "all three: CPU-s/GB"
	mbRate      = "MB/s"
)

func us(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }

// one drives one connection. Waits are taken where one request is under way at a
// time: only then is an answer known to belong to the moment before.
func (l produceLoad) one(c *raw.Conn, s *system, topic string, i, most int, stop time.Time) (n int, waits []time.Duration, err error) {
	frame := raw.Produce(topic, int32(i%l.partitions), l.acks, l.batch)
	if l.acks == 0 {
		return l.unanswered(c, topic, i, most, stop)
	}
	last := time.Now()
	err = c.Window(frame, l.depth, func(answer []byte) (bool, error) {
		n++
		now := time.Now()
		if l.depth == 1 {
			waits = append(waits, now.Sub(last))
			last = now
		}
		if s.name != floorName {
			if _, err := raw.Produced(answer, topic); err != nil {
				return false, err
			}
		}
		return n < most && now.Before(stop), nil
	})
	return n, waits, err
}

// unanswered sends with acks=0. The last request asks for an answer: the broker
// has taken up all the others when it comes.
func (l produceLoad) unanswered(c *raw.Conn, topic string, i, most int, stop time.Time) (n int, _ []time.Duration, err error) {
	frame := raw.Produce(topic, int32(i%l.partitions), 0, l.batch)
	for ; n < most-1 && time.Now().Before(stop); n++ {
		if err := c.Send(frame); err != nil {
			return n, nil, err
		}
	}
	if err := c.Send(raw.Produce(topic, int32(i%l.partitions), 1, l.batch)); err != nil {
		return n, nil, err
	}
	answer, err := c.Receive()
	if err != nil {
		return n, nil, err
	}
	_, err = raw.Produced(answer, topic)
	return n + 1, nil, err
}

// cell makes a comparison of this load.
func (b *bench) produce(name, durability string, l produceLoad, metrics ...metric) {
	b.compare(cell{
		name: name, durability: durability, metrics: metrics,
		run: func(t testing.TB, s *system) values {
			topic := b.topic()
			leader := s.create(t, topic, durability, max(l.partitions, 1), l.topic)
			defer s.remove(t, topic)
			return l.drive(t, leader, topic)
		},
		floor: func(t testing.TB) values {
			if l.acks == 0 || len(b.brokerd.nodes) > 0 {
				return nil // what answers nothing, or needs others, has no floor
			}
			s, stop := startFloor(t, durability)
			defer stop()
			return l.drive(t, s, "floor")
		},
	})
}

// fill writes n bytes of batches to a topic and gives the end offset.
func fill(t testing.TB, s *system, topic string, batch []byte, records, n int) int64 {
	t.Helper()
	c := dial(t, s.addr)
	defer c.Close()
	sent, answered, end := 0, 0, int64(0)
	all := max(n/len(batch), 1)
	err := c.Window(raw.Produce(topic, 0, 1, batch), min(5, all), func(answer []byte) (bool, error) {
		answered++
		base, err := raw.Produced(answer, topic)
		end = max(end, base+int64(records))
		sent = answered + 5
		return sent <= all, err
	})
	if err != nil {
		t.Fatalf("%s: fill: %v", s.name, err)
	}
	return end
}

// read consumes [from, end) of partition 0 and checks every batch (B3).
func read(t testing.TB, s *system, topic string, from, end int64, maxBytes int32) (bytes int64) {
	t.Helper()
	c := dial(t, s.addr)
	defer c.Close()
	n, err := readOn(c, topic, from, end, maxBytes)
	if err != nil {
		t.Fatalf("%s: %v", s.name, err)
	}
	return n
}

func readOn(c *raw.Conn, topic string, from, end int64, maxBytes int32) (bytes int64, err error) {
	for from < end {
		if err := c.Send(raw.Fetch(topic, 0, from, maxBytes)); err != nil {
			return bytes, err
		}
		answer, err := c.Receive()
		if err != nil {
			return bytes, err
		}
		p, err := raw.Fetched(answer, topic)
		if err != nil {
			return bytes, err
		}
		next, whole, err := raw.Check(p, from)
		if err != nil {
			return bytes, err
		}
		if whole == 0 {
			return bytes, fmt.Errorf("nothing at offset %d of %d", from, end)
		}
		from = next
		bytes += int64(whole)
	}
	return bytes, nil
}

// warmUp loads Kafka until its JVM has compiled what matters (B6).
func (b *bench) warmUp() {
	if *alone {
		return
	}
	was := *section
	defer func() { *section = was }()
	*section = 2 * time.Second
	topic := b.topic()
	b.kafka.create(b.t, topic, "isr", 16, nil)
	batch := raw.Batch(150, 100, time.Now().UnixMilli())
	for begin := time.Now(); time.Since(begin) < *warm; {
		produceLoad{records: 150, size: 100, acks: 1, depth: 5, conns: 2, partitions: 16}.drive(b.t, b.kafka, topic)
		produceLoad{records: 1, size: 100, acks: 1, depth: 5, conns: 4, partitions: 16}.drive(b.t, b.kafka, topic)
		end := fill(b.t, b.kafka, topic, batch, 150, 4<<20)
		read(b.t, b.kafka, topic, end-30_000, end, 1<<20)
	}
	b.kafka.remove(b.t, topic)
}
