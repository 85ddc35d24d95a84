package sim

import (
	"strconv"
	"time"

	"github.com/brokerd/brokerd/internal/meta"
)

// fault lets a fault of the plan happen.
func (c *Core) fault(f Fault) {
	n := c.nodes[f.Node]
	c.tell("fault", -1, "%v", f)
	switch f.Kind {
	case Kill:
		c.kill(n)
		c.restartIn(n, f)
	case PowerCut:
		c.powerCut(n)
		c.restartIn(n, f)
	case PowerCutAll:
		for _, n := range c.nodes {
			c.powerCut(n)
			c.restartIn(n, f)
		}
	case CleanStop:
		if n.up && n.started && !n.failing {
			n.stops = true
			c.after(f.For, evStop, n)
		}
	case Pause:
		if n.paused == 0 {
			n.stands = c.now
		}
		n.paused = max(n.paused, c.now.Add(f.For))
		c.queue.push(event{at: n.paused, kind: evResume, node: int8(n.i)})
	case CutOneWay:
		c.cut[f.Node][f.Far] = f.Far != f.Node
		c.mendIn(f)
	case Isolate:
		for i := range c.cut {
			c.cut[f.Node][i], c.cut[i][f.Node] = i != f.Node, i != f.Node
		}
		c.mendIn(f)
	case Deaf:
		c.cut[len(c.nodes)][f.Node] = true
		c.mendIn(f)
	case NewControl:
		c.control.up = false
		c.queue.push(event{at: c.now.Add(f.For), kind: evControl})
	case DiskError:
		c.diskError(n)
		c.queue.push(event{at: c.now.Add(f.For + c.plan.Session), kind: evExchange, node: int8(n.i)})
	case FullDisk:
		n.full = max(n.full, c.now.Add(f.For))
		c.cover[covFullDisk]++
		c.queue.push(event{at: n.full, kind: evSpace, node: int8(n.i)})
	default:
		c.administer(f)
	}
}

// space ends the want of it, unless the disk was filled anew meanwhile.
func (c *Core) space(n *node) {
	if n.full <= c.now && n.full > 0 {
		n.full = 0
		c.tell(n.name, -1, "has room again")
	}
}

// administer is what an operator asks of the controller.
func (c *Core) administer(f Fault) {
	if !c.control.up {
		return
	}
	p := int32(c.rng.IntN(len(c.parts)))
	switch f.Kind {
	case MinISR:
		v := strconv.Itoa(f.Far)
		c.commit(meta.AlterConfig{
			Resource: meta.Resource{Type: meta.TopicResource, Name: "t"}, MinISR: int8(f.Far),
			Set: map[string]*string{"min.insync.replicas": &v},
		})
	case Reassign:
		var to []int32
		for _, i := range c.rng.Perm(len(c.nodes))[:min(len(c.nodes), 2+c.rng.IntN(2))] {
			to = append(to, int32(i+1))
		}
		if c.rng.IntN(6) == 0 {
			to = nil // cancel
		}
		c.commit(meta.Reassign{Topic: c.topic, Partition: p, Target: to})
	case Prefer:
		c.commit(meta.ElectLeader{Topic: c.topic, Partition: p})
	}
}

// down ends a life: connections close, who waits hears nothing.
func (c *Core) down(n *node) {
	n.up = false
	n.seen = c.rng.IntN(n.applied + 1)
	if c.rng.IntN(2) == 0 {
		n.seen = n.applied
	}
	for p := range n.reps {
		r := &n.reps[p]
		for _, t := range r.tickets {
			c.answer(n, p, t, answerClosed)
		}
		r.tickets, r.leader, r.follower = nil, nil, nil
		if c.rng.IntN(2) == 0 { // the checkpoint is behind
			r.log.hw = max(0, r.log.hw-int64(c.rng.IntN(20)))
		}
	}
}

func (c *Core) kill(n *node) {
	if !n.up {
		return
	}
	c.tell(n.name, -1, "is killed")
	c.down(n)
}

// powerCut keeps what is durable, and of the rest as much as chance wants.
func (c *Core) powerCut(n *node) {
	if n.up {
		c.down(n)
	}
	n.boot++
	c.loseTails(n)
	c.tell(n.name, -1, "loses power")
}

func (c *Core) loseTails(n *node) {
	for p := range n.reps {
		l := &n.reps[p].log
		if l.end() == l.durable {
			continue
		}
		kept := l.durable
		if c.rng.IntN(3) == 0 {
			kept += c.rng.Int64N(l.end() - l.durable + 1)
		}
		if kept < l.end() {
			c.cover[covLostTail]++
			n.dirty, n.lost = true, true
		}
		l.recover(kept, l.hw)
	}
}

// diskError makes an fsync fail: what was not durable is gone, the directory is
// fenced for this life, the controller hears of it.
func (c *Core) diskError(n *node) {
	if !n.up || n.failing {
		return
	}
	c.cover[covDiskError]++
	n.failing, n.erred = true, true
	for p := range n.reps {
		c.resign(n, p)
		n.reps[p].follower = nil
	}
	c.loseTails(n)
	c.tell(n.name, -1, "cannot sync: its directory is fenced")
}

// stopping ends a controlled shutdown, when it leads nothing any more.
func (c *Core) stopping(n *node) {
	im := c.control.images[n.applied]
	b, ok := im.Broker(n.id)
	if !ok || b.State == meta.Active {
		c.after(c.plan.Session/2, evStop, n)
		return
	}
	for p := range n.reps {
		if n.reps[p].leader != nil {
			c.after(c.plan.Session/2, evStop, n)
			return
		}
	}
	if n.failing {
		return
	}
	for p := range n.reps {
		n.reps[p].log.durable = n.reps[p].log.end()
	}
	n.marker = n.brokerEpoch
	c.cover[covCleanStart]++
	c.tell(n.name, -1, "stops in order")
	c.down(n)
	rest := c.about(c.plan.Session)
	if c.healed {
		rest = min(rest, c.plan.Session) // the stop may have begun long ago, and all must be whole in time
	}
	c.queue.push(event{at: c.now.Add(rest), kind: evStart, node: int8(n.i)})
}

func (c *Core) restartIn(n *node, f Fault) {
	c.queue.push(event{at: c.now.Add(f.For), kind: evStart, node: int8(n.i)})
}

func (c *Core) mendIn(f Fault) {
	c.queue.push(event{at: c.now.Add(f.For), kind: evMend, node: int8(f.Node)})
}

// resume lets a paused node see what came meanwhile, in any order.
func (c *Core) resume(n *node) {
	if n.paused > c.now {
		return // it was paused again
	}
	if n.paused > 0 {
		n.stood += c.now.Sub(n.stands)
	}
	n.paused = 0
	for _, e := range n.held {
		e.at = c.now.Add(time.Duration(c.rng.IntN(1000)) * time.Microsecond)
		c.queue.push(e)
	}
	n.held = n.held[:0]
}

// exchange restarts a node whose directory is fenced, on a disk that works.
func (c *Core) exchange(n *node) {
	if n.up && n.failing {
		c.kill(n)
	}
	c.start(n)
}

// mend makes the connections of one node whole, or all.
func (c *Core) mend(i int) {
	for from := range c.cut {
		for to := range c.cut[from] {
			if i < 0 || from == i || to == i {
				c.cut[from][to] = false
			}
		}
	}
}
