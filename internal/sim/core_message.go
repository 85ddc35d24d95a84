package sim

import (
	"time"

	"github.com/brokerd/brokerd/internal/isr"
	"github.com/brokerd/brokerd/internal/meta"
)

// message is a fetch, its reply, a produce request or a proposal.
type message struct {
	kind     messageKind
	uses     int8 // events that carry it
	from, to int8
	part     int16
	life     int32 // of the sender; of a reply, that of who asked

	fetch       isr.Fetch
	brokerEpoch int64

	failed   fetchError
	diverged bool
	epoch    int32 // diverging
	epochEnd int64
	hw       int64
	base     int64
	recs     [maxFetch]rec
	n        int
	request  int32 // of a client
	acks     int8
	alter    meta.AlterPartition
	proposal isr.Proposal // what alter is made of
	verdict  verdict
}

type messageKind uint8

const (
	msgFetch messageKind = iota
	msgReply
	msgProduce
	msgAlter
)

type fetchError uint8

const (
	fetchFine fetchError = iota
	fetchRefused
	fetchOutOfRange
)

type verdict uint8

const (
	verdictUnknown verdict = iota
	verdictDone
	verdictDefinite
)

// maxFetch is how many records a reply can have: few, so that followers lag.
const maxFetch = 8

func (c *Core) message(kind messageKind) *message {
	if n := len(c.free); n > 0 {
		m := c.free[n-1]
		c.free = c.free[:n-1]
		*m = message{kind: kind}
		return m
	}
	return &message{kind: kind}
}

// share makes a message that says the same.
func (m *message) share(c *Core) *message {
	s := c.message(m.kind)
	*s = *m
	s.uses = 1
	return s
}

// reaches says whether what i says arrives at j.
func (c *Core) reaches(i, j int) bool { return !c.cut[i][j] }

// send puts a message on its way, which it may lose, or take twice.
func (c *Core) send(m *message) {
	m.uses = 0
	if c.intercept != nil && c.intercept(m) {
		c.caught = append(c.caught, m)
		return
	}
	times := 1
	switch {
	case !c.reaches(int(m.from), int(m.to)), c.chance(c.plan.Drop) && !c.healed:
		times = 0
	case c.chance(c.plan.Duplicate) && !c.healed:
		times = 2
	}
	for range times {
		d := c.about(c.plan.Delay)
		if !c.healed && c.rng.IntN(64) == 0 {
			d *= 30 // one that comes when nobody thinks of it any more
		}
		m.uses++
		life := m.life
		c.queue.push(event{at: c.now.Add(d + time.Microsecond), kind: evMessage, node: m.to, life: life, msg: m})
	}
	if times == 0 {
		c.free = append(c.free, m)
	}
}

// sendProposal takes a proposal to the controller; one that is lost on the way
// comes back as unknown.
func (c *Core) sendProposal(n *node, p int, q isr.Proposal) {
	m := c.message(msgAlter)
	m.from, m.part, m.life = int8(n.i), int16(p), n.life
	m.fetch.Correlation, m.proposal = n.reps[p].request, q
	m.alter = meta.AlterPartition{
		Broker: n.id, BrokerEpoch: n.brokerEpoch, Topic: c.topic, Partition: int32(p),
		LeaderEpoch: q.LeaderEpoch, PartitionEpoch: q.PartitionEpoch, Recovered: true,
	}
	for _, r := range n.reps[p].leader.Members(q.ISR) {
		m.alter.ISR = append(m.alter.ISR, meta.ISRMember{ID: r.Broker, Epoch: r.Epoch})
	}
	m.uses = 1
	c.tell(n.name, p, "proposes %v at %d.%d", m.alter.ISR, q.LeaderEpoch, q.PartitionEpoch)
	if !c.reaches(n.i, len(c.nodes)) || c.chance(c.plan.Drop) && !c.healed {
		c.queue.push(event{at: c.now.Add(c.plan.Session), kind: evAnswer, node: int8(n.i), life: n.life, msg: m})
		return
	}
	c.queue.push(event{at: c.now.Add(c.about(c.plan.Delay)), kind: evPropose, msg: m})
	if c.rng.IntN(16) == 0 && !c.healed { // given up before it arrived
		lost := m.share(c)
		c.queue.push(event{at: c.now.Add(c.about(c.plan.Delay)), kind: evAnswer, node: int8(n.i), life: n.life, msg: lost})
	}
}
