package sim

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var mutationSeeds = flag.Uint64("mutationseeds", 20000, "seeds that a mutation may take to be found")

// saved is a line of testdata: a history, and the rule whose absence it found.
type saved struct {
	seed  uint64
	steps int
	rule  string
}

func readSaved(t *testing.T, name string) []saved {
	f, err := os.Open("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []saved
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := lines.Text()
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		var s saved
		if _, err := fmt.Sscanf(line, "%d %d", &s.seed, &s.steps); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if words := strings.SplitN(line, " ", 3); len(words) == 3 {
			s.rule = words[2]
		}
		all = append(all, s)
	}
	return all
}

// TestSavedSeeds replays what failed once.
func TestSavedSeeds(t *testing.T) {
	for _, s := range readSaved(t, "seeds.txt") {
		if o := Run(NewPlan(s.seed, s.steps), nil); o.Failure != nil {
			t.Errorf("seed %d: %v", s.seed, o.Failure)
		}
	}
}

// TestSavedMutations replays the history that found each rule's absence: nothing
// is wrong with it while the rule holds. In a build with mutations, and for rules
// of this package in any, it must fail without the rule.
func TestSavedMutations(t *testing.T) {
	for _, s := range readSaved(t, "mutations.txt") {
		t.Run(s.rule, func(t *testing.T) {
			p := NewPlan(s.seed, s.steps)
			if o := Run(p, nil); o.Failure != nil {
				t.Errorf("seed %d with the rule: %v", s.seed, o.Failure)
			}
			if !canMutate && s.rule != RuleEpochTruncation && s.rule != RuleOwnRegistration && s.rule != RuleAskAgain {
				return
			}
			p.Rule = s.rule
			if o := Run(p, nil); o.Failure == nil {
				t.Errorf("seed %d does not notice that the rule is off; make mutations looks for another", s.seed)
			}
		})
	}
}

// TestMutations looks, in a build with mutations, for the first seed that
// notices each rule's absence.
func TestMutations(t *testing.T) {
	if !canMutate {
		t.Skip("needs the build tag mutate: make mutations")
	}
	for _, rule := range Rules {
		if rule == RuleFetchEpoch {
			continue // random search does not get there: TestJ04 does
		}
		t.Run(rule, func(t *testing.T) {
			steps := 0
			for seed := uint64(1); seed <= *mutationSeeds; seed++ {
				p := NewPlan(seed, *coreSteps)
				p.Rule = rule
				o := Run(p, nil)
				steps += o.Steps
				if o.Failure != nil {
					t.Logf("found after %d seeds, %d steps: %v\n%d %d %s", seed, steps, o.Failure, seed, *coreSteps, rule)
					return
				}
			}
			t.Errorf("not found in %d seeds, %d steps", *mutationSeeds, steps)
		})
	}
}
