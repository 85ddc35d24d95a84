package group

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/brokerd/brokerd/internal/step"
)

// consumerClient is how tests talk as one member of consumer group g. It knows
// what a client knows.
type consumerClient struct {
	*bed
	id       string
	instance *string
	epoch    int32
	topics   []string
	regex    *string
	assignor *string
	owned    parts
	full     bool // the next heartbeat says everything
	code     int16
}

func (b *bed) consumer(id string, topics ...string) *consumerClient {
	return &consumerClient{bed: b, id: id, topics: topics, owned: parts{}, full: true}
}

// request is the next heartbeat.
func (c *consumerClient) request() *kmsg.ConsumerGroupHeartbeatRequest {
	r := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	r.Version, r.Group, r.MemberID, r.MemberEpoch, r.InstanceID = 1, "g", c.id, c.epoch, c.instance
	r.RebalanceTimeoutMillis = -1
	if c.full || c.epoch == epochJoin {
		r.RebalanceTimeoutMillis, r.SubscribedTopicRegex, r.ServerAssignor = 20_000, c.regex, c.assignor
		r.SubscribedTopicNames = append([]string{}, c.topics...)
	}
	r.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{}
	for _, id := range c.owned.topics() {
		r.Topics = append(r.Topics, kmsg.ConsumerGroupHeartbeatRequestTopic{TopicID: id, Partitions: c.owned[id]})
	}
	return r
}

func (c *consumerClient) ask(r *kmsg.ConsumerGroupHeartbeatRequest) *kmsg.ConsumerGroupHeartbeatResponse {
	token := c.send(ConsumerGroupHeartbeat{Client: Client{"c", "/127.0.0.1"}, Req: r})
	return c.answers[token].(*kmsg.ConsumerGroupHeartbeatResponse)
}

// hear takes an answer as a client does.
func (c *consumerClient) hear(resp *kmsg.ConsumerGroupHeartbeatResponse) {
	c.code = resp.ErrorCode
	switch resp.ErrorCode {
	case codeNone:
		c.epoch, c.full = resp.MemberEpoch, false
		if a := resp.Assignment; a != nil {
			c.owned = parts{}
			for _, topic := range a.Topics {
				c.owned[topic.TopicID] = slices.Clone(topic.Partitions)
			}
		}
	case codeFencedEpoch, codeUnknownMember, codeGroupNotFound, codeUnreleasedInstance:
		c.epoch, c.owned, c.full = epochJoin, parts{}, true
	default:
		c.Fatalf("%s: error %d: %s", c.id, resp.ErrorCode, text(resp.ErrorMessage))
	}
}

// beats sends a heartbeat and hears its answer; it tells what is owned then.
func (c *consumerClient) beats() parts {
	c.hear(c.ask(c.request()))
	return c.owned
}

func (c *consumerClient) says(epoch int32) int16 {
	r := c.request()
	r.MemberEpoch = epoch
	return c.ask(r).ErrorCode
}

// settled beats for all until nothing moves.
func (b *bed) settled(clients ...*consumerClient) {
	b.Helper()
	for range 20 {
		for _, c := range clients {
			c.beats()
		}
		if d := b.consumerGroup(); d.State == "Stable" {
			for _, c := range clients {
				c.beats()
			}
			return
		}
	}
	b.Fatalf("never stable: %+v", b.consumerGroup())
}

func (b *bed) consumerGroup() *kmsg.ConsumerGroupDescribeResponseGroup {
	return b.answers[b.send(ConsumerGroupDescribe{"g"})].(*kmsg.ConsumerGroupDescribeResponseGroup)
}

func (b *bed) wantConsumers(state string, epoch int32, members int) {
	b.Helper()
	if d := b.consumerGroup(); d.State != state || d.Epoch != epoch || len(d.Members) != members {
		b.Fatalf("group is %s, epoch %d, %d members; want %s, %d, %d", d.State, d.Epoch, len(d.Members), state, epoch, members)
	}
}

func TestConsumersJoinAndLeave(t *testing.T) {
	b := newBed(t)
	one := b.consumer("one", "t")
	if got := one.beats(); one.epoch != 1 || got.size() != 4 {
		t.Fatalf("the first member has %v at epoch %d", got, one.epoch)
	}
	two := b.consumer("two", "t")
	if got := two.beats(); two.epoch != 2 || got.size() != 0 {
		t.Fatalf("the second member has %v at epoch %d before the first gave up anything", got, two.epoch)
	}
	b.wantConsumers("Reconciling", 2, 2)
	if got := one.beats(); one.epoch != 1 || got.size() != 2 {
		t.Fatalf("the first member is told to keep %v at epoch %d", got, one.epoch)
	}
	if got := two.beats(); got.size() != 0 {
		t.Fatalf("the second member has %v that the first may still use", got)
	}
	if one.beats(); one.epoch != 2 {
		t.Fatalf("the first member gave up and is at epoch %d", one.epoch)
	}
	if got := two.beats(); got.size() != 2 {
		t.Fatalf("the second member has %v", got)
	}
	b.wantConsumers("Stable", 2, 2)
	b.reload()
	b.wantConsumers("Stable", 2, 2)
	if code := one.says(epochLeave); code != 0 {
		t.Fatalf("leave: %d", code)
	}
	b.wantConsumers("Assigning", 3, 1)
	if got := two.beats(); got.size() != 4 || two.epoch != 3 {
		t.Fatalf("alone, the second member has %v at epoch %d", got, two.epoch)
	}
	two.says(epochLeave)
	b.wantConsumers("Empty", 4, 0)
	r := kmsg.NewPtrListGroupsRequest()
	r.TypesFilter = []string{"Consumer"}
	if l := b.answers[b.send(ListGroups{r})].(*kmsg.ListGroupsResponse).Groups; len(l) != 1 || l[0].GroupState != "Empty" {
		t.Fatalf("listed %+v", l)
	}
	if r := b.answers[b.send(DeleteGroup{"g"})].(*kmsg.DeleteGroupsResponseGroup); r.ErrorCode != 0 || len(b.m.groups) != 0 {
		t.Fatalf("delete: %d, left %v", r.ErrorCode, b.m.groups)
	}
}

func TestConsumerEpochsFence(t *testing.T) {
	b := newBed(t)
	one, two := b.consumer("one", "t"), b.consumer("two", "t")
	b.settled(one, two)
	for _, c := range []struct {
		name  string
		epoch int32
		code  int16
	}{
		{"a greater epoch", one.epoch + 1, codeFencedEpoch},
		{"the previous epoch, with what is owned", one.epoch - 1, codeNone},
		{"joining once more", epochJoin, codeInvalidRequest}, // it says that it owns something
	} {
		if code := one.says(c.epoch); code != c.code {
			t.Errorf("%s: error %d, want %d", c.name, code, c.code)
		}
	}
	stranger := b.consumer("nobody", "t")
	if code := stranger.says(3); code != codeUnknownMember {
		t.Errorf("a stranger: error %d", code)
	}
	one.owned = one.owned.union(two.owned)
	if code := one.says(one.epoch - 1); code != codeFencedEpoch {
		t.Errorf("the previous epoch with foreign partitions: error %d", code)
	}
	if code := b.client("t").commit("t", 0, 9); code != codeUnknownMember {
		t.Errorf("a tool commits into a group with members: error %d", code)
	}
}

// A member that has not heard of its newest epoch commits what it has had since the
// one that it names; nothing else.
func TestCommitEpochs(t *testing.T) {
	b := newBed(t)
	one, two := b.consumer("one", "t"), b.consumer("two", "t")
	one.beats() // all four, since epoch 1
	two.beats()
	kept := one.beats()
	one.beats() // gave up two
	two.beats() // has them since epoch 2
	want(t, "epochs", [2]int32{one.epoch, two.epoch}, [2]int32{2, 2})
	id := b.topics["t"]
	mine, lost := kept[id][0], two.owned[id][0]
	for _, s := range []struct {
		name  string
		who   string
		epoch int32
		p     int32
		code  int16
	}{
		{"at its epoch", "one", 2, mine, codeNone},
		{"at its epoch, what another has", "one", 2, lost, codeNone}, // as Kafka: consumers may commit anything
		{"at an old epoch, what it had then", "one", 1, mine, codeNone},
		{"at an old epoch, what it gave up", "one", 1, lost, codeStaleEpoch},
		{"at an epoch before it had it", "two", 1, lost, codeStaleEpoch},
		{"at an epoch that is not yet", "one", 3, mine, codeStaleEpoch},
		{"a stranger", "three", 1, mine, codeUnknownMember},
	} {
		c := b.client("t")
		c.id, c.gen = s.who, s.epoch
		want(t, s.name, c.commit("t", s.p, 7), s.code)
		b.reload()
	}
}

// A member that is silent goes, and so does one that does not give up its
// partitions; one that owes nothing has all the time.
func TestConsumerTimeouts(t *testing.T) {
	b := newBed(t)
	one, two := b.consumer("one", "t"), b.consumer("two", "t")
	one.beats()
	two.beats()
	one.beats() // told to give up; it goes on to say that it owns all of them
	all := parts{b.topics["t"]: {0, 1, 2, 3}}
	for range 6 {
		b.advance(4 * time.Second)
		one.owned = all
		one.says(one.epoch)
		two.beats()
	}
	if d := b.consumerGroup(); len(d.Members) != 1 || two.beats().size() != 4 {
		t.Fatalf("%+v, %v", d, two.owned)
	}
	b.advance(46 * time.Second)
	b.wantConsumers("Empty", 4, 0)
}

// A group may have times of its own.
func TestGroupTimes(t *testing.T) {
	b := newBed(t)
	c := b.consumer("one", "t")
	r := c.request()
	r.Group = "own"
	resp := c.ask(r)
	want(t, "heartbeat interval", resp.HeartbeatIntervalMillis, 3000)
	b.advance(6 * time.Second)
	want(t, "members", len(b.m.groups["own"].consumer.members), 1)
	b.advance(2 * time.Second)
	want(t, "members after the session", len(b.m.groups["own"].consumer.members), 0)
}

func TestStaticConsumers(t *testing.T) {
	b := newBed(t)
	name := "i"
	one, two := b.consumer("one", "t"), b.consumer("two", "t")
	one.instance = &name
	b.settled(one, two)
	epoch := b.consumerGroup().Epoch
	other := b.consumer("other", "t")
	other.instance = &name
	if other.beats(); other.code != codeUnreleasedInstance {
		t.Fatalf("error %d while the instance is there", other.code)
	}
	had := one.owned
	if code := one.says(epochLeaveStatic); code != 0 {
		t.Fatalf("leave for a while: %d", code)
	}
	if got := two.beats(); got.size() != 2 {
		t.Fatalf("the other member got %v", got)
	}
	b.reload()
	if got := other.beats(); !got.equal(had) || other.epoch != epoch || b.consumerGroup().Epoch != epoch {
		t.Fatalf("back with %v at epoch %d, had %v at %d", got, other.epoch, had, epoch)
	}
	if code := one.says(epoch); code != codeFencedInstance {
		t.Fatalf("the former member: error %d", code)
	}
	other.says(epochLeaveStatic)
	b.advance(46 * time.Second)
	if two.says(two.epoch) != codeUnknownMember || b.consumerGroup().State != "Empty" {
		t.Fatal("members outlived their sessions")
	}
}

func TestConsumerRegex(t *testing.T) {
	b := newBed(t)
	one := b.consumer("one")
	bad, re := "(", "t.*|u"
	one.regex = &bad
	if code := one.says(epochJoin); code != codeInvalidRegex {
		t.Fatalf("error %d", code)
	}
	one.regex = &re
	if got := one.beats(); got.size() != 8 {
		t.Fatalf("owns %v", got)
	}
	b.topics["t2"] = step.TopicID{3}
	if got := one.beats(); got.size() != 8 {
		t.Fatalf("owns %v of topics that nobody told of", got)
	}
	b.send(TopicsChanged{})
	if got := one.beats(); got.size() != 12 {
		t.Fatalf("owns %v", got)
	}
	b.reload()
	delete(b.topics, "u")
	b.send(TopicsChanged{})
	one.beats()
	if got := one.beats(); got.size() != 8 || got[step.TopicID{2}] != nil {
		t.Fatalf("owns %v", got)
	}
}

// An empty group of one kind becomes the other; its offsets stay.
func TestConsumerGroupChangesKindWhenEmpty(t *testing.T) {
	b := newBed(t, func(c *Config) { c.Consumer.Migration = Migration{} })
	tool, old := b.client("t"), b.client("t")
	tool.commit("t", 1, 11)
	b.form(old)
	one := b.consumer("one", "t")
	if code := one.says(epochJoin); code != codeGroupNotFound {
		t.Fatalf("error %d while classic members are there", code)
	}
	old.leave()
	if got := one.beats(); got.size() != 4 {
		t.Fatalf("owns %v", got)
	}
	late := b.client("t")
	if code := late.joined(late.join()).ErrorCode; code != codeInconsistentProtocol {
		t.Fatalf("error %d", code)
	}
	one.says(epochLeave)
	b.form(b.client("t"))
	if at, _ := b.fetch("t", 1, false); at != 11 || b.m.groups["g"].consumer != nil {
		t.Fatalf("offset %d", at)
	}
}

// TestConsumerSimulation lets clients share a consumer group while answers get
// lost, members fall silent, leave or die, and coordinators change. G1: nobody
// owns what another one owns who is not fenced. G3: when the faults end, all share the partitions.
func TestConsumerSimulation(t *testing.T) {
	for seed := range uint64(*seeds) / 2 {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { simulateConsumers(t, seed) })
	}
}

func simulateConsumers(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 1))
	b := newBed(t)
	b.topics["v"] = step.TopicID{3}
	choices := [][]string{{"t"}, {"t", "u"}, {"t", "u", "v"}, {"v"}}
	var all []*consumerClient
	heard, silent := make([]step.Instant, 5), make([]step.Instant, 5)
	for i := range 5 {
		all = append(all, b.consumer(fmt.Sprint("m", i, "-0"), choices[rng.IntN(len(choices))]...))
	}
	all[0].instance = kmsg.StringPtr("static")
	lives := 0
	patience := 20 * time.Second // the rebalance timeout, shorter than the session
	act := func(i int, faults bool) {
		c := all[i]
		if faults && rng.IntN(100) == 0 {
			silent[i] = b.now.Add(time.Duration(rng.IntN(60)) * time.Second)
		}
		if b.now < silent[i] && faults {
			return
		}
		switch {
		case faults && rng.IntN(80) == 0: // a new life under a new id
			leave := epochLeave
			if c.instance != nil {
				leave = epochLeaveStatic
			}
			c.says(leave)
			lives++
			c.id, c.epoch, c.owned, c.full = fmt.Sprint("m", i, "-", lives), epochJoin, parts{}, true
			return
		case faults && rng.IntN(60) == 0:
			c.topics, c.full = choices[rng.IntN(len(choices))], true
		}
		resp := c.ask(c.request())
		if faults && rng.IntN(15) == 0 {
			c.full = true // lost
			if c.epoch == epochJoin {
				c.owned = parts{}
			}
			return
		}
		heard[i] = b.now
		c.hear(resp)
	}
	check := func() {
		owner := map[string]string{}
		for i, c := range all {
			if b.now.Sub(heard[i]) >= patience {
				c.owned, c.full = parts{}, true // it takes itself for expelled
			}
			if g := b.m.groups["g"]; g == nil || g.consumer == nil || g.consumer.member(c.id) == nil {
				continue // fenced, which it hears at its next heartbeat: it can commit nothing
			}
			for id, list := range c.owned {
				for _, p := range list {
					key := fmt.Sprint(id, p)
					if other := owner[key]; other != "" {
						t.Fatalf("G1: %s and %s own %s", other, c.id, key)
					}
					owner[key] = c.id
				}
			}
		}
	}
	for _, faults := range []bool{true, false} {
		for range 200 {
			b.advance(time.Duration(rng.IntN(3000)) * time.Millisecond)
			if faults && rng.IntN(40) == 0 {
				b.reload()
			}
			check()
			for i := range all {
				act(i, faults)
				check()
			}
		}
	}
	if d := b.consumerGroup(); d.State != "Stable" || len(d.Members) != len(all) {
		t.Fatalf("G3: %s with %d members", d.State, len(d.Members))
	}
	wanted := map[string]bool{}
	n := 0
	for _, c := range all {
		n += c.owned.size()
		for _, topic := range c.topics {
			wanted[topic] = true
		}
	}
	if n != 4*len(wanted) {
		t.Fatalf("G3: %d partitions of %d topics are owned", n, len(wanted))
	}
}
