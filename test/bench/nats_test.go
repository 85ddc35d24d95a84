//go:build bench

package bench

import (
	"encoding/json"
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// nats measures NATS JetStream in the same run and notes its figures: it keeps
// one record at a time, so they stand beside the table and not in it.
func (b *bench) nats(mode ...string) {
	if *alone || *against != "" || *onlyCell != "" {
		return
	}
	binary := filepath.Join(b.t.TempDir(), "nats")
	build := exec.Command("go", "build", "-o", binary, ".")
	build.Dir = filepath.Join(root(b.t), "test", "bench", "nats")
	if out, err := build.CombinedOutput(); err != nil {
		b.note("NATS JetStream: UNAVAILABLE, it does not build here: %v %s", err, out)
		return
	}
	out, err := exec.Command(binary, append([]string{"measure"}, mode...)...).Output()
	if err != nil {
		b.t.Fatalf("nats: %v", err)
	}
	figures := map[string]float64{}
	if err := json.Unmarshal(out, &figures); err != nil {
		b.t.Fatalf("nats: %v: %q", err, out)
	}
	var list []string
	for _, k := range slices.Sorted(maps.Keys(figures)) {
		list = append(list, fmt.Sprintf("%s %.4g", k, figures[k]))
	}
	durability := "isr"
	if slices.Contains(mode, "sync") {
		durability = "fsync"
	}
	replicas := "one replica"
	if slices.Contains(mode, "three") {
		replicas = "three servers and replicas (an acknowledgement means two of them), CPU of all three"
	}
	b.note("NATS JetStream 2.15.2, %s, file storage, 100 B, `%s`: %s.", replicas, durability, strings.Join(list, "; "))
}
