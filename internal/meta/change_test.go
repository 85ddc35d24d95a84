package meta

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/brokerd/brokerd/internal/step"
)

// world draws a partition that a history of changes can have left behind, and
// who is active.
func drawPart(t *rapid.T) (part, map[int32]bool) {
	n := rapid.IntRange(1, 6).Draw(t, "replicas")
	s := &replicaSet{}
	active := map[int32]bool{}
	for i := range n {
		s.ids = append(s.ids, int32(i+1))
		active[int32(i+1)] = rapid.Bool().Draw(t, "active")
	}
	if n > 1 && rapid.Bool().Draw(t, "moving") {
		s.adding = mask(rapid.IntRange(0, 1<<n-1).Draw(t, "adding"))
		s.removing = mask(rapid.IntRange(0, 1<<n-1).Draw(t, "removing")) &^ s.adding
		if s.target() == 0 || s.all()&^s.adding == 0 {
			s.adding, s.removing = 0, 0
		}
	}
	p := part{set: s, leaderEpoch: 5, partitionEpoch: 9, minISR: int8(rapid.IntRange(1, n).Draw(t, "min"))}
	p.isr = mask(rapid.IntRange(0, 1<<n-1).Draw(t, "isr"))
	if p.isr.count() < int(p.minISR) {
		p.elr = mask(rapid.IntRange(0, 1<<n-1).Draw(t, "elr")) &^ p.isr
	}
	if p.isr|p.elr == 0 {
		p.last = mask(rapid.IntRange(0, 1<<n-1).Draw(t, "last"))
	} else {
		p.last = mask(rapid.IntRange(0, 1<<n-1).Draw(t, "doubted")) &^ (p.isr | p.elr)
	}
	for i := range n {
		if p.isr.has(i) && active[int32(i+1)] && rapid.Bool().Draw(t, "leads") {
			p.state = uint8(i + 1)
			break
		}
	}
	return p, active
}

// TestChangeProperties holds the partition builder against R10, R12, R13 and E1
// to E4 for any partition and any wish.
func TestChangeProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		old, active := drawPart(t)
		full := mask(rapid.IntRange(0, 1<<len(old.set.ids)-1).Draw(t, "full"))
		n := len(old.set.ids)
		c := change{
			old: old, set: old.set, isr: old.isr, setting: int8(rapid.IntRange(0, n).Draw(t, "setting")), minISR: old.minISR,
			changeAsks: changeAsks{
				active: func(id int32) bool { return active[id] },
				full:   func(s *replicaSet, pos int) bool { return full.has(int(s.ids[pos]) - 1) },
				intern: func(s replicaSet) *replicaSet { return &s },
			},
			prefer: rapid.Bool().Draw(t, "prefer"), rescue: rapid.Bool().Draw(t, "rescue"),
		}
		switch rapid.IntRange(0, 3).Draw(t, "wish") {
		case 0: // a broker is fenced or registers anew
			pos := rapid.IntRange(0, n-1).Draw(t, "pos")
			active[old.set.ids[pos]] = false
			c.isr &^= bit(pos)
			if rapid.Bool().Draw(t, "unclean") {
				c.unclean = bit(pos)
			}
		case 1: // a leader's proposal
			add := mask(rapid.IntRange(0, 1<<n-1).Draw(t, "new"))
			for i, id := range old.set.ids {
				if !active[id] && !old.isr.has(i) {
					add &^= bit(i)
				}
			}
			if pos := old.leaderPos(); pos >= 0 {
				c.isr = add | bit(pos)
			}
		case 2: // min ISR moves
			c.minISR = int8(rapid.IntRange(1, n).Draw(t, "newMin"))
		}
		next, moved, unclean := c.result() // its own check asserts R10, R12, R13

		if moved != (next != old) {
			t.Fatalf("moved %v: %+v to %+v", moved, old, next)
		}
		if moved && next.partitionEpoch != old.partitionEpoch+1 || !moved && next.partitionEpoch != old.partitionEpoch {
			t.Fatalf("E4: partition epoch %d after %d", next.partitionEpoch, old.partitionEpoch)
		}
		dropped := len(next.set.ids) < n
		if bump := next.leader() != old.leader() || dropped; bump != (next.leaderEpoch == old.leaderEpoch+1) {
			t.Fatalf("E4: leader %d to %d, epoch %d to %d", old.leader(), next.leader(), old.leaderEpoch, next.leaderEpoch)
		}
		// R10: nobody who has the committed data is forgotten but as unclean or removed.
		had := next.set.moved2(old.set, (old.isr|old.elr)&^c.unclean)
		if had != 0 && next.isr|next.elr == 0 {
			t.Fatalf("R10: %b and %b had the data, nobody is left: %+v", old.isr, old.elr, next)
		}
		// E3: whoever leads had the committed data, unless it is audited.
		if pos := next.leaderPos(); pos >= 0 && !unclean {
			may := next.set.moved2(old.set, old.isr|old.elr|c.isr)
			if !may.has(pos) {
				t.Fatalf("E2: %d leads without having been in sync or eligible, unaudited", next.leader())
			}
		}
		// E3: an unclean election leaves all others in doubt, until they are in
		// sync or nobody is left who could have doubted them.
		want := next.set.moved2(old.set, old.doubted()) &^ next.isr
		if unclean {
			want = next.set.all() &^ next.isr
		}
		if next.isr|next.elr != 0 && next.doubted() != want {
			t.Fatalf("E3: unclean %v leaves %b in doubt, want %b: %+v to %+v", unclean, next.doubted(), want, old, next)
		}
		// Who is full is in sync, or leads, only where nobody active has room.
		roomy, crowded := false, next.leaderPos() >= 0 && c.full(next.set, next.leaderPos())
		for i, id := range next.set.ids {
			roomy = roomy || next.isr.has(i) && active[id] && !c.full(next.set, i)
			crowded = crowded || next.isr.has(i) && c.full(next.set, i)
		}
		if roomy && crowded {
			t.Fatalf("%b are full, and in sync beside others: %+v", full, next)
		}
		// E2: a partition with somebody active in sync has a leader.
		for i, id := range next.set.ids {
			if next.isr.has(i) && active[id] && next.leaderPos() < 0 {
				t.Fatalf("E2: %d is in sync and active, and nobody leads", id)
			}
		}
		if unclean && len(old.set.ids) > 1 && !c.rescue && len(next.set.ids) > 1 {
			t.Fatal("E3: an unclean election that nobody asked for")
		}
		// Nothing moves twice.
		again := change{old: next, set: next.set, isr: next.isr, setting: c.setting, minISR: next.minISR, changeAsks: c.changeAsks}
		if _, more, _ := again.result(); more {
			t.Fatalf("the same wish again moves %+v", next)
		}
	})
}

// moved2 is old.moved(m, s) for sets that may be distinct pointers.
func (s *replicaSet) moved2(old *replicaSet, m mask) mask { return old.moved(m, s) }

// TestReassign walks a move from two replicas to two others, to its end and back.
func TestReassign(t *testing.T) {
	c := newCluster(t, 1, 2, 3, 4)
	id := c.create("t", []int32{1, 2})
	c.must(Reassign{Topic: id, Target: []int32{3, 4}})
	p := c.part(id, 0)
	if len(p.Replicas) != 4 || len(p.Adding) != 2 || len(p.Removing) != 2 || p.Leader != 1 || p.LeaderEpoch != 0 {
		t.Fatalf("begun: %+v", p)
	}
	join := func(isr ...int32) {
		t.Helper()
		p := c.part(id, 0)
		a := AlterPartition{Broker: p.Leader, BrokerEpoch: c.epoch(p.Leader), Topic: id, LeaderEpoch: p.LeaderEpoch, PartitionEpoch: p.PartitionEpoch}
		for _, b := range isr {
			a.ISR = append(a.ISR, ISRMember{b, c.epoch(b)})
		}
		c.must(a)
	}
	join(1, 2, 3)
	if p = c.part(id, 0); len(p.Replicas) != 4 {
		t.Fatalf("half way: %+v", p)
	}
	c.must(Reassign{Topic: id}) // cancelled
	if p = c.part(id, 0); len(p.Replicas) != 2 || p.Adding != nil || p.ISRSize() != 2 || p.LeaderEpoch != 1 {
		t.Fatalf("cancelled: %+v", p)
	}
	c.refused(ErrNoReassignment, Reassign{Topic: id})
	c.must(Reassign{Topic: id, Target: []int32{3, 4}})
	join(1, 2, 3)
	join(1, 2, 3, 4)
	p = c.part(id, 0)
	if len(p.Replicas) != 2 || p.Replicas[0] != 3 || p.Leader != 3 || p.ISRSize() != 2 || p.Removing != nil {
		t.Fatalf("complete: %+v", p)
	}
	c.refused(ErrInvalidAssignment, Reassign{Topic: id, Target: []int32{9}})
}

// TestAlterPartitionGuards gives each guard of replication.md 2.4 its turn.
func TestAlterPartitionGuards(t *testing.T) {
	c := newCluster(t, 1, 2, 3)
	id := c.create("t", []int32{1, 2, 3})
	c.state(3, Fenced)
	good := func() AlterPartition {
		p := c.part(id, 0)
		return AlterPartition{
			Broker: 1, BrokerEpoch: c.epoch(1), Topic: id, LeaderEpoch: p.LeaderEpoch, PartitionEpoch: p.PartitionEpoch,
			ISR: []ISRMember{{1, c.epoch(1)}, {2, c.epoch(2)}},
		}
	}
	for _, g := range []struct {
		want error
		bend func(*AlterPartition)
	}{
		{ErrStaleBroker, func(a *AlterPartition) { a.BrokerEpoch-- }},
		{ErrUnknownBroker, func(a *AlterPartition) { a.Broker = 9 }},
		{ErrUnknownTopic, func(a *AlterPartition) { a.Topic = tid(99) }},
		{ErrUnknownPartition, func(a *AlterPartition) { a.Partition = 1 }},
		{ErrNewerEpoch, func(a *AlterPartition) { a.LeaderEpoch++ }},
		{ErrNewerEpoch, func(a *AlterPartition) { a.PartitionEpoch++ }},
		{ErrFencedLeader, func(a *AlterPartition) { a.LeaderEpoch-- }},
		{ErrNotLeader, func(a *AlterPartition) { a.Broker, a.BrokerEpoch = 2, c.epoch(2) }},
		{ErrStaleState, func(a *AlterPartition) { a.PartitionEpoch-- }},
		{ErrInvalidISR, func(a *AlterPartition) { a.ISR = a.ISR[1:] }},
		{ErrInvalidISR, func(a *AlterPartition) { a.ISR[1].ID = 7 }},
		{ErrInvalidISR, func(a *AlterPartition) { a.ISR[1].ID = 1 }},
		{ErrIneligible, func(a *AlterPartition) { a.ISR = append(a.ISR, ISRMember{3, c.epoch(3)}) }},
	} {
		a := good()
		g.bend(&a)
		c.refused(g.want, a)
	}
	a := good()
	a.ISR = a.ISR[:1]
	c.must(a)
	if p := c.part(id, 0); p.ISRSize() != 1 || len(p.ELR()) != 1 || p.Leader != 1 {
		t.Fatalf("shrunk below min: %+v", p)
	}
	a = good()
	a.ISR[1].Epoch--
	c.refused(ErrIneligible, a)
	c.must(good())
	if p := c.part(id, 0); p.ISRSize() != 2 || p.ELR() != nil {
		t.Fatalf("back at min: %+v", p)
	}
}

// TestUncleanElection is J-01 and E3: a replica that was out of sync leads only
// when the topic asks for it, and recovers alone.
func TestUncleanElection(t *testing.T) {
	c := newCluster(t, 1, 2)
	id := c.create("t", []int32{1, 2})
	c.state(2, Fenced)
	c.state(1, Fenced)
	r := c.registration(1)
	r.BootID = "after a power cut"
	c.must(r)
	c.state(2, Active) // 2 is in no set: it lacks what 1 had alone
	if p := c.part(id, 0); p.Leader != -1 {
		t.Fatalf("J-01: %+v", p)
	}
	c.refused(ErrNoEligibleLeader, ElectLeader{Topic: id})
	yes := "true"
	c.at++
	next, changes, _ := Apply(c.im, c.at, []Command{AlterConfig{Resource: Resource{TopicResource, "t"}, Set: map[string]*string{uncleanKey: &yes}}})
	c.im = next
	p := c.part(id, 0)
	if p.Leader != 2 || !p.Recovering || len(changes.Unclean) != 1 || !p.Doubted(1) || p.Doubted(2) || p.LastKnownELR() != nil {
		t.Fatalf("%+v %+v", p, changes)
	}
	c.state(1, Active)
	a := AlterPartition{
		Broker: 2, BrokerEpoch: c.epoch(2), Topic: id, LeaderEpoch: p.LeaderEpoch, PartitionEpoch: p.PartitionEpoch,
		ISR: []ISRMember{{1, c.epoch(1)}, {2, c.epoch(2)}},
	}
	c.refused(ErrInvalidISR, a) // E6
	a.Recovered = true
	c.must(a)
	if p = c.part(id, 0); p.Recovering || p.ISRSize() != 2 || p.Doubted(1) {
		t.Fatalf("recovered: %+v", p)
	}
	c.must(ElectLeader{Topic: id})
	if p = c.part(id, 0); p.Leader != 1 {
		t.Fatalf("preferred: %+v", p)
	}
	c.refused(ErrElectionNotNeeded, ElectLeader{Topic: id})
}

// TestDoubtOfWhoIsAdded: a replica that was in doubt is moved away and back. Its
// broker may have heard of neither, and have its old log still: it is in doubt until it
// is in sync again.
func TestDoubtOfWhoIsAdded(t *testing.T) {
	c := newCluster(t, 1, 2, 3)
	id := c.create("t", []int32{1, 2})
	c.state(2, Fenced)
	c.state(1, Fenced)
	c.state(2, Active)
	c.must(ElectLeader{Topic: id, Unclean: true})
	if p := c.part(id, 0); p.Leader != 2 || !p.Doubted(1) {
		t.Fatalf("elected uncleanly: %+v", p)
	}
	sync := func(ids ...int32) {
		t.Helper()
		p := c.part(id, 0)
		a := AlterPartition{Broker: 2, BrokerEpoch: c.epoch(2), Topic: id, LeaderEpoch: p.LeaderEpoch, PartitionEpoch: p.PartitionEpoch, Recovered: true}
		for _, b := range ids {
			a.ISR = append(a.ISR, ISRMember{b, c.epoch(b)})
		}
		c.must(a)
	}
	c.must(Reassign{Topic: id, Target: []int32{2, 3}})
	sync(2, 3)
	if p := c.part(id, 0); p.HasReplica(1) || p.Doubted(3) {
		t.Fatalf("moved away: %+v", p)
	}
	c.state(1, Active)
	c.must(Reassign{Topic: id, Target: []int32{2, 1}})
	if p := c.part(id, 0); !p.Doubted(1) || p.Doubted(2) || p.Doubted(3) {
		t.Fatalf("moved back: %+v", p)
	}
	sync(2, 3, 1)
	if p := c.part(id, 0); p.HasReplica(3) || p.Doubted(1) {
		t.Fatalf("in sync again: %+v", p)
	}
}

// J-16: a replica whose data is bad is not elected, whoever else is gone, before its
// broker has begun it anew and it was in sync again.
func TestJ16CorruptIsNotElected(t *testing.T) {
	c := newCluster(t, 1, 2, 3)
	id := c.create("t", []int32{1, 2, 3})
	c.state(3, Fenced)
	c.must(ReportFault{Broker: 1, BrokerEpoch: c.epoch(1), Corrupt: true, Partitions: []step.PartitionID{{Topic: id}}})
	p := c.part(id, 0)
	if p.Leader != 2 || p.InISR(1) || len(p.ELR()) != 0 {
		t.Fatalf("reported: %+v, eligible %v", p, p.ELR())
	}
	c.state(2, Fenced)
	if p = c.part(id, 0); p.Leader != -1 || !slices.Equal(p.ELR(), []int32{2}) {
		t.Fatalf("nobody else is there: %+v, eligible %v", p, p.ELR())
	}
	c.refused(ErrNoEligibleLeader, ElectLeader{Topic: id})
	c.register(1) // to come back is not enough
	c.state(1, Active)
	if p = c.part(id, 0); p.Leader != -1 {
		t.Fatalf("after a restart: %+v", p)
	}
	c.state(2, Active)
	if p = c.part(id, 0); p.Leader != 2 {
		t.Fatalf("one that is whole is back: %+v", p)
	}
}

// TestUncleanByDefault: an operator opts all topics in, but for those that say no.
func TestUncleanByDefault(t *testing.T) {
	c := newCluster(t, 1, 2)
	yes, no := "true", "false"
	all, own := c.create("all", []int32{1, 2}), c.create("own", []int32{1, 2})
	c.must(AlterConfig{Resource: Resource{TopicResource, "own"}, Set: map[string]*string{uncleanKey: &no}})
	c.state(2, Fenced)
	c.state(1, Fenced)
	c.state(2, Active)
	if p := c.part(all, 0); p.Leader != -1 {
		t.Fatalf("%+v", p)
	}
	c.must(AlterConfig{Resource: Resource{BrokerResource, ""}, Set: map[string]*string{uncleanKey: &yes}})
	if p, q := c.part(all, 0), c.part(own, 0); p.Leader != 2 || !p.Doubted(1) || q.Leader != -1 {
		t.Fatalf("%+v %+v", p, q)
	}
}

// TestFaults is S3 and S4 for the only replica: it is not elected again before its
// broker registers anew, which reports once more what is still bad.
func TestFaults(t *testing.T) {
	c := newCluster(t, 1)
	id := c.create("t", []int32{1}, []int32{1})
	at := func(i int32) []step.PartitionID { return []step.PartitionID{{Topic: id, Index: i}} }
	c.must(ReportFault{Broker: 1, BrokerEpoch: c.epoch(1), Partitions: at(0)})
	c.must(ReportFault{Broker: 1, BrokerEpoch: c.epoch(1), Partitions: at(1), Corrupt: true})
	if a, b := c.part(id, 0), c.part(id, 1); a.Leader != -1 || b.Leader != -1 || a.ELR() != nil || b.ELR() != nil {
		t.Fatalf("%+v %+v", a, b)
	}
	c.state(1, Fenced)
	c.state(1, Active)
	if a, b := c.part(id, 0), c.part(id, 1); a.Leader != -1 || b.Leader != -1 {
		t.Fatalf("after a silence: %+v %+v", a, b)
	}
	c.register(1)
	c.state(1, Active)
	if a, b := c.part(id, 0), c.part(id, 1); a.Leader != 1 || b.Leader != 1 {
		t.Fatalf("after a restart: %+v %+v", a, b)
	}
	c.must(ReportFault{Broker: 1, BrokerEpoch: c.epoch(1), Partitions: at(1), Corrupt: true})
	c.must(ElectLeader{Topic: id, Partition: 1, Unclean: true})
	if b := c.part(id, 1); b.Leader != 1 {
		t.Fatalf("by an operator: %+v", b)
	}
	c.must(AssignDir{Broker: 1, BrokerEpoch: c.epoch(1), Dir: tid(1, 0, 2), Partitions: at(0)})
	if p := c.part(id, 0); len(p.Dirs) != 1 || p.Dirs[0] != tid(1, 0, 2) {
		t.Fatalf("directory: %+v", p)
	}
	// The directory does not come back: nor did the data.
	r := c.registration(1)
	r.Dirs = []step.TopicID{tid(1, 8, 8)}
	c.must(r)
	if p := c.part(id, 0); p.ELR() != nil || p.LastKnownELR() == nil {
		t.Fatalf("another disk: %+v", p)
	}
	c.state(1, Active)
	// Nobody knows where the other was: it may have been there.
	if p, q := c.part(id, 0), c.part(id, 1); p.Leader != -1 || q.Leader != -1 || q.Dirs[0] != LostDir {
		t.Fatalf("led with nothing: %+v %+v", p, q)
	}
	// Another start changes nothing, but that it is found does.
	r = c.registration(1)
	r.Dirs = []step.TopicID{tid(1, 8, 8)}
	c.must(r)
	c.state(1, Active)
	if q := c.part(id, 1); q.Leader != -1 {
		t.Fatalf("led with nothing at the second start: %+v", q)
	}
	c.must(AssignDir{Broker: 1, BrokerEpoch: c.epoch(1), Dir: tid(1, 8, 8), Partitions: at(1)})
	if q := c.part(id, 1); q.Leader != 1 {
		t.Fatalf("it was here: %+v", q)
	}
	// It was carried over into another directory.
	c.must(AssignDir{Broker: 1, BrokerEpoch: c.epoch(1), Dir: tid(1, 8, 8), Partitions: at(0)})
	if p := c.part(id, 0); p.Leader != 1 || p.Dirs[0] != tid(1, 8, 8) {
		t.Fatalf("found elsewhere: %+v", p)
	}
	// What failed is not healed by a report of where it lies that comes late.
	c.must(ReportFault{Broker: 1, BrokerEpoch: c.epoch(1), Partitions: at(0)})
	c.must(AssignDir{Broker: 1, BrokerEpoch: c.epoch(1), Dir: tid(1, 8, 8), Partitions: at(0)})
	if p := c.part(id, 0); p.Leader != -1 {
		t.Fatalf("a late report: %+v", p)
	}
	// The first disk is back.
	c.register(1)
	c.state(1, Active)
	if p := c.part(id, 0); p.Leader != -1 {
		t.Fatalf("the disk with the data is away: %+v", p)
	}
}

// TestUnplacedAfterCleanStop: at a clean stop the controller knew where all logs
// with files lie. What it did not know had none, and is led after the loss of a disk.
func TestUnplacedAfterCleanStop(t *testing.T) {
	c := newCluster(t, 1)
	id := c.create("t", []int32{1})
	r := c.registration(1)
	r.Dirs = []step.TopicID{tid(1, 8, 8)}
	r.CleanEpoch = c.epoch(1)
	c.must(r)
	c.state(1, Active)
	if p := c.part(id, 0); p.Leader != 1 {
		t.Fatalf("%+v", p)
	}
}
