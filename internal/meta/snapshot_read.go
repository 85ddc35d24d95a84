package meta

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"strings"
)

// ErrSnapshot says that bytes are no snapshot, or a damaged one.
var ErrSnapshot = errors.New("metadata snapshot is damaged")

// ReadSnapshot reads what WriteSnapshot wrote, and nothing else: every block is
// checked before its content is looked at, and the whole before it is returned.
func ReadSnapshot(r io.Reader) (*Image, error) {
	br := bufio.NewReader(r) // for the frames: blocks go past it
	var head [12]byte
	if _, err := io.ReadFull(br, head[:]); err != nil {
		return nil, fmt.Errorf("%w: no header: %w", ErrSnapshot, err)
	}
	if string(head[:8]) != snapshotMagic {
		return nil, fmt.Errorf("%w: it does not begin with %q", ErrSnapshot, snapshotMagic)
	}
	if head[10]|head[11] != 0 {
		return nil, fmt.Errorf("%w: reserved bytes are set", ErrSnapshot)
	}
	if v := binary.LittleEndian.Uint16(head[8:]); v != snapshotVersion {
		return nil, fmt.Errorf("%w: snapshot format %d, this version of brokerd reads up to %d: use a newer brokerd", ErrTooNew, v, snapshotVersion)
	}
	s := snapshotReader{e: New().Edit()}
	for !s.ended {
		block, err := readBlock(br, s.block[:0])
		if err != nil {
			return nil, err
		}
		s.block = block
		if err := s.items(block); err != nil {
			return nil, err
		}
		if err := s.e.im.TooNew(); err != nil {
			return nil, err
		}
	}
	return s.finish()
}

func readBlock(r io.Reader, buf []byte) ([]byte, error) {
	var frame [8]byte
	if _, err := io.ReadFull(r, frame[:]); err != nil {
		return nil, fmt.Errorf("%w: it ends too early: %w", ErrSnapshot, err)
	}
	n := binary.LittleEndian.Uint32(frame[:])
	if n == 0 || n > maxBlock {
		return nil, fmt.Errorf("%w: block of %d bytes", ErrSnapshot, n)
	}
	// Grown as bytes arrive: the length alone allocates nothing large.
	for len(buf) < int(n) {
		step := min(int(n)-len(buf), max(snapshotBlock*2, len(buf)))
		buf = slices.Grow(buf, step)[:len(buf)+step]
		if _, err := io.ReadFull(r, buf[len(buf)-step:]); err != nil {
			return nil, fmt.Errorf("%w: it ends within a block: %w", ErrSnapshot, err)
		}
	}
	if crc32.Checksum(buf, castagnoli) != binary.LittleEndian.Uint32(frame[4:]) {
		return nil, fmt.Errorf("%w: checksum of a block differs", ErrSnapshot)
	}
	return buf, nil
}

type snapshotReader struct {
	e        *Editor
	block    []byte
	sets     []*replicaSet
	topic    *Topic // being read; nil: none
	want     int32  // partitions of it still to come
	lastName string
	hasHead  bool
	ended    bool

	topics, deleted, parts uint64 // as the header promised

	// Small topics share allocations: two million of one partition would be
	// eight million objects for the collector to look at.
	topicSlab []Topic
	partSlab  []part
	listSlab  [][]part
}

const slabSize = 512

// newTopic, newParts and newList give room for one topic, for n partitions and
// for a list of chunks that is expected to have one.
func (s *snapshotReader) newTopic() *Topic {
	if len(s.topicSlab) == 0 {
		s.topicSlab = make([]Topic, slabSize)
	}
	t := &s.topicSlab[0]
	s.topicSlab = s.topicSlab[1:]
	return t
}

func (s *snapshotReader) newParts(n int) []part {
	if n > slabSize/4 {
		return make([]part, n)
	}
	if len(s.partSlab) < n {
		s.partSlab = make([]part, slabSize)
	}
	p := s.partSlab[:n:n]
	s.partSlab = s.partSlab[n:]
	return p
}

func (s *snapshotReader) newList(first []part) [][]part {
	if len(s.listSlab) == 0 {
		s.listSlab = make([][]part, slabSize)
	}
	l := s.listSlab[:1:1]
	l[0], s.listSlab = first, s.listSlab[1:]
	return l
}

func (s *snapshotReader) items(b []byte) error {
	d := decoder{b: b}
	for len(d.b) > 0 && d.err == nil && !s.ended {
		tag := d.u8()
		switch {
		case (tag == itemHeader) == s.hasHead:
			return fmt.Errorf("%w: item %d is out of order", ErrSnapshot, tag)
		case s.want > 0 && tag != itemParts && tag != itemSet:
			return fmt.Errorf("%w: %d partitions of %q are missing", ErrSnapshot, s.want, s.topic.Name)
		}
		if err := s.item(tag, &d); err != nil {
			return err
		}
	}
	if d.err != nil || len(d.b) > 0 {
		return fmt.Errorf("%w: an item cannot be read: %v", ErrSnapshot, d.err)
	}
	return nil
}

func (s *snapshotReader) item(tag uint8, d *decoder) error {
	switch tag {
	case itemHeader:
		s.header(d)
	case itemVoters:
		s.e.im.voters = d.voters()
	case itemBroker:
		return s.broker(d)
	case itemFull:
		return s.full(d)
	case itemConfig:
		r := Resource{ResourceType(d.i8()), d.string()}
		if m := d.strings(); d.err == nil {
			s.e.configs.put(r.key(), m)
		}
	case itemSet:
		return s.set(d)
	case itemTopic:
		return s.beginTopic(d)
	case itemParts:
		return s.readParts(d)
	case itemRecovery:
		s.e.im.recovered = append(s.e.im.recovered, d.recovery())
	case itemEnd:
		s.ended = true
	default:
		return fmt.Errorf("%w: item %d is unknown", ErrSnapshot, tag)
	}
	return nil
}

func (s *snapshotReader) header(d *decoder) {
	im := &s.e.im
	im.index, im.clusterID = d.uvarint(), d.string()
	im.features = Features{Metadata: d.i16(), Epoch: d.i64()}
	im.nextID = d.i64()
	s.topics, s.deleted, s.parts = d.uvarint(), d.uvarint(), d.uvarint()
	s.hasHead = true
}

func (s *snapshotReader) broker(d *decoder) error {
	b := &Broker{
		ID: d.i32(), Epoch: d.i64(), Incarnation: d.id(), State: BrokerState(d.i8()),
		Rack: d.string(), Endpoints: d.endpoints(), Dirs: d.ids(), BootID: d.string(), Voter: d.bool(),
	}
	last := len(s.e.im.brokers) - 1
	if last >= 0 && s.e.im.brokers[last].ID >= b.ID {
		return fmt.Errorf("%w: broker %d is out of order", ErrSnapshot, b.ID)
	}
	s.e.im.brokers = append(s.e.im.brokers, b)
	return nil
}

func (s *snapshotReader) full(d *decoder) error {
	dirs, brokers := d.ids(), s.e.im.brokers
	if len(brokers) == 0 {
		return fmt.Errorf("%w: full directories of no broker", ErrSnapshot)
	}
	b := brokers[len(brokers)-1]
	if b.Full = b.Among(dirs); len(b.Full) == 0 || len(b.Full) != len(dirs) {
		return fmt.Errorf("%w: broker %d has full directories that are not its own", ErrSnapshot, b.ID)
	}
	return nil
}

func (s *snapshotReader) set(d *decoder) error {
	set := replicaSet{ids: d.int32s(), adding: mask(d.uvarint()), removing: mask(d.uvarint())}
	set.dirs = d.ids()
	all := set.all()
	if len(set.ids) == 0 || len(set.ids) > MaxReplicas || (set.adding|set.removing)&^all != 0 ||
		set.dirs != nil && len(set.dirs) != len(set.ids) {
		return fmt.Errorf("%w: a replica set is impossible", ErrSnapshot)
	}
	s.sets = append(s.sets, s.e.intern(set))
	return nil
}

func (s *snapshotReader) beginTopic(d *decoder) error {
	t := s.newTopic()
	*t = Topic{ID: d.id(), Name: d.string(), Internal: d.bool(), minISR: d.i8(), Deleted: d.uvarint()}
	n := d.uvarint()
	if d.err != nil || n == 0 || n > 1<<30 || t.ID.IsZero() || CheckName(t.Name) != "" {
		return fmt.Errorf("%w: a topic is impossible", ErrSnapshot)
	}
	_, taken := s.e.topics.get(t.ID)
	_, gone := s.e.deleted.get(t.ID)
	if taken || gone || t.Deleted == 0 && t.Name <= s.lastName {
		return fmt.Errorf("%w: topic %q is there twice or out of order", ErrSnapshot, t.Name)
	}
	s.topic, s.want = t, int32(n)
	if t.Deleted != 0 {
		s.e.deleted.put(t.ID, t)
		return nil
	}
	s.lastName = t.Name
	s.e.topics.put(t.ID, t)
	s.e.names.put(t.Name, t.ID)
	if f, ok := folded(t.Name); ok {
		s.e.folded.put(f, t.ID)
	}
	s.e.byName.append(t.Name)
	s.e.im.parts += int(n)
	return nil
}

func (s *snapshotReader) readParts(d *decoder) error {
	n := d.count(8)
	if s.topic == nil || n == 0 || n > int(s.want) || n > partChunk {
		return fmt.Errorf("%w: %d partitions where %d are missing", ErrSnapshot, n, s.want)
	}
	t := s.topic
	chunk := s.newParts(n)
	for i := range chunk {
		p := &chunk[i]
		number := d.uvarint()
		if number >= uint64(len(s.sets)) {
			return fmt.Errorf("%w: replica set %d has not come", ErrSnapshot, number)
		}
		p.set, p.state, p.minISR = s.sets[number], d.u8(), d.i8()
		leaderEpoch, partitionEpoch := d.uvarint(), d.uvarint()
		isr, elr, last := d.uvarint(), d.uvarint(), d.uvarint()
		p.leaderEpoch, p.partitionEpoch = int32(leaderEpoch), int32(partitionEpoch)
		p.isr, p.elr, p.last = mask(isr), mask(elr), mask(last)
		if (leaderEpoch|partitionEpoch)>>31 != 0 || (isr|elr|last)&^uint64(p.set.all()) != 0 ||
			p.isr&p.elr != 0 || p.last&(p.isr|p.elr) != 0 || p.minISR < 1 || int(p.minISR) > len(p.set.ids) || p.elr != 0 && p.isr.count() >= int(p.minISR) ||
			p.leaderPos() >= len(p.set.ids) || p.leaderPos() >= 0 && !p.isr.has(p.leaderPos()) {
			return fmt.Errorf("%w: a partition of %q is impossible", ErrSnapshot, t.Name)
		}
	}
	if t.n%partChunk != 0 {
		return fmt.Errorf("%w: partitions of %q come in the wrong portions", ErrSnapshot, t.Name)
	}
	if t.chunks == nil {
		t.chunks = s.newList(chunk)
	} else {
		t.chunks = append(t.chunks, chunk)
	}
	t.n += int32(n)
	s.want -= int32(n)
	return nil
}

func (s *snapshotReader) finish() (*Image, error) {
	e := s.e
	if uint64(e.topics.m.n) != s.topics || uint64(e.deleted.m.n) != s.deleted || uint64(e.im.parts) != s.parts {
		return nil, fmt.Errorf("%w: %d topics, %d deleted, %d partitions were promised", ErrSnapshot, s.topics, s.deleted, s.parts)
	}
	im, _ := e.Done()
	return im, nil
}

// Equal reports whether two images say the same, whatever way they were made.
// For tests and for comparing nodes: it looks at everything.
func Equal(a, b *Image) bool {
	var x, y strings.Builder
	_ = WriteSnapshot(&x, a) // a Builder does not fail
	_ = WriteSnapshot(&y, b)
	return x.String() == y.String()
}
