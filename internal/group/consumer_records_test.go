package group

import (
	"encoding/hex"
	"reflect"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/brokerd/brokerd/internal/step"
)

// facts is one record of each key.
func facts() []fact {
	text := "x"
	has := parts{step.TopicID{1}: {0, 5}, step.TopicID{2}: {1}}
	since := map[step.PartitionID]int32{{Topic: step.TopicID{1}}: 3, {Topic: step.TopicID{1}, Index: 5}: 7, {Topic: step.TopicID{2}, Index: 1}: 0}
	return []fact{
		{key: keyConsumer, group: "g", epoch: 7, hash: 9},
		{key: keyMember, group: "g", name: "m", about: about{&text, &text, Client{"c", "/h"}, []string{"t"}, &text, 100, &text, nil}},
		{key: keyMember, group: "g", name: "o", about: about{
			client: Client{"c", "/h"}, topics: []string{"t"}, rebalance: 1,
			classic: &embedded{10, []kmsg.JoinGroupRequestProtocol{{Name: "range", Metadata: []byte{1, 2}}}},
		}},
		{key: keyTarget, group: "g", epoch: 7},
		{key: keyMemberTarget, group: "g", name: "m", target: has},
		{key: keyMemberCurrent, group: "g", name: "m", current: current{7, 6, unrevoked, has, has, since}},
		{key: keyRegex, group: "g", name: "t.*", regex: resolved{[]string{"t"}, 3, 4}},
	}
}

func TestConsumerRecords(t *testing.T) {
	for _, f := range facts() {
		r := f.record(0)
		got, err := parseFact(r)
		if err != nil || !reflect.DeepEqual(got, f) {
			t.Errorf("%+v became %+v: %v", f, got, err)
		}
		for n := range r.Value { // a value cut short is noticed
			if n == 0 {
				continue
			}
			short := r
			short.Value = r.Value[:n]
			if _, err := parseFact(short); err == nil {
				t.Errorf("key %d: %d of %d bytes were taken", f.key, n, len(r.Value))
			}
		}
	}
	// Byte for byte as Kafka's schemas have it.
	for _, c := range []struct {
		f          fact
		key, value string
	}{
		{facts()[0], "0003 0001 67", "0000 00000007 01 00 08 0000000000000009"},
		{facts()[3], "0006 0001 67", "0000 00000007 00"},
		{fact{key: keyMemberTarget, group: "g", name: "m", target: parts{step.TopicID{1}: {2}}},
			"0007 0001 67 0001 6d", "0000 02 01000000000000000000000000000000 02 00000002 00 00"},
		{fact{key: keyMemberCurrent, group: "g", name: "m", current: current{epoch: 2, previous: 1, state: unreleased}},
			"0008 0001 67 0001 6d", "0000 00000002 00000001 02 01 01 00"},
		{fact{key: keyMemberCurrent, group: "g", name: "m", current: current{
			epoch: 2, previous: 1, assigned: parts{step.TopicID{1}: {3}}, since: map[step.PartitionID]int32{{Topic: step.TopicID{1}, Index: 3}: 2}}},
			"0008 0001 67 0001 6d", "0000 00000002 00000001 00 02 01000000000000000000000000000000 02 00000003 01 00 05 02 00000002 01 00"},
		{fact{key: keyMember, group: "g", name: "m", about: about{client: Client{"c", "/h"}, topics: []string{"t"}, rebalance: 1}},
			"0005 0001 67 0001 6d", "0000 00 00 02 63 03 2f68 02 02 74 01 00000001 00 01 00 01 00"}, // a null, as Kafka writes it
		{facts()[2], "0005 0001 67 0001 6f",
			"0000 00 00 02 63 03 2f68 02 02 74 01 00000001 00 01 00 11 01 0000000a 02 06 72616e6765 03 0102 00 00"},
	} {
		r := c.f.record(0)
		want(t, "key", hex.EncodeToString(r.Key), strings.ReplaceAll(c.key, " ", ""))
		want(t, "value", hex.EncodeToString(r.Value), strings.ReplaceAll(c.value, " ", ""))
	}
}
