package api

import (
	"errors"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/brokerd/brokerd/internal/replica"
	"github.com/brokerd/brokerd/internal/wire"
)

// The Produce response is written by hand: kmsg compares the tagged leader by
// reflection, for every partition. [2 allocations and 0.4 µs each]
//
//	topics     name | id:16, partitions [tags]
//	partition  index:4 error:2 base:8 [v2 append time:8] [v5 start:8]
//	           [v8 record errors, message] [tags: 0 current leader, v10]
//	tail       [v1 throttle:4] [tags: 0 node endpoints, v10]

func (p *produceCall) answer() wire.Answer {
	v := p.reply.Version
	frame := wire.NewFrame(p.reply, v >= 9, 32+64*len(p.batches))
	e := encoder{frame.B, v >= 9}
	e.arrayLen(p.countTopics())
	for i := 0; i < len(p.batches); {
		end := i + 1
		for end < len(p.batches) && !p.batches[end].first {
			end++
		}
		p.topicAnswer(&e, p.batches[i:end])
		i = end
	}
	if v >= 1 {
		e.int32(0)
	}
	if e.flexible {
		e.endpoints(p.leaders())
	}
	frame.B = e.b
	return frame.Answer()
}

func (p *produceCall) countTopics() (n int) {
	for i := range p.batches {
		if p.batches[i].first {
			n++
		}
	}
	return n
}

func (p *produceCall) topicAnswer(e *encoder, batches []producing) {
	if p.reply.Version >= 13 {
		e.b = append(e.b, batches[0].id[:]...)
	} else {
		e.string(batches[0].topic)
	}
	e.arrayLen(len(batches))
	for i := range batches {
		p.partitionAnswer(e, &batches[i])
	}
	e.noTags()
}

func (p *produceCall) partitionAnswer(e *encoder, b *producing) {
	v, err := p.reply.Version, b.failure()
	base, appendTime, start := b.ticket.Base, b.ticket.AppendTime, b.ticket.Start
	if err != nil {
		base, appendTime = -1, -1
	}
	if b.err != nil {
		start = -1
	}
	e.int32(b.partition)
	code := p.code(b, err)
	p.reply.Failures.Add(p.reply.Key, code)
	e.int16(code)
	e.int64(base)
	if v >= 2 {
		e.int64(appendTime)
	}
	if v >= 5 {
		e.int64(start)
	}
	if v >= 8 {
		e.recordErrors(err)
		_, text := codeText(err)
		e.nullableString(text)
	}
	if !e.flexible {
		return
	}
	if l, ok := p.hint(b, err); ok {
		e.currentLeader(0, l)
	} else {
		e.noTags()
	}
}

// code is the partition's code. Asked by id, a topic that went away meanwhile is
// an unknown id.
func (p *produceCall) code(b *producing, err error) int16 {
	c := dataCode(err)
	if p.reply.Version >= 13 && errors.Is(err, replica.ErrUnknownPartition) {
		if _, ok := p.d.Catalog.Image().Topic(b.id); !ok {
			return kerr.UnknownTopicID.Code
		}
	}
	return c
}

func (e *encoder) recordErrors(err error) {
	var faults []replica.RecordFault
	if err != nil {
		if x, ok := errors.AsType[*replica.BatchError](err); ok {
			faults = x.Records
		}
	}
	e.arrayLen(len(faults))
	for i := range faults {
		e.int32(faults[i].Index)
		e.nullableString(&faults[i].Text)
		e.noTags()
	}
}

// hint tells a client that asked the wrong broker whom to ask (v10+).
func (p *produceCall) hint(b *producing, err error) (leaderHint, bool) {
	if err == nil || p.reply.Version < 10 || dataCode(err) != kerr.NotLeaderForPartition.Code {
		return leaderHint{}, false
	}
	return leaderOf(p.d.Catalog.Image(), p.listener, b.topic, b.partition)
}

// leaders lists the brokers that the hints name.
func (p *produceCall) leaders() (list []leaderHint) {
	for i := range p.batches {
		if l, ok := p.hint(&p.batches[i], p.batches[i].failure()); ok {
			list = addLeader(list, l)
		}
	}
	return list
}
