package storage

import (
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/brokerd/brokerd/internal/step"
)

func (d *dumper) frame(name string, k kind) ([]byte, error) {
	p, err := d.read(name)
	if err != nil {
		return nil, err
	}
	body, err := k.open(p)
	if newer := (*NewerError)(nil); errors.As(err, &newer) {
		newer.Path = name
	}
	return body, err
}

func (d *dumper) epochs(name string) error {
	p, err := d.frame(name, epochsKind)
	if err != nil {
		return err
	}
	list, err := parseEpochs(p)
	for _, e := range list {
		d.fields("epoch", "", "epoch", e.epoch, "startOffset", e.start)
	}
	return err
}

func (d *dumper) producers(name string) error {
	p, err := d.frame(name, producersKind)
	if err != nil {
		return err
	}
	st, err := parseProducers(p)
	if err != nil {
		return err
	}
	d.line("end", fmt.Sprintf("true up to offset: %d", st.end), "offset", st.end)
	for _, p := range st.ps.sorted() {
		txn := optional(p.txnStart)
		d.fields("producer", "", "producerId", p.id, "producerEpoch", p.epoch, "coordinatorEpoch", p.coordinator,
			"currentTxnFirstOffset", txn, "lastTimestamp", p.lastTime)
		for _, b := range p.batches[:p.count] {
			d.fields("producedBatch", "| ", "firstSequence", b.firstSeq, "lastSequence", b.lastSeq, "lastOffset", b.last, "offsetDelta", b.delta, "timestamp", b.time)
		}
	}
	for _, t := range st.txns {
		if t.marker != openTxn {
			d.fields("undecided", "undecided for readers: ", "producerId", t.producer, "firstOffset", t.first, "markerOffset", t.marker)
		}
	}
	return nil
}

func (d *dumper) checkpoint(name string) error {
	p, err := d.read(name)
	if err != nil {
		return err
	}
	if len(p) < frameHeader {
		return errBadFrame
	}
	if _, err := checkpointKind.open(p[:frameHeader]); err != nil {
		if newer := (*NewerError)(nil); errors.As(err, &newer) {
			newer.Path = name
		}
		return err
	}
	rest := p[frameHeader:]
	for len(rest) > 0 {
		body, after, ok := nextEntry(rest)
		if !ok {
			d.invalid(int64(len(rest)))
			return nil
		}
		d.entry(len(p)-len(rest), body)
		rest = after
	}
	return nil
}

// entry prints one entry of the checkpoint log.
func (d *dumper) entry(position int, body []byte) {
	at := fmt.Sprintf("position: %d ", position)
	ms := marks{}
	if !ms.apply(body) {
		d.line("unknown", at+"unknown: "+hex.EncodeToString(body), "position", position, "hex", hex.EncodeToString(body))
		return
	}
	in := decoder{p: body[1:]}
	var id step.PartitionID
	copy(id.Topic[:], in.take(16))
	id.Index = in.int32()
	tell := func(kind string, more ...any) {
		text := at + kind + " " + fieldText("topicId", id.Topic, "partition", id.Index)
		if len(more) > 0 {
			text += " " + fieldText(more...)
		}
		d.line(kind, text, append([]any{"position", position, "topicId", id.Topic, "partition", id.Index}, more...)...)
	}
	switch body[0] {
	case entryPoint:
		p := ms[id]
		tell("point", "topic", p.topic, "clean", p.clean, "leaderEpoch", p.epoch, "logStartOffset", p.start, "endOffset", p.end,
			"highWatermark", p.hw, "segment", p.segment, "segmentPosition", p.pos, "sinceIndexEntry", p.since, "maxTimestamp", p.top,
			"offsetOfMaxTimestamp", p.topOffset, "digest", p.digest, "aborted", p.aborted, "producers", p.producers, "index", p.index)
	case entrySealed, entrySwap:
		s := ms[id].sealed[0]
		facts := []any{"segment", s.base, "size", s.size, "maxTimestamp", s.top, "offsetOfMaxTimestamp", s.topOffset, "digest", s.digest, "aborted", s.aborted}
		if body[0] == entrySealed {
			tell("sealed", facts...)
			return
		}
		tell("swapped", append(facts, "covers", s.covers)...)
	case entryClean:
		tell("cleaned", "to", in.int64())
	case entryGone:
		tell("gone")
	default:
		tell("cut", "from", in.int64(), "to", in.int64())
	}
}

func (d *dumper) metadata(name string) error {
	p, err := d.read(name)
	if err != nil {
		return err
	}
	id, err := parseMetadata(p)
	if err != nil {
		if newer := (*NewerError)(nil); errors.As(err, &newer) {
			newer.Path = name
		}
		return err
	}
	facts := []any{"version", 0, "topicId", id}
	if n := parseMoves(p); n > 0 {
		facts = append(facts, "moves", n)
	}
	d.fields("partition", "", facts...)
	return nil
}
