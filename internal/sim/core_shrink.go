package sim

// Shrink makes a failing plan smaller, as long as it fails: fewer faults, fewer
// steps, less chance in the network. What it gives need not fail by the same rule.
func Shrink(p *Plan) *Plan {
	best := *p
	fails := func(q *Plan) bool { return Run(q, nil).Failure != nil }
	for size := len(best.Faults) / 2; size > 0; size /= 2 {
		for at := 0; at+size <= len(best.Faults); {
			q := best
			q.Faults = append(append([]Fault(nil), best.Faults[:at]...), best.Faults[at+size:]...)
			if fails(&q) {
				best = q
			} else {
				at += size
			}
		}
	}
	for _, ease := range []func(*Plan){
		func(q *Plan) { q.Steps /= 2 }, func(q *Plan) { q.Steps /= 2 }, func(q *Plan) { q.Drop = 0 },
		func(q *Plan) { q.Duplicate = 0 }, func(q *Plan) { q.LoseAnswer = 0 },
	} {
		q := best
		if ease(&q); fails(&q) {
			best = q
		}
	}
	return &best
}
