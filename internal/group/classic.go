package group

import (
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/brokerd/brokerd/internal/step"
)

// state is where a classic group stands.
type state int8

const (
	empty state = iota
	preparing
	completing
	stable
)

func (s state) String() string {
	return [...]string{"Empty", "PreparingRebalance", "CompletingRebalance", "Stable"}[s]
}

// consumerProtocol is the protocol type of groups of consumers, the only one
// whose metadata the coordinator reads: for the topics in it.
const consumerProtocol = "consumer"

// classic is the soft half of a group whose members assign partitions among
// themselves.
//
//	Empty ──join──► PreparingRebalance ──all joined, or time is up──► CompletingRebalance
//	  ▲                 ▲        │ nobody left                            │ leader's sync
//	  └─────────────────│────────┘                                        ▼
//	                    └──────── join, leave, silence ──────────────── Stable
type classic struct {
	state      state
	initial    bool // this rebalance began from Empty: it waits for its delay
	grown      bool // a member joined since the delay began
	generation int32
	kind       string  // protocol type, "" before the first member
	protocol   *string // chosen for this generation
	leader     string
	sinceMs    int64 // when the state was entered, by the wall clock; -1 unknown

	members []*member // in the order in which they came
	byID    map[string]*member
	static  map[string]*member  // by group.instance.id
	pending map[string]*pending // ids that were given out and not used yet
	joined  int                 // members that wait for the end of a rebalance
	unsent  int                 // members whose SyncGroup is awaited
	joinAt  step.Instant        // when the rebalance ends at the latest; 0: none runs
	syncAt  step.Instant        // when members without SyncGroup are dropped; 0: none is awaited
	left    time.Duration       // what the initial delay may still grow by
	topics  map[string]bool     // what the members subscribe to; nil: unknown
	support map[string]int      // members that support a protocol, by name
}

// pending is a member id that was given out with MEMBER_ID_REQUIRED.
type pending struct{ expires step.Instant }

// member is one member of a classic group.
type member struct {
	id        string
	instance  *string
	client    Client
	rebalance time.Duration
	session   time.Duration
	protocols []kmsg.JoinGroupRequestProtocol
	assigned  []byte

	join, sync waiting
	fresh      bool // joined and never yet part of a generation
	unsent     bool // its SyncGroup is awaited

	timer   string
	expires step.Instant
	armed   step.Instant // when the timer fires; 0: it is not set
}

// waiting is a caller who waits.
type waiting struct {
	to      step.Token
	version int16
}

func (c *classic) idle() bool { return len(c.members) == 0 && len(c.pending) == 0 }

func (c *classic) enter(s state, ms int64) { c.state, c.sinceMs = s, ms }

func (c *classic) add(m *member) {
	if c.byID == nil {
		c.byID, c.static, c.support = map[string]*member{}, map[string]*member{}, map[string]int{}
	}
	if c.leader == "" {
		c.leader = m.id
	}
	c.members = append(c.members, m)
	c.byID[m.id] = m
	if m.instance != nil {
		c.static[*m.instance] = m
	}
	c.count(m, 1)
	delete(c.pending, m.id)
}

// remove takes m out. Who waits there must have been answered.
func (c *classic) remove(m *member) {
	c.members = slices.DeleteFunc(c.members, func(o *member) bool { return o == m })
	delete(c.byID, m.id)
	if m.instance != nil {
		delete(c.static, *m.instance)
	}
	c.count(m, -1)
	if m.unsent {
		m.unsent = false
		c.unsent--
	}
	if c.leader == m.id {
		c.leader = ""
		if len(c.members) > 0 {
			c.leader = c.members[0].id
		}
	}
}

func (c *classic) count(m *member, n int) {
	for _, p := range m.protocols {
		if c.support[p.Name] += n; c.support[p.Name] == 0 {
			delete(c.support, p.Name)
		}
	}
}

// supports tells whether somebody with these protocols can be a member.
func (c *classic) supports(kind string, protocols []kmsg.JoinGroupRequestProtocol) bool {
	if len(c.members) == 0 {
		return kind != "" && len(protocols) > 0
	}
	return kind == c.kind && slices.ContainsFunc(protocols, func(p kmsg.JoinGroupRequestProtocol) bool {
		return c.support[p.Name] == len(c.members)
	})
}

// choose takes the protocol that most members like best among those that all
// support; of several the first in the order of names.
func (c *classic) choose() string {
	votes := map[string]int{}
	for _, m := range c.members {
		for _, p := range m.protocols {
			if c.support[p.Name] == len(c.members) {
				votes[p.Name]++
				break
			}
		}
	}
	best := ""
	for _, name := range sorted(votes) {
		if votes[name] > votes[best] {
			best = name
		}
	}
	return best
}

// everybodyJoined tells whether a rebalance need not wait any longer.
func (c *classic) everybodyJoined() bool { return c.joined == len(c.members) && len(c.pending) == 0 }

// rebalanceTimeout is the longest that any member asks for.
func (c *classic) rebalanceTimeout() time.Duration {
	var d time.Duration
	for _, m := range c.members {
		d = max(d, m.rebalance)
	}
	return d
}

// find looks a member up for a request: the code is 0, unknown or fenced.
func (c *classic) find(id string, instance *string) (*member, int16) {
	if instance != nil {
		switch m := c.static[*instance]; {
		case m == nil:
			return nil, codeUnknownMember
		case m.id != id:
			return nil, codeFencedInstance
		}
	}
	if m := c.byID[id]; m != nil {
		return m, codeNone
	}
	return nil, codeUnknownMember
}

// subscribed tells whether offsets of a topic are in use by members.
func (c *classic) subscribed(topic string) bool {
	if c.kind != consumerProtocol || len(c.members) == 0 {
		return false
	}
	return c.topics == nil || c.topics[topic]
}

// readTopics finds what the members of a group of consumers subscribe to.
func (c *classic) readTopics() {
	c.topics = nil
	if c.kind != consumerProtocol || c.protocol == nil {
		return
	}
	all := map[string]bool{}
	for _, m := range c.members {
		topics, ok := subscription(m.metadata(c.protocol))
		if !ok {
			return
		}
		for _, topic := range topics {
			all[topic] = true
		}
	}
	c.topics = all
}

// subscription reads the topics from a consumer's metadata.
func subscription(metadata []byte) ([]string, bool) {
	var v kmsg.ConsumerMemberMetadata
	if v.ReadFrom(metadata) != nil {
		return nil, false
	}
	return v.Topics, true
}

func (m *member) metadata(protocol *string) []byte {
	if protocol != nil {
		for _, p := range m.protocols {
			if p.Name == *protocol {
				return p.Metadata
			}
		}
	}
	return nil
}

func (m *member) sameProtocols(protocols []kmsg.JoinGroupRequestProtocol) bool {
	return slices.EqualFunc(m.protocols, protocols, func(a, b kmsg.JoinGroupRequestProtocol) bool {
		return a.Name == b.Name && slices.Equal(a.Metadata, b.Metadata)
	})
}

// value is what the log keeps of the group.
func (c *classic) value() *kmsg.GroupMetadataValue {
	v := kmsg.NewGroupMetadataValue()
	v.ProtocolType, v.Generation, v.Protocol = c.kind, c.generation, c.protocol
	v.CurrentStateTimestamp = c.sinceMs
	if c.leader != "" {
		v.Leader = &c.leader
	}
	for _, m := range c.members {
		v.Members = append(v.Members, kmsg.GroupMetadataValueMember{
			MemberID: m.id, InstanceID: m.instance, ClientID: m.client.ID, ClientHost: m.client.Host,
			RebalanceTimeoutMillis: int32(m.rebalance / time.Millisecond),
			SessionTimeoutMillis:   int32(m.session / time.Millisecond),
			Subscription:           m.metadata(c.protocol), Assignment: m.assigned,
		})
	}
	return &v
}
