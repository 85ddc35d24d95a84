//go:build oracle

package oracle

import (
	"encoding/hex"
	"fmt"
	"reflect"
	"strings"

	"github.com/brokerd/brokerd/internal/record"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// flatten turns an answer into path → value. What a side chose by itself becomes
// its role: a topic id its name, a producer or session id "given".
func flatten(s *side, resp kmsg.Response) map[string]string {
	f := flattener{s, map[string]string{}}
	f.value("", reflect.ValueOf(resp).Elem())
	delete(f.out, "Version")
	delete(f.out, "ThrottleMillis")
	return f.out
}

type flattener struct {
	s   *side
	out map[string]string
}

func (f flattener) value(path string, v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		f.fields(path, v)
	case reflect.Pointer:
		if v.IsNil() {
			f.out[path] = "null"
			return
		}
		f.value(path, v.Elem())
	case reflect.Slice, reflect.Array:
		f.list(path, v)
	default:
		f.scalar(path, v)
	}
}

func (f flattener) fields(path string, v reflect.Value) {
	for i := range v.NumField() {
		name := v.Type().Field(i).Name
		if name == "UnknownTags" {
			continue
		}
		if path != "" {
			name = path + "." + name
		}
		f.value(name, v.Field(i))
	}
}

func (f flattener) list(path string, v reflect.Value) {
	switch x := v.Interface().(type) {
	case [16]byte:
		f.out[path] = f.topic(x)
		return
	case []byte:
		if strings.HasSuffix(path, "RecordBatches") {
			f.batches(path, x)
			return
		}
		f.out[path] = hex.EncodeToString(x)
		return
	}
	if v.Kind() == reflect.Slice && v.IsNil() {
		f.out[path+".len"] = "null"
		return
	}
	f.out[path+".len"] = fmt.Sprint(v.Len())
	for i := range v.Len() {
		f.value(fmt.Sprintf("%s[%d]", path, i), v.Index(i))
	}
}

func (f flattener) topic(id [16]byte) string {
	for name, known := range f.s.ids {
		if known == id {
			return "id of " + name
		}
	}
	return hex.EncodeToString(id[:])
}

func (f flattener) scalar(path string, v reflect.Value) {
	text := fmt.Sprint(v.Interface())
	switch {
	case v.Kind() == reflect.Int64 && strings.HasSuffix(path, "ProducerID") && v.Int() == f.s.producer && v.Int() > 0:
		text = "given"
	case strings.HasSuffix(path, ".LogAppendTime") && v.Int() > 0:
		text = "now"
	case path == "SessionID" && v.Int() != 0:
		text = "given"
	}
	f.out[path] = text
}

// batches compares record batches whole; where the broker sets the time, all
// that follows from it is left out.
func (f flattener) batches(path string, p []byte) {
	n := 0
	for len(p) > 0 {
		b, rest, err := record.Next(p)
		if err != nil {
			f.out[fmt.Sprintf("%s[%d]", path, n)] = fmt.Sprintf("%d bytes of a broken batch", len(p))
			break
		}
		text := fmt.Sprintf("base %d count %d attributes %d codec %s time %d..%d epoch %d sequence %d", b.BaseOffset(), b.Count(), b.Attributes(), b.Codec(), b.BaseTimestamp(), b.MaxTimestamp(), b.ProducerEpoch(), b.BaseSequence())
		if b.LogAppendTime() {
			text = fmt.Sprintf("base %d count %d attributes %d codec %s", b.BaseOffset(), b.Count(), b.Attributes(), b.Codec())
		} else {
			text += fmt.Sprintf(" producer %s", map[bool]string{true: "given", false: fmt.Sprint(b.ProducerID())}[b.ProducerID() == f.s.producer && b.ProducerID() > 0])
		}
		f.out[fmt.Sprintf("%s[%d]", path, n)] = text + fmt.Sprintf(" leader epoch %d records %x", b.LeaderEpoch(), f.records(b))
		p = rest
		n++
	}
	f.out[path+".len"] = fmt.Sprint(n)
}

// records are the bytes behind the header; compressed ones are opened, since two
// libraries need not compress alike.
func (f flattener) records(b record.Batch) []byte {
	p := b[record.HeaderSize:]
	if b.Codec() != record.None {
		opened, err := record.Decompress(nil, b.Codec(), p, record.Limits{})
		if err != nil {
			return []byte(err.Error())
		}
		p = opened
	}
	return p[:min(len(p), 200)]
}
