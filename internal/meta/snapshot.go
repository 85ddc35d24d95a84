package meta

import (
	"encoding/binary"
	"hash/crc32"
	"io"
	"strings"
)

// A snapshot is an image as a flat sequence of items, in blocks:
//
//	┌──────────────────┬─────────────┬────────────────────────────────┬───┐
//	│ "brkdmeta" │ u16 │ u16 0       │ length u32 │ crc32c u32 │ items │ … │
//	│  magic   version │             │           one block            │   │
//	└──────────────────┴─────────────┴────────────────────────────────┴───┘
//
//	item: tag u8, then
//	 1 header   index, cluster id, level, epoch, next producer id, topics, deleted, partitions
//	 2 voters   list of {node, directory, endpoints}
//	 3 broker   id, epoch, incarnation, state, rack, endpoints, dirs, boot id, voter
//	 4 config   resource type, name, settings
//	 5 set      replicas, adding, removing, dirs: numbered from 0 as they come
//	 6 topic    id, name, internal, minISR, deleted at, partitions
//	 7 parts    count, then {set number, state, minISR, leader epoch, partition epoch, isr, elr, last}:
//	            the next partitions of the topic before
//	 8 end
//	 9 recovery of the quorum, oldest first; from level 2 on
//	10 full     directories of the broker before that take no records; from level 3 on
//
// An item is never split over blocks; the first two are a block of their own. Topics come in name order, then the
// deleted ones by id.
const (
	snapshotMagic   = "brkdmeta"
	snapshotVersion = 1
	snapshotBlock   = 64 << 10
	maxBlock        = 16 << 20 // an item is bounded by what an entry may carry
)

const (
	itemHeader = 1 + iota
	itemVoters
	itemBroker
	itemConfig
	itemSet
	itemTopic
	itemParts
	itemEnd
	itemRecovery
	itemFull
)

// WriteSnapshot writes im. It holds one block in memory.
func WriteSnapshot(w io.Writer, im *Image) error {
	s := snapshotWriter{w: w, sets: make(map[*replicaSet]uint64), b: make([]byte, 8, snapshotBlock+snapshotBlock/8)}
	head := binary.LittleEndian.AppendUint16([]byte(snapshotMagic), snapshotVersion)
	if _, err := w.Write(append(head, 0, 0)); err != nil {
		return err
	}
	s.header(im)
	s.flush(0) // a block of its own: who does not know the level stops before what it cannot read
	for _, r := range im.recovered {
		s.b = putRecovery(append(s.b, itemRecovery), r)
	}
	for _, b := range im.brokers {
		s.broker(b)
	}
	for _, key := range im.configs.keys(strings.Compare) {
		m, _ := im.configs.get(key)
		s.b = putString(append(s.b, itemConfig, key[0]), key[1:])
		s.b = putStrings(s.b, m)
		s.flush(snapshotBlock)
	}
	for t := range im.Topics() {
		s.topic(t)
	}
	for t := range im.DeletedTopics() {
		s.topic(t)
	}
	s.b = append(s.b, itemEnd)
	s.flush(0)
	return s.err
}

type snapshotWriter struct {
	w    io.Writer
	b    []byte // the block being filled, behind 8 bytes for its frame
	sets map[*replicaSet]uint64
	err  error
}

// flush writes the block if it has reached size.
func (s *snapshotWriter) flush(size int) {
	if len(s.b)-8 < size || s.err != nil {
		return
	}
	body := s.b[8:]
	binary.LittleEndian.PutUint32(s.b, uint32(len(body)))
	binary.LittleEndian.PutUint32(s.b[4:], crc32.Checksum(body, castagnoli))
	_, s.err = s.w.Write(s.b)
	s.b = s.b[:8]
}

func (s *snapshotWriter) header(im *Image) {
	b := putUint(append(s.b, itemHeader), im.index)
	b = putInt(putString(b, im.clusterID), int64(im.features.Metadata))
	b = putInt(putInt(b, im.features.Epoch), im.nextID)
	b = putUint(putUint(b, uint64(im.topics.len())), uint64(im.deleted.len()))
	b = putUint(b, uint64(im.parts))
	s.b = putVoters(append(b, itemVoters), im.voters)
}

func (s *snapshotWriter) broker(r *Broker) {
	b := putInt(putInt(append(s.b, itemBroker), int64(r.ID)), r.Epoch)
	b = append(append(b, r.Incarnation[:]...), byte(r.State))
	b = putEndpoints(putString(b, r.Rack), r.Endpoints)
	s.b = putBool(putString(putIDs(b, r.Dirs), r.BootID), r.Voter)
	if len(r.Full) > 0 {
		s.b = putIDs(append(s.b, itemFull), r.Full)
	}
	s.flush(snapshotBlock)
}

func (s *snapshotWriter) topic(t *Topic) {
	b := append(append(s.b, itemTopic), t.ID[:]...)
	b = append(putBool(putString(b, t.Name), t.Internal), byte(t.minISR))
	s.b = putUint(putUint(b, t.Deleted), uint64(t.n))
	for _, chunk := range t.chunks {
		s.parts(chunk)
	}
	s.flush(snapshotBlock)
}

func (s *snapshotWriter) parts(chunk []part) {
	for i := range chunk {
		s.set(chunk[i].set)
	}
	b := putUint(append(s.b, itemParts), uint64(len(chunk)))
	var last *replicaSet
	var number uint64
	for i := range chunk {
		p := &chunk[i]
		if p.set != last {
			last, number = p.set, s.sets[p.set]
		}
		b = append(putUint(b, number), p.state, byte(p.minISR))
		b = putUint(putUint(b, uint64(p.leaderEpoch)), uint64(p.partitionEpoch))
		b = putUint(putUint(putUint(b, uint64(p.isr)), uint64(p.elr)), uint64(p.last))
	}
	s.b = b
	s.flush(snapshotBlock)
}

func (s *snapshotWriter) set(set *replicaSet) {
	if _, ok := s.sets[set]; ok {
		return
	}
	s.sets[set] = uint64(len(s.sets))
	b := putInt32s(append(s.b, itemSet), set.ids)
	b = putUint(putUint(b, uint64(set.adding)), uint64(set.removing))
	s.b = putIDs(b, set.dirs)
	s.flush(snapshotBlock)
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)
