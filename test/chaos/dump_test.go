//go:build chaos

package chaos

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// dumped is a line of Kafka's DumpLogSegments with a record.
var dumped = regexp.MustCompile(`(?m)^\| offset: (\d+) .*payload: (.*)$`)

// dumpSample lets Kafka's own tool read one segment of each node, and compares
// what it finds with what our reader finds.
func (c *three) dumpSample(random func(n int) int) {
	c.Helper()
	script, err := filepath.Abs("../../scripts/kafka")
	if err != nil {
		c.Fatal(err)
	}
	if _, err := os.Stat("../../.cache/kafka/tools/.done"); err != nil {
		c.Log("UNAVAILABLE: Kafka's DumpLogSegments: run scripts/kafka install")
		return
	}
	for _, n := range c.Nodes {
		dir := filepath.Join(c.disks[n.ID-1].at, "data", fmt.Sprintf("%s-%d", audited, random(spread)))
		files, err := filepath.Glob(filepath.Join(dir, "*.log"))
		if err != nil || len(files) == 0 {
			c.Fatalf("%s has no segments: %v", dir, err)
		}
		file := files[random(len(files))]
		out, err := exec.Command(script, "tool", "org.apache.kafka.tools.DumpLogSegments", "--files", file, "--print-data-log").Output()
		if err != nil {
			c.Fatalf("DumpLogSegments of %s: %v", file, err)
		}
		bytes, err := os.ReadFile(file)
		if err != nil {
			c.Fatal(err)
		}
		var ours, kafkas []stored
		for len(bytes) > 0 {
			size, records, err := readBatch(bytes)
			if err != nil {
				c.Fatalf("%s: %v", file, err)
			}
			bytes, ours = bytes[size:], append(ours, records...)
		}
		for _, m := range dumped.FindAllStringSubmatch(string(out), -1) {
			offset, err := strconv.ParseInt(m[1], 10, 64)
			if err != nil {
				c.Fatal(err)
			}
			kafkas = append(kafkas, stored{offset: offset, value: strings.TrimSpace(m[2])})
		}
		same := slices.EqualFunc(ours, kafkas, func(a, b stored) bool { return a.offset == b.offset && a.value == b.value })
		if !same {
			c.Errorf("%s: our reader finds %d records, DumpLogSegments %d, and they differ", file, len(ours), len(kafkas))
		}
		c.Logf("DumpLogSegments finds the same %d records in a segment of node %d", len(kafkas), n.ID)
	}
}
