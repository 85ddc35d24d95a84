//go:build oracle

package oracle

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// run is what one run has asked, and what must have been asked by its end.
type run struct {
	met       map[[2]int16]*meeting // by key and version
	served    map[int16][2]int16    // what brokerd says that it serves
	swallowed map[string]bool
	texts     int
}

// meeting is one version of one API.
type meeting struct {
	requests, accepted, fields int
	set                        map[string]bool // fields of accepted requests that were not left at their default
	planted                    map[string]bool // fields of accepted answers, with whether a wrong value was noticed
	codes                      map[int16]bool
}

var theRun = run{met: map[[2]int16]*meeting{}, served: map[int16][2]int16{}, swallowed: map[string]bool{}}

func (r *run) meeting(key, version int16) *meeting {
	at := [2]int16{key, version}
	if r.met[at] == nil {
		r.met[at] = &meeting{set: map[string]bool{}, planted: map[string]bool{}, codes: map[int16]bool{}}
	}
	return r.met[at]
}

// note notes one request with its answers by Kafka and by us.
func (r *run) note(version int16, req kmsg.Request, both [2]kmsg.Response, fields int) {
	m := r.meeting(req.Key(), version)
	m.requests++
	m.fields += fields
	if both[1] == nil {
		return
	}
	for c := range codesIn(both[1]) {
		m.codes[c] = true
	}
	if accepted(both[1]) && both[0] != nil && accepted(both[0]) {
		m.accepted++
		maps.Copy(m.set, setIn(req))
	}
}

// codesIn are the error codes of an answer.
func codesIn(resp kmsg.Response) map[int16]bool {
	codes := map[int16]bool{}
	var walk func(reflect.Value)
	walk = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.Struct:
			for i := range v.NumField() {
				if strings.HasSuffix(v.Type().Field(i).Name, "ErrorCode") {
					codes[int16(v.Field(i).Int())] = true
				} else {
					walk(v.Field(i))
				}
			}
		case reflect.Slice:
			for i := range v.Len() {
				walk(v.Index(i))
			}
		}
	}
	walk(reflect.ValueOf(resp).Elem())
	return codes
}

// verdict tells what a whole run has left out.
func (r *run) verdict() (exit int) {
	var lines []string
	for _, key := range slices.Sorted(maps.Keys(r.served)) {
		for v := r.served[key][0]; v <= r.served[key][1]; v++ {
			lines = append(lines, r.missing(key, v)...)
		}
	}
	for i, e := range exempt {
		if !r.swallowed[fmt.Sprint("exempt ", i)] {
			lines = append(lines, fmt.Sprintf("%s is excused and need not be: %s", e.field, e.reason))
		}
	}
	for i, n := range neverCompared {
		if !r.swallowed[fmt.Sprint(i)] {
			lines = append(lines, fmt.Sprintf("%s %s is named as never compared, and is", kmsg.NameForKey(n.key), n.field))
		}
	}
	lines = append(lines, r.codesMissing()...)
	for _, l := range lines {
		fmt.Println(l)
		exit = 1
	}
	return exit
}

// missing tells what was not asked of one version.
func (r *run) missing(key, v int16) (lines []string) {
	name := fmt.Sprintf("%s v%d", kmsg.NameForKey(key), v)
	if r.excused(key, v, "") {
		return nil
	}
	m := r.met[[2]int16{key, v}]
	if m == nil || m.accepted == 0 {
		return []string{name + " is served and has no request that both accept"}
	}
	for _, f := range fieldsOf(key, v) {
		if !m.set[f] && !r.excused(key, v, f) {
			lines = append(lines, fmt.Sprintf("%s: no accepted request sets %s", name, f))
		}
	}
	for _, f := range slices.Sorted(maps.Keys(m.planted)) {
		if !m.planted[f] && !r.notCompared(key, f) {
			lines = append(lines, fmt.Sprintf("%s: a wrong %s is not noticed", name, f))
		}
	}
	return lines
}

func (r *run) excused(key, v int16, field string) bool {
	for i, e := range exempt {
		if e.key == key && e.field == field && v >= e.from && v <= e.to {
			r.swallowed[fmt.Sprint("exempt ", i)] = true
			return true
		}
	}
	return false
}

// String is what was asked, in numbers.
func (r *run) String() string {
	apis, requests, fields, accepted, plants := map[int16]bool{}, 0, 0, 0, 0
	codes := map[[2]int16]bool{}
	for at, m := range r.met {
		apis[at[0]] = true
		requests += m.requests
		accepted += m.accepted
		fields += m.fields
		plants += len(m.planted)
		for c := range m.codes {
			codes[[2]int16{at[0], c}] = true
		}
	}
	return fmt.Sprintf("oracle: %d APIs, %d versions, %d requests (%d accepted), %d fields compared, %d pairs of API and code, %d wrong fields planted, %d texts compared, %d intended differences",
		len(apis), len(r.met), requests, accepted, fields, len(codes), plants, r.texts, len(differences))
}
