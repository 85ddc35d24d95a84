package group

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"

	"github.com/twmb/franz-go/pkg/kbin"

	"github.com/brokerd/brokerd/internal/record"
)

// Dump gives the key and the value of a record of __consumer_offsets field by
// field, as the JSON of Kafka's DumpLogSegments --offsets-decoder. Of a record that
// is none of these, or broken, the key is a sentence and the value nil; without a
// key there is none.
func Dump(r record.Record) (key, value []byte, err error) {
	if r.Key == nil {
		return nil, nil, NoKey(r.Offset)
	}
	key, value, err = dumpFields(r)
	if unknown := (unknownKey)(0); errors.As(err, &unknown) {
		return fmt.Appendf(nil, "Unknown record type %d at offset %d, skipping.", unknown, r.Offset), nil, nil
	}
	if err != nil {
		return fmt.Appendf(nil, "Error at offset %d, skipping. %v", r.Offset, err), nil, nil
	}
	return key, value, nil
}

// NoKey is the offset of a record that has none, so it is not of __consumer_offsets.
type NoKey int64

func (n NoKey) Error() string {
	return fmt.Sprintf("the record at offset %d has no key: it is not of __consumer_offsets", int64(n))
}

type unknownKey int16

func (k unknownKey) Error() string { return fmt.Sprintf("unknown key %d", int16(k)) }

func dumpFields(r record.Record) (key, value []byte, err error) {
	if len(r.Key) < 2 {
		return nil, nil, errors.New("Could not read version from key's buffer.")
	}
	number := int16(binary.BigEndian.Uint16(r.Key))
	l, known := layouts[number]
	if !known {
		return nil, nil, unknownKey(number)
	}
	d := dump{reader: reader{kbin.Reader{Src: r.Key[2:]}}, out: fmt.Appendf(nil, `{"type":"%d","data":`, number)}
	if d.fields(l.key); !d.Ok() {
		return nil, nil, fmt.Errorf("Could not read record with version %d from key's buffer due to: %w.", number, kbin.ErrNotEnoughData)
	}
	key = append(d.out, '}')
	if r.Value == nil {
		return key, []byte("<DELETE>"), nil
	}
	v := version(r.Value)
	if v < 0 {
		return nil, nil, errors.New("Could not read version from value's buffer.")
	}
	d = dump{reader: reader{kbin.Reader{Src: r.Value[2:]}}, version: v, flexible: v >= l.flexible, out: fmt.Appendf(nil, `{"version":"%d","data":`, v)}
	d.embedded = number == keyGroup
	if d.fields(l.fields); !d.Ok() {
		return nil, nil, fmt.Errorf("Could not read record with version %d from value's buffer due to: %w.", v, kbin.ErrNotEnoughData)
	}
	return key, append(d.out, '}'), nil
}

// dump reads a structure by its fields, and writes it as JSON.
type dump struct {
	reader
	version  int16
	flexible bool
	embedded bool // a group's metadata:
	consumer bool // its members are consumers, whose bytes are taken apart
	out      []byte
}

func (d *dump) fields(list []field) {
	d.out = append(d.out, '{')
	first := true
	var tagged *field
	for i := range list {
		f := &list[i]
		switch {
		case d.version < f.since || f.until > 0 && d.version > f.until:
		case f.tagged:
			tagged = f
		default:
			d.name(f.name, first)
			d.value(f)
			first = false
		}
	}
	if d.flexible {
		d.tagged(tagged, first)
	}
	d.out = append(d.out, '}')
}

func (d *dump) name(s string, first bool) {
	if !first {
		d.out = append(d.out, ',')
	}
	d.out = append(appendJSON(d.out, s), ':')
}

// tagged reads the tags that end a structure. Kafka's, which are all behind the
// other fields, leave out what has its default.
func (d *dump) tagged(f *field, first bool) {
	d.tags(func(tag uint32, b []byte) {
		if tag != 0 || f == nil {
			return
		}
		sub := dump{reader: reader{kbin.Reader{Src: b}}, version: d.version, flexible: true, out: d.out}
		sub.name(f.name, first)
		start := len(sub.out)
		sub.value(f)
		if !sub.Ok() {
			d.fail()
		} else if text := string(sub.out[start:]); text != "0" && text != "[]" {
			d.out = sub.out
		}
	})
}

func (d *dump) fail() { d.Span(len(d.Src) + 1) }

func (d *dump) value(f *field) {
	switch f.kind {
	case aByte:
		d.out = strconv.AppendInt(d.out, int64(d.Int8()), 10)
	case anInt:
		d.out = strconv.AppendInt(d.out, int64(d.Int32()), 10)
	case aLong:
		d.out = strconv.AppendInt(d.out, d.Int64(), 10)
	case aTopicID:
		id := d.Uuid()
		d.out = appendJSON(d.out, base64.RawURLEncoding.EncodeToString(id[:]))
	case aString:
		d.text(f.name)
	case someBytes:
		d.bytes(f.name)
	case ints:
		d.list(4, func() { d.out = strconv.AppendInt(d.out, int64(d.Int32()), 10) })
	case texts:
		d.list(1, func() { d.text("") })
	case structs:
		d.list(1, func() { d.fields(f.fields) })
	case aStruct:
		if d.Uvarint() == 0 {
			d.out = append(d.out, "null"...)
			return
		}
		d.fields(f.fields)
	}
}

func (d *dump) text(name string) {
	var s *string
	if d.flexible {
		s = d.CompactNullableString()
	} else {
		s = d.NullableString()
	}
	if s == nil {
		d.out = append(d.out, "null"...)
		return
	}
	if d.embedded && name == "protocolType" {
		d.consumer = *s == "consumer"
	}
	d.out = appendJSON(d.out, *s)
}

// bytes writes bytes in base64, or what a consumer says in them.
func (d *dump) bytes(name string) {
	var b []byte
	if d.flexible {
		b = d.CompactNullableBytes()
	} else {
		b = d.NullableBytes()
	}
	if b == nil {
		d.out = append(d.out, "null"...)
		return
	}
	if d.consumer && d.say(name, b) {
		return
	}
	d.out = appendJSON(d.out, base64.StdEncoding.EncodeToString(b))
}

func (d *dump) say(name string, b []byte) bool {
	list := subscriptionFields
	if name == "assignment" {
		list = assignmentFields
	}
	sub := dump{reader: reader{kbin.Reader{Src: b}}, out: d.out}
	sub.version = sub.Int16()
	if sub.fields(list); !sub.Ok() || sub.version < 0 {
		return false
	}
	d.out = sub.out
	return true
}

// list reads elements of at least min bytes.
func (d *dump) list(min int, element func()) {
	n := 0
	if d.flexible {
		n = d.length(min)
	} else if n = int(d.Int32()); n > len(d.Src)/min {
		d.fail()
		return
	}
	d.out = append(d.out, '[')
	for i := 0; i < n && d.Ok(); i++ {
		if i > 0 {
			d.out = append(d.out, ',')
		}
		element()
	}
	d.out = append(d.out, ']')
}

// appendJSON writes a string as Kafka's JSON does: only what must be is escaped.
func appendJSON(b []byte, s string) []byte {
	const short = "btn\x00fr" // from 8 on
	b = append(b, '"')
	for _, c := range s {
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', byte(c))
		case c >= 8 && c <= 13 && c != 11:
			b = append(b, '\\', short[c-8])
		case c < ' ':
			b = fmt.Appendf(b, `\u%04X`, c)
		default:
			b = append(b, string(c)...)
		}
	}
	return append(b, '"')
}
