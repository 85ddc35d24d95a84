//go:build hostile

package hostile

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/brokerd/brokerd/internal/wire"
	"github.com/brokerd/brokerd/test/raw"
)

// api is one key in one version.
type api struct{ key, version int16 }

// own are the APIs that kmsg does not know.
var own = map[int16]struct {
	name string
	make func() kmsg.Request
}{
	wire.KeyDescribeReplicas: {"DescribeReplicas", func() kmsg.Request { return new(wire.DescribeReplicasRequest) }},
	wire.KeyOpenRaftStream:   {"OpenRaftStream", func() kmsg.Request { return new(wire.OpenRaftStreamRequest) }},
	wire.KeyDescribeNode:     {"DescribeNode", func() kmsg.Request { return new(wire.DescribeNodeRequest) }},
}

func (a api) String() string {
	if o, ok := own[a.key]; ok {
		return fmt.Sprintf("%s v%d", o.name, a.version)
	}
	return fmt.Sprintf("%s v%d", kmsg.NameForKey(a.key), a.version)
}

// request is an empty request of the API, nil if nobody knows how to encode it.
func (a api) request() kmsg.Request {
	r := kmsg.RequestForKey(a.key)
	if o, ok := own[a.key]; ok {
		r = o.make()
	}
	if r == nil || a.version > r.MaxVersion() {
		return nil
	}
	r.SetVersion(a.version)
	return r
}

// target is what the cases name: the topic that they may do anything to.
type target struct {
	topic string
	id    [16]byte
}

// base is a request of the API with every field set, that makes sense enough to
// get past the first look.
func (a api) base(t target) kmsg.Request {
	r := a.request()
	if r == nil {
		return nil
	}
	t.fill(reflect.ValueOf(r).Elem(), "")
	r.SetVersion(a.version)
	return r
}

func (t target) fill(v reflect.Value, name string) {
	switch v.Kind() {
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[kmsg.Tags]() {
			return
		}
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() && f.Name != "Version" {
				t.fill(v.Field(i), f.Name)
			}
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		t.fill(v.Elem(), name)
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes(t.blob(name))
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		t.fill(v.Index(0), name)
	case reflect.Array:
		reflect.Copy(v, reflect.ValueOf(t.id))
	case reflect.String:
		v.SetString(t.text(name))
	case reflect.Bool:
		v.SetBool(false)
	case reflect.Float64:
		v.SetFloat(1)
	case reflect.Uint8, reflect.Uint16, reflect.Uint32:
		v.SetUint(1)
	default:
		v.SetInt(number(name))
	}
}

func (t target) blob(name string) []byte {
	if name == "Records" {
		return raw.Batch(3, 20, 1_700_000_000_000)
	}
	return []byte("blob")
}

func (t target) text(name string) string {
	switch {
	case strings.HasPrefix(name, "Topic") || name == "Name" || name == "ResourceName":
		return t.topic
	case name == "Key":
		return "retention.ms"
	case name == "Value":
		return "3600000"
	}
	return "hostile-" + strings.ToLower(name)
}

// number is the value that gets a request past the first look.
func number(name string) int64 {
	switch name {
	case "MaxWaitMillis", "Partition", "Partitions", "ISR", "Offset", "FetchOffset", "BaseSequence":
		return 0
	case "Acks", "ReplicaID", "SessionEpoch", "CurrentLeaderEpoch", "LastFetchedEpoch", "Timestamp", "ProducerID", "ProducerEpoch":
		return -1
	case "TimeoutMillis", "RebalanceTimeoutMillis", "SessionTimeoutMillis":
		return 6000
	case "MaxBytes", "PartitionMaxBytes", "ResponsePartitionLimit":
		return 1 << 16
	case "ResourceType":
		return 2 // topic
	case "BrokerID", "NodeID": // a broker that is not there
		return 99
	}
	return 1
}

// kind is how a field stands on the wire.
type kind int

const (
	fixed   kind = iota // width bytes
	length              // int16 or int32, by width: a string, bytes, an array
	varint              // an unsigned varint: the same, compact, or a count of tags
	compact             // as varint, and 0 is null
)

// field is a place in an encoded body that a case may change.
type field struct {
	path  string
	kind  kind
	at    int
	width int
}

// fields finds every field of a request in its encoding: it changes one at a time
// and looks where the bytes change. So it knows no message, and knows all.
func fields(r kmsg.Request) []field {
	p := prober{r: r, base: r.AppendTo(nil)}
	p.walk(reflect.ValueOf(r).Elem(), "")
	return p.found
}

type prober struct {
	r     kmsg.Request
	base  []byte
	found []field
}

func (p *prober) walk(v reflect.Value, path string) {
	switch v.Kind() {
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[kmsg.Tags]() {
			tags := v.Addr().Interface().(*kmsg.Tags)
			p.probe(field{path: path, kind: varint, width: 1}, 0, func() { tags.Set(1<<20, []byte("tag")) }, func() { *tags = kmsg.Tags{} })
			return
		}
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() && f.Name != "Version" {
				p.walk(v.Field(i), path+"."+f.Name)
			}
		}
	case reflect.Pointer:
		p.walk(v.Elem(), path)
	case reflect.Slice, reflect.String:
		p.sized(v, path)
	case reflect.Array:
		first := v.Index(0)
		was := first.Uint()
		p.probe(field{path: path, width: 16}, 0, func() { first.SetUint(was ^ 1) }, func() { first.SetUint(was) })
	case reflect.Bool:
		was := v.Bool()
		p.probe(field{path: path, width: 1}, 0, func() { v.SetBool(!was) }, func() { v.SetBool(was) })
	case reflect.Float64:
		was := v.Float()
		p.probe(field{path: path, width: 8}, 0, func() { v.SetFloat(-was) }, func() { v.SetFloat(was) })
	case reflect.Uint8, reflect.Uint16, reflect.Uint32:
		was, width := v.Uint(), int(v.Type().Size())
		p.probe(field{path: path, width: width}, width-1, func() { v.SetUint(was ^ 2) }, func() { v.SetUint(was) })
	default:
		was, width := v.Int(), int(v.Type().Size())
		p.probe(field{path: path, width: width}, width-1, func() { v.SetInt(was ^ 2) }, func() { v.SetInt(was) })
	}
}

// sized finds a length or a count, and goes on inside.
func (p *prober) sized(v reflect.Value, path string) {
	k, width := length, 4
	if v.Kind() == reflect.String {
		width = 2
	}
	if p.r.IsFlexible() {
		k, width = compact, 1
	}
	was := reflect.New(v.Type()).Elem()
	was.Set(v)
	longer := func() {
		if v.Kind() == reflect.String {
			v.SetString(was.String() + "z")
		} else {
			v.Set(reflect.Append(was.Slice3(0, was.Len(), was.Len()), was.Index(was.Len()-1)))
		}
	}
	p.probe(field{path: path, kind: k, width: width}, width-1, longer, func() { v.Set(was) })
	if v.Kind() == reflect.Slice && v.Type().Elem().Kind() != reflect.Uint8 {
		p.walk(v.Index(0), path+"[0]")
	}
}

// probe notes where the encoding changes, which is back bytes into the field: a
// number and a length change in their last byte, the rest in the first one.
func (p *prober) probe(f field, back int, change, undo func()) {
	change()
	changed := p.r.AppendTo(nil)
	undo()
	f.at = firstDifference(p.base, changed) - back
	if f.at >= 0 && f.at+f.width <= len(p.base) { // else it is not in this version
		p.found = append(p.found, f)
	}
}

func firstDifference(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	if len(a) != len(b) {
		return min(len(a), len(b))
	}
	return -1
}
