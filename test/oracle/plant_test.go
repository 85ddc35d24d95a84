//go:build oracle

package oracle

import (
	"bytes"
	"fmt"
	"reflect"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// neverCompared names fields of answers in which a wrong value is not noticed.
var neverCompared = []struct {
	key    int16
	field  string
	reason string
}{
	{18, "ApiKeys", "a key that is missing is one that is not served yet"},
	{18, "SupportedFeatures", "features are the broker's own"},
	{18, "SupportedFeatures.Name", "the same"},
	{18, "SupportedFeatures.MinVersion", "the same"},
	{18, "SupportedFeatures.MaxVersion", "the same"},
	{18, "FinalizedFeaturesEpoch", "the same"},
	{18, "FinalizedFeatures", "the same"},
	{18, "FinalizedFeatures.Name", "the same"},
	{18, "FinalizedFeatures.MaxVersionLevel", "the same"},
	{18, "FinalizedFeatures.MinVersionLevel", "the same"},
	{32, "Resources.Configs.IsDefault", "of v0 alone, which Kafka has given up"},
	{55, "Topics.Partitions.CurrentVoters.ReplicaDirectoryID", "static voters have no directory in Kafka"},
}

// plant changes the fields of our good answers, one at a time: in each version
// each must be noticed once, or be named in neverCompared. It tests the comparer.
func (p *pair) plant(name string, version int16, theirs map[string]string, ours kmsg.Response) {
	p.t.Helper()
	m := theRun.meeting(ours.Key(), version)
	if !accepted(ours) {
		return
	}
	p.planting = true
	defer func() { p.planting = false }()
	body := ours.AppendTo(nil)
	again := func() kmsg.Response {
		resp := kmsg.ResponseForKey(ours.Key())
		resp.SetVersion(version)
		if err := resp.ReadFrom(body); err != nil {
			p.t.Fatal(err)
		}
		return resp
	}
	for _, path := range leaves(reflect.ValueOf(again()).Elem()) {
		if m.planted[path] {
			continue
		}
		wrong := again()
		flip(find(reflect.ValueOf(wrong).Elem(), path))
		if bytes.Equal(body, wrong.AppendTo(nil)) {
			continue // not in this version
		}
		m.planted[path] = len(p.differing(name, theirs, flatten(p.ours, wrong))) > 0
	}
}

// accepted reports whether an answer has no error in it.
func accepted(resp kmsg.Response) bool {
	for c := range codesIn(resp) {
		if c != 0 {
			return false
		}
	}
	return true
}

func (r *run) notCompared(key int16, path string) bool {
	for i, n := range neverCompared {
		if n.key == key && n.field == path {
			r.swallowed[fmt.Sprint(i)] = true
			return true
		}
	}
	return false
}
