package group

import (
	"encoding/binary"
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/brokerd/brokerd/internal/record"
	"github.com/brokerd/brokerd/internal/step"
)

// The records of __consumer_offsets, as Kafka 4.4 writes them:
//
//	key 1   group, topic, partition → offset, leader epoch, metadata, commit time, topic id
//	key 2   group                   → generation, protocol, leader, members with their assignments
//
// A key begins with its version, two bytes; a value too. Key 0 is key 1 of old;
// consumer_records.go has those of consumer groups.
// Other versions are groups of other kinds: they are left alone. A record
// without value, a tombstone, ends what its key names.
const (
	keyOffsetOld int16 = 0
	keyOffset    int16 = 1
	keyGroup     int16 = 2
)

// partition names a partition within a group's offsets.
type partition struct {
	topic string
	index int32
}

// offset is one committed offset.
type offset struct {
	at       int64 // the next record to read
	epoch    int32 // leader epoch of the last one read, -1 unknown
	metadata string
	commitMs int64
	expireMs int64        // -1: by the retention of the broker
	topicID  step.TopicID // zero in records of old
	written  int64        // where in the log: of two commits, the later one counts (O1)
}

func offsetRecord(group string, p partition, o offset) record.Record {
	v := kmsg.NewOffsetCommitValue()
	v.Version = 4
	v.Offset, v.LeaderEpoch, v.Metadata = o.at, o.epoch, o.metadata
	v.CommitTimestamp, v.TopicID = o.commitMs, o.topicID
	if o.expireMs >= 0 {
		v.Version, v.ExpireTimestamp = 1, o.expireMs // the only version that has it
	}
	return record.Record{Key: offsetKey(group, p), Value: v.AppendTo(nil), Timestamp: o.commitMs}
}

func offsetTombstone(group string, p partition, ms int64) record.Record {
	return record.Record{Key: offsetKey(group, p), Timestamp: ms}
}

func offsetKey(group string, p partition) []byte {
	k := kmsg.OffsetCommitKey{Version: keyOffset, Group: group, Topic: p.topic, Partition: p.index}
	return k.AppendTo(nil)
}

func groupRecord(group string, v *kmsg.GroupMetadataValue, ms int64) record.Record {
	v.Version = 3
	return record.Record{Key: groupKey(group), Value: v.AppendTo(nil), Timestamp: ms}
}

func groupTombstone(group string, ms int64) record.Record {
	return record.Record{Key: groupKey(group), Timestamp: ms}
}

func groupKey(group string) []byte {
	k := kmsg.GroupMetadataKey{Version: keyGroup, Group: group}
	return k.AppendTo(nil)
}

// entry is a decoded record. Of another kind's all but key is zero.
type entry struct {
	key       int16
	group     string
	partition partition
	tombstone bool
	offset    offset
	metadata  *kmsg.GroupMetadataValue
	fact      fact // of a consumer group
}

// parse reads a record. It keeps nothing of r.
func parse(r record.Record) (e entry, err error) {
	if len(r.Key) < 2 {
		return e, fmt.Errorf("key of %d bytes has no version", len(r.Key))
	}
	e.key, e.tombstone = int16(binary.BigEndian.Uint16(r.Key)), r.Value == nil
	switch e.key {
	case keyOffsetOld, keyOffset:
		err = e.readOffset(r)
	case keyGroup:
		err = e.readGroup(r)
	case keyConsumer, keyConsumerTopics, keyMember, keyTarget, keyMemberTarget, keyMemberCurrent, keyRegex:
		e.fact, err = parseFact(r)
		e.group = e.fact.group
	}
	return e, err
}

func (e *entry) readOffset(r record.Record) error {
	var k kmsg.OffsetCommitKey
	if err := k.ReadFrom(r.Key); err != nil {
		return fmt.Errorf("offset key: %w", err)
	}
	e.group, e.partition = k.Group, partition{k.Topic, k.Partition}
	if e.tombstone {
		return nil
	}
	if n := version(r.Value); n < 0 || n > 4 {
		return fmt.Errorf("offset of group %q, %s-%d: unknown version %d", k.Group, k.Topic, k.Partition, n)
	}
	v := kmsg.NewOffsetCommitValue()
	if err := v.ReadFrom(r.Value); err != nil {
		return fmt.Errorf("offset of group %q, %s-%d: %w", k.Group, k.Topic, k.Partition, err)
	}
	e.offset = offset{
		at: v.Offset, epoch: v.LeaderEpoch, metadata: v.Metadata, commitMs: v.CommitTimestamp,
		expireMs: -1, topicID: v.TopicID, written: r.Offset,
	}
	if v.Version < 3 {
		e.offset.epoch = -1
	}
	if v.Version == 1 && v.ExpireTimestamp >= 0 {
		e.offset.expireMs = v.ExpireTimestamp
	}
	return nil
}

func (e *entry) readGroup(r record.Record) error {
	var k kmsg.GroupMetadataKey
	if err := k.ReadFrom(r.Key); err != nil {
		return fmt.Errorf("group key: %w", err)
	}
	e.group = k.Group
	if e.tombstone {
		return nil
	}
	v, err := parseGroup(r.Value)
	if err != nil {
		return fmt.Errorf("group %q: %w", k.Group, err)
	}
	e.metadata = v
	return nil
}

// parseGroup reads the metadata of a group.
func parseGroup(b []byte) (*kmsg.GroupMetadataValue, error) {
	if n := version(b); n < 0 || n > 4 {
		return nil, fmt.Errorf("unknown version %d", n)
	}
	v := kmsg.NewGroupMetadataValue()
	if err := v.ReadFrom(append([]byte(nil), b...)); err != nil {
		return nil, err
	}
	for i := range v.Members {
		if v.Version < 1 {
			v.Members[i].RebalanceTimeoutMillis = v.Members[i].SessionTimeoutMillis
		}
	}
	return &v, nil
}

// version is the number that a value begins with, -1 if it is too short.
func version(b []byte) int16 {
	if len(b) < 2 {
		return -1
	}
	return int16(binary.BigEndian.Uint16(b))
}
