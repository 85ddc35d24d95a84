//go:build bench

package bench

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/brokerd/brokerd/test/harness"
)

// scenarios are what can be asked for by name.
var scenarios = map[string]struct {
	title string
	run   func(*bench)
	own   bool // it starts its servers itself
}{
	"smoke": {title: "a minute of everything that is short", run: smoke},
	"S1":    {title: "one partition", run: s1},
	"S2":    {title: "many partitions, many producers", run: s2},
	"S3":    {title: "three replicas", run: s3, own: true},
	"S4":    {title: "end-to-end latency", run: s4},
	"S4x3":  {title: "end-to-end latency through three replicas", run: s4three, own: true},
	"S5":    {title: "ten consumers beside a producer", run: s5},
	"S6":    {title: "many connections", run: s6, own: true},
	"S8":    {title: "compressed batches", run: s8},
	"S10":   {title: "a controller with two million partitions", run: s10, own: true},
	"S11":   {title: "start, idle, one topic of 1,000 partitions", run: s11, own: true},
	"S12":   {title: "kill -9 and restart", run: s12, own: true},
	"S13":   {title: "cold reads beside hot ones", run: s13},
	"S14":   {title: "a group of 1,000 members, and commits", run: s14},
	"S16":   {title: "three brokers, 10,000 idle partitions", run: s16, own: true},
	"S7":    {title: "one record per request", run: s7},
	"S9":    {title: "fsync before every acknowledgement", run: s9},
}

var both = []string{"fsync", "isr"}

func TestBench(t *testing.T) {
	s, ok := scenarios[*scenario]
	if !ok {
		t.Fatalf("there is no scenario %q, there are %v", *scenario, slices.Sorted(maps.Keys(scenarios)))
	}
	if *keep {
		place(t, *scenario) // before minutes are spent
	}
	b := &bench{t: t}
	prioritize()
	congestion := cubic(t)
	b.disk = calibrate(t, t.TempDir())
	before, what := load(), harness.Commit(root(t))
	if !s.own {
		b.brokerd, _ = startBrokerd(t, "", nil)
		switch {
		case *against != "":
			b.kafka, _ = startBrokerd(t, *against, nil)
			b.kafka.name = filepath.Base(*against)
		case !*alone:
			b.kafka, _ = startKafka(t)
			b.warmUp()
		}
	}
	s.run(b)
	after := calibrate(t, t.TempDir())
	only := ""
	if *onlyCell != "" {
		only = fmt.Sprintf(" CELL='%s'", *onlyCell)
	}
	head := fmt.Sprintf("%s, commit %s, %s. fdatasync of 16 KiB p50/p99 %v before, %v after. Load average %s before, %s after.\n\n"+
		"`make bench SCENARIO=%s ROUNDS=%d SECTION=%v WARM=%v%s`\n",
		time.Now().UTC().Format("2006-01-02 15:04"), what, machine(congestion), b.disk, after, before, load(),
		*scenario, *rounds, *section, *warm, only)
	body := head + "\n" + b.tableHead() + strings.Join(b.rows, "\n") + "\n"
	if len(b.notes) > 0 {
		body += "\n" + strings.Join(b.notes, "\n") + "\n"
	}
	fmt.Printf("\n## %s: %s\n\n%s\n", *scenario, s.title, body)
	if *keep {
		addToPage(t, *scenario, body)
	}
}

func root(t testing.TB) string {
	t.Helper()
	dir, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// addToPage puts a result under its scenario's heading, newest first.
func addToPage(t testing.TB, scenario, body string) {
	t.Helper()
	page, before, after := place(t, scenario)
	if err := os.WriteFile(page, []byte(before+"\n"+body+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

// place is where on the page the results of a scenario are, newest first.
func place(t testing.TB, scenario string) (page, before, after string) {
	t.Helper()
	page = filepath.Join(root(t), "docs", "benchmarks.md")
	p, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	mark := "<!-- results of " + scenario + " -->\n"
	before, after, ok := strings.Cut(string(p), mark)
	if !ok {
		t.Fatalf("%s has no line %q", page, strings.TrimSpace(mark))
	}
	return page, before + mark, after
}

// TestPlaces: every scenario has its place on the page.
func TestPlaces(t *testing.T) {
	for name := range scenarios {
		place(t, name)
	}
}

func (b *bench) note(format string, args ...any) {
	b.notes = append(b.notes, fmt.Sprintf(format, args...))
	b.t.Logf(format, args...)
}

// smoke shows that everything works.
func smoke(b *bench) {
	for _, d := range both {
		b.produce("100 B, 16.5 KB batches, 5 in flight", d, produceLoad{records: 150, size: 100, acks: 1, depth: 5},
			metric{usRequest, "%.1f", false, 0}, metric{requestRate, "%.0f", true, 0})
	}
	b.fetch("isr", 150, 100)
}
