package invariant

import "fmt"

// Broken is the value that Check panics with. Nothing recovers from it: the
// per-request recovery of the doors lets it pass, so the process ends.
type Broken struct{ Text string }

func (b Broken) Error() string { return "broken invariant: " + b.Text }

// Check panics with Broken unless ok. The format says which rule it is and
// with which values, as in Check(base >= end, "I2: base %d before end %d", base, end).
func Check(ok bool, format string, args ...any) {
	if !ok {
		panic(Broken{fmt.Sprintf(format, args...)})
	}
}
