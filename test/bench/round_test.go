//go:build bench

package bench

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	scenario = flag.String("scenario", "smoke", "what to run: S1, S2, …, smoke")
	rounds   = flag.Int("rounds", 5, "rounds of a comparison, the first of which does not count")
	section  = flag.Duration("section", 700*time.Millisecond, "how long one system is loaded at a time")
	warm     = flag.Duration("warm", 60*time.Second, "how long the JVM is loaded before it is measured")
	onlyCell = flag.String("cell", "", "only cells whose durability and name contain this: \"isr 256 connections\"")
	keep     = flag.Bool("record", false, "add the table to docs/benchmarks.md")
	alone    = flag.Bool("alone", false, "measure brokerd and the floor only: to profile it")
	against  = flag.String("against", "", "another brokerd binary to compare with, instead of Kafka: what a change is worth")
)

// metric is one figure of a cell.
type metric struct {
	name   string
	format string
	higher bool    // more is better
	bar    float64 // how many times better than Kafka we want to be; 0: no bar
}

// values are the figures of one section, by name of the metric.
type values map[string]float64

// cell is one comparison.
type cell struct {
	name       string
	durability string
	metrics    []metric
	most       int // rounds at most; 0: as many as are asked for
	// run loads one system for a section.
	run func(t testing.TB, s *system) values
	// floor runs the same against the kernel alone; nil: there is none.
	floor func(t testing.TB) values
}

// bench is one run of a scenario.
type bench struct {
	t       testing.TB
	brokerd *system
	kafka   *system
	disk    disk
	rows    []string
	notes   []string
	topics  int
}

func TestMain(m *testing.M) {
	if arg := os.Getenv(floorVariable); arg != "" {
		runFloor(arg)
	}
	os.Exit(m.Run())
}

// compare runs the rounds of a cell and keeps its rows.
func (b *bench) compare(c cell) {
	if *onlyCell != "" && !strings.Contains(c.durability+" "+c.name, *onlyCell) {
		return
	}
	b.t.Helper()
	ours, theirs, floors := map[string][]float64{}, map[string][]float64{}, map[string][]float64{}
	most := *rounds
	if c.most > 0 {
		most = min(most, c.most)
	}
	for round := range most {
		sums := [2]values{{}, {}}
		for _, i := range []int{0, 1, 1, 0} {
			if i == 1 && *alone {
				continue
			}
			s := []*system{b.brokerd, b.kafka}[i]
			for k, v := range c.run(b.t, s) {
				sums[i][k] += v / 2
			}
		}
		var f values
		if c.floor != nil {
			f = c.floor(b.t)
		}
		if round == 0 && most > 1 {
			continue
		}
		for _, m := range c.metrics {
			ours[m.name] = append(ours[m.name], sums[0][m.name])
			theirs[m.name] = append(theirs[m.name], sums[1][m.name])
			if v, ok := f[m.name]; ok {
				floors[m.name] = append(floors[m.name], v)
			}
		}
	}
	for _, m := range c.metrics {
		b.row(c, m, ours[m.name], theirs[m.name], floors[m.name])
	}
}

// row judges one metric.
func (b *bench) row(c cell, m metric, ours, theirs, floors []float64) {
	better := ratios(ours, theirs, m.higher)
	verdict := ""
	if m.bar > 0 && !*alone && *against == "" {
		verdict = fmt.Sprintf("≥ %.3gx: missed", m.bar)
		if median(better) >= m.bar {
			verdict = fmt.Sprintf("≥ %.3gx: reached", m.bar)
		}
	}
	floor, over := "", ""
	if len(floors) > 0 {
		floor = fmt.Sprintf(m.format, median(floors))
		over = fmt.Sprintf("%.2fx", median(ratios(floors, ours, m.higher)))
	}
	row := fmt.Sprintf("| `%s` | %s | %s | %s | %s | %s | %s | %s | %s |", c.durability, c.name, m.name,
		fmt.Sprintf(m.format, median(ours)), fmt.Sprintf(m.format, median(theirs)), spread(better), verdict, floor, over)
	b.rows = append(b.rows, row)
	b.t.Log(row)
}

func (b *bench) tableHead() string {
	peer := kafkaName
	if b.kafka != nil {
		peer = b.kafka.name
	}
	return "| durability | what | figure | brokerd | " + peer + " | brokerd better by [range] | bar | floor | to the floor |\n" +
		"|---|---|---|---|---|---|---|---|---|\n"
}

// ratios says how many times better a is than b, round by round.
func ratios(a, b []float64, higher bool) []float64 {
	var r []float64
	for i := range a {
		if higher {
			r = append(r, a[i]/b[i])
		} else {
			r = append(r, b[i]/a[i])
		}
	}
	return r
}

func median(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	v = slices.Sorted(slices.Values(v))
	return (v[len(v)/2] + v[(len(v)-1)/2]) / 2
}

func spread(v []float64) string {
	if len(v) == 0 || median(v) == 0 || *alone {
		return ""
	}
	return fmt.Sprintf("**%.2fx** [%.2f–%.2f]", median(v), slices.Min(v), slices.Max(v))
}

// topic gives a name that was not used in this run.
func (b *bench) topic() string {
	b.topics++
	return fmt.Sprintf("bench-%d", b.topics)
}
