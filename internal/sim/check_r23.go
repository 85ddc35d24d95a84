package sim

// accept notes that a broker has taken a request in.
func (c *Core) accept(p int, t ticket) { c.parts[p].accepted[t.request] = c.now }

// answer is R23: each request that was taken in hears one answer, or sees its
// connection close, in time; a broker that stood still has less of it.
func (c *Core) answer(n *node, p int, t ticket, a answer) {
	truth := c.parts[p]
	if truth.answered[t.request] {
		c.violated("R23", "request %d of p%d is answered twice by %s", t.request, p, n.name)
	}
	if late := c.now.Sub(t.at) - (n.stood - t.stood); a == answerAcked && late > requestTimeout+lateness+c.plan.LagMax {
		c.violated("R23", "request %d of p%d is answered after %v", t.request, p, late)
	}
	truth.answered[t.request] = true
	if a == answerAcked {
		c.cover[covAcked]++
	}
	c.tell(n.name, p, "answers request %d: %s", t.request, answerNames[a])
}

// checkAnswers looks for requests that nobody answered.
func (c *Core) checkAnswers(p int) {
	t := c.parts[p]
	for i, at := range t.accepted {
		if at >= 0 && !t.answered[i] {
			c.violated("R23", "request %d of p%d, taken in at %v, was never answered", i, p, at)
			return
		}
	}
}

const lateness = 5e9 // nanoseconds

var answerNames = [...]string{"acknowledged", "refused", "not leader", "timed out", "closed"}
