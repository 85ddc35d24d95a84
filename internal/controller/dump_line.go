package controller

import (
	"bufio"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode"
)

// dumper prints things as lines of text ("name: value name: value") or of JSON.
type dumper struct {
	out  *bufio.Writer // remembers its error for Flush
	json bool
	file string
}

// fields is one thing: names and values in their order.
type fields []field

type field struct {
	name  string
	value any
}

func (d *dumper) begin(file string) {
	d.file = file
	if d.json {
		d.line("file", "", nil)
		return
	}
	fmt.Fprintf(d.out, "Dumping %s\n", file)
}

// nested prints a thing that holds others: in text a line each, behind a bar.
func (d *dumper) nested(kind string, f fields, name string, list []fields) {
	if d.json && len(list) > 0 {
		f = append(f, field{name, list})
	}
	d.line(kind, "", f)
	if d.json {
		return
	}
	for _, one := range list {
		d.line(kind, "| ", one)
	}
}

func (d *dumper) line(kind, prefix string, f fields) {
	if d.json {
		all := append(fields{{"file", d.file}, {"type", kind}}, f...)
		d.out.Write(append(appendJSON(nil, reflect.ValueOf(all)), '\n'))
		return
	}
	d.out.WriteString(prefix)
	for i, one := range f {
		if i > 0 {
			d.out.WriteByte(' ')
		}
		text := string(appendJSON(nil, reflect.ValueOf(one.value)))
		if plain := strings.Trim(text, `"`); len(plain) == len(text)-2 && plain != "" && !strings.ContainsAny(plain, ` "\`) {
			text = plain
		}
		fmt.Fprintf(d.out, "%s: %s", one.name, text)
	}
	d.out.WriteByte('\n')
}

// fieldsOf gives the exported fields of a struct, so that a command that comes
// with a later release is printed without a line of code for it.
func fieldsOf(v any) (f fields) {
	s := reflect.ValueOf(v)
	for i := range s.NumField() {
		if t := s.Type().Field(i); t.IsExported() {
			f = append(f, field{camel(t.Name), s.Field(i).Interface()})
		}
	}
	return f
}

// appendJSON writes a value: things by the names of their fields, ids and states
// as they call themselves, maps by key.
func appendJSON(b []byte, v reflect.Value) []byte {
	if !v.IsValid() {
		return append(b, "null"...)
	}
	switch x := v.Interface().(type) {
	case fields:
		return appendFields(b, x)
	case fmt.Stringer:
		return appendText(b, x.String())
	}
	switch v.Kind() {
	case reflect.Struct:
		return appendFields(b, fieldsOf(v.Interface()))
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return append(b, "null"...)
		}
		return appendJSON(b, v.Elem())
	case reflect.Slice, reflect.Array:
		b = append(b, '[')
		for i := range v.Len() {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendJSON(b, v.Index(i))
		}
		return append(b, ']')
	case reflect.Map:
		var f fields
		for _, k := range v.MapKeys() {
			f = append(f, field{k.String(), v.MapIndex(k).Interface()})
		}
		slices.SortFunc(f, func(x, y field) int { return strings.Compare(x.name, y.name) })
		return appendFields(b, f)
	}
	return appendText(b, v.Interface())
}

func appendFields(b []byte, f fields) []byte {
	b = append(b, '{')
	for i, one := range f {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendText(b, one.name), ':')
		b = appendJSON(b, reflect.ValueOf(one.value))
	}
	return append(b, '}')
}

// appendText writes a text, a number or a truth.
func appendText(b []byte, v any) []byte {
	p, err := json.Marshal(v)
	if err != nil {
		return append(b, "null"...) // nothing else is left
	}
	return append(b, p...)
}

// camel makes a Go name one of JSON: ID id, ClusterID clusterId, ISRMember isrMember.
func camel(name string) string {
	r := []rune(name)
	out := slices.Clone(r)
	for i := range r {
		if i == 0 || unicode.IsUpper(r[i-1]) && (i == len(r)-1 || unicode.IsUpper(r[i+1])) {
			out[i] = unicode.ToLower(r[i])
		}
	}
	return string(out)
}
