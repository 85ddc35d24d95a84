package sim

import (
	"flag"
	"fmt"
	"testing"
	"time"
)

var (
	coreSeeds = flag.Uint64("seeds", 2000, "histories of TestCore")
	coreFirst = flag.Uint64("first", 1, "the first of their seeds")
	coreSteps = flag.Int("steps", 2000, "steps of each, besides the recovery")
	coreTell  = flag.Bool("story", false, "print the whole story of the first seed")
)

func TestCore(t *testing.T) {
	if *coreTell {
		p := NewPlan(*coreFirst, *coreSteps)
		fmt.Println(p)
		o := Run(p, func(s string) { fmt.Println(s) })
		if o.Failure != nil {
			t.Fatal(o.Failure)
		}
		return
	}
	var cover Coverage
	steps, began, bad := 0, time.Now(), 0
	for seed := *coreFirst; seed < *coreFirst+*coreSeeds; seed++ {
		o := Run(NewPlan(seed, *coreSteps), nil)
		steps += o.Steps
		cover.Add(&o.Cover)
		if o.Failure != nil {
			t.Errorf("seed %d: %v", seed, o.Failure)
			if bad++; bad == 20 {
				break
			}
		}
	}
	took := time.Since(began)
	t.Logf("%d steps in %v: %.0f steps/s", steps, took.Round(time.Millisecond), float64(steps)/took.Seconds())
	cover.Each(func(name string, n int64) { t.Logf("%12d %s", n, name) })
}
