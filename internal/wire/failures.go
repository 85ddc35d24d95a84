package wire

import (
	"reflect"
	"sync"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Failures counts the error codes that leave in answers, by API. An answer
// without errors costs a look at its code fields; nothing is allocated for one.
type Failures struct {
	byKey map[int16]*atomic.Pointer[failed] // every API; made once, then only read
}

// failed counts by code, from -1 (UNKNOWN_SERVER_ERROR) on.
type failed [mostCodes]atomic.Int64

// mostCodes leaves room above Kafka's codes; what is beyond counts as unknown.
const mostCodes = 160

// NewFailures counts for the given APIs, and ignores others.
func NewFailures(keys []int16) *Failures {
	f := &Failures{byKey: map[int16]*atomic.Pointer[failed]{}}
	for _, k := range keys {
		f.byKey[k] = new(atomic.Pointer[failed])
	}
	return f
}

// Add counts one code in an answer of an API; 0 is none. f may be nil.
func (f *Failures) Add(key, code int16) {
	if code == 0 || f == nil {
		return
	}
	at, ok := f.byKey[key]
	if !ok {
		return
	}
	if at.Load() == nil {
		at.CompareAndSwap(nil, new(failed))
	}
	i := int(code) + 1
	if i < 0 || i >= mostCodes {
		i = 0
	}
	at.Load()[i].Add(1)
}

// Answered counts the codes of a whole response.
func (f *Failures) Answered(resp kmsg.Response) {
	if f == nil {
		return
	}
	v := reflect.ValueOf(resp)
	if v.Kind() == reflect.Pointer && v.Elem().Kind() == reflect.Struct {
		codesOf(v.Elem().Type()).count(f, resp.Key(), v.Elem())
	}
}

// Each visits what was counted.
func (f *Failures) Each(visit func(key, code int16, n int64)) {
	for key, at := range f.byKey {
		counts := at.Load()
		if counts == nil {
			continue
		}
		for i := range counts {
			if n := counts[i].Load(); n > 0 {
				visit(key, int16(i-1), n)
			}
		}
	}
}

// codes is where a structure has error codes: in fields of its own, and in the
// elements of arrays.
type codes struct {
	own    []int
	arrays []arrayOfCodes
}

type arrayOfCodes struct {
	field int
	elem  *codes
}

var knownCodes sync.Map // of reflect.Type: *codes

func codesOf(t reflect.Type) *codes {
	if known, ok := knownCodes.Load(t); ok {
		return known.(*codes)
	}
	c := &codes{}
	for i := range t.NumField() {
		switch f := t.Field(i); {
		case f.Name == "ErrorCode" && f.Type.Kind() == reflect.Int16:
			c.own = append(c.own, i)
		case f.Type.Kind() == reflect.Slice && f.Type.Elem().Kind() == reflect.Struct:
			if elem := codesOf(f.Type.Elem()); elem != nil {
				c.arrays = append(c.arrays, arrayOfCodes{i, elem})
			}
		}
	}
	if len(c.own)+len(c.arrays) == 0 {
		c = nil
	}
	knownCodes.Store(t, c)
	return c
}

func (c *codes) count(f *Failures, key int16, v reflect.Value) {
	if c == nil {
		return
	}
	for _, i := range c.own {
		f.Add(key, int16(v.Field(i).Int()))
	}
	for _, a := range c.arrays {
		list := v.Field(a.field)
		for i := range list.Len() {
			a.elem.count(f, key, list.Index(i))
		}
	}
}
