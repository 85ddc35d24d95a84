package group

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/brokerd/brokerd/internal/invariant"
	"github.com/brokerd/brokerd/internal/record"
	"github.com/brokerd/brokerd/internal/step"
)

// Machine is the coordinator of all groups of one partition.
type Machine struct {
	cfg    Config
	groups map[string]*group
	open   map[int64]map[string]bool // producers with an open transaction, and the groups they staged offsets of
	sweep  []string                  // groups that a running sweep has yet to look at

	topicsSeen int64 // goes up when topics may be others than before
}

// group is one group. meta, offsets and staged are durable: only Replay writes
// them. A group is there while any of its parts is.
type group struct {
	id      string
	meta    []byte // the last GroupMetadata value; nil: none was written
	offsets map[partition]offset
	staged  map[int64]map[partition]offset // by producer, until its transaction ends
	classic classic

	consumer *consumer // nil: it is a classic group
}

// New makes the machine of an empty log.
func New(cfg Config) *Machine {
	return &Machine{cfg: cfg, groups: map[string]*group{}, open: map[int64]map[string]bool{}}
}

// turn is one step: what it was given, and what it wants.
type turn struct {
	*Machine
	now step.Instant
	in  step.Input
	out *step.Effects
}

// Step takes one event.
func (m *Machine) Step(now step.Instant, in step.Input, out *step.Effects) {
	t := &turn{Machine: m, now: now, in: in, out: out}
	switch e := in.Event.(type) {
	case JoinGroup:
		t.join(e)
	case SyncGroup:
		t.sync(e.Req)
	case Heartbeat:
		t.heartbeat(e.Req)
	case LeaveGroup:
		t.leave(e.Req)
	case OffsetCommit:
		t.commit(e.Req)
	case TxnOffsetCommit:
		t.commitTxn(e.Req)
	case OffsetFetch:
		t.fetch(e)
	case OffsetDelete:
		t.deleteOffsets(e.Req)
	case DescribeGroup:
		t.describe(e)
	case ListGroups:
		t.list(e.Req)
	case DeleteGroup:
		t.deleteGroup(e.Group)
	case ConsumerGroupHeartbeat:
		t.consumerBeat(e)
	case ConsumerGroupDescribe:
		t.describeConsumer(e.Group)
	case Survey:
		t.survey()
	case TimerFired:
		t.fired(e.Key)
	case TopicsDeleted:
		t.startSweep()
	case TopicsChanged:
		t.topicsSeen++
	default:
		invariant.Check(false, "group: no event is a %T", in.Event)
	}
}

// Loaded starts the sessions of the members that the log knows, and the sweeps.
func (m *Machine) Loaded(now step.Instant, out *step.Effects) {
	t := &turn{Machine: m, now: now, out: out}
	for _, id := range sorted(m.groups) {
		t.restore(m.groups[id])
	}
	t.timer(keySweep, now.Add(m.cfg.CheckInterval))
}

// Replay applies one record that is not part of a transaction.
func (m *Machine) Replay(at int64, r record.Record) error {
	e, err := m.parse(at, r)
	ours := e.key >= keyOffsetOld && e.key <= keyGroup || isConsumerKey(e.key)
	if err != nil || !ours {
		return err
	}
	g := m.get(e.group)
	switch {
	case isConsumerKey(e.key):
		g.take(e.fact)
	case e.key == keyGroup && e.tombstone:
		g.meta = nil
	case e.key == keyGroup:
		g.meta = append([]byte(nil), r.Value...)
	case e.tombstone:
		m.forget(g, e.partition)
	default:
		g.put(e.partition, e.offset)
	}
	m.settle(g)
	return nil
}

// ReplayStaged applies one record of a transaction: an offset that counts when
// the transaction commits.
func (m *Machine) ReplayStaged(at, producer int64, r record.Record) error {
	e, err := m.parse(at, r)
	if err != nil || e.key < keyOffsetOld || e.key > keyOffset || e.tombstone {
		return err
	}
	g := m.get(e.group)
	if g.staged[producer] == nil {
		if g.staged == nil {
			g.staged = map[int64]map[partition]offset{}
		}
		g.staged[producer] = map[partition]offset{}
	}
	g.staged[producer][e.partition] = e.offset
	if m.open[producer] == nil {
		m.open[producer] = map[string]bool{}
	}
	m.open[producer][g.id] = true
	return nil
}

// ReplayMarker ends a producer's transaction.
func (m *Machine) ReplayMarker(producer int64, committed bool) {
	for _, id := range sorted(m.open[producer]) {
		g := m.groups[id]
		staged := g.staged[producer]
		delete(g.staged, producer)
		for _, p := range sortedPartitions(staged) {
			if old, ok := g.offsets[p]; committed && (!ok || old.written < staged[p].written) {
				g.put(p, staged[p])
			}
		}
		m.settle(g)
	}
	delete(m.open, producer)
}

func (m *Machine) parse(at int64, r record.Record) (entry, error) {
	r.Offset = at
	e, err := parse(r)
	if err != nil {
		return e, fmt.Errorf("record %d: %w", at, err)
	}
	return e, nil
}

// get finds a group or makes it.
func (m *Machine) get(id string) *group {
	g := m.groups[id]
	if g == nil {
		g = &group{id: id}
		m.groups[id] = g
	}
	return g
}

// settle forgets a group of which nothing is left.
func (m *Machine) settle(g *group) {
	if g.meta == nil && len(g.offsets) == 0 && len(g.staged) == 0 && g.consumer == nil && g.classic.idle() {
		delete(m.groups, g.id)
	}
}

func (g *group) put(p partition, o offset) {
	if g.offsets == nil {
		g.offsets = map[partition]offset{}
	}
	g.offsets[p] = o
}

// forget drops a partition's offset and what transactions staged for it.
func (m *Machine) forget(g *group, p partition) {
	delete(g.offsets, p)
	for _, producer := range sorted(g.staged) {
		delete(g.staged[producer], p)
	}
}

// append adds records of one group to the step's batch.
func (t *turn) append(g *group, records ...record.Record) {
	invariant.Check(t.out.Scope == "" || t.out.Scope == g.id, "group: a step wrote for %q and %q", t.out.Scope, g.id)
	t.out.Scope = g.id
	t.out.Append = append(t.out.Append, records...)
}

// answer completes the caller of this step.
func (t *turn) answer(group string, body any) { t.answerTo(t.in.From, group, body) }

// answerFresh is answer for what an old coordinator must not tell.
func (t *turn) answerFresh(group string, body any) {
	t.out.Answers = append(t.out.Answers, step.Answer{To: t.in.From, Scope: group, Body: body, Fresh: true})
}

func (t *turn) answerTo(to step.Token, group string, body any) {
	t.out.Answers = append(t.out.Answers, step.Answer{To: to, Scope: group, Body: body})
}

func (t *turn) timer(key string, at step.Instant) {
	t.out.Timers = append(t.out.Timers, step.Timer{Key: key, At: at})
}

// The timers. A session's key is kept with its member; a timer that fires too
// early, because its moment moved on meanwhile, is set again.
const (
	keySweep   = "sweep"
	keyJoin    = "join"
	keySync    = "sync"
	keySession = "session"

	keyConsumerSession = "consumer"
	keyRevoke          = "revoke"
)

// timerKey is kind:length of group:group, then the member.
func timerKey(kind, group, member string) string {
	return kind + ":" + strconv.Itoa(len(group)) + ":" + group + member
}

func parseTimerKey(key string) (kind, group, member string) {
	kind, rest, _ := strings.Cut(key, ":")
	size, rest, _ := strings.Cut(rest, ":")
	n, err := strconv.Atoi(size)
	if err != nil || n < 0 || n > len(rest) {
		return kind, "", ""
	}
	return kind, rest[:n], rest[n:]
}

func (t *turn) fired(key string) {
	if key == keySweep {
		t.swept()
		return
	}
	kind, id, member := parseTimerKey(key)
	g := t.groups[id]
	if g == nil {
		return
	}
	switch kind {
	case keyJoin:
		t.joinDue(g)
	case keySync:
		t.syncDue(g)
	case keySession:
		t.sessionDue(g, member)
	case keyConsumerSession, keyRevoke:
		t.consumerDue(g, kind, member)
	}
}

func ms(n int32) time.Duration { return time.Duration(n) * time.Millisecond }
