package sim

import (
	"fmt"
	"strconv"
	"time"

	"github.com/brokerd/brokerd/internal/isr"
	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/step"
)

// node is one broker: what it has on disk, and what it knows in this life.
type node struct {
	i    int
	id   int32
	name string

	// On disk, and of the machine.
	reps   []replica
	boot   int          // of the operating system
	marker int64        // broker epoch of a clean stop, 0: none
	erred  bool         // the last life met an fsync error
	seen   int          // metadata that is on disk
	dirty  bool         // lost something that only a registration tells of
	lost   bool         // ever lost a tail
	full   step.Instant // it takes no records before; 0: it has room

	// Of this life.
	up          bool
	life        int32
	paused      step.Instant  // it does nothing before; 0: it is not paused
	stands      step.Instant  // since then, if it is
	stood       time.Duration // in pauses that are over
	held        []event       // until then
	incarnation step.TopicID
	applied     int // metadata entries
	slow        int // to apply them
	started     bool
	brokerEpoch int64
	stops       bool
	failing     bool // an fsync has failed
	reported    bool // and the controller knows
	flushing    bool
	flushTo     []int64
	sessions    []session // by follower
	correlation int64
	eff         isr.Effects
}

// session is what a leader knows of a follower's connection.
type session struct {
	life  int32
	spoke step.Instant
}

// replica is one partition on one node.
type replica struct {
	log   modelLog
	given []given

	known    bool // have is of this life
	have     isr.Record
	leads    int32 // broker id of the leader as of have, -1: none
	leader   *isr.Leader
	follower *isr.Follower
	parked   []parked // by node
	tickets  []ticket
	asked    isr.Fetch
	retrying bool
	request  int64 // number of the proposal that is under way
}

// given is a log that was given up, as of the partition epoch that said so.
type given struct {
	log   modelLog
	epoch int32
}

// parked is a fetch that waits at its leader.
type parked struct {
	open        bool
	fetch       isr.Fetch
	brokerEpoch int64
	life        int32
	hw          int64 // that was told
}

func newNode(i int, p *Plan) *node {
	return &node{
		i: i, id: int32(i + 1), name: "b" + strconv.Itoa(i+1), reps: make([]replica, p.Partitions),
		flushTo: make([]int64, p.Partitions), sessions: make([]session, p.Brokers),
	}
}

// live begins a life.
func (c *Core) live(n *node) {
	n.up, n.life, n.applied, n.started, n.brokerEpoch = true, n.life+1, n.seen, false, 0
	n.stops, n.failing, n.reported, n.flushing, n.paused = false, false, false, false, 0
	n.incarnation = step.TopicID{1, byte(n.i), byte(n.life), byte(n.life >> 8)}
	n.slow = []int{1, 1, 1, 10}[c.rng.IntN(4)]
	for i := range n.sessions {
		n.sessions[i] = session{}
	}
	for i := range n.reps {
		r := &n.reps[i]
		r.log.recover(r.log.end(), r.log.hw) // what is left of it is synced first
		*r = replica{log: r.log, given: r.given, leads: -1, parked: make([]parked, c.plan.Brokers)}
	}
	c.after(0, evTick, n)
	c.after(c.about(c.plan.Session/4), evBeat, n)
}

// start begins a life out of what is on disk. Old entries are applied again.
func (c *Core) start(n *node) {
	if n.up {
		return
	}
	c.live(n)
	c.tell(n.name, -1, "starts, life %d, with metadata up to %d of %d", n.life, n.applied, len(c.control.images)-1)
	if n.applied < len(c.control.images)-1 {
		c.cover[covReplayed]++
	}
	for at := n.applied; at < len(c.control.images); at += 1 + c.rng.IntN(4) {
		c.hear(n, at)
	}
	c.hear(n, len(c.control.images)-1)
	c.after(c.about(c.plan.Delay), evRegister, n)
}

// registration is what n says of itself.
func (n *node) registration(seen int64, p *Plan) meta.RegisterBroker {
	return meta.RegisterBroker{
		ID: n.id, ClusterID: "sim", Incarnation: n.incarnation, Dirs: []step.TopicID{{2, byte(n.i)}}, Voter: true,
		Seen: seen, CleanEpoch: n.marker, BootID: fmt.Sprint("boot-", n.i, "-", n.boot), DiskError: n.erred,
		Intact: true, DefaultISR: !p.Fsync,
	}
}

// applyUpTo applies metadata, and acts on it once the own registration is in it (D5).
func (c *Core) applyUpTo(n *node, index int) {
	if index <= n.applied {
		return
	}
	n.applied = index
	im := c.control.images[index]
	b, ok := im.Broker(n.id)
	if ok && b.Incarnation == n.incarnation {
		if n.brokerEpoch == 0 {
			n.brokerEpoch = b.Epoch
			n.marker, n.erred = 0, false
			c.tell(n.name, -1, "is registered at epoch %d", b.Epoch)
		}
		n.started = true
	}
	if c.mutated(RuleOwnRegistration) {
		n.started = true
	}
	if !n.started || n.failing {
		return
	}
	for p := range n.reps {
		c.reconcile(n, p, im)
	}
}

// reconcile compares what the image wants of a partition with what it is here.
func (c *Core) reconcile(n *node, p int, im *meta.Image) {
	t, ok := im.Topic(c.topic)
	if !ok {
		return
	}
	pt, _ := t.Partition(int32(p))
	r := &n.reps[p]
	if !pt.HasReplica(n.id) {
		if r.known || r.log.end() > 0 {
			c.resign(n, p)
			r.follower = nil
			r.given = append(r.given, given{r.log, pt.PartitionEpoch})
			r.log = modelLog{}
			n.flushTo[p] = 0
			r.known = false
			c.tell(n.name, p, "gives its replica up")
		}
		return
	}
	rec := isr.Record{
		LeaderEpoch: pt.LeaderEpoch, PartitionEpoch: pt.PartitionEpoch, Replicas: pt.Replicas,
		ISR: isr.Mask(pt.ISRMask()), MinISR: int(pt.MinISR), Recovering: pt.Recovering,
		BrokerEpochs: make([]int64, len(pt.Replicas)), Unclean: pt.Doubted(n.id),
	}
	for i, id := range pt.Replicas {
		rec.BrokerEpochs[i] = -1
		if b, ok := im.Broker(id); ok {
			rec.BrokerEpochs[i] = b.Epoch
			if b.State == meta.Active && !pt.Full(im, id) {
				rec.Eligible = rec.Eligible.With(i)
			}
		}
	}
	newEpoch := !r.known || rec.LeaderEpoch > r.have.LeaderEpoch
	had := r.have
	r.known, r.have, r.leads = true, rec, pt.Leader
	switch {
	case newEpoch && pt.Leader == n.id:
		c.lead(n, p)
	case newEpoch:
		c.follow(n, p)
	case r.leader != nil:
		if rec.ISR.Count() < had.ISR.Count() {
			c.cover[covShrunk]++
		} else if rec.ISR.Count() > had.ISR.Count() {
			c.cover[covExpanded]++
		}
		n.eff = isr.Effects{}
		r.leader.Altered(c.now, rec, &n.eff)
		c.act(n, p)
	case r.follower != nil:
		r.follower.Altered(rec)
	}
}

// config of the cores.
func (c *Core) config(n *node) isr.Config {
	return isr.Config{Self: n.id, Fsync: c.plan.Fsync, LagMax: c.plan.LagMax}
}

// lead begins a leadership.
func (c *Core) lead(n *node, p int) {
	r := &n.reps[p]
	c.resign(n, p)
	r.follower = nil
	epoch := r.have.LeaderEpoch
	if epoch < r.log.fence || epoch < r.log.latest() {
		return // the log is fenced
	}
	r.log.fence = epoch
	if epoch > r.log.latest() {
		r.log.assign(epoch)
	}
	if c.plan.Fsync && r.have.Recovering {
		r.log.durable = r.log.end() // all that it has is the log from now on: it is synced first
	}
	c.tell(n.name, p, "leads epoch %d from %d, durable %d, hw %d", epoch, r.log.end(), r.log.durable, r.log.hw)
	c.cover[covElected]++
	c.checkLead(n, p)
	n.eff = isr.Effects{}
	r.leader = isr.NewLeader(c.now, c.config(n), r.have, isr.Log{End: r.log.end(), Durable: r.log.durable, HighWatermark: r.log.hw}, &n.eff)
	c.act(n, p)
}

// follow ends a leadership, and begins to follow if there is somebody to.
func (c *Core) follow(n *node, p int) {
	r := &n.reps[p]
	c.resign(n, p)
	r.follower = nil
	r.log.fence = max(r.log.fence, r.have.LeaderEpoch)
	if r.leads < 0 {
		return
	}
	if c.mutated(RuleEpochTruncation) && r.log.end() > r.log.hw {
		r.log.truncate(r.log.hw)
	}
	r.follower = isr.NewFollower(c.config(n), r.have, isr.Log{End: r.log.end(), Durable: r.log.durable, HighWatermark: r.log.hw})
	c.tell(n.name, p, "follows b%d in epoch %d, end %d, hw %d", r.leads, r.have.LeaderEpoch, r.log.end(), r.log.hw)
	c.flush(n)
	c.ask(n, p)
}

// resign ends a leadership: who waits hears that the outcome is unknown.
func (c *Core) resign(n *node, p int) {
	r := &n.reps[p]
	if r.leader == nil {
		return
	}
	r.leader = nil
	for i := range r.parked {
		r.parked[i] = parked{}
	}
	for _, t := range r.tickets {
		c.answer(n, p, t, answerNotLeader)
	}
	r.tickets = r.tickets[:0]
}

// act does what the core asks for.
func (c *Core) act(n *node, p int) {
	r := &n.reps[p]
	eff := n.eff
	if eff.Broken != "" {
		c.violated(eff.Broken[:min(3, len(eff.Broken))], "%s on p%d: %s", n.name, p, eff.Broken)
		return
	}
	if eff.Propose {
		r.request++
		c.sendProposal(n, p, eff.Proposal)
	}
	if eff.Moved {
		r.log.hw = max(r.log.hw, eff.HighWatermark)
		c.checkWatermark(n, p)
		c.release(n, p)
		c.serve(n, p)
	}
}

// tick is what time alone brings: lag, deadlines.
func (c *Core) tick(n *node) {
	c.after(max(c.plan.LagMax/10, 20*time.Millisecond), evTick, n)
	for p := range n.reps {
		r := &n.reps[p]
		if r.leader == nil {
			continue
		}
		n.eff = isr.Effects{}
		for i := range r.parked {
			if s := &n.sessions[i]; r.parked[i].open && s.life == r.parked[i].life {
				r.leader.Alive(s.spoke, int32(i+1))
			}
		}
		r.leader.Tick(c.now, &n.eff)
		if r.leader.UnderMinISR() {
			c.cover[covFrozen]++
		}
		c.act(n, p)
		c.expire(n, p)
	}
	c.flush(n)
}

// answered brings the controller's verdict on a proposal to the core.
func (c *Core) answered(n *node, m *message) {
	r := &n.reps[m.part]
	if r.leader == nil || m.fetch.Correlation != r.request {
		return
	}
	r.request++
	switch m.verdict {
	case verdictDone:
		return
	case verdictDefinite:
		n.eff = isr.Effects{}
		r.leader.Refused(m.proposal, isr.Definite, &n.eff)
	default:
		n.eff = isr.Effects{}
		r.leader.Refused(m.proposal, isr.Unknown, &n.eff)
	}
	c.act(n, int(m.part))
}
