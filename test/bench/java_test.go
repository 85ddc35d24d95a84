//go:build bench

package bench

import (
	"bytes"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/brokerd/brokerd/test/raw"
)

// javaRounds bounds the rounds of cells whose driver is a JVM that starts each time.
const javaRounds = 3

// java runs one of Kafka's own classes for measuring and gives what it printed.
func java(t testing.TB, class string, args ...string) string {
	t.Helper()
	cmd := exec.Command(filepath.Join(root(t), "scripts", "kafka"), append([]string{"perf", "org.apache.kafka.tools." + class}, args...)...)
	var said, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &complaints
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s%s", class, err, said.Bytes(), complaints.Bytes())
	}
	return said.String()
}

// figure reads the number that a pattern finds last.
func figure(t testing.TB, said, pattern string) float64 {
	t.Helper()
	found := regexp.MustCompile(pattern).FindAllStringSubmatch(said, -1)
	if len(found) == 0 {
		t.Fatalf("no %q in what the tool printed:\n%s", pattern, said)
	}
	v, err := strconv.ParseFloat(found[len(found)-1][1], 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// java produces and consumes by Kafka's ProducerPerformance and ConsumerPerformance:
// the reference client's batches and requests, its group included. The rate is the
// client's; the CPU is the server's.
func (b *bench) java(durability string) {
	const records = 1_000_000
	topic := map[*system]string{}
	b.compare(cell{
		name: "ProducerPerformance, 100 B, acks=1", durability: durability, most: javaRounds,
		metrics: []metric{{nsRecord, "%.0f", false, 0}, {recordRate, "%.2f", true, 0}},
		run: func(t testing.TB, s *system) values {
			if topic[s] == "" {
				topic[s] = b.topic()
				s.create(t, topic[s], durability, 1, nil)
			}
			touch(t, sectionBytes)
			before := cpu(t, s.pid)
			said := java(t, "ProducerPerformance", "--bootstrap-server", s.addr, "--topic", topic[s], "--num-records", strconv.Itoa(records),
				"--record-size", "100", "--throughput", "-1", "--command-property", "acks=1", "linger.ms=5", "batch.size=1000000",
				"buffer.memory=134217728", "enable.idempotence=false")
			used := cpu(t, s.pid) - before
			if sent := figure(t, said, `(\d+) records sent, .* 99\.9th`); sent != records {
				t.Fatalf("%s: %v of %d records are acknowledged", s.name, sent, records)
			}
			return values{nsRecord: float64(used.Nanoseconds()) / records, recordRate: figure(t, said, `([\d.]+) records/sec`) / 1e6}
		},
	})
	b.compare(cell{
		name: "ConsumerPerformance, 100 B", durability: durability, most: javaRounds,
		metrics: []metric{{nsRecord, "%.0f", false, 0}, {recordRate, "%.2f", true, 0}},
		run: func(t testing.TB, s *system) values {
			before := cpu(t, s.pid)
			said := java(t, "ConsumerPerformance", "--bootstrap-server", s.addr, "--topic", topic[s], "--num-records", strconv.Itoa(records),
				"--group", b.topic(), "--timeout", "60000")
			used := cpu(t, s.pid) - before
			lines := strings.Split(strings.TrimSpace(said), "\n")
			row := strings.Split(lines[len(lines)-1], ", ")
			if len(row) < 10 {
				t.Fatalf("%s: ConsumerPerformance printed\n%s", s.name, said)
			}
			read, err := strconv.ParseFloat(row[4], 64)
			if err != nil || read < records {
				t.Fatalf("%s: %s of %d records are read (%v)", s.name, row[4], records, err)
			}
			rate, err := strconv.ParseFloat(row[9], 64) // the wait for the group not counted
			if err != nil {
				t.Fatal(err)
			}
			return values{nsRecord: float64(used.Nanoseconds()) / read, recordRate: rate / 1e6}
		},
	})
	for s, name := range topic {
		s.remove(b.t, name)
	}
}

// javaLatency is Kafka's EndToEndLatency: one record at a time, produced and waited
// for by a consumer.
func (b *bench) javaLatency(durability string) {
	const records = 2000
	topic := map[*system]string{}
	b.compare(cell{
		name: "EndToEndLatency, 1 KB, one at a time", durability: durability, most: javaRounds,
		metrics: []metric{{"end to end mean µs", "%.0f", false, 0}},
		run: func(t testing.TB, s *system) values {
			if topic[s] == "" {
				topic[s] = b.topic()
				s.create(t, topic[s], durability, 1, nil)
				fill(t, s, topic[s], raw.Batch(1, 1024, time.Now().UnixMilli()), 1, 1024)
			}
			said := java(t, "EndToEndLatency", "--bootstrap-server", s.addr, "--topic", topic[s], "--num-records", fmt.Sprint(records),
				"--producer-acks", "1", "--record-size", "1024")
			return values{"end to end mean µs": 1000 * figure(t, said, `Avg latency: ([\d.]+) ms`)}
		},
	})
	for s, name := range topic {
		s.remove(b.t, name)
	}
}
