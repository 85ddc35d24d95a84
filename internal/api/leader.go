package api

import (
	"encoding/binary"

	"github.com/brokerd/brokerd/internal/meta"
)

// leaderHint is whom a client should ask instead of us.
type leaderHint struct {
	id, epoch int32
	host      string // "" when that broker has no endpoint on the listener
	port      int32
	rack      *string
}

// leaderOf finds the leader of a partition with its endpoint on the listener
// that the client came in on.
func leaderOf(im *meta.Image, listener, topic string, partition int32) (h leaderHint, ok bool) {
	t, ok := im.TopicNamed(topic)
	if !ok {
		return h, false
	}
	p, ok := t.Partition(partition)
	if !ok {
		return h, false
	}
	h.id, h.epoch = p.Leader, p.LeaderEpoch
	b, ok := im.Broker(p.Leader)
	if !ok {
		return h, true
	}
	if e, ok := endpointOn(b, listener); ok {
		h.host, h.port = e.Host, e.Port
	}
	if b.Rack != "" {
		h.rack = &b.Rack
	}
	return h, true
}

// addLeader keeps each broker once, and only those that can be reached.
func addLeader(list []leaderHint, l leaderHint) []leaderHint {
	for _, known := range list {
		if known.id == l.id {
			return list
		}
	}
	if l.host == "" {
		return list
	}
	return append(list, l)
}

// currentLeader writes a partition's tagged fields: the leader alone.
func (e *encoder) currentLeader(tag byte, l leaderHint) {
	e.b = append(e.b, 1, tag, 9)
	e.int32(l.id)
	e.int32(l.epoch)
	e.b = append(e.b, 0)
}

// endpoints writes the tail's tagged fields: where the named leaders are.
func (e *encoder) endpoints(list []leaderHint) {
	if len(list) == 0 {
		e.b = append(e.b, 0)
		return
	}
	sub := encoder{nil, true}
	sub.arrayLen(len(list))
	for _, l := range list {
		sub.int32(l.id)
		sub.string(l.host)
		sub.int32(l.port)
		sub.nullableString(l.rack)
		sub.noTags()
	}
	e.b = append(e.b, 1, 0)
	e.b = binary.AppendUvarint(e.b, uint64(len(sub.b)))
	e.b = append(e.b, sub.b...)
}
