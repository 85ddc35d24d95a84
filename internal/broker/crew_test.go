package broker

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	crewTopic   = "w"
	crewParts   = 6
	crewSession = 10 * time.Second
)

// crew is a group under judgement. Each member counts on in the offsets of what it
// owns: it fetches the committed one, commits the next, and the next. So offsets say
// who owned what, and when:
//
//	G1  what a member is acknowledged is above all that was acknowledged before it
//	    asked: else two owned the partition. In one generation a partition is one
//	    member's. Nobody is given what another has, who was heard within his session.
//	G2  nobody is thrown out who was heard and gave up what he had to.
//	G3  when faults are over, the members share all partitions and commit on.
//	G4  the generation, or epoch, of a member does not fall.
//	O1  what is fetched is not below what was acknowledged before it was asked (O4),
//	    with the metadata that was committed with it (O5).
type crew struct {
	*bubble
	name    string
	modern  bool
	topicID [16]byte
	hands   []*hand
	ended   sync.WaitGroup

	mu      sync.Mutex
	deaf    map[int]time.Time // brokers that were cut off: what they said until then does not count
	acked   [crewParts]int64
	owner   [crewParts]*hand
	placed  map[int32]map[int32]string // generation → partition → member, of a classic group
	commits int
}

// count is how many commits were acknowledged.
func (g *crew) count() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.commits
}

// hand is a member. What others look at is guarded by crew.mu: heard, member.
type hand struct {
	*crew
	cl       *kgo.Client
	random   *rand.Rand
	instance *string
	id       string
	epoch    int32
	lives    int
	at       int             // whom it takes for the coordinator; 0: it has to ask
	settled  bool            // was assigned something under this id, and has not missed an answer since
	heard    time.Time       // when it sent what a coordinator answered last that was not cut off
	member   bool            // has an epoch and is settled, as of its last round
	owned    map[int32]int64 // partition → what it committed last; -1: it has to ask
}

// muster begins a group of four, one of them static, and an observer.
func (c *bubble) muster(ctx context.Context, name string, modern bool, seed uint64) *crew {
	t, _ := c.nodes[1].catalog.Image().TopicNamed(crewTopic)
	g := &crew{bubble: c, name: name, topicID: t.ID, modern: modern, deaf: map[int]time.Time{}, placed: map[int32]map[int32]string{}}
	for i := range 4 {
		h := &hand{crew: g, cl: c.client(kgo.RequestTimeoutOverhead(2 * time.Minute)), random: rand.New(rand.NewPCG(seed, uint64(i))), owned: map[int32]int64{}}
		if i == 0 {
			s := name + "-static"
			h.instance = &s
		}
		h.born()
		g.hands = append(g.hands, h)
		g.ended.Go(func() { h.run(ctx) })
	}
	o := &hand{crew: g, cl: c.client(kgo.RequestTimeoutOverhead(2 * time.Minute)), random: rand.New(rand.NewPCG(seed, 9)), owned: map[int32]int64{}, epoch: -1}
	g.ended.Go(func() { o.observe(ctx) })
	return g
}

// observe asks for all offsets, whoever a broker says is the coordinator: also one
// that was replaced and has not heard of it.
func (h *hand) observe(ctx context.Context) {
	defer h.cl.Close()
	for ctx.Err() == nil {
		time.Sleep(time.Duration(100+h.random.IntN(600)) * time.Millisecond)
		h.at = 0
		for p := range int32(crewParts) {
			h.recall(ctx, p)
		}
	}
}

func (h *hand) born() {
	h.lives++
	h.id, h.epoch, h.settled = "", 0, false
	if h.modern {
		h.id = fmt.Sprintf("%s-%d-%d", h.name, h.random.Uint64(), h.lives)
	}
}

func (h *hand) run(ctx context.Context) {
	defer h.cl.Close()
	for ctx.Err() == nil {
		time.Sleep(time.Duration(100+h.random.IntN(600)) * time.Millisecond)
		switch {
		case h.random.IntN(80) == 0:
			h.leave(ctx)
		case h.modern:
			h.beat(ctx)
		case h.epoch == 0:
			h.join(ctx)
		default:
			h.oldBeat(ctx)
		}
		for p := range int32(crewParts) {
			if at, ok := h.owned[p]; ok && at < 0 {
				h.recall(ctx, p)
			} else if ok {
				h.commit(ctx, p)
			}
		}
		h.mu.Lock()
		h.member = h.settled && h.epoch != 0
		h.mu.Unlock()
	}
}

// ask sends a request to the coordinator and gives when that was; nil: no answer.
func (h *hand) ask(ctx context.Context, req kmsg.Request) (kmsg.Response, time.Time) {
	if h.at == 0 {
		find := kmsg.NewPtrFindCoordinatorRequest()
		find.CoordinatorKeys = []string{h.name}
		resp, err := h.cl.Broker(1+h.random.IntN(3)).Request(ctx, find)
		if err != nil || resp.(*kmsg.FindCoordinatorResponse).Coordinators[0].ErrorCode != 0 {
			return nil, time.Time{}
		}
		h.at = int(resp.(*kmsg.FindCoordinatorResponse).Coordinators[0].NodeID)
	}
	sent := time.Now()
	resp, err := h.cl.Broker(h.at).Request(ctx, req)
	if err != nil {
		h.at, h.settled = 0, false
		return nil, sent
	}
	return resp, sent
}

// fails acts on an error; true: there is one. sent is when a member sent what renews
// its session; zero: that it is about offsets.
func (h *hand) fails(code int16, sent time.Time) bool {
	switch code {
	case 0, 27:
		h.mu.Lock()
		if sent.After(h.heard) && time.Now().After(h.deaf[h.at]) {
			h.heard = sent
		}
		h.mu.Unlock()
		if code == 27 && !h.modern {
			h.lose()
			h.epoch = 0
		}
	case 14, 15, 16:
		h.at = 0
	case 111: // the static one before it has not gone yet
	case 22, 25, 82, 110, 113:
		if code != 22 && code != 113 && h.settled && time.Since(h.heard) < crewSession {
			h.t.Errorf("G2: %s %q is thrown out (%d) %v after it was heard", h.name, h.id, code, time.Since(h.heard))
		}
		if code == 113 {
			break // it hears of its epoch with the next heartbeat
		}
		h.lose()
		if h.epoch = 0; code != 22 {
			h.settled = false
			if !h.modern {
				h.id = ""
			}
		}
	default:
		h.t.Errorf("%s %q: error %d", h.name, h.id, code)
	}
	return code != 0
}

// lose gives up all it owns.
func (h *hand) lose() { h.keep(nil) }

// keep gives up what is not among parts.
func (h *hand) keep(parts []int32) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for p := range h.owned {
		if !slices.Contains(parts, p) {
			delete(h.owned, p)
			if h.owner[p] == h {
				h.owner[p] = nil
			}
		}
	}
}

// adopt takes what it was assigned.
func (h *hand) adopt(epoch int32, parts []int32) {
	if h.settled && epoch < h.epoch {
		h.t.Errorf("G4: %s %q went from %d to %d", h.name, h.id, h.epoch, epoch)
	}
	h.keep(parts)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.epoch, h.settled = epoch, true
	for _, p := range parts {
		if _, ok := h.owned[p]; ok {
			continue
		}
		if o := h.owner[p]; o != nil && o != h && time.Since(o.heard) < crewSession {
			h.t.Errorf("G1: %s %q is given %d, which %q has, heard %v ago", h.name, h.id, p, o.id, time.Since(o.heard))
		}
		h.owner[p], h.owned[p] = h, -1
	}
	if h.modern {
		return
	}
	if h.placed[epoch] == nil {
		h.placed[epoch] = map[int32]string{}
	}
	for _, p := range parts {
		me := h.id
		if h.instance != nil {
			me = *h.instance
		}
		if who := h.placed[epoch][p]; who != "" && who != me {
			h.t.Errorf("G1: %s: generation %d gives %d to %q and %q", h.name, epoch, p, who, me)
		}
		h.placed[epoch][p] = me
	}
}

// beat is all that a KIP-848 member says.
func (h *hand) beat(ctx context.Context) {
	r := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	r.Group, r.MemberID, r.InstanceID, r.MemberEpoch = h.name, h.id, h.instance, h.epoch
	r.RebalanceTimeoutMillis, r.SubscribedTopicNames = 15_000, []string{crewTopic}
	r.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{{TopicID: h.topicID, Partitions: h.parts()}}
	if h.epoch == 0 {
		r.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{}
	}
	resp, sent := h.ask(ctx, r)
	if resp == nil {
		return
	}
	v := resp.(*kmsg.ConsumerGroupHeartbeatResponse)
	if h.fails(v.ErrorCode, sent) {
		return
	}
	parts := h.parts()
	if v.Assignment != nil {
		parts = nil
		for _, t := range v.Assignment.Topics {
			parts = append(parts, t.Partitions...)
		}
	}
	h.adopt(v.MemberEpoch, parts)
}

func (h *hand) parts() (all []int32) {
	all = []int32{}
	for p := range int32(crewParts) {
		if _, ok := h.owned[p]; ok {
			all = append(all, p)
		}
	}
	return all
}

// join is what an eager classic member does until it has an assignment.
func (h *hand) join(ctx context.Context) {
	h.lose()
	r := kmsg.NewPtrJoinGroupRequest()
	r.Group, r.MemberID, r.InstanceID, r.ProtocolType = h.name, h.id, h.instance, "consumer"
	r.SessionTimeoutMillis, r.RebalanceTimeoutMillis = int32(crewSession/time.Millisecond), 15_000
	sub := kmsg.NewConsumerMemberMetadata()
	sub.Topics = []string{crewTopic}
	r.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "p", Metadata: sub.AppendTo(nil)}}
	resp, sent := h.ask(ctx, r)
	if resp == nil {
		return
	}
	j := resp.(*kmsg.JoinGroupResponse)
	if j.ErrorCode == 79 {
		h.id = j.MemberID
		return
	}
	if h.fails(j.ErrorCode, sent) {
		return
	}
	h.id = j.MemberID
	s := kmsg.NewPtrSyncGroupRequest()
	s.Group, s.MemberID, s.InstanceID, s.Generation = h.name, h.id, h.instance, j.Generation
	s.ProtocolType, s.Protocol = j.ProtocolType, j.Protocol
	if j.LeaderID == h.id && !j.SkipAssignment {
		s.GroupAssignment = share(j.Members)
	}
	if resp, sent = h.ask(ctx, s); resp == nil {
		return
	}
	v := resp.(*kmsg.SyncGroupResponse)
	if h.fails(v.ErrorCode, sent) {
		return
	}
	var a kmsg.ConsumerMemberAssignment
	if err := a.ReadFrom(v.MemberAssignment); err != nil && len(v.MemberAssignment) > 0 {
		h.t.Errorf("%s %q is assigned %x: %v", h.name, h.id, v.MemberAssignment, err)
	}
	var parts []int32
	for _, t := range a.Topics {
		parts = append(parts, t.Partitions...)
	}
	h.epoch = max(h.epoch, 0)
	h.adopt(j.Generation, parts)
}

// share is what the leader assigns: partitions go round.
func share(members []kmsg.JoinGroupResponseMember) (all []kmsg.SyncGroupRequestGroupAssignment) {
	for i, m := range members {
		a := kmsg.NewConsumerMemberAssignment()
		t := kmsg.ConsumerMemberAssignmentTopic{Topic: crewTopic}
		for p := i; p < crewParts; p += len(members) {
			t.Partitions = append(t.Partitions, int32(p))
		}
		a.Topics = []kmsg.ConsumerMemberAssignmentTopic{t}
		all = append(all, kmsg.SyncGroupRequestGroupAssignment{MemberID: m.MemberID, MemberAssignment: a.AppendTo(nil)})
	}
	return all
}

func (h *hand) oldBeat(ctx context.Context) {
	r := kmsg.NewPtrHeartbeatRequest()
	r.Group, r.MemberID, r.InstanceID, r.Generation = h.name, h.id, h.instance, h.epoch
	if resp, sent := h.ask(ctx, r); resp != nil {
		h.fails(resp.(*kmsg.HeartbeatResponse).ErrorCode, sent)
	}
}

// leave gives everything up, says so, and begins another life.
func (h *hand) leave(ctx context.Context) {
	h.lose()
	switch {
	case h.epoch == 0:
		return
	case h.modern:
		r := kmsg.NewPtrConsumerGroupHeartbeatRequest()
		r.Group, r.MemberID, r.InstanceID, r.MemberEpoch = h.name, h.id, h.instance, -1
		if h.instance != nil {
			r.MemberEpoch = -2
		}
		h.ask(ctx, r)
	case h.instance == nil:
		r := kmsg.NewPtrLeaveGroupRequest()
		r.Group, r.Members = h.name, []kmsg.LeaveGroupRequestMember{{MemberID: h.id}}
		h.ask(ctx, r)
	}
	h.born()
}

// recall asks for the committed offset of a partition that it owns.
func (h *hand) recall(ctx context.Context, p int32) {
	h.mu.Lock()
	before := h.acked[p]
	h.mu.Unlock()
	r := kmsg.NewPtrOffsetFetchRequest()
	r.RequireStable = true
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group = h.name
	if h.modern && h.id != "" {
		g.MemberID, g.MemberEpoch = &h.id, h.epoch
	}
	g.Topics = []kmsg.OffsetFetchRequestGroupTopic{{Topic: crewTopic, TopicID: h.topicID, Partitions: []int32{p}}}
	r.Groups = []kmsg.OffsetFetchRequestGroup{g}
	resp, _ := h.ask(ctx, r)
	if resp == nil {
		return
	}
	a := resp.(*kmsg.OffsetFetchResponse).Groups[0]
	if h.fails(a.ErrorCode, time.Time{}) || len(a.Topics) == 0 || h.fails(a.Topics[0].Partitions[0].ErrorCode, time.Time{}) {
		return
	}
	got := a.Topics[0].Partitions[0]
	at := max(got.Offset, 0)
	if at < before {
		h.t.Errorf("O1: %s: %d is committed in %d, after %d was acknowledged", h.name, at, p, before)
	}
	if at > 0 && (got.Metadata == nil || *got.Metadata != strconv.FormatInt(at, 10)) {
		h.t.Errorf("O5: %s: %d is committed in %d with %v", h.name, at, p, got.Metadata)
	}
	h.owned[p] = at
}

// commit commits the next offset.
func (h *hand) commit(ctx context.Context, p int32) {
	next := h.owned[p] + 1
	h.owned[p] = -1 // unless it is acknowledged
	h.mu.Lock()
	before := h.acked[p]
	h.mu.Unlock()
	text := strconv.FormatInt(next, 10)
	r := kmsg.NewPtrOffsetCommitRequest()
	r.Group, r.MemberID, r.InstanceID, r.Generation = h.name, h.id, h.instance, h.epoch
	one := kmsg.NewOffsetCommitRequestTopicPartition()
	one.Partition, one.Offset, one.Metadata = p, next, &text
	r.Topics = []kmsg.OffsetCommitRequestTopic{{Topic: crewTopic, TopicID: h.topicID, Partitions: []kmsg.OffsetCommitRequestTopicPartition{one}}}
	resp, _ := h.ask(ctx, r)
	if resp == nil || h.fails(resp.(*kmsg.OffsetCommitResponse).Topics[0].Partitions[0].ErrorCode, time.Time{}) {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if next <= before {
		h.t.Errorf("G1: %s %q is acknowledged %d in %d, where %d was before: two own it", h.name, h.id, next, p, before)
	}
	h.owned[p], h.acked[p] = next, max(h.acked[p], next)
	h.commits++
}

// whole tells whether the members share all partitions, each of them settled.
func (g *crew) whole() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, h := range g.hands {
		if !h.member {
			return false
		}
	}
	return !slices.Contains(g.owner[:], nil)
}
