package sim

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/brokerd/brokerd/internal/invariant"
	"github.com/brokerd/brokerd/internal/step"
)

// Core is a cluster of the pure cores on one goroutine: isr.Leader and
// isr.Follower of every replica, meta.Apply behind a log that is linearizable by
// construction, model logs, model clients. A plan is one history, whoever runs it.
//
//	clients ──► node: leaders, followers, model logs ◄──► messages ◄──► other nodes
//	               │ proposals                                  ▲
//	               ▼                                            │ one heap of events
//	            control: one log of entries ─► image ─► node applies it, sooner or later
type Core struct {
	plan  *Plan
	rng   *rand.Rand
	now   step.Instant
	steps int
	queue events
	free  []*message
	next  int // of plan.Faults

	nodes   []*node
	control control
	parts   []*truth
	topic   step.TopicID
	cut     [][]bool // from, to; the last one is the controller
	healed  bool
	quiet   bool // clients write no more
	ids     uint32

	intercept func(*message) bool // a directed scene keeps these in caught
	caught    []*message

	hash    uint64
	cover   Coverage
	failure *Failure
	story   func(line string)
}

// Failure is the first rule that did not hold.
type Failure struct {
	Rule string // as in the replication rules, 2.11
	Text string
	Step int
}

func (f *Failure) Error() string { return fmt.Sprintf("%s at step %d: %s", f.Rule, f.Step, f.Text) }

// Outcome is what became of a plan.
type Outcome struct {
	Failure *Failure // nil: every rule held
	Steps   int
	Hash    uint64 // of the whole history
	Cover   Coverage
}

// Run lives through a plan: faults for plan.Steps steps, then all is mended and
// must converge. story, if not nil, hears one line per event.
func Run(p *Plan, story func(string)) Outcome {
	switchOff(p.Rule)
	defer switchOff("")
	c := newCore(p, story)
	c.guarded(func() {
		c.begin()
		c.rage()
		c.recover()
	})
	return Outcome{Failure: c.failure, Steps: c.steps, Hash: c.hash, Cover: c.cover}
}

func newCore(p *Plan, story func(string)) *Core {
	c := &Core{plan: p, rng: rand.New(rand.NewPCG(p.Seed, 2)), story: story, topic: step.TopicID{1}, hash: 14695981039346656037}
	for i := range p.Brokers {
		c.nodes = append(c.nodes, newNode(i, p))
	}
	for i := range p.Partitions {
		c.parts = append(c.parts, newTruth(i))
	}
	c.cut = make([][]bool, p.Brokers+1)
	for i := range c.cut {
		c.cut[i] = make([]bool, p.Brokers+1)
	}
	return c
}

// guarded turns a broken assertion of the code under test into a failure.
func (c *Core) guarded(run func()) {
	defer func() {
		x := recover()
		if b, ok := x.(invariant.Broken); ok {
			c.violated("assertion", "%s", b.Text)
		} else if x != nil {
			panic(x)
		}
	}()
	run()
}

// rage lets faults happen until the plan's steps are over.
func (c *Core) rage() {
	for c.steps < c.plan.Steps && c.failure == nil {
		for c.next < len(c.plan.Faults) && c.plan.Faults[c.next].Step <= c.steps {
			c.fault(c.plan.Faults[c.next])
			c.next++
		}
		c.step()
	}
}

func (c *Core) step() {
	e := c.queue.pop()
	c.now = max(c.now, e.at)
	c.steps++
	c.hash = (c.hash ^ uint64(e.at) ^ uint64(e.kind)<<56 ^ uint64(e.node)<<48) * 1099511628211
	c.happen(&e)
	if e.msg != nil {
		e.msg.uses--
		if e.msg.uses == 0 {
			c.free = append(c.free, e.msg)
		}
	}
}

func (c *Core) happen(e *event) {
	switch e.kind {
	case evClient:
		c.client()
		return
	case evSessions:
		c.lookAtSessions()
		return
	case evControl:
		c.newController()
		return
	case evPropose:
		c.propose(e.msg)
		return
	case evMend:
		c.mend(int(e.node))
		return
	case evResume:
		c.resume(c.nodes[e.node])
		return
	case evExchange:
		c.exchange(c.nodes[e.node])
		return
	case evSpace:
		c.space(c.nodes[e.node])
		return
	case evStart:
		c.start(c.nodes[e.node])
		return
	}
	n := c.nodes[e.node]
	if !n.up || n.life != e.life && !(e.kind == evMessage && e.msg.kind != msgReply) {
		return
	}
	if n.paused > c.now {
		if e.msg != nil {
			e.msg.uses++
		}
		n.held = append(n.held, *e)
		return
	}
	switch e.kind {
	case evMessage:
		c.receive(n, e.msg)
	case evFlushed:
		c.flushed(n)
	case evRetry:
		c.retry(n, int(e.part), e.a)
	case evTick:
		c.tick(n)
	case evBeat:
		c.beat(n)
	case evApply:
		c.applyUpTo(n, int(e.a))
	case evRegister:
		c.register(n)
	case evAnswer:
		c.answered(n, e.msg)
	case evStop:
		c.stopping(n)
	}
}

// after schedules an event of one node, in its life of now.
func (c *Core) after(d time.Duration, kind eventKind, n *node) {
	c.queue.push(event{at: c.now.Add(d), kind: kind, node: int8(n.i), life: n.life})
}

// about is a duration around mean, seldom much longer.
func (c *Core) about(mean time.Duration) time.Duration {
	return time.Duration(float64(mean) * -math.Log(1-c.rng.Float64()*0.999))
}

func (c *Core) chance(p float64) bool { return p > 0 && c.rng.Float64() < p }

// violated notes the first failure.
func (c *Core) violated(rule, format string, args ...any) {
	if c.failure != nil {
		return
	}
	c.failure = &Failure{Rule: rule, Text: fmt.Sprintf(format, args...), Step: c.steps}
	c.tell("!", -1, "VIOLATED %s: %s", rule, c.failure.Text)
}

// tell adds an aligned line to the story, if somebody listens. node -1 is none.
func (c *Core) tell(what string, part int, format string, args ...any) {
	if c.story == nil {
		return
	}
	where := "  "
	if part >= 0 {
		where = fmt.Sprintf("p%d", part)
	}
	c.story(fmt.Sprintf("%6d %10.3f ms  %-10s %s  %s", c.steps, float64(c.now)/1e6, what, where, fmt.Sprintf(format, args...)))
}
