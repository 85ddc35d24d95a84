package sim

import (
	"time"

	"github.com/brokerd/brokerd/internal/isr"
)

// ask sends the follower's next question, if it may be asked now.
func (c *Core) ask(n *node, p int) {
	r := &n.reps[p]
	if r.follower == nil || n.failing {
		return
	}
	r.follower.NowDurable(r.log.durable)
	n.correlation++
	q, ok := r.follower.Next(n.correlation, r.log.latest())
	if !ok {
		return
	}
	r.asked = q
	m := c.message(msgFetch)
	m.from, m.to, m.part, m.life, m.fetch, m.brokerEpoch = int8(n.i), int8(r.leads-1), int16(p), n.life, q, n.brokerEpoch
	c.tell(n.name, p, "fetches #%d at %d, last epoch %d, in epoch %d", q.Correlation, q.Offset, q.LastEpoch, q.LeaderEpoch)
	c.send(m)
	if !r.retrying {
		r.retrying = true
		c.armRetry(n, p, q.Correlation)
	}
}

// patience is how long a follower waits for an answer.
func (c *Core) patience() time.Duration {
	return max(min(c.plan.LagMax/4, 500*time.Millisecond), 4*c.plan.Delay)
}

func (c *Core) armRetry(n *node, p int, correlation int64) {
	c.queue.push(event{at: c.now.Add(c.patience()), kind: evRetry, node: int8(n.i), part: int16(p), life: n.life, a: correlation})
}

// retry gives the question up that was already open when it was armed.
func (c *Core) retry(n *node, p int, correlation int64) {
	r := &n.reps[p]
	r.retrying = false
	if r.follower == nil || c.mutated(RuleAskAgain) {
		return
	}
	if r.follower.Waiting() && correlation == r.asked.Correlation {
		r.follower.Lost()
	}
	c.ask(n, p)
	if !r.retrying {
		r.retrying = true
		c.armRetry(n, p, r.asked.Correlation)
	}
}

// receive takes a message in.
func (c *Core) receive(n *node, m *message) {
	switch m.kind {
	case msgFetch:
		c.fetched(n, m)
	case msgReply:
		c.replied(n, m)
	case msgProduce:
		c.produce(n, m)
	}
}

// fetched is a follower's fetch at whom it takes for the leader.
func (c *Core) fetched(n *node, m *message) {
	r := &n.reps[m.part]
	if s := &n.sessions[m.from]; m.life >= s.life {
		*s = session{life: m.life, spoke: c.now}
	}
	if r.leader == nil || n.failing {
		c.refuse(n, m, fetchRefused)
		return
	}
	if m.fetch.LeaderEpoch != r.leader.Epoch() && !c.mutated(RuleFetchEpoch) {
		c.cover[covStaleFetch]++
		c.refuse(n, m, fetchRefused)
		return
	}
	end := r.log.end()
	if m.fetch.LastEpoch >= 0 {
		epoch, to := r.log.endOf(m.fetch.LastEpoch)
		switch {
		case epoch < 0:
			c.refuse(n, m, fetchOutOfRange)
			return
		case epoch < m.fetch.LastEpoch || to < m.fetch.Offset:
			a := c.reply(n, m)
			a.diverged, a.epoch, a.epochEnd = true, epoch, to
			c.send(a)
			return
		}
	}
	if m.fetch.Offset > end {
		c.refuse(n, m, fetchOutOfRange)
		return
	}
	n.eff = isr.Effects{}
	err := r.leader.Fetched(c.now, isr.Fetched{
		Replica: int32(m.from) + 1, BrokerEpoch: m.brokerEpoch, LeaderEpoch: m.fetch.LeaderEpoch, Offset: m.fetch.Offset,
	}, &n.eff)
	c.act(n, int(m.part))
	if err != nil {
		c.refuse(n, m, fetchRefused)
		return
	}
	r.parked[m.from] = parked{open: true, fetch: m.fetch, brokerEpoch: m.brokerEpoch, life: m.life, hw: -1}
	c.serveOne(n, int(m.part), int(m.from))
}

func (c *Core) reply(n *node, m *message) *message {
	a := c.message(msgReply)
	a.from, a.to, a.part, a.life, a.fetch = int8(n.i), m.from, m.part, m.life, m.fetch
	a.hw = n.reps[m.part].log.hw
	return a
}

func (c *Core) refuse(n *node, m *message, why fetchError) {
	a := c.reply(n, m)
	a.failed = why
	c.send(a)
}

// serve answers the parked fetches that have something to hear.
func (c *Core) serve(n *node, p int) {
	for i := range n.reps[p].parked {
		c.serveOne(n, p, i)
	}
}

func (c *Core) serveOne(n *node, p, i int) {
	r := &n.reps[p]
	k := &r.parked[i]
	if !k.open || k.fetch.Offset >= r.log.end() && k.hw >= r.log.hw {
		return
	}
	a := c.message(msgReply)
	a.from, a.to, a.part, a.life, a.fetch, a.hw = int8(n.i), int8(i), int16(p), k.life, k.fetch, r.log.hw
	a.base = k.fetch.Offset
	a.n = copy(a.recs[:], r.log.recs[k.fetch.Offset:])
	k.hw = r.log.hw
	k.open = a.n == 0
	c.send(a)
}

// replied is what the leader answered.
func (c *Core) replied(n *node, m *message) {
	r := &n.reps[m.part]
	f := r.follower
	if f == nil || n.failing {
		return
	}
	n.eff = isr.Effects{}
	switch m.failed {
	case fetchRefused:
		return // the retry asks again
	case fetchOutOfRange:
		if f.Waiting() && r.asked == m.fetch {
			c.tell(n.name, int(m.part), "is out of the leader's range at %d", r.log.end())
			f.Beyond(0, &n.eff)
			c.actFollower(n, m)
		}
		return
	}
	in := isr.Received{To: m.fetch, Diverged: m.diverged, LeaderEnd: m.epochEnd, HighWatermark: m.hw, Records: m.n > 0}
	if m.diverged {
		_, in.OwnEnd = r.log.endOf(m.epoch)
	}
	if f.Waiting() && r.asked != m.fetch {
		c.cover[covStaleReply]++
	}
	f.Received(in, &n.eff)
	c.actFollower(n, m)
}

// actFollower does what the follower's core asks for.
func (c *Core) actFollower(n *node, m *message) {
	p := int(m.part)
	r := &n.reps[p]
	eff := n.eff
	if eff.Broken != "" {
		c.violated(eff.Broken[:min(2, len(eff.Broken))], "%s on p%d: %s", n.name, p, eff.Broken)
		return
	}
	if eff.Moved {
		r.log.hw = max(r.log.hw, eff.HighWatermark)
		c.checkWatermark(n, p)
	}
	switch {
	case eff.Truncate:
		c.cover[covDiverged]++
		c.tell(n.name, p, "truncates from %d to %d, hw %d", r.log.end(), eff.TruncateTo, r.log.hw)
		if eff.TruncateTo < r.log.end() {
			c.cover[covCutTail]++
		}
		c.checkTruncation(n, p, eff.TruncateTo)
		r.log.truncate(max(eff.TruncateTo, 0))
		n.flushTo[p] = min(n.flushTo[p], r.log.end())
		r.follower.Truncated(r.log.end())
	case eff.Append && n.full > 0:
		return // storage refuses it; the retry asks again
	case eff.Append && m.base == r.log.end():
		c.append(n, p, m)
	case eff.Append:
		r.follower.Lost() // storage refuses what does not begin at the end
	}
	c.flush(n)
	c.ask(n, p)
}

func (c *Core) append(n *node, p int, m *message) {
	r := &n.reps[p]
	for _, x := range m.recs[:m.n] {
		if x.epoch < r.log.latest() || x.epoch > r.have.LeaderEpoch {
			break // storage refuses it
		}
		r.log.append(x)
	}
	c.tell(n.name, p, "appends %d records at %d, leader's hw %d", m.n, m.base, m.hw)
	c.checkFollows(n, p, int(m.from))
	n.eff = isr.Effects{}
	r.follower.Appended(r.log.end(), m.hw, &n.eff)
	if n.eff.Broken != "" {
		c.violated("R4", "%s", n.eff.Broken)
	}
	if n.eff.Moved {
		r.log.hw = max(r.log.hw, n.eff.HighWatermark)
		c.checkWatermark(n, p)
	}
}

// flush begins a group commit of all that is not durable, if none runs.
func (c *Core) flush(n *node) {
	if n.flushing || n.failing || !n.up {
		return
	}
	dirty := false
	for p := range n.reps {
		n.flushTo[p] = n.reps[p].log.end()
		dirty = dirty || n.flushTo[p] > n.reps[p].log.durable
	}
	if !dirty {
		return
	}
	n.flushing = true
	d := c.plan.Sync/2 + c.about(c.plan.Sync)
	if !c.plan.Fsync {
		d *= 50 // the kernel writes when it likes
	}
	c.after(d, evFlushed, n)
}

// flushed tells the cores what is durable.
func (c *Core) flushed(n *node) {
	n.flushing = false
	if n.failing {
		return
	}
	for p := range n.reps {
		r := &n.reps[p]
		to := n.flushTo[p]
		if to <= r.log.durable {
			continue
		}
		r.log.durable = to
		if r.leader != nil {
			n.eff = isr.Effects{}
			r.leader.NowDurable(c.now, to, &n.eff)
			c.act(n, p)
			c.release(n, p)
		}
		if r.follower != nil {
			c.ask(n, p)
		}
	}
	c.flush(n)
}
