package cli

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/brokerd/brokerd/pkg/client"
)

// recordWriter prints records as Kafka's DefaultMessageFormatter does, in this
// order: timestamp, partition, offset, delivery, epoch, headers, key, value.
type recordWriter struct {
	timestamp, key, offset, delivery, epoch, partition, headers, value bool

	keySep, lineSep, headSep, null        string
	keyDecode, valueDecode, headersDecode decode
}

// decode makes text of a field's bytes; nil prints them as they are.
type decode func([]byte) (string, error)

func newRecordWriter(props client.Properties) (*recordWriter, error) {
	w := &recordWriter{value: true, keySep: "\t", lineSep: "\n", headSep: ",", null: "null"}
	for name, into := range map[string]*bool{"print.timestamp": &w.timestamp, "print.key": &w.key, "print.offset": &w.offset,
		"print.delivery": &w.delivery, "print.epoch": &w.epoch, "print.partition": &w.partition,
		"print.headers": &w.headers, "print.value": &w.value} {
		if v, ok := props[name]; ok {
			*into = strings.EqualFold(strings.TrimSpace(v), "true")
		}
	}
	for name, into := range map[string]*string{"key.separator": &w.keySep, "line.separator": &w.lineSep,
		"headers.separator": &w.headSep, "null.literal": &w.null} {
		if v, ok := props[name]; ok {
			*into = v
		}
	}
	for name, into := range map[string]*decode{"key.deserializer": &w.keyDecode, "value.deserializer": &w.valueDecode, "headers.deserializer": &w.headersDecode} {
		if class, ok := props[name]; ok {
			d, err := deserializer(class)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			*into = d
		}
	}
	return w, nil
}

// write prints one record; errors of the output surface at out.Flush.
func (w *recordWriter) write(out *bufio.Writer, r *client.Record) error {
	fields := 0
	field := func(wanted bool) bool {
		if wanted && fields > 0 {
			out.WriteString(w.keySep)
		}
		if wanted {
			fields++
		}
		return wanted
	}
	if field(w.timestamp) {
		out.WriteString(timestampText(r))
	}
	if field(w.partition) {
		out.WriteString("Partition:" + strconv.Itoa(int(r.Partition)))
	}
	if field(w.offset) {
		out.WriteString("Offset:" + strconv.FormatInt(r.Offset, 10))
	}
	if field(w.delivery) {
		out.WriteString("Delivery:NOT_PRESENT")
	}
	if field(w.epoch) {
		out.WriteString("Epoch:" + epochText(r.LeaderEpoch))
	}
	if field(w.headers) {
		if err := w.writeHeaders(out, r.Headers); err != nil {
			return err
		}
	}
	if field(w.key) {
		if err := w.writeField(out, w.keyDecode, r.Key); err != nil {
			return fmt.Errorf("key of %s-%d at offset %d: %w", r.Topic, r.Partition, r.Offset, err)
		}
	}
	if field(w.value) {
		if err := w.writeField(out, w.valueDecode, r.Value); err != nil {
			return fmt.Errorf("value of %s-%d at offset %d: %w", r.Topic, r.Partition, r.Offset, err)
		}
	}
	if fields > 0 {
		out.WriteString(w.lineSep)
	}
	return nil
}

func timestampText(r *client.Record) string {
	switch r.Attrs.TimestampType() {
	case 0:
		return "CreateTime:" + strconv.FormatInt(r.Timestamp.UnixMilli(), 10)
	case 1:
		return "LogAppendTime:" + strconv.FormatInt(r.Timestamp.UnixMilli(), 10)
	}
	return "NO_TIMESTAMP"
}

func epochText(epoch int32) string {
	if epoch < 0 {
		return "NOT_PRESENT"
	}
	return strconv.Itoa(int(epoch))
}

func (w *recordWriter) writeHeaders(out *bufio.Writer, headers []client.Header) error {
	if len(headers) == 0 {
		out.WriteString("NO_HEADERS")
		return nil
	}
	for i, h := range headers {
		if i > 0 {
			out.WriteString(w.headSep)
		}
		out.WriteString(h.Key + ":")
		if err := w.writeField(out, w.headersDecode, h.Value); err != nil {
			return err
		}
	}
	return nil
}

func (w *recordWriter) writeField(out *bufio.Writer, d decode, b []byte) error {
	if b == nil {
		out.WriteString(w.null)
		return nil
	}
	if d == nil {
		out.Write(b)
		return nil
	}
	s, err := d(b)
	out.WriteString(s)
	return err
}

// deserializer knows Kafka's own classes.
func deserializer(class string) (decode, error) {
	name := class[strings.LastIndexByte(class, '.')+1:]
	fixed := func(n int, text func([]byte) string) decode {
		return func(b []byte) (string, error) {
			if len(b) != n {
				return "", fmt.Errorf("size of data received by %s is not %d", name, n)
			}
			return text(b), nil
		}
	}
	switch name {
	case "StringDeserializer", "ByteArrayDeserializer", "BytesDeserializer", "ByteBufferDeserializer":
		return nil, nil
	case "LongDeserializer":
		return fixed(8, func(b []byte) string { return strconv.FormatInt(int64(binary.BigEndian.Uint64(b)), 10) }), nil
	case "IntegerDeserializer":
		return fixed(4, func(b []byte) string { return strconv.Itoa(int(int32(binary.BigEndian.Uint32(b)))) }), nil
	case "ShortDeserializer":
		return fixed(2, func(b []byte) string { return strconv.Itoa(int(int16(binary.BigEndian.Uint16(b)))) }), nil
	case "DoubleDeserializer":
		return fixed(8, func(b []byte) string { return javaDouble(math.Float64frombits(binary.BigEndian.Uint64(b))) }), nil
	case "FloatDeserializer":
		return fixed(4, func(b []byte) string {
			return strconv.FormatFloat(float64(math.Float32frombits(binary.BigEndian.Uint32(b))), 'g', -1, 32)
		}), nil
	case "BooleanDeserializer":
		return fixed(1, func(b []byte) string { return strconv.FormatBool(b[0] == 1) }), nil
	case "UUIDDeserializer":
		return func(b []byte) (string, error) { return string(b), nil }, nil // travels as text
	}
	return nil, fmt.Errorf("class %s is not known here: StringDeserializer, LongDeserializer and the other classes of org.apache.kafka.common.serialization are", class)
}
