package record

import (
	"bytes"
	"fmt"
	"io"
	"math"
)

// DumpSpec says what Dump prints and where the batch lies.
type DumpSpec struct {
	Position     int64 // of the batch in its file
	Records      bool  // a line per record
	Contents     bool  // keys and values too (implies Records)
	SkipMetadata bool  // records without offset, time and sizes
	Limits       Limits
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
			dumpRecord(&out, b, r, s)
			return nil
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

func dumpRecord(out *bytes.Buffer, b Batch, r Record, s DumpSpec) {
	out.WriteString("|")
	if !s.SkipMetadata {
		keys := make([][]byte, len(r.Headers))
		for i, h := range r.Headers {
			keys[i] = h.Key
		}
		fmt.Fprintf(out, " offset: %d %s: %d keySize: %d valueSize: %d sequence: %d headerKeys: [%s]",
			r.Offset, b.timestampType(), r.Timestamp, size(r.Key), size(r.Value),
			b.sequence(int32(r.Offset-b.BaseOffset())), text(bytes.Join(keys, []byte(","))))
		if b.Control() {
			dumpControl(out, r)
		}
	}
	if s.Contents && !b.Control() {
		if r.Key != nil {
			fmt.Fprintf(out, " key: %s", text(r.Key))
		}
		if r.Value != nil {
			fmt.Fprintf(out, " payload: %s", text(r.Value))
		}
	}
	out.WriteString("\n")
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

// text puts U+FFFD for every byte that is not UTF-8.
func text(p []byte) string { return string([]rune(string(p))) }
