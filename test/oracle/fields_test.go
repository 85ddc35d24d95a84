//go:build oracle

package oracle

import (
	"bytes"
	"reflect"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// fieldsOf lists the fields that a request has in one version, as paths without
// places. A field is there when the bytes change with its value.
func fieldsOf(key, version int16) (paths []string) {
	full := func() (kmsg.Request, reflect.Value) {
		req := kmsg.RequestForKey(key)
		req.SetVersion(version)
		v := reflect.ValueOf(req).Elem()
		fill(v)
		return req, v
	}
	plain, v := full()
	standard := plain.AppendTo(nil)
	for _, path := range leaves(v) {
		req, v := full()
		flip(find(v, path))
		if !bytes.Equal(standard, req.AppendTo(nil)) {
			paths = append(paths, path)
		}
	}
	return paths
}

// setIn lists the fields of a request that are something else than the default.
func setIn(req kmsg.Request) map[string]bool {
	set := map[string]bool{}
	noteSet("", reflect.ValueOf(req).Elem(), set)
	return set
}

func noteSet(path string, v reflect.Value, set map[string]bool) {
	standard := reflect.New(v.Type())
	standard.MethodByName("Default").Call(nil)
	for i := range v.NumField() {
		name, field := v.Type().Field(i).Name, v.Field(i)
		if skipped(name) {
			continue
		}
		at := join(path, name)
		if !reflect.DeepEqual(field.Interface(), standard.Elem().Field(i).Interface()) && !(field.Kind() == reflect.Slice && field.Len() == 0) {
			set[at] = true
		}
		switch {
		case isStruct(field.Type()):
			noteSet(at, field, set)
		case field.Kind() == reflect.Pointer && isStruct(field.Type().Elem()) && !field.IsNil():
			noteSet(at, field.Elem(), set)
		case field.Kind() == reflect.Slice && isStruct(field.Type().Elem()):
			for j := range field.Len() {
				noteSet(at, field.Index(j), set)
			}
		}
	}
}

func skipped(name string) bool { return name == "Version" || name == "UnknownTags" }

func isStruct(t reflect.Type) bool { return t.Kind() == reflect.Struct }

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// fill gives every list of a message one element and every structure behind a
// pointer a default.
func fill(v reflect.Value) {
	if m := v.Addr().MethodByName("Default"); m.IsValid() {
		version := v.FieldByName("Version")
		var keep int64
		if version.IsValid() {
			keep = version.Int()
		}
		m.Call(nil)
		if version.IsValid() {
			version.SetInt(keep)
		}
	}
	for i := range v.NumField() {
		if skipped(v.Type().Field(i).Name) {
			continue
		}
		switch f := v.Field(i); {
		case isStruct(f.Type()):
			fill(f)
		case f.Kind() == reflect.Pointer && isStruct(f.Type().Elem()):
			f.Set(reflect.New(f.Type().Elem()))
			fill(f.Elem())
		case f.Kind() == reflect.Slice && isStruct(f.Type().Elem()):
			f.Set(reflect.MakeSlice(f.Type(), 1, 1))
			fill(f.Index(0))
		}
	}
}

// leaves lists all fields of a message below v, lists before their elements;
// of a list with elements the first stands for all.
func leaves(v reflect.Value) (paths []string) {
	var walk func(string, reflect.Value)
	walk = func(path string, v reflect.Value) {
		for i := range v.NumField() {
			name, f := v.Type().Field(i).Name, v.Field(i)
			if skipped(name) {
				continue
			}
			at := join(path, name)
			if !isStruct(f.Type()) {
				paths = append(paths, at)
			}
			if inner, ok := inside(f); ok {
				walk(at, inner)
			}
		}
	}
	walk("", v)
	return paths
}

// inside is the structure that a field holds: itself, behind a pointer, or the
// first of a list.
func inside(f reflect.Value) (reflect.Value, bool) {
	switch {
	case isStruct(f.Type()):
		return f, true
	case f.Kind() == reflect.Pointer && isStruct(f.Type().Elem()) && !f.IsNil():
		return f.Elem(), true
	case f.Kind() == reflect.Slice && isStruct(f.Type().Elem()) && f.Len() > 0:
		return f.Index(0), true
	}
	return reflect.Value{}, false
}

func find(v reflect.Value, path string) reflect.Value {
	for {
		name, rest, more := cut(path)
		v = v.FieldByName(name)
		if !more {
			return v
		}
		v, _ = inside(v)
		path = rest
	}
}

func cut(path string) (name, rest string, more bool) {
	if i := slices.Index([]byte(path), '.'); i >= 0 {
		return path[:i], path[i+1:], true
	}
	return path, "", false
}

// flip makes a value another one.
func flip(v reflect.Value) {
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(^v.Int())
	case reflect.Uint16, reflect.Uint32:
		v.SetUint(v.Uint() ^ 1)
	case reflect.Float64:
		v.SetFloat(v.Float() + 1)
	case reflect.String:
		v.SetString(v.String() + "x")
	case reflect.Array:
		other := reflect.New(v.Type()).Elem()
		if v.IsZero() {
			other.Index(0).SetUint(7)
		}
		v.Set(other)
	case reflect.Pointer:
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
			if !isStruct(v.Type().Elem()) {
				flip(v.Elem())
			}
		} else {
			v.SetZero()
		}
	case reflect.Slice:
		if n := v.Len(); n > 0 {
			v.Set(v.Slice(0, n-1))
		} else {
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		}
	default:
		panic("no way to change a " + v.Type().String())
	}
}
