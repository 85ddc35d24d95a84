//go:build hostile

package hostile

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/brokerd/brokerd/test/harness"
)

var (
	casesFlag = flag.Int("cases", 5000, "how many cases TestHostile sends: all systematic ones and random ones, or a sample")
	seedFlag  = flag.Uint64("seed", 1, "seed of samples and mutations")
)

const (
	attackers = 8
	// The healthy client is measured in so many pairs of rounds, in which the
	// attack is paced: what is asked is whether cases hurt others, not who gets
	// the processors.
	rounds     = 12
	roundCases = 300
	pace       = 20 * time.Millisecond
	quietTime  = 700 * time.Millisecond
)

// begin starts a broker to attack, with the topics that the cases name.
func begin(t testing.TB, binary string) (victim, *generator) {
	v := victim{t, harness.Start(t, harness.Options{Binary: binary}).Nodes[0]}
	g := &generator{
		target: v.topic("hostile", 1),
		others: []target{v.topic("hostile-compact", 1, "cleanup.policy", "compact"), v.topic("hostile-full", 1, "record.validation", "full")},
		apis:   v.apis(),
	}
	return v, g
}

// make cases: all systematic ones and random ones up to count, or a sample.
func (g *generator) cases(seed uint64, count int) []attack {
	g.systematic()
	all := len(g.all)
	if count > all {
		g.random(seed, count-all)
	}
	rand.New(rand.NewPCG(seed, 2)).Shuffle(len(g.all), func(i, j int) { g.all[i], g.all[j] = g.all[j], g.all[i] })
	if count < all {
		g.all = g.all[:count]
	}
	return g.all
}

// mostBombs is what may be in memory while bombs arrive: their requests, and for
// each processor a batch of 16 MiB that is open and half as much while its buffer
// grows, all of it twice, since the collector waits for as much again.
func mostBombs() int64 { return 2 * (mostGrowth + 32<<20*int64(runtime.NumCPU())) }

// warmUp is every bomb once: what they cost is known (a processor may hold one
// open), and bounded on its own; what comes after them adds nothing.
func (g *generator) warmUp() (bombs []attack) {
	for _, a := range g.all {
		if a.family == "bomb" {
			bombs = append(bombs, a)
		}
	}
	return bombs
}

func TestHostile(t *testing.T) {
	v, g := begin(t, "")
	cases := g.cases(*seedFlag, *casesFlag)
	p := newPatient(v)
	j := &judge{addr: v.node.Addr()}

	start := v.state()
	p.during(func() { j.run(g.warmUp(), attackers, 0) })
	before := v.settled(start)
	j.bounded("memory grew while the broker met its first bombs", start.rss, v.peak(), mostBombs())
	v.resetPeak()
	began := time.Now()

	var pairs pairs
	for range rounds {
		n := min(roundCases, len(cases))
		quiet := p.during(func() { time.Sleep(quietTime) })
		pairs.add(quiet, p.during(func() { j.run(cases[:n], attackers, pace) }))
		cases = cases[n:]
	}
	p.during(func() { j.run(cases, attackers, 0) })
	repeated := j.repeatLate()
	if err := p.failed.Load(); err != nil {
		j.find("the healthy client was not served", (*err).Error())
	}
	if r := pairs.ratio(0.25); r > 2 {
		j.find("the healthy client got slow", fmt.Sprintf("p99 %v without, %v with the attack: %.2f times in three pairs of four", pairs.quiet, pairs.attacked, r))
	}
	after := j.check(v, before)

	t.Logf("%d cases of seed %d in %v: %v", len(g.all), *seedFlag, time.Since(began).Round(time.Millisecond), families(g.all))
	t.Logf("answered %d, closed %d, meant to wait %d; slowest %v, %d repeated for being late",
		j.answered.Load(), j.closed.Load(), j.waited.Load(), j.slowest.Round(time.Millisecond), repeated)
	t.Logf("reasons for closing: %v", after.closed)
	t.Logf("memory %d MiB at the start, %d MiB before, peak %d MiB; goroutines %v → %v, descriptors %d → %d",
		start.rss>>20, before.rss>>20, v.peak()>>20, before.goroutines, after.goroutines, before.descriptors, after.descriptors)
	t.Logf("healthy client's p99 in pairs, without %v, with %v: median ratio %.2f", pairs.quiet, pairs.attacked, pairs.ratio(0.5))
	j.report(t)
}

// report fails the test by the findings, not more than a screen of them.
func (j *judge) report(t *testing.T) {
	t.Helper()
	for i, f := range j.findings {
		if i == 20 {
			t.Errorf("… and %d findings more", len(j.findings)-i)
			return
		}
		t.Errorf("%s: %s", f.what, f.name)
	}
}

func families(cases []attack) string {
	count := map[string]int{}
	for _, c := range cases {
		count[c.family]++
	}
	var out []string
	for _, family := range slices.Sorted(maps.Keys(count)) {
		out = append(out, fmt.Sprintf("%s %d", family, count[family]))
	}
	return strings.Join(out, ", ")
}
