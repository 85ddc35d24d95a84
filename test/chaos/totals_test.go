//go:build chaos

package chaos

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/brokerd/brokerd/test/harness"
)

var totals = flag.String("totals", "", "file to which TestThree adds what it did")

// column is one number of a run in the file of totals.
type column struct {
	name  string
	count func(fault string) bool // nil: not a count of faults
}

// A kill of a coordinator, or of any node, may have been the controller's too: it
// does not count as one.
var columns = []column{
	{"kills", func(f string) bool { return strings.HasPrefix(f, "kill") || f == "wiped node" }},
	{"of the controller", func(f string) bool { return f == "kill of the controller" }},
	{"power cuts", func(f string) bool { return strings.HasPrefix(f, "power cut") }},
	{"of all nodes", func(f string) bool { return f == "power cut of all nodes" }},
	{"partitions", func(f string) bool { return strings.HasPrefix(f, "partition") || f == "node off the network" }},
	{"other faults", nil},
	{"acknowledged", nil},
	{"read back", nil},
}

const totalsTop = `# Faults survived

Every run of ` + "`make chaos RECORD=1`" + ` that found nothing adds a line: which commit, how many faults happened to three nodes under load,
how many acknowledged records were looked for on every replica, and how many records were read there. A run that finds something is a bug,
and no line. The last line is the sum.

`

// addTotals writes down a run that found nothing.
func addTotals(t *testing.T, counts map[string]int, acked, records int) {
	t.Helper()
	if *totals == "" || t.Failed() {
		return
	}
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	row := []string{time.Now().UTC().Format("2006-01-02"), harness.Commit(root), strconv.FormatFloat(*minutes, 'f', -1, 64)}
	others := 0
	for name, n := range counts {
		if !slices.ContainsFunc(columns, func(c column) bool { return c.count != nil && c.count(name) }) {
			others += n
		}
	}
	for _, c := range columns[:len(columns)-3] {
		sum := 0
		for _, name := range slices.Sorted(maps.Keys(counts)) {
			if c.count(name) {
				sum += counts[name]
			}
		}
		row = append(row, strconv.Itoa(sum))
	}
	row = append(row, strconv.Itoa(others), strconv.Itoa(acked), strconv.Itoa(records))
	old, err := os.ReadFile(*totals)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	if err := os.WriteFile(*totals, []byte(withTotals(string(old), row)), 0o644); err != nil {
		t.Fatal(err)
	}
}

// withTotals adds a row to the page, and sums up anew.
func withTotals(page string, row []string) string {
	head := []string{"date", "commit", "minutes"}
	for _, c := range columns {
		head = append(head, c.name)
	}
	rows := [][]string{}
	for line := range strings.Lines(page) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if len(cells) == len(head) && !strings.HasPrefix(cells[0], "---") && cells[0] != "date" && cells[0] != "sum" {
			rows = append(rows, cells)
		}
	}
	rows = append(rows, row)
	sum := make([]string, len(head))
	sum[0] = "sum"
	for i := 2; i < len(head); i++ {
		total := 0.0
		for _, r := range rows {
			n, _ := strconv.ParseFloat(r[i], 64) // a cell that is no number counts nothing
			total += n
		}
		sum[i] = strconv.FormatFloat(total, 'f', -1, 64)
	}
	var b strings.Builder
	b.WriteString(totalsTop)
	line := func(cells []string) { fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | ")) }
	line(head)
	line(slices.Repeat([]string{"---"}, len(head)))
	for _, r := range append(rows, sum) {
		line(r)
	}
	return b.String()
}

func TestAuditorTotals(t *testing.T) {
	row := func(date string, n int) []string {
		cells := []string{date, "abc", "1.5"}
		for range columns {
			cells = append(cells, strconv.Itoa(n))
		}
		return cells
	}
	page := withTotals(withTotals("", row("2026-01-01", 1)), row("2026-01-02", 2))
	if !strings.HasSuffix(page, "| sum |  | 3 | 3 | 3 | 3 | 3 | 3 | 3 | 3 | 3 |\n") || strings.Count(page, "2026-01-0") != 2 || !strings.HasPrefix(page, totalsTop) {
		t.Error(page)
	}
}
