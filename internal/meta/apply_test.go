package meta

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/brokerd/brokerd/internal/step"
)

// cluster is a small world for tests: an image, and the index of its last entry.
type cluster struct {
	t  testing.TB
	im *Image
	at uint64
}

func newCluster(t testing.TB, brokers ...int32) *cluster {
	c := &cluster{t: t, im: New()}
	c.must(Bootstrap{ClusterID: "here", Level: MaxLevel})
	for _, id := range brokers {
		c.register(id)
		c.state(id, Active)
	}
	return c
}

func (c *cluster) do(cmds ...Command) []Result {
	c.t.Helper()
	c.at++
	// Every command of every test travels through the codec, and every image
	// through the snapshot's check of itself.
	next, _, results := Apply(c.im, c.at, DecodeEntry(EncodeEntry(cmds)))
	c.im = next
	return results
}

func (c *cluster) must(cmds ...Command) []Result {
	c.t.Helper()
	results := c.do(cmds...)
	for i, r := range results {
		if r.Err != nil {
			c.t.Fatalf("%s: %v", KindName(cmds[i]), r.Err)
		}
	}
	return results
}

// refused applies a command that must leave the image as it is.
func (c *cluster) refused(want error, cmd Command) {
	c.t.Helper()
	before := c.im
	r := c.do(cmd)[0]
	if !errors.Is(r.Err, want) {
		c.t.Fatalf("%s: got %v, want %v", KindName(cmd), r.Err, want)
	}
	same := *c.im
	same.index = before.index
	if !Equal(before, &same) {
		c.t.Fatalf("%s was refused and yet changed the image", KindName(cmd))
	}
}

func (c *cluster) register(id int32) int64 {
	c.t.Helper()
	return c.must(c.registration(id))[0].Epoch
}

func (c *cluster) registration(id int32) RegisterBroker {
	r := RegisterBroker{
		ID: id, ClusterID: "here", Incarnation: tid(byte(id), byte(c.at), 1), BootID: "boot",
		Dirs:      []step.TopicID{tid(byte(id), 0, 2)},
		Endpoints: []Endpoint{{"PLAINTEXT", "h", 9092 + id, 0}},
	}
	if b, ok := c.im.Broker(id); ok {
		r.Seen = b.Epoch
	}
	return r
}

func (c *cluster) epoch(id int32) int64 {
	b, ok := c.im.Broker(id)
	if !ok {
		c.t.Fatalf("broker %d is not registered", id)
	}
	return b.Epoch
}

func (c *cluster) state(id int32, s BrokerState) {
	c.t.Helper()
	c.must(SetBrokerState{ID: id, Epoch: c.epoch(id), State: s})
}

func (c *cluster) create(name string, assignments ...[]int32) step.TopicID {
	c.t.Helper()
	id := tid(byte(c.at), byte(c.at>>8), 3)
	c.must(CreateTopic{ID: id, Name: name, Assignments: assignments})
	return id
}

func (c *cluster) part(id step.TopicID, i int32) Partition {
	c.t.Helper()
	t, ok := c.im.Topic(id)
	if !ok {
		c.t.Fatalf("topic %s is gone", id)
	}
	p, ok := t.Partition(i)
	if !ok {
		c.t.Fatalf("no partition %d", i)
	}
	return p
}

func tid(b ...byte) (id step.TopicID) {
	copy(id[:], b)
	id[15] = 1
	return id
}

func TestTopicLife(t *testing.T) {
	c := newCluster(t, 1, 2, 3)
	id := c.create("orders", []int32{1, 2, 3}, []int32{2, 3, 1})
	p := c.part(id, 1)
	if p.Leader != 2 || p.MinISR != 2 || !slices.Equal(p.ISR(), []int32{2, 3, 1}) || p.LeaderEpoch != 0 {
		t.Fatalf("new partition: %+v", p)
	}
	c.refused(ErrTopicExists, CreateTopic{ID: tid(9), Name: "orders", Assignments: [][]int32{{1}}})
	c.refused(ErrInvalidTopic, CreateTopic{ID: tid(9), Name: "a b", Assignments: [][]int32{{1}}})
	c.refused(ErrReplicationFactor, CreateTopic{ID: tid(9), Name: "x", Assignments: [][]int32{{}}})
	c.refused(ErrInvalidAssignment, CreateTopic{ID: tid(9), Name: "x", Assignments: [][]int32{{1, 1}}})
	c.refused(ErrInvalidAssignment, CreateTopic{ID: tid(9), Name: "x", Assignments: [][]int32{{7}}})
	c.refused(ErrInvalidPartitions, CreateTopic{ID: tid(9), Name: "x"})
	c.create("a.b", []int32{1})
	c.refused(ErrTopicCollision, CreateTopic{ID: tid(9), Name: "a_b", Assignments: [][]int32{{1}}})

	c.refused(ErrInvalidPartitions, CreatePartitions{ID: id, Before: 1, Assignments: [][]int32{{1}}})
	c.must(CreatePartitions{ID: id, Before: 2, Assignments: [][]int32{{3, 1, 2}}})
	if c.im.PartitionCount() != 4 || c.im.TopicCount() != 2 {
		t.Fatalf("%d partitions of %d topics", c.im.PartitionCount(), c.im.TopicCount())
	}

	set := "1"
	c.must(AlterConfig{Resource: Resource{TopicResource, "orders"}, Set: map[string]*string{"retention.ms": &set}})
	c.must(DeleteTopic{ID: id})
	if _, ok := c.im.Topic(id); ok {
		t.Fatal("a deleted topic is found")
	}
	if d, ok := c.im.Deleted(id); !ok || d.Deleted != c.at || d.Name != "orders" {
		t.Fatalf("deleted topic: %+v %v", d, ok)
	}
	if len(c.im.Config(Resource{TopicResource, "orders"})) != 0 {
		t.Fatal("settings outlive their topic")
	}
	c.refused(ErrMalformed, CreateTopic{ID: id, Name: "again", Assignments: [][]int32{{1}}})
	c.create("orders", []int32{1})
	c.must(PurgeTopic{ID: id})
	c.refused(ErrUnknownTopic, PurgeTopic{ID: id})
}

func TestConfigs(t *testing.T) {
	c := newCluster(t, 1, 2, 3)
	id := c.create("t", []int32{1, 2, 3})
	r := Resource{TopicResource, "t"}
	one, two, three := "1", "2", "3"
	c.must(AlterConfig{Resource: r, Set: map[string]*string{"a": &one, "b": &two}})
	c.must(AlterConfig{Resource: r, Set: map[string]*string{"a": nil, "c": &three}})
	if m := c.im.Config(r); len(m) != 2 || m["b"] != "2" || m["c"] != "3" {
		t.Fatalf("merged: %v", m)
	}
	c.must(AlterConfig{Resource: r, Set: map[string]*string{"min.insync.replicas": &three}, Replace: true, MinISR: 3})
	if m := c.im.Config(r); len(m) != 1 || c.part(id, 0).MinISR != 3 {
		t.Fatalf("replaced: %v, %+v", m, c.part(id, 0))
	}
	c.must(AlterConfig{Resource: r, Replace: true, MinISR: MinISRByRule})
	if c.part(id, 0).MinISR != 2 || c.part(id, 0).PartitionEpoch != 2 {
		t.Fatalf("by rule: %+v", c.part(id, 0))
	}
	c.must(AlterConfig{Resource: Resource{BrokerResource, ""}, Set: map[string]*string{"min.insync.replicas": &one}, MinISR: 1})
	if c.part(id, 0).MinISR != 1 {
		t.Fatalf("by the cluster's default: %+v", c.part(id, 0))
	}
	c.refused(ErrUnknownTopic, AlterConfig{Resource: Resource{TopicResource, "u"}})
	c.refused(ErrInvalidConfig, AlterConfig{Resource: Resource{99, "u"}})
}

func TestBrokerLife(t *testing.T) {
	c := newCluster(t, 1)
	id := c.create("t", []int32{1})
	first := c.epoch(1)

	// A process that was killed on a host that stayed up keeps its claim.
	c.must(c.registration(1))
	p := c.part(id, 0)
	if p.Leader != -1 || p.LeaderEpoch != 1 || !slices.Equal(p.ELR(), []int32{1}) || p.ISRSize() != 0 {
		t.Fatalf("registered anew: %+v", p)
	}
	c.refused(ErrStaleBroker, SetBrokerState{ID: 1, Epoch: first, State: Active})
	c.state(1, Active)
	p = c.part(id, 0)
	if p.Leader != 1 || p.LeaderEpoch != 2 || !slices.Equal(p.ISR(), []int32{1}) {
		t.Fatalf("active again: %+v", p)
	}

	// After a power cut the only replica leads all the same, and it is told.
	r := c.registration(1)
	r.BootID = "other"
	c.must(r)
	if p = c.part(id, 0); p.Leader != -1 || p.ELR() != nil || !slices.Equal(p.LastKnownELR(), []int32{1}) {
		t.Fatalf("after a power cut: %+v", p)
	}
	c.at++
	_, changes, _ := Apply(c.im, c.at, []Command{SetBrokerState{ID: 1, Epoch: c.epoch(1), State: Active}})
	if len(changes.Unclean) != 1 || changes.Unclean[0] != (step.PartitionID{Topic: id}) {
		t.Fatalf("not audited: %+v", changes)
	}

	// A proposer that did not see this registration must not replace it.
	r = c.registration(1)
	r.Seen = first
	c.refused(ErrDuplicateBroker, r)
	r = c.registration(2)
	r.Dirs = []step.TopicID{tid(1, 0, 2)}
	c.refused(ErrInvalidBroker, r)
	r = c.registration(2)
	r.ClusterID = "there"
	c.refused(ErrClusterID, r)
}

func TestProducerIDs(t *testing.T) {
	c := newCluster(t, 1)
	a := c.must(AllocateProducerIDs{1, c.epoch(1), 1000})[0].FirstID
	b := c.must(AllocateProducerIDs{1, c.epoch(1), 1000})[0].FirstID
	if a != 0 || b != 1000 {
		t.Fatalf("blocks at %d and %d", a, b)
	}
	c.refused(ErrStaleBroker, AllocateProducerIDs{1, 0, 1000})
	c.refused(ErrMalformed, AllocateProducerIDs{1, c.epoch(1), 0})
}

func TestUnknownCommands(t *testing.T) {
	c := newCluster(t, 1)
	entry := EncodeEntry([]Command{DeleteTopic{tid(1)}})
	entry[1] = 200 // a kind of the future
	before := c.im
	next, changes, results := Apply(c.im, 50, DecodeEntry(entry))
	if len(results) != 1 || !errors.Is(results[0].Err, ErrUnknownCommand) || !changes.Empty() {
		t.Fatalf("%v %+v", results, changes)
	}
	if next.index = before.index; !Equal(before, next) {
		t.Fatal("an unknown command changed the image")
	}
	if r := DecodeEntry(entry[:5]); len(r) != 1 {
		t.Fatalf("cut off: %v", r)
	}
	c.im.features.Metadata = 0
	c.refused(ErrUnknownCommand, DeleteTopic{tid(1)})
}

// A directory is called <topic>-<partition>. One that no file system takes would
// fail in the hands of whoever makes it, and look like a broken disk.
func TestLongNameWithManyPartitions(t *testing.T) {
	c := newCluster(t, 1)
	name := strings.Repeat("n", maxNameLength)
	many := func(n int) (all [][]int32) {
		for range n {
			all = append(all, []int32{1})
		}
		return all
	}
	c.refused(ErrInvalidPartitions, CreateTopic{ID: step.TopicID{1}, Name: name, Assignments: many(100_001)})
	c.must(CreateTopic{ID: step.TopicID{1}, Name: name, Assignments: many(99_999)})
	c.refused(ErrInvalidPartitions, CreatePartitions{ID: step.TopicID{1}, Before: 99_999, Assignments: many(2)})
	c.must(CreatePartitions{ID: step.TopicID{1}, Before: 99_999, Assignments: many(1)})
}
