package api

import (
	"encoding/binary"

	"github.com/brokerd/brokerd/internal/record"
	"github.com/brokerd/brokerd/internal/replica"
	"github.com/brokerd/brokerd/internal/wire"
	"github.com/twmb/franz-go/pkg/kerr"
)

// The Fetch response is written by hand: between its fields stand ranges of
// files, which leave by sendfile.
//
//	[v1 throttle:4] [v7 error:2 session:4] topics
//	topic      name | id:16, partitions [tags]
//	partition  index:4 error:2 watermark:8 [v4 stable:8] [v5 start:8] [v4 aborted]
//	           [v11 preferred:4] records [tags: 0 diverging, 1 current leader]
//	tail       [tags: 0 node endpoints, v16; 10000 doubt, to a follower]

// answer encodes the call. The call stays alive until the answer's Release.
func (f *fetchCall) answer() wire.Answer {
	switch {
	case f.follower != nil: // its session has chosen
	case f.session != nil:
		f.session.mu.Lock()
		f.choose()
		f.session.mu.Unlock()
	default:
		f.choose()
	}
	v := f.reply.Version
	if f.old() {
		f.oldRoom = f.olds.take(f.maxBytes)
	}
	flexible := v >= 12
	f.frame = wire.NewFrame(f.reply, flexible, f.estimate())
	e := encoder{f.frame.B, flexible}
	if v >= 1 {
		e.int32(0)
	}
	if v >= 7 {
		code := dataCode(f.err)
		f.reply.Failures.Add(f.reply.Key, code)
		e.int16(code)
		e.int32(f.sessionID)
	}
	if f.err == nil {
		f.topics(&e)
	} else {
		e.arrayLen(0)
	}
	if flexible {
		e.tail(f.leaders(), f.doubt)
	}
	f.frame.B = e.b
	if f.old() {
		f.olds.held.Add(int64(f.oldBytes - f.oldRoom))
	}
	a := f.frame.Answer()
	a.Release = f.release
	return a
}

func (f *fetchCall) estimate() int {
	n := 64
	for i := range f.parts {
		n += 80 + len(f.parts[i].topic)
		if f.old() {
			n += int(min(f.parts[i].size, int64(f.oldRoom)))
		}
	}
	return min(n, 2*oldAnswerBytes)
}

// choose decides which partitions are in the answer: all of them, or in a
// session's incremental answer those that have something new.
func (f *fetchCall) choose() {
	for i := range f.parts {
		p := &f.parts[i]
		p.include = p.inSession == nil || p.inSession.changed(p, f.incremental)
		if p.include && p.size > 0 && p.inSession != nil {
			f.session.rotate(p.inSession)
		}
	}
}

// topics writes the included partitions; neighbours of one topic share an entry.
func (f *fetchCall) topics(e *encoder) {
	e.arrayLen(f.countTopics())
	for i := 0; i < len(f.parts); {
		j, n := f.run(i)
		if n > 0 {
			f.topic(e, f.parts[i:j], n)
		}
		i = j
	}
}

func (f *fetchCall) countTopics() (topics int) {
	for i := 0; i < len(f.parts); {
		j, n := f.run(i)
		if n > 0 {
			topics++
		}
		i = j
	}
	return topics
}

// run finds where the topic of partition i ends, and how many of it are included.
func (f *fetchCall) run(i int) (end, included int) {
	for end = i; end < len(f.parts) && f.parts[end].topic == f.parts[i].topic && f.parts[end].id == f.parts[i].id; end++ {
		if f.parts[end].include {
			included++
		}
	}
	return end, included
}

func (f *fetchCall) topic(e *encoder, parts []fetching, included int) {
	if f.byID() {
		e.b = append(e.b, parts[0].id[:]...)
	} else {
		e.string(parts[0].topic)
	}
	e.arrayLen(included)
	for i := range parts {
		switch p := &parts[i]; {
		case !p.include:
			p.read.Range.Release()
		case f.old():
			f.oldPartition(e, p)
		default:
			f.partition(e, p)
		}
	}
	e.noTags()
}

func (f *fetchCall) partition(e *encoder, p *fetching) {
	v := f.reply.Version
	e.int32(p.partition)
	code := dataCode(p.err)
	f.reply.Failures.Add(f.reply.Key, code)
	e.int16(code)
	hw, stable, start := int64(-1), int64(-1), int64(-1)
	if p.err == nil {
		hw, stable, start = p.read.View.HighWatermark, p.read.View.LastStable, p.read.View.Start
	} else if f.follower != nil {
		start = p.start
	}
	e.int64(hw)
	e.int64(stable)
	if v >= 5 {
		e.int64(start)
	}
	f.aborted(e, p)
	if v >= 11 {
		e.int32(p.sendTo())
	}
	e.bytesLen(int(p.size))
	if p.size > 0 {
		if f.follower == nil {
			p.p.Sent(p.size)
		} else {
			p.p.CopiedOut(p.size)
		}
		f.frame.B = e.b
		f.frame.File(&p.read.Range)
	}
	if e.flexible {
		f.partitionTags(e, p)
	}
}

// aborted lists the aborted transactions that a read_committed reader has to
// skip, by first offset; null for others.
func (f *fetchCall) aborted(e *encoder, p *fetching) {
	if f.bound != replica.ToLastStable {
		e.nullArray()
		return
	}
	var list []record.Aborted
	if p.size > 0 {
		var err error
		list, err = p.p.Aborted(p.offset, p.read.View.LastStable)
		if err != nil {
			f.d.Log.Error("aborted transactions cannot be read", "topic", p.p.Topic(), "partition", p.partition, "err", err)
		}
	}
	e.arrayLen(len(list))
	for _, a := range list {
		e.int64(a.ProducerID)
		e.int64(a.First)
		e.noTags()
	}
}

func (f *fetchCall) partitionTags(e *encoder, p *fetching) {
	var leader leaderHint
	hint := false
	switch dataCode(p.err) {
	case kerr.NotLeaderForPartition.Code, kerr.FencedLeaderEpoch.Code:
		leader, hint = f.leader(p)
	}
	switch {
	case p.read.Diverged:
		e.b = append(e.b, 1, 0, 13)
		e.int32(p.read.DivergedEpoch)
		e.int64(p.read.DivergedEnd)
		e.b = append(e.b, 0)
	case hint:
		e.currentLeader(1, leader)
	default:
		e.b = append(e.b, 0)
	}
}

func (f *fetchCall) leader(p *fetching) (leaderHint, bool) {
	im := f.d.Catalog.Image()
	name := p.topic
	if f.byID() {
		t, ok := im.Topic(p.id)
		if !ok {
			return leaderHint{}, false
		}
		name = t.Name
	}
	return leaderOf(im, f.listener, name, p.partition)
}

// tail writes the answer's tagged fields: where the named leaders are, and what a
// follower has to repeat.
func (e *encoder) tail(leaders []leaderHint, doubt int64) {
	at := len(e.b)
	e.endpoints(leaders)
	if doubt == 0 {
		return
	}
	e.b[at]++
	e.b = binary.AppendUvarint(e.b, replica.TagDoubt)
	e.b = append(e.b, 8)
	e.int64(doubt)
}

// leaders lists the brokers that the hints name (v16+).
func (f *fetchCall) leaders() (list []leaderHint) {
	if f.reply.Version < 16 {
		return nil
	}
	for i := range f.parts {
		p := &f.parts[i]
		if !p.include || dataCode(p.err) != kerr.NotLeaderForPartition.Code {
			continue
		}
		if l, ok := f.leader(p); ok {
			list = addLeader(list, l)
		}
	}
	return list
}
