package api

import (
	"reflect"
	"strconv"
	"strings"

	"github.com/brokerd/brokerd/internal/invariant"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// shapes are the bodies of the requests that we read with kmsg, as skim walks
// them. A field is
//
//	1 2 4 8 16   so many bytes          [ … ]   an array of structures
//	s            a string               ( … )   an array of plain values
//	b            bytes                  ? … ?   a structure that may be null
//	                                    { … }   a structure
//
// with the versions that have it in front: 3+: or 8-10:. Tagged fields need no
// mention. shapes_test.go encodes every request in every version and walks it.
var shapes = map[int16]string{
	0:  "3+:s 2 4 [ 0-12:s 13+:16 [ 4 b ] ]",
	1:  "0-14:4 4 4 3+:4 4+:1 7+:4 7+:4 [ 0-12:s 13+:16 [ 4 9+:4 8 12+:4 5+:8 4 ] ] 7+:[ 0-12:s 13+:16 ( 4 ) ] 11+:s",
	2:  "4 2+:1 [ s [ 4 4+:4 8 0-0:4 ] ] 10+:4",
	3:  "[ 10+:16 s ] 4+:1 8-10:1 8+:1",
	8:  "s 1+:4 1+:s 7+:s 2-4:8 [ 0-9:s 10+:16 [ 4 8 1-1:8 6+:4 s ] ]",
	9:  "0-7:s 0-7:[ s ( 4 ) ] 8+:[ s 9+:s 9+:4 [ 0-9:s 10+:16 ( 4 ) ] ] 7+:1",
	10: "0-3:s 1+:1 4+:( s )",
	11: "s 4 1+:4 s 5+:s s [ s b ] 8+:s",
	12: "s 4 s 3+:s",
	13: "s 0-2:s 3+:[ s s 5+:s ]",
	14: "s 4 s 3+:s 5+:s 5+:s [ s b ]",
	15: "( s ) 3+:1",
	16: "4+:( s ) 5+:( s )",
	18: "3+:s 3+:s 5+:s 5+:4",
	19: "[ s 4 2 [ 4 ( 4 ) ] [ s s ] ] 4 1+:1",
	20: "0-5:( s ) 6+:[ s 16 ] 4",
	21: "[ s [ 4 8 ] ] 4",
	22: "s 4 3+:8 3+:2",
	23: "3+:4 [ s [ 4 2+:4 4 ] ]",
	32: "[ 1 s ( s ) ] 1+:1 3+:1",
	33: "[ 1 s [ s s ] ] 1",
	34: "[ s [ s ( 4 ) ] ]",
	35: "[ s ( 4 ) ]",
	37: "[ s 4 [ ( 4 ) ] ] 4 1",
	42: "( s )",
	43: "1+:1 [ s ( 4 ) ] 4",
	44: "[ 1 s [ s 1 s ] ] 1",
	45: "4 1+:1 [ s [ 4 ( 4 ) ] ]",
	46: "4 [ s ( 4 ) ]",
	47: "s [ s [ 4 ] ]",
	55: "[ s [ 4 ] ]",
	56: "4 8 [ 0-1:s 2+:16 [ 4 4 0-2:( 4 ) 3+:[ 4 8 ] 1+:1 4 ] ]",
	58: "b b b",
	57: "4 [ s 2 0-0:1 1+:1 ] 1+:1",
	60: "1 1+:1 2+:1",
	61: "[ s ( 4 ) ]",
	62: "4 s 16 [ s s 2 2 ] [ s 2 2 ] s 1+:1 2+:( 16 ) 3+:8",
	63: "4 8 8 1 1",
	64: "4",
	67: "4 8",
	68: "s s 4 s s 4 ( s ) 1+:s s [ 16 ( 4 ) ]",
	69: "( s ) 1",
	73: "4 8 [ 16 [ 16 [ 4 ] ] ]",
	74: "1+:( 1 )",
	75: "[ s ] 4 ? s 4 ?",
	80: "s 4 4 16 [ s s 2 ] 1+:1",
	81: "s 4 16",
	82: "s 4 4 16 [ s s 2 ] { 2 2 }",
}

// shapeOf makes the shape of one request in one version. Our own messages have
// none: their decoders are written here and bound themselves.
func shapeOf(key, version int16) *bodyShape {
	source, ok := shapes[key]
	req := kmsg.RequestForKey(key)
	if !ok || req == nil {
		invariant.Check(key >= firstOwnKey, "api key %d is decoded by kmsg and has no shape", key)
		return nil
	}
	req.SetVersion(version)
	p := shapeParser{tokens: strings.Fields(source), version: version, flexible: req.IsFlexible()}
	fields := p.fields("", structsIn(reflect.TypeOf(req).Elem()))
	return &bodyShape{p.flexible, fields}
}

// shapeParser reads one line of shapes for one version.
type shapeParser struct {
	tokens   []string
	version  int16
	flexible bool
}

// fields reads up to the token end. structs are the structures that kmsg has
// arrays of at this place, in order: they say what an element costs.
func (p *shapeParser) fields(end string, structs []reflect.Type) (out []field) {
	for len(p.tokens) > 0 {
		token := p.tokens[0]
		p.tokens = p.tokens[1:]
		if token == end {
			return out
		}
		present, what := p.present(token)
		f := field{}
		switch what {
		case "s":
			f.kind = text
		case "b":
			f.kind = blob
		case "[", "?":
			f.kind = list
			if what == "?" {
				f.kind = optional
			}
			f.elem = p.fields(closing[what], structsIn(structs[0]))
			f.min, f.cost = p.min(f.elem, p.flexible), structCost(structs[0])
			structs = structs[1:]
		case "{":
			f.kind, f.elem = inline, p.fields("}", nil)
			f.min = p.min(f.elem, p.flexible)
		case "(":
			f.kind, f.elem = bareList, p.fields(")", nil)
			f.min, f.cost = p.min(f.elem, false), bareCost(f.elem[0])
		default:
			n, err := strconv.Atoi(what)
			invariant.Check(err == nil, "shape has a token %q", token)
			f.kind, f.size = fixed, n
		}
		if present {
			out = merge(out, f)
		}
	}
	return out
}

var closing = map[string]string{"[": "]", "?": "?"}

// present splits the versions off a token.
func (p *shapeParser) present(token string) (bool, string) {
	versions, what, conditional := strings.Cut(token, ":")
	if !conditional {
		return true, token
	}
	from, to, bounded := strings.Cut(strings.TrimSuffix(versions, "+"), "-")
	low, err := strconv.Atoi(from)
	invariant.Check(err == nil, "shape has a token %q", token)
	if int(p.version) < low {
		return false, what
	}
	if !bounded {
		return true, what
	}
	high, err := strconv.Atoi(to)
	invariant.Check(err == nil, "shape has a token %q", token)
	return int(p.version) <= high, what
}

// min is the least encoded size of a structure; never 0, kmsg has no empty element.
func (p *shapeParser) min(fields []field, tags bool) (n int) {
	for _, f := range fields {
		switch {
		case f.kind == fixed:
			n += f.size
		case f.kind == inline:
			n += f.min
		case f.kind == optional || p.flexible:
			n++
		case f.kind == text:
			n += 2
		default:
			n += 4
		}
	}
	if tags {
		n++
	}
	return max(n, 1)
}

// merge joins fixed fields that follow one another.
func merge(fields []field, f field) []field {
	if last := len(fields) - 1; f.kind == fixed && last >= 0 && fields[last].kind == fixed {
		fields[last].size += f.size
		return fields
	}
	return append(fields, f)
}

// structCost is what kmsg allocates for an element before its variable parts: the
// structure, and a string header for each string that may be null.
func structCost(t reflect.Type) int {
	n := int(t.Size())
	for i := range t.NumField() {
		if t.Field(i).Type == reflect.TypeFor[*string]() {
			n += int(reflect.TypeFor[string]().Size())
		}
	}
	return n
}

func bareCost(f field) int {
	if f.kind == text {
		return int(reflect.TypeFor[string]().Size())
	}
	return f.size
}

// structsIn lists the structures that t has arrays of, or pointers to, in order.
func structsIn(t reflect.Type) (structs []reflect.Type) {
	for i := range t.NumField() {
		f := t.Field(i).Type
		if (f.Kind() == reflect.Slice || f.Kind() == reflect.Pointer) && f.Elem().Kind() == reflect.Struct {
			structs = append(structs, f.Elem())
		}
	}
	return structs
}
