//go:build oracle

package oracle

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/brokerd/brokerd/internal/record"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// flatten turns an answer into path → value. What a side chose by itself becomes
// its role: a topic id its name, a producer or session id "given".
func flatten(s *side, resp kmsg.Response) map[string]string {
	f := flattener{s, map[string]string{}}
	if r, ok := resp.(*kmsg.FetchResponse); ok {
		f.inOrder(r)
	}
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
	case strings.HasSuffix(path, ".LogAppendTime") && v.Int() > 0:
		text = "now"
	case strings.HasSuffix(path, ".Timestamp") && v.Int() > f.s.born:
		text = "now" // an append time
	case path == "ProducerID" && v.Int() >= 0:
		text = "new"
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
			text += fmt.Sprintf(" producer %d", b.ProducerID())
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

// inOrder sorts the partitions of a fetch, by names that both brokers share:
// their turn is the broker's affair.
func (f flattener) inOrder(r *kmsg.FetchResponse) {
	key := func(t kmsg.FetchResponseTopic) string { return t.Topic + " " + f.topic(t.TopicID) }
	slices.SortStableFunc(r.Topics, func(a, b kmsg.FetchResponseTopic) int { return strings.Compare(key(a), key(b)) })
	var whole []kmsg.FetchResponseTopic
	for _, t := range r.Topics {
		if n := len(whole); n > 0 && key(whole[n-1]) == key(t) {
			whole[n-1].Partitions = append(whole[n-1].Partitions, t.Partitions...)
			continue
		}
		whole = append(whole, t)
	}
	if whole != nil {
		r.Topics = whole
	}
	for i := range r.Topics {
		slices.SortStableFunc(r.Topics[i].Partitions, func(a, b kmsg.FetchResponseTopicPartition) int { return cmp.Compare(a.Partition, b.Partition) })
	}
}
