package api

import "github.com/brokerd/brokerd/internal/meta"

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
