package record

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"strings"
	"unicode/utf8"
)

// DumpSpec says what Dump prints and where the batch lies.
type DumpSpec struct {
	Position     int64                                       // of the batch in its file
	Records      bool                                        // a line per record
	Contents     bool                                        // keys and values too (implies Records)
	SkipMetadata bool                                        // records without offset, time and sizes
	Decode       func(Record) (key, value []byte, err error) // nil: keys and values as they are
	Limits       Limits
}

// decoded is a record with the key and the value that are shown of it.
func (s DumpSpec) decoded(b Batch, r Record) (Record, error) {
	if s.Decode == nil || !s.Contents || b.Control() {
		return r, nil
	}
	key, value, err := s.Decode(r)
	r.Key, r.Value = key, value
	return r, err
}

// Dump prints a batch as Kafka's DumpLogSegments does. The batch may be
// broken: the line then ends in "isvalid: false", and its records are left out.
func Dump(w io.Writer, b Batch, s DumpSpec) error {
	if len(b) < HeaderSize {
		return ErrIncomplete
	}
	var out bytes.Buffer
	valid := b.verifyCRC() == nil
	dumpHeader(&out, b, s.Position, valid)
	err := error(nil)
	if valid && (s.Records || s.Contents) {
		err = b.Each(s.Limits, func(r Record) error {
			return dumpRecord(&out, b, r, s)
		})
	}
	if _, writeErr := w.Write(out.Bytes()); writeErr != nil {
		return writeErr
	}
	return err
}

func dumpHeader(out *bytes.Buffer, b Batch, position int64, valid bool) {
	horizon := "OptionalLong.empty"
	if b.HasDeleteHorizon() {
		horizon = fmt.Sprintf("OptionalLong[%d]", b.BaseTimestamp())
	}
	fmt.Fprintf(out, "baseOffset: %d lastOffset: %d count: %d baseSequence: %d lastSequence: %d producerId: %d producerEpoch: %d"+
		" partitionLeaderEpoch: %d isTransactional: %t isControl: %t deleteHorizonMs: %s position: %d %s: %d size: %d"+
		" magic: %d compresscodec: %s crc: %d isvalid: %t\n",
		b.BaseOffset(), b.LastOffset(), b.Count(), b.BaseSequence(), b.sequence(b.LastOffsetDelta()), b.ProducerID(), b.ProducerEpoch(),
		b.LeaderEpoch(), b.Transactional(), b.Control(), horizon, position, b.timestampType(), b.MaxTimestamp(), len(b),
		b.Magic(), b.Codec(), b.CRC(), valid)
}

func dumpRecord(out *bytes.Buffer, b Batch, r Record, s DumpSpec) error {
	shown, err := s.decoded(b, r)
	if !s.SkipMetadata || !b.Control() && s.Contents && (shown.Key != nil || shown.Value != nil) {
		out.WriteString("|")
	}
	if !s.SkipMetadata {
		keys := make([]string, len(r.Headers))
		for i, h := range r.Headers {
			keys[i] = text(h.Key)
		}
		fmt.Fprintf(out, " offset: %d %s: %d keySize: %d valueSize: %d sequence: %d headerKeys: [%s]",
			r.Offset, b.timestampType(), r.Timestamp, size(r.Key), size(r.Value),
			b.sequence(int32(r.Offset-b.BaseOffset())), strings.Join(keys, ","))
		if b.Control() {
			dumpControl(out, r)
		}
	}
	if s.Contents && !b.Control() {
		if shown.Key != nil {
			fmt.Fprintf(out, " key: %s", text(shown.Key))
		}
		if shown.Value != nil {
			fmt.Fprintf(out, " payload: %s", text(shown.Value))
		}
	}
	out.WriteString("\n")
	return err
}

func dumpControl(out *bytes.Buffer, r Record) {
	if m, err := ParseMarker(r); err == nil {
		t := ControlType(controlAbort)
		if m.Commit {
			t = controlTxn
		}
		fmt.Fprintf(out, " endTxnMarker: %s coordinatorEpoch: %d", t, m.CoordinatorEpoch)
		return
	}
	t, err := ParseControlType(r.Key)
	if err != nil {
		fmt.Fprintf(out, " controlType: UNKNOWN(%x)", r.Key)
		return
	}
	fmt.Fprintf(out, " controlType: %s(%d)", t, t)
}

// sequence is that of the record at a delta; it wraps from the largest to 0.
func (b Batch) sequence(delta int32) int32 {
	base := b.BaseSequence()
	if base < 0 {
		return -1
	}
	return int32((int64(base) + int64(delta)) & math.MaxInt32)
}

func (b Batch) timestampType() string {
	if b.LogAppendTime() {
		return "LogAppendTime"
	}
	return "CreateTime"
}

func size(field []byte) int {
	if field == nil {
		return -1
	}
	return len(field)
}

// text puts U+FFFD for what is not UTF-8, as Java does: one for a character that
// was begun well and not ended, one for any other byte.
func text(p []byte) string {
	if utf8.Valid(p) {
		return string(p)
	}
	var s strings.Builder
	for len(p) > 0 {
		r, n := utf8.DecodeRune(p)
		if r == utf8.RuneError && n == 1 {
			n = begun(p)
		}
		s.WriteRune(r)
		p = p[n:]
	}
	return s.String()
}

// begun tells how many bytes at the start of p one U+FFFD stands for. The second
// byte of a character has narrower bounds than the rest.
func begun(p []byte) int {
	lo, hi, most := byte(0x80), byte(0xbf), 0
	switch c := p[0]; {
	case c >= 0xc2 && c <= 0xdf:
		most = 2
	case c == 0xed && len(p) >= 3 && p[1] >= 0xa0 && p[1] <= 0xbf && p[2]&0xc0 == 0x80:
		return 3 // half of a surrogate pair
	case c == 0xe0:
		most, lo = 3, 0xa0
	case c >= 0xe1 && c <= 0xef:
		most = 3
	case c == 0xf0:
		most, lo = 4, 0x90
	case c >= 0xf1 && c <= 0xf3:
		most = 4
	case c == 0xf4:
		most, hi = 4, 0x8f
	}
	n := 1
	for n < most && n < len(p) && p[n] >= lo && p[n] <= hi {
		lo, hi = 0x80, 0xbf
		n++
	}
	return n
}
