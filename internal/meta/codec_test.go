package meta

import (
	"bytes"
	"encoding/binary"
	"errors"
	"reflect"
	"testing"

	"github.com/brokerd/brokerd/internal/step"
	"github.com/brokerd/brokerd/test/captured"
)

func oneOfEach() []Command {
	v := "v"
	ids := []step.PartitionID{{Topic: tid(1), Index: 7}, {Topic: tid(2), Index: 1 << 20}}
	ends := []Endpoint{{"PLAINTEXT", "host", 9092, 0}, {"SSL", "::1", 65535, 1}}
	return []Command{
		CreateTopic{ID: tid(1), Name: "a.b", Internal: true, Assignments: [][]int32{{1, 2}, {3}}, Config: map[string]string{"x": "1", "a": ""}, MinISR: 2},
		DeleteTopic{tid(1)}, PurgeTopic{tid(2)},
		CreatePartitions{ID: tid(1), Before: 2, Assignments: [][]int32{{1 << 30}}},
		AlterConfig{Resource: Resource{TopicResource, "t"}, Set: map[string]*string{"a": &v, "b": nil}, Replace: true, MinISR: MinISRByRule},
		AllocateProducerIDs{1, 2, 3},
		Bootstrap{"cluster", 1}, SetFeatureLevel{1},
		RegisterBroker{ID: 1, ClusterID: "c", Incarnation: tid(3), Rack: "r", Endpoints: ends, Dirs: []step.TopicID{tid(4)}, Voter: true,
			Seen: 5, CleanEpoch: 6, BootID: "b", DiskError: true, Intact: true, DefaultISR: true},
		UnregisterBroker{1, 2}, SetBrokerState{1, 2, ControlledShutdown},
		AlterPartition{Broker: 1, BrokerEpoch: 2, Topic: tid(1), Partition: 3, LeaderEpoch: 4, PartitionEpoch: 5, ISR: []ISRMember{{1, 2}, {3, -1}}, Recovered: true},
		ElectLeader{tid(1), 2, true}, Reassign{tid(1), 2, []int32{1, 2, 3}}, Reassign{Topic: tid(1), Partition: 2},
		ReportFault{1, 2, true, ids}, AssignDir{Broker: 1, BrokerEpoch: 2, Dir: tid(5), Partitions: ids},
		NoteFull{1, 2, []step.TopicID{tid(4), tid(5)}},
		NoteVoters{[]Voter{{1, tid(6), ends}, {2, tid(7), nil}}},
		NoteRecovery{ID: tid(8), TimeMs: 9, Node: 1, Directory: tid(6), Kept: 10, Lost: []Voter{{2, tid(7), ends}}},
	}
}

func TestCodecRoundTrip(t *testing.T) {
	cmds := oneOfEach()
	seen := map[kind]bool{}
	for _, c := range cmds {
		seen[c.kind()] = true
	}
	if len(seen) != len(kinds)-1 {
		t.Fatalf("%d kinds have an example, there are %d", len(seen), len(kinds)-1)
	}
	got := DecodeEntry(EncodeEntry(cmds))
	if !reflect.DeepEqual(got, cmds) {
		t.Fatalf("got  %#v\nwant %#v", got, cmds)
	}
	for _, c := range cmds { // each prefix is malformed, none is another command
		b := EncodeEntry([]Command{c})
		for n := range len(b) - 1 {
			got := DecodeEntry(b[:n+1])
			if n > 0 && (len(got) != 1 || got[0].kind() != 0) {
				t.Fatalf("%s cut to %d of %d bytes is %#v", KindName(c), n+1, len(b), got)
			}
		}
	}
}

// isFirst says whether a command was read in a version that is not written any more.
func isFirst(c Command) bool {
	switch c := c.(type) {
	case RegisterBroker:
		return c.first
	case AssignDir:
		return c.first
	}
	return false
}

// FuzzEntry: any bytes decode and apply without a panic, what was read is
// written again byte for byte, and the image stays sound.
func FuzzEntry(f *testing.F) {
	for _, c := range oneOfEach() {
		f.Add(EncodeEntry([]Command{c}))
	}
	for _, c := range oneOfEach() {
		for _, p := range captured.Spoiled(EncodeEntry([]Command{c})) {
			f.Add(p)
		}
	}
	f.Add(EncodeEntry(oneOfEach()))
	f.Add(atLevel(MinLevel, oneOfEach()...))
	c := newCluster(f, 1, 2, 3)
	c.must(CreateTopic{ID: tid(1), Name: "t", Assignments: [][]int32{{1, 2}, {3, 1}, {2, 3}}})
	base := c.im
	f.Fuzz(func(t *testing.T, b []byte) {
		cmds := DecodeEntry(b)
		if len(cmds) > max(1, len(b)) {
			t.Fatalf("%d commands of %d bytes", len(cmds), len(b))
		}
		whole := len(cmds) > 0
		for _, c := range cmds {
			whole = whole && c.kind() != 0 && !isFirst(c) // those are written in their newest version
		}
		if whole && !bytes.Equal(EncodeEntry(cmds), b) {
			t.Fatalf("%x is read, and written as %x", b, EncodeEntry(cmds))
		}
		next, _, results := Apply(base, 100, cmds)
		if len(results) != len(cmds) {
			t.Fatalf("%d results of %d commands", len(results), len(cmds))
		}
		if next.TooNew() != nil {
			return // a snapshot of it refuses to load, as it should
		}
		var snap bytes.Buffer
		if err := WriteSnapshot(&snap, next); err != nil {
			t.Fatal(err)
		}
		if back, err := ReadSnapshot(&snap); err != nil || !Equal(back, next) {
			t.Fatalf("image is not sound: %v", err)
		}
	})
}

// blocksOf is what the blocks of a snapshot hold, as if they were one.
func blocksOf(snapshot []byte) (all []byte) {
	for p := snapshot[12:]; len(p) > 0; {
		end := 8 + binary.LittleEndian.Uint32(p)
		all = append(all, p[8:end]...)
		p = p[end:]
	}
	return all
}

// FuzzSnapshot: any bytes are a snapshot or an error; what was read is written
// again the same. Bytes with a right checksum get past it by being built here.
func FuzzSnapshot(f *testing.F) {
	c := newCluster(f, 1, 2, 3)
	c.must(oneOfEach()[:1]...)
	id := c.create("t", []int32{1, 2}, []int32{3})
	c.must(DeleteTopic{id})
	c.create("u", []int32{1})
	c.state(1, Fenced)
	var b bytes.Buffer
	if err := WriteSnapshot(&b, c.im); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes(), false)
	f.Add(b.Bytes()[20:], true)
	first, _ := c.im.Broker(1)
	c.must(NoteFull{Broker: 1, BrokerEpoch: first.Epoch, Dirs: first.Dirs[:1]}, oneOfEach()[len(oneOfEach())-2], oneOfEach()[len(oneOfEach())-1])
	var more bytes.Buffer
	if err := WriteSnapshot(&more, c.im); err != nil {
		f.Fatal(err)
	}
	for _, p := range append(captured.Spoiled(blocksOf(b.Bytes())), captured.Spoiled(blocksOf(more.Bytes()))...) {
		f.Add(p, true)
	}
	for _, p := range captured.Spoiled(b.Bytes()[:24]) {
		f.Add(p, false)
		f.Add(append(p, b.Bytes()[len(p):]...), false)
	}
	f.Fuzz(func(t *testing.T, b []byte, framed bool) {
		if framed { // the content of one block
			s := snapshotWriter{w: new(bytes.Buffer), b: append(make([]byte, 8), b...)}
			s.flush(0)
			b = append([]byte(snapshotMagic+"\x01\x00\x00\x00"), s.w.(*bytes.Buffer).Bytes()...)
		}
		im, err := ReadSnapshot(bytes.NewReader(b))
		if err != nil {
			return
		}
		var again bytes.Buffer
		if err := WriteSnapshot(&again, im); err != nil {
			t.Fatal(err)
		}
		back, err := ReadSnapshot(&again)
		if err != nil || !Equal(back, im) {
			t.Fatalf("what was read cannot be written and read again: %v", err)
		}
	})
}

func TestSnapshotDamage(t *testing.T) {
	c := newCluster(t, 1, 2, 3)
	c.create("t", []int32{1, 2, 3}, []int32{2, 3, 1})
	good := snapshotOf(t, c.im)
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 1
		if _, err := ReadSnapshot(bytes.NewReader(bad)); err == nil {
			t.Fatalf("a flipped bit at %d of %d is not noticed", i, len(good))
		}
		if _, err := ReadSnapshot(bytes.NewReader(good[:i])); !errors.Is(err, ErrSnapshot) {
			t.Fatalf("cut to %d of %d: %v", i, len(good), err)
		}
	}
	newer := bytes.Clone(good)
	newer[8] = 2
	if _, err := ReadSnapshot(bytes.NewReader(newer)); !errors.Is(err, ErrTooNew) {
		t.Fatalf("a newer format: %v", err)
	}
	c.must(SetFeatureLevel{MaxLevel + 1})
	c.refused(ErrFeatureLevel, SetFeatureLevel{MaxLevel})
	if err := c.im.TooNew(); !errors.Is(err, ErrTooNew) {
		t.Fatalf("a newer level: %v", err)
	}
	if _, err := ReadSnapshot(bytes.NewReader(snapshotOf(t, c.im))); !errors.Is(err, ErrTooNew) {
		t.Fatalf("a newer level in a snapshot: %v", err)
	}
}
