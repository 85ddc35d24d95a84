//go:build oracle

package oracle

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/brokerd/brokerd/internal/record"
)

const dumpLogSegments = "org.apache.kafka.tools.DumpLogSegments"

// workload fills three segments and more of a topic on both sides: every codec,
// producers with and without id, headers, keys and values that are null or no text.
func (p *pair) workload(topic string) {
	p.t.Helper()
	p.topic(topic, 1, "segment.bytes", "1048576", "index.interval.bytes", "2048")
	t := int64(1_700_000_000_000)
	odd := []rec{
		{}, {key: []byte{}, value: []byte{}}, {key: []byte("k"), value: []byte{0xff, 0xfe, 'x', 0}, time: 3},
		{value: []byte("zeile\nzwei"), time: 1, headers: [][2]string{{"h", "1"}, {"", ""}, {"ü", "3"}}},
		{key: []byte("ключ"), value: []byte("日本語 🚀"), time: 2}, {value: []byte("cut \xe6\x97")},
	}
	for i := range 60 {
		for c := record.None; c <= record.Zstd; c++ {
			b := batch{records: odd, codec: c, baseTime: t + int64(i*5+int(c))*1000}
			if i%2 == 1 {
				b.id, b.epoch, b.seq = 4000+int64(c), 3, int32(i/2*(len(odd)+1))
				b.records = append(slices.Clone(odd), rec{value: []byte(noise(20_000))})
			}
			p.fill(topic, b.bytes())
		}
	}
}

// TestFiles: Kafka reads what we wrote, and we print what Kafka wrote as it does.
func TestFiles(t *testing.T) {
	p := newPair(t)
	p.workload("files")
	p.node.Stop() // the files of a sealed segment come with a checkpoint
	j := startTools(t)
	ours, theirs := filepath.Join(p.ours.dir, "files-0"), filepath.Join(p.theirs.dir, "files-0")

	logs := segments(t, ours)
	if len(logs) < 3 {
		t.Fatalf("the workload made %d segments", len(logs))
	}
	for _, log := range logs {
		s := j.run(t, dumpLogSegments, "", "--files", log, "--print-data-log")
		if s.code != 0 || strings.Contains(s.out, "isvalid: false") || strings.Contains(s.out, "Found") || !strings.Contains(s.out, "| offset: ") {
			t.Errorf("Kafka reads our %s: %d\n%.500s\n%.500s", filepath.Base(log), s.code, s.out, s.errors)
		}
		same(t, "our "+filepath.Base(log), s, brokerd(t, "", "kafka-dump-log", "--files", log, "--print-data-log"))
	}
	// Nothing is in them. Beside a .timeindex Kafka's tool wants an .index: of a missing one it dies, "Invalid max index size: -1".
	empty := filepath.Join(t.TempDir(), strings.TrimSuffix(filepath.Base(logs[len(logs)-1]), ".log"))
	for _, suffix := range []string{".index", ".timeindex", ".log"} {
		if err := os.WriteFile(empty+suffix, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, suffix := range []string{".index", ".timeindex"} {
		for _, flags := range [][]string{{}, {"--deep-iteration"}, {"--verify-index-only"}, {"--index-sanity-check"}} {
			args := append([]string{"--files", empty + suffix}, flags...)
			same(t, fmt.Sprintf("empty %s %v", suffix, flags), j.run(t, dumpLogSegments, "", args...), brokerd(t, "", append([]string{"kafka-dump-log"}, args...)...))
		}
	}
	for _, log := range logs[:len(logs)-1] {
		for _, suffix := range []string{".index", ".timeindex"} {
			name := strings.TrimSuffix(log, ".log") + suffix
			for _, check := range []string{"--verify-index-only", "--index-sanity-check"} {
				s := j.run(t, dumpLogSegments, "", "--files", name, check)
				if s.code != 0 || strings.Contains(s.out, "Found") || strings.Contains(s.out, "Mismatch") || strings.Contains(s.out, "non-continuous") {
					t.Errorf("Kafka verifies our %s %s: %d\n%.500s\n%.500s", filepath.Base(name), check, s.code, s.out, s.errors)
				}
				same(t, fmt.Sprintf("our %s %s", filepath.Base(name), check), s, brokerd(t, "", "kafka-dump-log", "--files", name, check))
			}
			s := j.run(t, dumpLogSegments, "", "--files", name)
			if !strings.Contains(s.out, "offset: ") {
				t.Errorf("our %s has no entry: %.500s", filepath.Base(name), s.out)
			}
			same(t, "our "+filepath.Base(name), s, brokerd(t, "", "kafka-dump-log", "--files", name))
		}
	}
	for _, log := range segments(t, theirs) {
		for _, flags := range [][]string{{"--print-data-log"}, {"--deep-iteration"}, {}, {"--print-data-log", "--skip-record-metadata"}, {"--max-bytes", "5000"}} {
			args := append([]string{"--files", log}, flags...)
			same(t, fmt.Sprintf("Kafka's %s %v", filepath.Base(log), flags),
				j.run(t, dumpLogSegments, "", args...), brokerd(t, "", append([]string{"kafka-dump-log"}, args...)...))
		}
	}
	sealed := segments(t, theirs)[0]
	for _, suffix := range []string{".index", ".timeindex"} {
		name := strings.TrimSuffix(sealed, ".log") + suffix
		same(t, "Kafka's "+filepath.Base(name), j.run(t, dumpLogSegments, "", "--files", name), brokerd(t, "", "kafka-dump-log", "--files", name))
	}
	p.broken(j, logs[0])
}

// broken: both tell the same of a file that is damaged.
func (p *pair) broken(j *tools, log string) {
	t := p.t.(*testing.T)
	raw, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func([]byte) []byte{
		"cut":   func(b []byte) []byte { return b[:len(b)/2] },
		"empty": func([]byte) []byte { return nil },
	} {
		file := filepath.Join(t.TempDir(), filepath.Base(log))
		if err := os.WriteFile(file, spoil(slices.Clone(raw)), 0o644); err != nil {
			t.Fatal(err)
		}
		same(t, name, j.run(t, dumpLogSegments, "", "--files", file, "--print-data-log"), brokerd(t, "", "kafka-dump-log", "--files", file, "--print-data-log"))
	}
}

func segments(t *testing.T, dir string) []string {
	list, err := filepath.Glob(filepath.Join(dir, "*.log"))
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(list)
	return list
}

var (
	// stack and logged are lines that Java writes about itself. Of every file that
	// does not begin at offset 0 it says that -1 is followed by its first.
	stack  = regexp.MustCompile(`^\s+at |^\s*\.\.\. \d+ more|^Caused by: `)
	logged = regexp.MustCompile(`^\[\d{4}-|^Non-consecutive offsets|^ *-1 is followed by|^SLF4J|^WARNING: A |^(ERROR|WARN|INFO) `)
)

// plain is text without what Java writes about itself.
func plain(s string) (lines []string) {
	for line := range strings.Lines(s) {
		line = strings.TrimRight(line, "\n")
		if !stack.MatchString(line) && !logged.MatchString(line) {
			lines = append(lines, line)
		}
	}
	return lines
}

func firstOf(s string) string {
	for _, line := range plain(s) {
		if strings.TrimSpace(line) != "" {
			return line
		}
	}
	return ""
}

// same compares what two commands said: exit code, output, first line of errors.
func same(t *testing.T, name string, theirs, ours said) {
	t.Helper()
	a, b := plain(theirs.out), plain(ours.out)
	for i := 0; i < max(len(a), len(b)); i++ {
		var x, y string
		if i < len(a) {
			x = a[i]
		}
		if i < len(b) {
			y = b[i]
		}
		if x != y || (i < len(a)) != (i < len(b)) {
			t.Errorf("%s: line %d of %d and %d\n  Kafka %q\n  ours  %q", name, i+1, len(a), len(b), x, y)
			break
		}
	}
	if theirs.code != ours.code || firstOf(theirs.errors) != firstOf(ours.errors) {
		t.Errorf("%s:\n  Kafka ends %d: %q\n  ours  ends %d: %q", name, theirs.code, firstOf(theirs.errors), ours.code, firstOf(ours.errors))
	}
}
