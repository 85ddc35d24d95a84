package meta

import (
	"encoding/binary"
	"math/bits"
	"slices"

	"github.com/brokerd/brokerd/internal/step"
)

// MaxReplicas is the most replicas a partition can have, those that a
// reassignment is adding and removing included: one bit each in a mask.
const MaxReplicas = 16

// mask is a set of positions in a replicaSet.
type mask uint16

func (m mask) count() int       { return bits.OnesCount16(uint16(m)) }
func (m mask) has(pos int) bool { return pos >= 0 && m>>pos&1 == 1 }

func bit(pos int) mask {
	if pos < 0 {
		return 0
	}
	return 1 << pos
}

// replicaSet is who holds a partition, and in which directory. It is shared by
// all partitions with the same answer and never written to.
type replicaSet struct {
	ids      []int32
	dirs     []step.TopicID // one each, zero: not assigned yet; nil: none is
	adding   mask
	removing mask

	addingIDs, removingIDs []int32
}

func (s *replicaSet) pos(id int32) int { return slices.Index(s.ids, id) }

func (s *replicaSet) all() mask { return 1<<len(s.ids) - 1 }

// target is what remains when a reassignment is complete.
func (s *replicaSet) target() mask { return s.all() &^ s.removing }

// complete says whether a reassignment is under way and all that are to stay are
// in sync.
func (s *replicaSet) complete(isr mask) bool {
	return s.adding|s.removing != 0 && isr&s.target() == s.target()
}

func (s *replicaSet) pick(m mask) []int32 {
	if m == 0 {
		return nil
	}
	ids := make([]int32, 0, m.count())
	for i, id := range s.ids {
		if m.has(i) {
			ids = append(ids, id)
		}
	}
	return ids
}

// moved translates a mask over s into one over to; who is not in to is lost.
func (s *replicaSet) moved(m mask, to *replicaSet) mask {
	if s == to {
		return m
	}
	var out mask
	for i, id := range s.ids {
		if m.has(i) {
			out |= bit(to.pos(id))
		}
	}
	return out
}

// strangers is who is in to and not in s.
func (s *replicaSet) strangers(to *replicaSet) mask {
	var m mask
	for i, id := range to.ids {
		if s != to && s.pos(id) < 0 {
			m |= bit(i)
		}
	}
	return m
}

// dir is where a replica lies, zero: nobody knows.
func (s *replicaSet) dir(pos int) step.TopicID {
	if s.dirs == nil {
		return step.TopicID{}
	}
	return s.dirs[pos]
}

// placed is the set with another directory for one replica.
func (s *replicaSet) placed(pos int, dir step.TopicID) replicaSet {
	next := replicaSet{ids: s.ids, adding: s.adding, removing: s.removing, dirs: make([]step.TopicID, len(s.ids))}
	copy(next.dirs, s.dirs)
	next.dirs[pos] = dir
	return next
}

// key is what makes two sets the same one.
func (s *replicaSet) key() string {
	b := make([]byte, 0, 5+len(s.ids)*20)
	b = append(b, byte(len(s.ids)))
	b = binary.LittleEndian.AppendUint16(b, uint16(s.adding))
	b = binary.LittleEndian.AppendUint16(b, uint16(s.removing))
	for _, id := range s.ids {
		b = binary.LittleEndian.AppendUint32(b, uint32(id))
	}
	for _, d := range s.dirs {
		b = append(b, d[:]...)
	}
	return string(b)
}

// part is one partition as the image keeps it: 24 bytes, two million of them
// without a pointer but the shared set.
//
//	last:  while isr and elr are empty, who was in them last; else, who has not been
//	       in sync since an unclean election, so has what its new leader lacks
//
//	state: bits 0-4 position of the leader + 1 (0: none) · 5 recovering · 6 corrupt · 7 offline
type part struct {
	set            *replicaSet
	leaderEpoch    int32
	partitionEpoch int32
	isr, elr, last mask
	minISR         int8
	state          uint8
}

const (
	leaderBits = 0x1f
	recovering = 1 << 5 // elected uncleanly; the leader has not reported itself recovered (E6)
	corrupt    = 1 << 6 // the only replica is corrupt: not elected before it registers anew (S4)
	offline    = 1 << 7 // the only replica's directory failed or is not there: not elected before it is found
)

func (p part) leaderPos() int { return int(p.state&leaderBits) - 1 }

func (p part) leader() int32 {
	if i := p.leaderPos(); i >= 0 {
		return p.set.ids[i]
	}
	return -1
}

// Partition is the controller's record of one partition: a small value.
type Partition struct {
	// Replicas in assignment order, shared by all partitions with the same set;
	// nobody writes to it. The same holds for Adding, Removing and Dirs.
	Replicas       []int32
	Adding         []int32
	Removing       []int32
	Dirs           []step.TopicID // directory of each replica, zero: unknown; nil: all unknown
	Leader         int32          // -1: none
	LeaderEpoch    int32
	PartitionEpoch int32
	MinISR         int8 // effective min.insync.replicas: min(setting, replication factor)
	Recovering     bool // after an unclean election, until the leader says it has recovered
	Corrupt        bool // the only replica's data is bad
	Offline        bool // the only replica's directory failed or is not there

	isr, elr, last, doubted mask
}

// lastKnown and doubted are the two meanings of last.
func (p part) lastKnown() mask {
	if p.isr|p.elr != 0 {
		return 0
	}
	return p.last
}

func (p part) doubted() mask { return p.last &^ p.lastKnown() }

func (p part) public() Partition {
	return Partition{
		Replicas: p.set.ids, Adding: p.set.addingIDs, Removing: p.set.removingIDs, Dirs: p.set.dirs,
		Leader: p.leader(), LeaderEpoch: p.leaderEpoch, PartitionEpoch: p.partitionEpoch,
		MinISR: p.minISR, Recovering: p.state&recovering != 0,
		Corrupt: p.state&corrupt != 0, Offline: p.state&offline != 0,
		isr: p.isr, elr: p.elr, last: p.lastKnown(), doubted: p.doubted(),
	}
}

// ISR, ELR and the last members of both before they were lost, as broker ids in
// assignment order. Each call makes a new slice, nil when empty.
func (p *Partition) ISR() []int32          { return p.pick(p.isr) }
func (p *Partition) ELR() []int32          { return p.pick(p.elr) }
func (p *Partition) LastKnownELR() []int32 { return p.pick(p.last) }

// ISRSize and InISR answer what the hot path asks, without a slice.
func (p *Partition) ISRSize() int             { return p.isr.count() }
func (p *Partition) InISR(id int32) bool      { return p.isr.has(slices.Index(p.Replicas, id)) }
func (p *Partition) HasReplica(id int32) bool { return slices.Contains(p.Replicas, id) }

// Doubted says whether a replica has not been in sync since an unclean election,
// or since it was added, maybe with a log from before that nobody deleted: what it
// took for committed may have to go.
func (p *Partition) Doubted(id int32) bool {
	return p.doubted.has(slices.Index(p.Replicas, id))
}

// Full says whether a replica takes no records for want of space, as far as an
// image knows.
func (p *Partition) Full(im *Image, id int32) bool {
	b, ok := im.Broker(id)
	pos := slices.Index(p.Replicas, id)
	if !ok || pos < 0 {
		return false
	}
	s := replicaSet{dirs: p.Dirs}
	return b.FullFor(s.dir(pos))
}

// ISRMask has bit i set when Replicas[i] is in sync.
func (p *Partition) ISRMask() uint16 { return uint16(p.isr) }

func (p *Partition) pick(m mask) []int32 {
	s := replicaSet{ids: p.Replicas}
	return s.pick(m)
}

// effectiveMinISR is decisions 4.8: setting 0 means the default rule.
func effectiveMinISR(setting int8, replicas int) int8 {
	if setting <= 0 {
		setting = 1
		if replicas >= 3 {
			setting = 2
		}
	}
	return min(setting, int8(replicas))
}

// pickDirs is pick for directories.
func (s *replicaSet) pickDirs(m mask) []step.TopicID {
	if s.dirs == nil {
		return nil
	}
	dirs := make([]step.TopicID, 0, m.count())
	for i, d := range s.dirs {
		if m.has(i) {
			dirs = append(dirs, d)
		}
	}
	return dirs
}

func uncleanOf(t *Topic, i int32) []step.PartitionID {
	return []step.PartitionID{{Topic: t.ID, Index: i}}
}
