//go:build bench

package bench

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// metadata is what `brokerd bench metadata -o json` prints.
type metadata struct {
	Topics, Partitions, Created                               int
	GrowMs, CreateMs, FenceMs, RestartMs, MetadataMs, StartMs float64
	EmptyMB, ResidentMB, RestartedMB                          float64
}

// growth is how long Kafka may create topics.
const growth = 4 * time.Minute

// s10 measures a controller with brokers in name only, each system by itself: as
// many partitions as a cluster of brokerd may have, and what Kafka has after a
// while. Figures are per partition, without what an empty controller takes.
func s10(b *bench) {
	t := b.t
	ours := benchMetadata(t)
	b.t.Logf("brokerd: %+v", ours)
	home, port := t.TempDir(), portsInARow(t, 1)
	script := filepath.Join(root(t), "scripts", "kafka")
	if out, err := exec.Command(script, "controller", home, fmt.Sprint(port)).CombinedOutput(); err != nil {
		t.Fatalf("make a controller: %v\n%s", err, out)
	}
	theirs := benchMetadata(t, "--within", growth.String(), "--controller", fmt.Sprintf("127.0.0.1:%d", port),
		"--command", fmt.Sprintf("HEAP=4G exec %s node %s", script, home))
	b.t.Logf("Kafka: %+v", theirs)
	for _, f := range []struct {
		what string
		m    metric
		of   func(metadata) float64
	}{
		{"create topics of 10 partitions", metric{"µs/partition", "%.2f", false, 0}, func(m metadata) float64 { return m.GrowMs * 1e3 / float64(m.Partitions-m.Created) }},
		{"create 10,000 topics of one partition, in requests of 2,000", metric{"ms", "%.0f", false, 10}, func(m metadata) float64 { return m.CreateMs }},
		{"fence one of three brokers, a third of all leads move", metric{"µs/partition", "%.3f", false, 30}, func(m metadata) float64 { return m.FenceMs * 1e3 / float64(m.Partitions) }},
		{"stop, start, until it serves", metric{"µs/partition", "%.3f", false, 30}, func(m metadata) float64 { return max(m.RestartMs-m.StartMs, 1) * 1e3 / float64(m.Partitions) }},
		{"memory, all created", metric{"B/partition", "%.0f", false, 10}, func(m metadata) float64 { return (m.ResidentMB - m.EmptyMB) * (1 << 20) / float64(m.Partitions) }},
		{"memory, started again", metric{"B/partition", "%.0f", false, 10}, func(m metadata) float64 { return (m.RestartedMB - m.EmptyMB) * (1 << 20) / float64(m.Partitions) }},
	} {
		b.single(f.what, "fsync", f.m, []float64{f.of(ours)}, []float64{f.of(theirs)})
	}
	for i, m := range []metadata{ours, theirs} {
		name, all := []string{brokerdName, kafkaName}[i], ""
		if m.MetadataMs > 0 {
			all = fmt.Sprintf("; all metadata in one answer in %.0f ms", m.MetadataMs)
		}
		b.note("%s: %d partitions of %d topics, three replicas each; created in %.0f s; a broker fenced in %.0f ms; started again in %.0f ms (empty: %.0f ms); %.0f MB, started again %.0f MB (empty: %.0f MB)%s.",
			name, m.Partitions, m.Topics, m.GrowMs/1e3, m.FenceMs, m.RestartMs, m.StartMs, m.ResidentMB, m.RestartedMB, m.EmptyMB, all)
	}
}

func benchMetadata(t testing.TB, args ...string) (m metadata) {
	t.Helper()
	cmd := exec.Command(filepath.Join(root(t), "bin", "brokerd"), append([]string{"bench", "metadata", "-o", "json"}, args...)...)
	out, err := cmd.Output()
	if err != nil {
		said := ""
		if e, ok := err.(*exec.ExitError); ok {
			said = string(e.Stderr)
		}
		t.Fatalf("%v: %v\n%s", cmd.Args, err, said)
	}
	if err := json.Unmarshal(out, &m); err != nil {
		t.Fatalf("%v: %v: %q", cmd.Args, err, out)
	}
	return m
}
