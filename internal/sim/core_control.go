package sim

import (
	"errors"
	"time"

	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/step"
)

// control is the controller: a log that is linearizable by construction, with
// its image after every entry, and the duties of whoever leads it. Losing the
// leader loses proposals, or only their answers.
type control struct {
	images []*meta.Image // by entry; never changed, so every node looks at these
	up     bool
	heard  []step.Instant // last heartbeat by node, of this controller
	beaten []int          // what that one had applied
}

func (c *Core) image() *meta.Image { return c.control.images[len(c.control.images)-1] }

// begin makes the cluster: every broker registered and active, one topic.
func (c *Core) begin() {
	c.control = control{
		images: []*meta.Image{meta.New()}, up: true,
		heard: make([]step.Instant, len(c.nodes)), beaten: make([]int, len(c.nodes)),
	}
	c.commit(meta.Bootstrap{ClusterID: "sim", Level: meta.MaxLevel})
	for _, n := range c.nodes {
		c.live(n)
		c.commit(n.registration(0, c.plan))
		n.brokerEpoch = int64(c.image().Index())
		c.commit(meta.SetBrokerState{ID: n.id, Epoch: n.brokerEpoch, State: meta.Active})
	}
	config := map[string]string{"durability": "fsync"}
	if !c.plan.Fsync {
		config["durability"] = "isr"
	}
	if c.plan.Unclean {
		config["unclean.leader.election.enable"] = "true"
	}
	create := meta.CreateTopic{ID: c.topic, Name: "t", Config: config}
	for p := range c.parts {
		var ids []int32
		for k := range min(3, len(c.nodes)) {
			ids = append(ids, int32((p+k)%len(c.nodes)+1))
		}
		create.Assignments = append(create.Assignments, ids)
	}
	c.commit(create)
	for _, n := range c.nodes {
		c.applyUpTo(n, len(c.control.images)-1)
	}
	c.queue.push(event{at: c.now, kind: evSessions})
	for range 3 {
		c.queue.push(event{at: c.now.Add(c.about(10 * time.Millisecond)), kind: evClient})
	}
}

// commit appends one entry and lets every node that lives hear of it.
func (c *Core) commit(cmd meta.Command) meta.Result {
	old := c.image()
	next, changes, results := meta.Apply(old, uint64(len(c.control.images)), []meta.Command{cmd})
	c.control.images = append(c.control.images, next)
	if results[0].Err != nil {
		c.tell("entry", -1, "%d %s refused: %v", next.Index(), meta.KindName(cmd), results[0].Err)
		return results[0]
	}
	c.tell("entry", -1, "%d %s %+v", next.Index(), meta.KindName(cmd), cmd)
	c.checkEntry(old, next, cmd, &changes)
	for _, n := range c.nodes {
		if n.up {
			c.hear(n, len(c.control.images)-1)
		}
	}
	return results[0]
}

// hear makes n apply entries up to index after a while.
func (c *Core) hear(n *node, index int) {
	d := c.plan.Delay/4 + c.about(c.plan.Lag*time.Duration(n.slow))
	if c.healed {
		d = time.Millisecond
	}
	c.queue.push(event{at: c.now.Add(d), kind: evApply, node: int8(n.i), life: n.life, a: int64(index)})
}

// lookAtSessions fences who is silent.
func (c *Core) lookAtSessions() {
	c.queue.push(event{at: c.now.Add(c.plan.Session / 3), kind: evSessions})
	if !c.control.up {
		return
	}
	for _, n := range c.nodes {
		b, ok := c.image().Broker(n.id)
		if ok && b.State != meta.Fenced && c.now.Sub(c.control.heard[n.i]) > c.plan.Session {
			c.commit(meta.SetBrokerState{ID: n.id, Epoch: b.Epoch, State: meta.Fenced})
		}
	}
}

// newController begins with full sessions for everybody.
func (c *Core) newController() {
	c.control.up = true
	for i := range c.control.heard {
		c.control.heard[i] = c.now
	}
	c.tell("control", -1, "a controller is elected")
}

// beat is a heartbeat: it keeps the session, and unfences who has caught up.
func (c *Core) beat(n *node) {
	c.after(c.plan.Session/4, evBeat, n)
	if !n.started || !c.control.up || !c.reaches(n.i, len(c.nodes)) {
		return
	}
	b, ok := c.image().Broker(n.id)
	if !ok || b.Epoch != n.brokerEpoch {
		return // STALE_BROKER_EPOCH
	}
	c.control.heard[n.i], c.control.beaten[n.i] = c.now, n.applied
	if n.failing {
		c.report(n)
	}
	c.noteFull(n, b)
	if b.State == meta.Fenced && int64(n.applied) >= b.Epoch && !n.stops && !n.failing {
		c.commit(meta.SetBrokerState{ID: n.id, Epoch: b.Epoch, State: meta.Active})
	}
	if n.stops && b.State == meta.Active {
		c.commit(meta.SetBrokerState{ID: n.id, Epoch: b.Epoch, State: meta.ControlledShutdown})
	}
}

// noteFull notes what a heartbeat says of the broker's disk, if it is news.
func (c *Core) noteFull(n *node, b *meta.Broker) {
	if (n.full > 0) == (len(b.Full) > 0) {
		return
	}
	note := meta.NoteFull{Broker: n.id, BrokerEpoch: n.brokerEpoch}
	if n.full > 0 {
		note.Dirs = b.Dirs
	}
	c.commit(note)
}

// report tells of a failed directory, until it is known.
func (c *Core) report(n *node) {
	if n.reported {
		return
	}
	cmd := meta.ReportFault{Broker: n.id, BrokerEpoch: n.brokerEpoch}
	for p := range c.parts {
		cmd.Partitions = append(cmd.Partitions, step.PartitionID{Topic: c.topic, Index: int32(p)})
	}
	n.reported = c.commit(cmd).Err == nil
}

// register asks for a registration until its entry has been applied here.
func (c *Core) register(n *node) {
	if n.started && !c.mutated(RuleOwnRegistration) || n.brokerEpoch != 0 {
		return
	}
	c.after(c.plan.Session/4+c.about(c.plan.Delay), evRegister, n)
	if !c.control.up || !c.reaches(n.i, len(c.nodes)) {
		return
	}
	seen := int64(0)
	if b, ok := c.image().Broker(n.id); ok {
		if b.Incarnation == n.incarnation {
			return // it has not heard yet
		}
		alive := b.State != meta.Fenced && c.now.Sub(c.control.heard[n.i]) <= c.plan.Session
		if alive && !c.chance(0.5) { // else its connection was seen to break
			return
		}
		seen = b.Epoch
	}
	c.control.heard[n.i] = c.now
	c.commit(n.registration(seen, c.plan))
	n.dirty = false
}

// propose is a proposal that has arrived at the controller.
func (c *Core) propose(m *message) {
	n := c.nodes[m.from]
	verdict := m.share(c)
	verdict.verdict = verdictUnknown
	d := c.plan.Session // a timeout
	if c.control.up {
		res := c.commit(m.alter)
		if c.chance(c.plan.LoseAnswer) && !c.healed {
			c.cover[covLostAnswer]++
		} else if c.reaches(len(c.nodes), n.i) {
			d = c.about(c.plan.Delay)
			switch {
			case res.Err == nil:
				verdict.verdict = verdictDone
			case errors.Is(res.Err, meta.ErrIneligible):
				verdict.verdict = verdictDefinite
				c.cover[covIneligible]++
			}
		}
	}
	c.queue.push(event{at: c.now.Add(d), kind: evAnswer, node: m.from, life: m.life, msg: verdict})
}
