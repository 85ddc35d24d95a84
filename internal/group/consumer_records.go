package group

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/brokerd/brokerd/internal/record"
	"github.com/brokerd/brokerd/internal/step"
)

// The records of a consumer group (KIP-848), as Kafka writes them. A key is its
// version and strings with two bytes of length; a value is version 0, compact,
// with tags.
//
//	key 3   group          → epoch; tag 0: hash of the topics that it subscribes to
//	key 4   group          → what Kafka 4.0 kept in place of that hash: never written
//	key 5   group, member  → who it is and what it subscribes to; tag 0: of a classic
//	                         member, its session and protocols, of others null
//	key 6   group          → epoch of the target assignment
//	key 7   group, member  → target assignment
//	key 8   group, member  → epochs, state, assigned partitions, those it has to give up;
//	                         tag 0 of their topics: since which epoch it has each
//	key 16  group, regex   → topics that it names, version, time
const (
	keyConsumer       int16 = 3
	keyConsumerTopics int16 = 4
	keyMember         int16 = 5
	keyTarget         int16 = 6
	keyMemberTarget   int16 = 7
	keyMemberCurrent  int16 = 8
	keyRegex          int16 = 16
)

// fact is one such record. Which fields count its key says.
type fact struct {
	key     int16
	group   string
	name    string // of the member, or the regular expression
	gone    bool   // a tombstone
	epoch   int32  // keys 3 and 6
	hash    int64  // key 3
	about   about
	target  parts
	current current
	regex   resolved
}

// about is what a member says of itself.
type about struct {
	instance  *string
	rack      *string
	client    Client
	topics    []string // sorted, without duplicates
	regex     *string
	rebalance int32 // milliseconds
	assignor  *string
	classic   *embedded // nil: it speaks the new protocol
}

// current is where a member stands on the way to its target.
type current struct {
	epoch    int32
	previous int32 // what the member still says when our last answer got lost
	state    memberState
	assigned parts
	revoking parts                      // assigned before; the member may still be using them
	since    map[step.PartitionID]int32 // the epoch in which it got each of both
}

// resolved is the topics that a regular expression names.
type resolved struct {
	topics  []string // sorted
	version int64
	ms      int64
}

type memberState int8

const (
	memberStable memberState = iota
	unrevoked                // owes partitions
	unreleased               // waits for partitions that others still have
)

func isConsumerKey(key int16) bool {
	return key >= keyConsumer && key <= keyMemberCurrent || key == keyRegex
}

func named(key int16) bool {
	return key == keyMember || key == keyMemberTarget || key == keyMemberCurrent || key == keyRegex
}

func (f fact) record(ms int64) record.Record {
	k := kbin.AppendString(kbin.AppendInt16(nil, f.key), f.group)
	if named(f.key) {
		k = kbin.AppendString(k, f.name)
	}
	r := record.Record{Key: k, Timestamp: ms}
	if !f.gone {
		r.Value = f.appendValue(kbin.AppendInt16(nil, 0))
	}
	return r
}

func (f fact) appendValue(b []byte) []byte {
	switch f.key {
	case keyConsumer:
		b = kbin.AppendInt32(b, f.epoch)
		if f.hash == 0 {
			break
		}
		b = append(b, 1, 0, 8) // one tag, 0, of 8 bytes
		return kbin.AppendInt64(b, f.hash)
	case keyTarget:
		b = kbin.AppendInt32(b, f.epoch)
	case keyMember:
		return f.about.append(b)
	case keyMemberTarget:
		b = f.target.append(b, nil)
	case keyMemberCurrent:
		c := &f.current
		b = kbin.AppendInt32(kbin.AppendInt32(b, c.epoch), c.previous)
		b = kbin.AppendInt8(b, int8(c.state))
		b = c.revoking.append(c.assigned.append(b, c.since), c.since)
	case keyRegex:
		b = appendStrings(b, f.regex.topics)
		b = kbin.AppendInt64(kbin.AppendInt64(b, f.regex.version), f.regex.ms)
	}
	return append(b, 0) // no tags
}

func (a *about) append(b []byte) []byte {
	b = kbin.AppendCompactNullableString(b, a.instance)
	b = kbin.AppendCompactNullableString(b, a.rack)
	b = kbin.AppendCompactString(b, a.client.ID)
	b = kbin.AppendCompactString(b, a.client.Host)
	b = appendStrings(b, a.topics)
	b = kbin.AppendCompactString(b, text(a.regex)) // empty, not null, as Kafka's
	b = kbin.AppendInt32(b, a.rebalance)
	b = kbin.AppendCompactNullableString(b, a.assignor)
	if a.classic == nil {
		return append(b, 1, 0, 1, 0) // a null: left out, Kafka takes it for a classic member that said nothing
	}
	e := kbin.AppendInt32([]byte{1}, a.classic.session) // 1: it is there
	e = kbin.AppendCompactArrayLen(e, len(a.classic.protocols))
	for _, p := range a.classic.protocols {
		e = append(kbin.AppendCompactBytes(kbin.AppendCompactString(e, p.Name), p.Metadata), 0)
	}
	e = append(e, 0)
	return append(kbin.AppendUvarint(append(b, 1, 0), uint32(len(e))), e...)
}

func appendStrings(b []byte, list []string) []byte {
	b = kbin.AppendCompactArrayLen(b, len(list))
	for _, s := range list {
		b = kbin.AppendCompactString(b, s)
	}
	return b
}

// append writes the set; with since the epoch of each partition too.
func (s parts) append(b []byte, since map[step.PartitionID]int32) []byte {
	b = kbin.AppendCompactArrayLen(b, len(s))
	for _, id := range s.topics() {
		list := s[id]
		b = kbin.AppendCompactArrayLen(kbin.AppendUuid(b, id), len(list))
		for _, p := range list {
			b = kbin.AppendInt32(b, p)
		}
		if since == nil {
			b = append(b, 0)
			continue
		}
		length := kbin.AppendCompactArrayLen(nil, len(list))
		b = kbin.AppendUvarint(append(b, 1, 0), uint32(len(length)+4*len(list)))
		b = append(b, length...)
		for _, p := range list {
			b = kbin.AppendInt32(b, since[step.PartitionID{Topic: id, Index: p}])
		}
	}
	return b
}

// parseFact reads a record of a consumer group. It keeps nothing of r.
func parseFact(r record.Record) (f fact, err error) {
	k := reader{kbin.Reader{Src: r.Key}}
	f.key, f.group = k.Int16(), k.String()
	if named(f.key) {
		f.name = k.String()
	}
	if err := k.Complete(); err != nil || len(k.Src) > 0 {
		return f, fmt.Errorf("key %d of a consumer group: %w", f.key, errors.Join(err, trailing(k.Src)))
	}
	if f.gone = r.Value == nil; f.gone || f.key == keyConsumerTopics {
		return f, nil
	}
	v := reader{kbin.Reader{Src: r.Value}}
	if n := v.Int16(); n != 0 {
		return f, fmt.Errorf("key %d of consumer group %q: unknown version %d", f.key, f.group, n)
	}
	f.readValue(&v)
	v.tags(func(tag uint32, b []byte) {
		switch h := (reader{kbin.Reader{Src: b}}); {
		case tag != 0:
		case f.key == keyConsumer:
			f.hash = h.Int64()
		case f.key == keyMember:
			f.about.classic = h.embedded()
			if h.Complete() != nil {
				v.Span(len(v.Src) + 1) // fails
			}
		}
	})
	if err := v.Complete(); err != nil || len(v.Src) > 0 {
		return f, fmt.Errorf("key %d of consumer group %q: %w", f.key, f.group, errors.Join(err, trailing(v.Src)))
	}
	return f, nil
}

func trailing(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	return fmt.Errorf("%d bytes too many", len(b))
}

func (f *fact) readValue(v *reader) {
	switch f.key {
	case keyConsumer, keyTarget:
		f.epoch = v.Int32()
	case keyMember:
		a := &f.about
		a.instance, a.rack = v.CompactNullableString(), v.CompactNullableString()
		a.client.ID, a.client.Host = v.CompactString(), v.CompactString()
		if a.topics, a.regex = v.strings(), v.CompactNullableString(); text(a.regex) == "" {
			a.regex = nil
		}
		a.rebalance, a.assignor = v.Int32(), v.CompactNullableString()
	case keyMemberTarget:
		f.target = v.parts(nil, 0)
	case keyMemberCurrent:
		c := &f.current
		c.epoch, c.previous, c.state = v.Int32(), v.Int32(), memberState(v.Int8())
		c.since = map[step.PartitionID]int32{}
		c.assigned, c.revoking = v.parts(c.since, c.epoch), v.parts(c.since, c.epoch)
	case keyRegex:
		f.regex = resolved{v.strings(), v.Int64(), v.Int64()}
	}
}

// reader reads what compact values are made of. A length that the rest of the
// value cannot hold makes it fail.
type reader struct{ kbin.Reader }

// length reads the length of an array whose elements have at least min bytes.
func (r *reader) length(min int) int {
	n := int(r.CompactArrayLen())
	if n > len(r.Src)/min {
		r.Span(len(r.Src) + 1) // fails
		return 0
	}
	return max(n, 0)
}

func (r *reader) strings() (list []string) {
	for range r.length(1) {
		list = append(list, r.CompactString())
	}
	return list
}

// embedded reads what is known of a classic member; nil: it is none.
func (r *reader) embedded() *embedded {
	if r.Int8() != 1 {
		return nil
	}
	e := &embedded{session: r.Int32()}
	for range r.length(3) {
		e.protocols = append(e.protocols, kmsg.JoinGroupRequestProtocol{Name: r.CompactString(), Metadata: bytes.Clone(r.CompactBytes())})
		r.tags(nil)
	}
	r.tags(nil)
	if len(e.protocols) == 0 {
		r.Span(len(r.Src) + 1) // fails: it could not be answered
	}
	return e
}

// parts reads a set; with since the epoch of each partition too, which is what
// the member has where none was written.
func (r *reader) parts(since map[step.PartitionID]int32, epoch int32) parts {
	all := parts{}
	for range r.length(18) {
		id := step.TopicID(r.Uuid())
		list := make([]int32, r.length(4))
		for i := range list {
			list[i] = r.Int32()
		}
		var epochs []int32
		r.tags(func(tag uint32, b []byte) {
			if since != nil && tag == 0 {
				epochs = readEpochs(b)
			}
		})
		for i, p := range list {
			all.add(id, p)
			if since == nil {
				continue
			}
			since[step.PartitionID{Topic: id, Index: p}] = max(epoch, 0)
			if len(epochs) == len(list) {
				since[step.PartitionID{Topic: id, Index: p}] = epochs[i]
			}
		}
	}
	return all
}

func readEpochs(b []byte) []int32 {
	r := reader{kbin.Reader{Src: b}}
	epochs := make([]int32, r.length(4))
	for i := range epochs {
		epochs[i] = r.Int32()
	}
	return epochs
}

// tags reads the tags that end a structure, and gives them to f.
func (r *reader) tags(f func(tag uint32, b []byte)) {
	for n := r.Uvarint(); n > 0 && r.Ok(); n-- {
		tag, size := r.Uvarint(), r.Uvarint()
		if b := r.Span(int(min(size, 1<<30))); r.Ok() && f != nil {
			f(tag, b)
		}
	}
}
