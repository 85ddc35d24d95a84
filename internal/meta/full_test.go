package meta

import (
	"bytes"
	"slices"
	"testing"

	"github.com/brokerd/brokerd/internal/step"
)

// full notes which directories of a broker take no records.
func (c *cluster) full(id int32, dirs ...step.TopicID) {
	c.t.Helper()
	c.must(NoteFull{Broker: id, BrokerEpoch: c.epoch(id), Dirs: dirs})
}

// join is the leader's proposal of an in-sync set.
func (c *cluster) join(id step.TopicID, isr ...int32) AlterPartition {
	c.t.Helper()
	p := c.part(id, 0)
	a := AlterPartition{Broker: p.Leader, BrokerEpoch: c.epoch(p.Leader), Topic: id, LeaderEpoch: p.LeaderEpoch, PartitionEpoch: p.PartitionEpoch}
	for _, b := range isr {
		a.ISR = append(a.ISR, ISRMember{b, c.epoch(b)})
	}
	return a
}

// TestFullDisk: the lead and the in-sync set leave a full disk, do not come back to
// it, and may as soon as it has room.
func TestFullDisk(t *testing.T) {
	c := newCluster(t, 1, 2, 3)
	id := c.create("t", []int32{1, 2, 3})
	disk := func(b byte) step.TopicID { return tid(b, 0, 2) }
	want := func(leader int32, isr ...int32) {
		t.Helper()
		if p := c.part(id, 0); p.Leader != leader || !slices.Equal(p.ISR(), isr) {
			t.Fatalf("led by %d, in sync %v; want %d and %v", p.Leader, p.ISR(), leader, isr)
		}
	}
	c.full(1, disk(1))
	want(2, 2, 3)
	before := c.part(id, 0).PartitionEpoch
	c.full(1, disk(1))
	if p := c.part(id, 0); p.PartitionEpoch != before {
		t.Error("the same again changed the partition")
	}
	c.refused(ErrIneligible, c.join(id, 1, 2, 3))
	c.refused(ErrNoEligibleLeader, ElectLeader{Topic: id})
	c.full(3, disk(3))
	want(2, 2)
	if p := c.part(id, 0); !slices.Equal(p.ELR(), []int32{3}) {
		t.Errorf("it has all that is committed: %v", p.ELR())
	}
	c.full(2, disk(2)) // nobody has room: who leads serves on
	want(2, 2)
	back, err := ReadSnapshot(bytes.NewReader(snapshotOf(t, c.im)))
	if err != nil || !Equal(back, c.im) {
		t.Fatal(err)
	}
	if b, _ := back.Broker(2); !slices.Equal(b.Full, []step.TopicID{disk(2)}) {
		t.Errorf("read back: %+v", b)
	}
	c.full(3)
	want(2, 2)
	c.must(c.join(id, 2, 3)) // the one with room takes over as soon as it is in sync
	want(3, 3)
	c.full(1)
	c.full(2)
	c.must(c.join(id, 1, 2, 3))
	want(3, 1, 2, 3)
	c.must(ElectLeader{Topic: id})
	want(1, 1, 2, 3)

	// Of two directories one has room: it is for what lies nowhere yet.
	r := c.registration(1)
	r.Dirs = append(r.Dirs, tid(1, 1, 2))
	c.must(r)
	c.state(1, Active)
	c.must(c.join(id, 1, 2, 3))
	c.full(1, disk(1))
	want(2, 1, 2, 3)
	c.must(AssignDir{Broker: 1, BrokerEpoch: c.epoch(1), Dir: disk(1), Partitions: []step.PartitionID{{Topic: id}}})
	want(2, 2, 3)
	c.full(1, disk(1), tid(1, 1, 2))
	if p := c.part(c.create("new", []int32{1, 2, 3}), 0); p.Leader != 2 || p.InISR(1) || !p.Full(c.im, 1) {
		t.Errorf("created on a full disk: %+v", p)
	}
	c.refused(ErrInvalidBroker, NoteFull{Broker: 1, BrokerEpoch: c.epoch(1), Dirs: []step.TopicID{disk(2)}})
	c.refused(ErrInvalidBroker, NoteFull{Broker: 1, BrokerEpoch: c.epoch(1), Dirs: []step.TopicID{disk(1), disk(1)}})
	c.refused(ErrStaleBroker, NoteFull{Broker: 1, BrokerEpoch: c.epoch(1) - 1})
}

// TestFullDiskAlone: the only replica keeps its lead, and one that is left of several
// and full is elected, to be read.
func TestFullDiskAlone(t *testing.T) {
	c := newCluster(t, 1, 2)
	id, one := c.create("t", []int32{1, 2}), c.create("one", []int32{1})
	c.full(1, tid(1, 0, 2))
	if p := c.part(one, 0); p.Leader != 1 || p.LeaderEpoch != 0 {
		t.Errorf("the only replica: %+v", p)
	}
	min := "2"
	c.must(AlterConfig{Resource: Resource{TopicResource, "t"}, Set: map[string]*string{"min.insync.replicas": &min}, MinISR: 2})
	c.full(1)
	c.must(c.join(id, 1, 2))
	c.full(1, tid(1, 0, 2))
	if p := c.part(id, 0); p.Leader != 2 || !slices.Equal(p.ELR(), []int32{1}) {
		t.Fatalf("%+v, eligible %v", p, p.ELR())
	}
	c.state(2, Fenced)
	if p := c.part(id, 0); p.Leader != 1 {
		t.Errorf("it has all that is committed: %+v", p)
	}
}
