package meta

import (
	"bytes"
	"errors"
	"reflect"
	"testing"

	"github.com/brokerd/brokerd/internal/step"
)

// TestLevels: the levels of each command's versions rise and are known.
func TestLevels(t *testing.T) {
	for k, info := range kinds {
		last := MinLevel
		for i, level := range info.levels {
			if level < last || i > 0 && level == last || level > MaxLevel {
				t.Errorf("%s: version %d comes with level %d after %d, of %d", info.name, i+1, level, last, MaxLevel)
			}
			last = level
		}
		if (k == 0) != (info.levels == nil) {
			t.Errorf("kind %d has no version", k)
		}
	}
	two := kindInfo{levels: []int16{MaxLevel - 1, MaxLevel}}
	for level, want := range map[int16]uint8{MaxLevel - 2: 0, MaxLevel - 1: 1, MaxLevel: 2, MaxLevel + 1: 2} {
		if got := two.version(level); got != want {
			t.Errorf("level %d writes version %d, not %d", level, got, want)
		}
	}
}

// TestOlderLevel: what came with a level changes nothing below it, on the nodes
// that know it as on those that do not.
func TestOlderLevel(t *testing.T) {
	c := &cluster{t: t, im: New()}
	c.must(Bootstrap{ClusterID: "here", Level: MinLevel})
	c.refused(ErrUnknownCommand, recovery(1))
	for _, cmd := range oneOfEach() {
		if b := AppendCommand(nil, cmd, MinLevel); b[2] != 1 {
			t.Errorf("%s is written in version %d", KindName(cmd), b[2])
		}
	}
	c.must(SetFeatureLevel{MaxLevel})
	c.must(recovery(1))
	c.refused(ErrFeatureLevel, SetFeatureLevel{MinLevel})
}

func recovery(n byte) NoteRecovery {
	return NoteRecovery{ID: tid(n), TimeMs: 5, Node: 1, Directory: tid(9), Kept: 7, Lost: []Voter{{2, tid(8), nil}}}
}

func TestRecoveries(t *testing.T) {
	c := newCluster(t, 1)
	c.refused(ErrMalformed, NoteRecovery{})
	for n := range byte(maxRecoveries + 2) {
		c.must(recovery(n + 1))
		c.must(recovery(n + 1)) // whoever records it may not know that it is recorded
	}
	list := c.im.Recoveries()
	if len(list) != maxRecoveries || list[0].ID != tid(3) || !reflect.DeepEqual(NoteRecovery(list[maxRecoveries-1]), recovery(maxRecoveries+2)) {
		t.Fatalf("%+v", list)
	}
	again, err := ReadSnapshot(bytes.NewReader(snapshotOf(t, c.im)))
	if err != nil || !reflect.DeepEqual(again.Recoveries(), list) {
		t.Fatalf("%v %+v", err, again)
	}
	// A program that does not know the level hears that, not that of an item.
	c.must(SetFeatureLevel{MaxLevel + 1})
	b := snapshotOf(t, c.im)
	b = b[:12+8+int(b[12])] // the header's block, the only one that is whole
	b = append(b, 0xff)
	if _, err := ReadSnapshot(bytes.NewReader(b)); !errors.Is(err, ErrTooNew) {
		t.Fatal(err)
	}
}

// atLevel is an entry as a cluster of a level writes it.
func atLevel(level int16, cmds ...Command) []byte {
	b := EntryHeader()
	for _, c := range cmds {
		b = AppendCommand(b, c, level)
	}
	return b
}

// TestFirstVersions: an entry of before level 2 does what it did when it was written,
// and a cluster that has not been raised goes on so, whatever program its nodes run.
func TestFirstVersions(t *testing.T) {
	for _, level := range []int16{MinLevel, MaxLevel} {
		c := newCluster(t, 1)
		id := c.create("t", []int32{1}, []int32{1})
		at := func(i int32) []step.PartitionID { return []step.PartitionID{{Topic: id, Index: i}} }
		do := func(cmd Command) {
			t.Helper()
			c.at++
			next, _, results := Apply(c.im, c.at, DecodeEntry(atLevel(level, cmd)))
			if results[0].Err != nil {
				t.Fatal(results[0].Err)
			}
			c.im = next
		}
		newer := level == MaxLevel
		check := func(what string, i int32, leads bool) {
			t.Helper()
			if p := c.part(id, i); (p.Leader == 1) != leads {
				t.Errorf("level %d, %s: %+v", level, what, p)
			}
		}
		dir := c.registration(1).Dirs[0]
		do(AssignDir{Broker: 1, BrokerEpoch: c.epoch(1), Dir: dir, Partitions: at(0)})
		c.must(ReportFault{Broker: 1, BrokerEpoch: c.epoch(1), Partitions: at(1), Corrupt: true})
		r := c.registration(1)
		r.Dirs, r.CleanEpoch = []step.TopicID{tid(7, 7)}, c.epoch(1)
		do(r)
		c.state(1, Active)
		check("its directory is away", 0, !newer)
		check("corrupt before the restart", 1, newer)
		c.must(ReportFault{Broker: 1, BrokerEpoch: c.epoch(1), Partitions: at(0)})
		check("its directory failed", 0, false)
		do(AssignDir{Broker: 1, BrokerEpoch: c.epoch(1), Dir: tid(7, 7), Partitions: at(0)})
		check("found in another directory", 0, newer)
	}
}

// TestRenewed: a new quorum gives nothing out again that the lost one may have.
func TestRenewed(t *testing.T) {
	c := newCluster(t, 1, 2)
	c.must(CreateTopic{ID: tid(1), Name: "t", Assignments: [][]int32{{1, 2}, {2, 1}}})
	c.must(AllocateProducerIDs{1, c.epoch(1), 1000})
	old := c.im
	before := snapshotOf(t, old)
	next := old.Renewed()
	if !bytes.Equal(snapshotOf(t, old), before) {
		t.Error("the old image was written to")
	}
	topic, _ := next.TopicNamed("t")
	was, _ := old.TopicNamed("t")
	for i := range int32(2) {
		p, _ := topic.Partition(i)
		q, _ := was.Partition(i)
		if p.LeaderEpoch <= q.LeaderEpoch || p.PartitionEpoch <= q.PartitionEpoch || p.Leader != q.Leader {
			t.Errorf("%+v, before %+v", p, q)
		}
	}
	if next.Index() <= old.Index() || next.nextID <= old.nextID || next.BrokerCount() != 2 {
		t.Errorf("index %d producer %d brokers %d", next.Index(), next.nextID, next.BrokerCount())
	}
	if again, err := ReadSnapshot(bytes.NewReader(snapshotOf(t, next))); err != nil || !Equal(again, next) {
		t.Error(err)
	}
}
