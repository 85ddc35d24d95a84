package meta

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/brokerd/brokerd/internal/step"
)

var (
	seeds = flag.Uint64("seeds", 30, "how many seeds the model test runs")
	steps = flag.Int("steps", 300, "entries per seed")
)

// TestRandomHistories applies random entries, sensible and not, and holds every
// image against what must be true of all images: the indexes say the same (M6),
// epochs only rise (R13), a snapshot is the image, two nodes that batch entries
// differently agree (R15), and older images did not move (M1).
func TestRandomHistories(t *testing.T) {
	for seed := range *seeds {
		h := &history{t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 1)), c: newCluster(t, 1, 2, 3)}
		h.run()
	}
}

type history struct {
	t      *testing.T
	seed   uint64
	rng    *rand.Rand
	c      *cluster
	topics []step.TopicID
	made   int
}

func (h *history) run() {
	other := h.c.im // a second node, which applies several entries at a time
	var pending [][]byte
	var old []*Image
	var oldBytes [][]byte
	from := h.c.at
	for i := range *steps {
		if i%40 == 0 {
			old, oldBytes = append(old, h.c.im), append(oldBytes, snapshotOf(h.t, h.c.im))
		}
		cmds := []Command{h.command()}
		for h.rng.IntN(3) == 0 {
			cmds = append(cmds, h.command())
		}
		entry := EncodeEntry(cmds)
		if h.rng.IntN(50) == 0 {
			entry[h.rng.IntN(len(entry))] ^= 1 << h.rng.IntN(8) // what a future or broken proposer may write
		}
		before := h.c.im
		h.c.at++
		next, changes, _ := Apply(before, h.c.at, DecodeEntry(entry))
		h.c.im = next
		h.check(before, next, changes)
		if pending = append(pending, entry); h.rng.IntN(5) == 0 {
			e := other.Edit()
			for i, b := range pending {
				e.Apply(from+1+uint64(i), DecodeEntry(b))
			}
			from += uint64(len(pending))
			other, _ = e.Done()
			pending = nil
			if !Equal(other, next) {
				h.t.Fatalf("seed %d: R15: two nodes differ at %d", h.seed, h.c.at)
			}
		}
	}
	for i, im := range old {
		if !bytes.Equal(oldBytes[i], snapshotOf(h.t, im)) {
			h.t.Fatalf("seed %d: M1: the image of entry %d moved", h.seed, im.Index())
		}
	}
	back, err := ReadSnapshot(bytes.NewReader(snapshotOf(h.t, h.c.im)))
	if err != nil || !Equal(back, h.c.im) {
		h.t.Fatalf("seed %d: a snapshot is not its image: %v", h.seed, err)
	}
	h.indexes(back)
}

func snapshotOf(t testing.TB, im *Image) []byte {
	var b bytes.Buffer
	if err := WriteSnapshot(&b, im); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// command draws one, with epochs and ids that are right most of the time.
func (h *history) command() Command {
	r := h.rng
	broker := int32(1 + r.IntN(4))
	var epoch int64
	if b, ok := h.c.im.Broker(broker); ok {
		epoch = b.Epoch
	}
	if r.IntN(20) == 0 {
		epoch--
	}
	topic, part := h.partition()
	switch r.IntN(16) {
	case 0, 1:
		h.made++
		id := tid(byte(h.made), byte(h.made>>8), 4)
		h.topics = append(h.topics, id)
		names := []string{"a", "b.c", "b_c", "d", "e-f", fmt.Sprint("t", h.made)}
		return CreateTopic{ID: id, Name: names[r.IntN(len(names))], Assignments: h.assignments(), MinISR: int8(r.IntN(4)),
			Config: map[string]string{"k": "v", uncleanKey: []string{"true", "false"}[r.IntN(2)]}}
	case 2:
		if r.IntN(3) > 0 {
			return PurgeTopic{topic}
		}
		return DeleteTopic{topic}
	case 3:
		var n int32
		if t, ok := h.c.im.Topic(topic); ok {
			n = t.Partitions()
		}
		return CreatePartitions{ID: topic, Before: n, Assignments: h.assignments()}
	case 4:
		v := fmt.Sprint(r.IntN(3))
		name := "a"
		if t, ok := h.c.im.Topic(topic); ok {
			name = t.Name
		}
		return AlterConfig{Resource: Resource{TopicResource, name}, Set: map[string]*string{"x": &v, "y": nil}, Replace: r.IntN(2) == 0, MinISR: int8(r.IntN(5) - 1)}
	case 5, 6:
		c := h.c.registration(broker)
		c.Incarnation = tid(byte(broker), byte(h.c.at), byte(h.c.at>>8), 6)
		c.BootID = fmt.Sprint(r.IntN(2))
		if r.IntN(2) == 0 {
			c.Dirs = append(c.Dirs, tid(byte(broker), 1, 2))
		}
		if r.IntN(2) == 0 {
			c.CleanEpoch = epoch
		}
		c.Intact, c.DefaultISR = r.IntN(2) == 0, r.IntN(2) == 0
		return c
	case 7, 8, 9:
		return SetBrokerState{broker, epoch, []BrokerState{Active, Active, Active, Fenced, ControlledShutdown}[r.IntN(5)]}
	case 10, 11:
		return h.proposal(topic, part)
	case 12:
		return ElectLeader{topic, part, r.IntN(3) == 0}
	case 13:
		if r.IntN(3) == 0 {
			return Reassign{Topic: topic, Partition: part}
		}
		return Reassign{topic, part, h.replicas()}
	case 14:
		c := NoteFull{Broker: broker, BrokerEpoch: epoch}
		if b, ok := h.c.im.Broker(broker); ok {
			for _, dir := range b.Dirs {
				if r.IntN(2) == 0 {
					c.Dirs = append(c.Dirs, dir)
				}
			}
		}
		return c
	}
	id := []step.PartitionID{{Topic: topic, Index: part}}
	if r.IntN(2) == 0 {
		return AssignDir{Broker: broker, BrokerEpoch: epoch, Dir: tid(byte(broker), byte(r.IntN(2)), 2), Partitions: id}
	}
	return ReportFault{broker, epoch, r.IntN(2) == 0, id}
}

func (h *history) partition() (step.TopicID, int32) {
	if len(h.topics) == 0 {
		return tid(1), 0
	}
	return h.topics[len(h.topics)-1-h.rng.IntN(min(len(h.topics), 6))], int32(h.rng.IntN(3))
}

func (h *history) replicas() []int32 {
	n := 1 + h.rng.IntN(4)
	var ids []int32
	for _, id := range h.rng.Perm(4)[:n] {
		ids = append(ids, int32(id+1))
	}
	return ids
}

func (h *history) assignments() (out [][]int32) {
	for range 1 + h.rng.IntN(3) {
		out = append(out, h.replicas())
	}
	if h.rng.IntN(10) == 0 { // across a chunk
		for range partChunk {
			out = append(out, out[0])
		}
	}
	return out
}

func (h *history) proposal(topic step.TopicID, i int32) Command {
	a := AlterPartition{Broker: 1, Topic: topic, Partition: i, Recovered: h.rng.IntN(2) == 0}
	t, ok := h.c.im.Topic(topic)
	if !ok {
		return a
	}
	p, ok := t.Partition(i)
	if !ok {
		return a
	}
	a.Broker, a.LeaderEpoch, a.PartitionEpoch = p.Leader, p.LeaderEpoch, p.PartitionEpoch
	for _, id := range p.Replicas {
		b, ok := h.c.im.Broker(id)
		if id == p.Leader && ok {
			a.BrokerEpoch = b.Epoch
		}
		if ok && (id == p.Leader || h.rng.IntN(3) > 0) {
			a.ISR = append(a.ISR, ISRMember{id, b.Epoch})
		}
	}
	return a
}

// roomFirst: who is full is in sync only where nobody is who has room.
func (h *history) roomFirst(im *Image) {
	for t := range im.Topics() {
		for i := range t.Partitions() {
			p, _ := t.Partition(i)
			full, roomy := 0, 0
			for _, id := range p.ISR() {
				if p.Full(im, id) {
					full++
				} else {
					roomy++
				}
			}
			if full > 0 && roomy > 0 || p.Leader < 0 && full+roomy > 0 {
				h.t.Fatalf("seed %d entry %d: %d full ones in sync beside %d with room: %+v", h.seed, h.c.at, full, roomy, p)
			}
		}
	}
}

func (h *history) check(before, next *Image, changes Changes) {
	h.indexes(next)
	h.roomFirst(next)
	for t := range next.Topics() {
		old, ok := before.Topic(t.ID)
		if !ok {
			continue
		}
		for i := range old.Partitions() {
			a, _ := old.Partition(i)
			b, _ := t.Partition(i)
			if b.LeaderEpoch < a.LeaderEpoch || b.PartitionEpoch < a.PartitionEpoch ||
				b.Leader != a.Leader && b.LeaderEpoch == a.LeaderEpoch ||
				b.PartitionEpoch == a.PartitionEpoch && (b.isr != a.isr || b.elr != a.elr || b.MinISR != a.MinISR) {
				h.t.Fatalf("seed %d entry %d: R13: %+v then %+v", h.seed, h.c.at, a, b)
			}
			if b.PartitionEpoch != a.PartitionEpoch && !slices.Contains(changes.Topics, t.ID) {
				h.t.Fatalf("seed %d entry %d: a partition of %s changed and no watcher is told", h.seed, h.c.at, t.Name)
			}
			if b.Leader >= 0 && b.Leader != a.Leader {
				if l, ok := next.Broker(b.Leader); !ok || l.State != Active {
					h.t.Fatalf("seed %d entry %d: R12: %d leads and is not active", h.seed, h.c.at, b.Leader)
				}
			}
		}
	}
}

// indexes is M6.
func (h *history) indexes(im *Image) {
	names, parts, last := 0, 0, ""
	for t := range im.Topics() {
		if t.Name <= last {
			h.t.Fatalf("seed %d: %s after %s", h.seed, t.Name, last)
		}
		last = t.Name
		names++
		parts += int(t.Partitions())
		if other, ok := im.TopicNamed(t.Name); !ok || other != t {
			h.t.Fatalf("seed %d: %s is found as another", h.seed, t.Name)
		}
		if f, ok := folded(t.Name); ok {
			if id, _ := im.folded.get(f); id != t.ID {
				h.t.Fatalf("seed %d: %s folds to another", h.seed, t.Name)
			}
		}
		if _, gone := im.Deleted(t.ID); gone {
			h.t.Fatalf("seed %d: %s lives and is deleted", h.seed, t.Name)
		}
	}
	if names != im.TopicCount() || parts != im.PartitionCount() || names != im.names.len() {
		h.t.Fatalf("seed %d: %d topics and %d partitions are counted as %d and %d", h.seed, names, parts, im.TopicCount(), im.PartitionCount())
	}
}
