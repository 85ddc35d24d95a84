//go:build hostile

package hostile

import (
	"reflect"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// part is an array of a request, to be made longer and shorter.
type part struct{ v, was reflect.Value }

func (p part) repeat(n int) {
	out := reflect.MakeSlice(p.v.Type(), n, n)
	for i := range n {
		out.Index(i).Set(p.was.Index(0))
	}
	p.v.Set(out)
}

func (p part) restore() { p.v.Set(p.was) }

// text is a string of a request, which may be null if it is optional.
type text struct {
	v, was   reflect.Value // the string, or the pointer to it
	optional bool
}

func (s text) set(to string) {
	if s.optional {
		s.v.Set(reflect.ValueOf(&to))
	} else {
		s.v.SetString(to)
	}
}

func (s text) null() { s.v.SetZero() }

func (s text) restore() { s.v.Set(s.was) }

func kept(v reflect.Value) reflect.Value {
	was := reflect.New(v.Type()).Elem()
	was.Set(v)
	return was
}

// eachPart visits the arrays and the strings of a request.
func eachPart(r kmsg.Request, parts func(string, part), texts func(string, text)) {
	visit(reflect.ValueOf(r).Elem(), "", parts, texts)
}

func visit(v reflect.Value, path string, parts func(string, part), texts func(string, text)) {
	switch v.Kind() {
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[kmsg.Tags]() {
			return
		}
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() && f.Name != "Version" {
				visit(v.Field(i), path+"."+f.Name, parts, texts)
			}
		}
	case reflect.Pointer:
		if v.Type().Elem().Kind() == reflect.String {
			texts(path, text{v, kept(v), true})
			return
		}
		visit(v.Elem(), path, parts, texts)
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return
		}
		parts(path, part{v, kept(v)})
		visit(v.Index(0), path+"[0]", parts, texts)
	case reflect.String:
		texts(path, text{v, kept(v), false})
	}
}
