package record

import (
	"encoding/json"
	"io"
	"unicode/utf8"
)

// batchLine and recordLine are what DumpJSON prints, one object per line.
type batchLine struct {
	File          string `json:"file"`
	Type          string `json:"type"` // "batch"
	Position      int64  `json:"position"`
	Size          int    `json:"size"`
	BaseOffset    int64  `json:"baseOffset"`
	LastOffset    int64  `json:"lastOffset"`
	Count         int32  `json:"count"`
	LeaderEpoch   int32  `json:"partitionLeaderEpoch"`
	Magic         int8   `json:"magic"`
	Codec         string `json:"codec"`
	CRC           uint32 `json:"crc"`
	Valid         bool   `json:"valid"`
	TimestampType string `json:"timestampType"`
	BaseTimestamp int64  `json:"baseTimestamp"`
	MaxTimestamp  int64  `json:"maxTimestamp"`
	ProducerID    int64  `json:"producerId"`
	ProducerEpoch int16  `json:"producerEpoch"`
	BaseSequence  int32  `json:"baseSequence"`
	LastSequence  int32  `json:"lastSequence"`
	Transactional bool   `json:"transactional"`
	Control       bool   `json:"control"`
	DeleteHorizon *int64 `json:"deleteHorizonMs,omitempty"`
}

type recordLine struct {
	File        string        `json:"file"`
	Type        string        `json:"type"` // "record"
	Offset      int64         `json:"offset"`
	Timestamp   int64         `json:"timestamp"`
	Sequence    int32         `json:"sequence"`
	KeySize     int           `json:"keySize"`
	ValueSize   int           `json:"valueSize"`
	ControlType string        `json:"controlType,omitempty"`
	Coordinator *int32        `json:"coordinatorEpoch,omitempty"`
	Key         any           `json:"key,omitempty"`
	KeyBase64   []byte        `json:"keyBase64,omitempty"`
	Value       any           `json:"value,omitempty"`
	ValueBase64 []byte        `json:"valueBase64,omitempty"`
	Headers     []dumpedField `json:"headers,omitempty"`
}

type dumpedField struct {
	Key         string `json:"key"`
	Value       any    `json:"value,omitempty"`
	ValueBase64 []byte `json:"valueBase64,omitempty"`
}

// DumpJSON prints what Dump prints as JSON, one object per line: the batch, then
// its records where they are asked for. Keys and values that are not UTF-8 come
// in base64; decoded ones are objects.
func DumpJSON(w io.Writer, file string, b Batch, s DumpSpec) error {
	if len(b) < HeaderSize {
		return ErrIncomplete
	}
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false)
	valid := b.verifyCRC() == nil
	line := batchLine{File: file, Type: "batch", Position: s.Position, Size: len(b), BaseOffset: b.BaseOffset(), LastOffset: b.LastOffset(),
		Count: b.Count(), LeaderEpoch: b.LeaderEpoch(), Magic: b.Magic(), Codec: b.Codec().String(), CRC: b.CRC(), Valid: valid,
		TimestampType: b.timestampType(), BaseTimestamp: b.BaseTimestamp(), MaxTimestamp: b.MaxTimestamp(),
		ProducerID: b.ProducerID(), ProducerEpoch: b.ProducerEpoch(), BaseSequence: b.BaseSequence(), LastSequence: b.sequence(b.LastOffsetDelta()),
		Transactional: b.Transactional(), Control: b.Control()}
	if b.HasDeleteHorizon() {
		at := b.BaseTimestamp()
		line.DeleteHorizon = &at
	}
	if err := out.Encode(line); err != nil || !valid || !s.Records && !s.Contents {
		return err
	}
	return b.Each(s.Limits, func(r Record) error {
		line, err := lineOf(file, b, r, s)
		if err != nil {
			return err
		}
		return out.Encode(line)
	})
}

func lineOf(file string, b Batch, r Record, s DumpSpec) (recordLine, error) {
	line := recordLine{File: file, Type: "record", Offset: r.Offset, Timestamp: r.Timestamp, KeySize: size(r.Key), ValueSize: size(r.Value),
		Sequence: b.sequence(int32(r.Offset - b.BaseOffset()))}
	if b.Control() {
		line.control(r)
		return line, nil
	}
	for _, h := range r.Headers {
		f := dumpedField{Key: text(h.Key)}
		if s.Contents {
			f.Value, f.ValueBase64 = jsonField(h.Value)
		}
		line.Headers = append(line.Headers, f)
	}
	if !s.Contents {
		return line, nil
	}
	if s.Decode == nil {
		line.Key, line.KeyBase64 = jsonField(r.Key)
		line.Value, line.ValueBase64 = jsonField(r.Value)
		return line, nil
	}
	shown, err := s.decoded(b, r)
	if line.Key = jsonValue(shown.Key); r.Value != nil {
		line.Value = jsonValue(shown.Value)
	}
	return line, err
}

func (l *recordLine) control(r Record) {
	if m, err := ParseMarker(r); err == nil {
		l.Coordinator = &m.CoordinatorEpoch
	}
	t, err := ParseControlType(r.Key)
	if l.ControlType = t.String(); err != nil {
		l.ControlType, l.KeyBase64 = "UNKNOWN", r.Key
	}
}

// jsonField gives a field as text where it is text, else its bytes.
func jsonField(p []byte) (field any, raw []byte) {
	switch {
	case p == nil:
		return nil, nil
	case utf8.Valid(p):
		return string(p), nil
	}
	return nil, p
}

// jsonValue gives what a decoder made of a field: JSON, or a sentence.
func jsonValue(p []byte) any {
	switch {
	case p == nil:
		return nil
	case json.Valid(p):
		return json.RawMessage(p)
	}
	return text(p)
}
