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
			if bad++; bad == 1 {
				small := Shrink(NewPlan(seed, *coreSteps))
				t.Logf("made small:\n%v", small)
				if again := Run(small, func(s string) { t.Log(s) }); again.Failure == nil {
					t.Error("the small plan does not fail again")
				}
			}
			if bad == 20 {
				break
			}
		}
	}
	took := time.Since(began)
	t.Logf("%d steps in %v: %.0f steps/s", steps, took.Round(time.Millisecond), float64(steps)/took.Seconds())
	cover.Each(func(name string, n int64) {
		t.Logf("%12d %s", n, name)
		if n*1000 < int64(*coreSeeds) && *coreSeeds >= 2000 {
			t.Errorf("hardly ever: %s, %d times in %d seeds", name, n, *coreSeeds)
		}
	})
}

// TestCoreReplays runs a plan twice: it is one history.
func TestCoreReplays(t *testing.T) {
	for seed := uint64(1); seed <= 20; seed++ {
		a, b := Run(NewPlan(seed, 3000), nil), Run(NewPlan(seed, 3000), nil)
		if a.Hash != b.Hash || a.Steps != b.Steps {
			t.Errorf("seed %d: %d steps, hash %x, then %d and %x", seed, a.Steps, a.Hash, b.Steps, b.Hash)
		}
	}
}
