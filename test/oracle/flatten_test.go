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

// flatten turns an answer into path → value. The elements of a list are named by
// what they are, so that their turn, which is the broker's affair, does not
// matter. What a side chose by itself becomes its role (roles_test.go).
func flatten(s *side, resp kmsg.Response) map[string]string {
	f := flattener{s, map[string]string{}}
	if r, ok := resp.(*kmsg.FetchResponse); ok {
		f.inOrder(r)
	}
	f.value("", reflect.ValueOf(resp).Elem())
	delete(f.out, "Version")
	return f.out
}

// present is what stands for an element of a list itself.
const present = "(present)"

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
		f.out[path] = f.role(path, v)
	}
}

func (f flattener) fields(path string, v reflect.Value) {
	for i := range v.NumField() {
		name := v.Type().Field(i).Name
		if name == "UnknownTags" {
			continue
		}
		if name == "ErrorMessage" {
			f.out[join(path, name)] = message(v)
			continue
		}
		f.value(join(path, name), v.Field(i))
	}
}

func (f flattener) list(path string, v reflect.Value) {
	switch x := v.Interface().(type) {
	case [16]byte:
		f.out[path] = f.id(path, x)
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
	n, met := 0, map[string]int{}
	for i := range v.Len() {
		key := f.key(v.Index(i), i)
		if name, _, _ := strings.Cut(key, " "); foreign[name] && f.s.ids[name] == [16]byte{} {
			continue
		}
		n++
		if met[key]++; met[key] > 1 {
			key = fmt.Sprintf("%s again %d", key, met[key])
		}
		at := fmt.Sprintf("%s[%s]", path, key)
		if v.Index(i).Kind() == reflect.Struct {
			f.out[at] = present
		}
		f.value(at, v.Index(i))
	}
	if f.out[path+".len"] = fmt.Sprint(n); n == 0 && v.Len() > 0 {
		f.out[path+".len"] = "null" // as an empty list is read: all that is in this one is foreign
	}
}

// identity are the fields that say which element of a list one is.
var identity = []string{"Topic", "TopicID", "Group", "MemberID", "Name", "ResourceType", "ResourceName", "Type", "Partition", "NodeID", "ApiKey", "ReplicaID", "Dir"}

// nameless is how the group is called that has an empty name.
const nameless = "(nameless)"

// key names an element of a list; numbers that are not structs by their place.
func (f flattener) key(v reflect.Value, at int) string {
	if v.Kind() != reflect.Struct {
		return fmt.Sprint(at)
	}
	var parts []string
	for _, name := range identity {
		field := v.FieldByName(name)
		if !field.IsValid() {
			continue
		}
		switch x := field.Interface().(type) {
		case *string:
			if x != nil {
				parts = append(parts, *x)
			}
		case [16]byte:
			if x != [16]byte{} && len(parts) == 0 {
				parts = append(parts, f.id(name, x))
			}
		default:
			if text := f.role(name, field); text != "" {
				parts = append(parts, text)
			} else if name == "Group" {
				parts = append(parts, nameless)
			}
		}
	}
	if parts == nil {
		return fmt.Sprint(at)
	}
	return strings.Join(parts, " ")
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

// inOrder puts the partitions of a fetch together that belong together: a topic
// may come in pieces.
func (f flattener) inOrder(r *kmsg.FetchResponse) {
	key := func(t kmsg.FetchResponseTopic) string { return t.Topic + " " + f.id("TopicID", t.TopicID) }
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
