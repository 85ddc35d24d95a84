package group

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/brokerd/brokerd/internal/record"
	"github.com/brokerd/brokerd/internal/step"
)

// dumped is records of every key and version, of groups of other kinds, and broken ones.
func dumped() (list []record.Record) {
	odd := "q\"\\/ \b\t\n\v\f\r\x01\x1f\x7f é 日本 🚀 \u2028<&>"
	for v := range int16(5) {
		o := kmsg.NewOffsetCommitValue()
		o.Version, o.Offset, o.LeaderEpoch, o.Metadata, o.CommitTimestamp, o.ExpireTimestamp = v, 42, 3, odd, 1700000000001, 1700000000009
		if o.TopicID = (step.TopicID{1, 2, 0xff}); v%2 == 1 {
			o.LeaderEpoch, o.Metadata = -1, ""
		}
		list = append(list, record.Record{Key: offsetKey(odd, partition{"t", 7}), Value: o.AppendTo(nil)})
		g := kmsg.NewGroupMetadataValue()
		g.Version, g.ProtocolType, g.Generation, g.CurrentStateTimestamp = v, "consumer", 9, 1700000000002
		if v > 1 {
			protocol, instance := "range", "i"
			g.Protocol, g.Leader = &protocol, &protocol
			s := kmsg.NewConsumerMemberMetadata()
			s.Version, s.Topics, s.UserData, s.Generation, s.Rack = v-2, []string{"a", "b"}, []byte{1, 2, 3}, 5, &instance
			s.OwnedPartitions = []kmsg.ConsumerMemberMetadataOwnedPartition{{Topic: "a", Partitions: []int32{0, 2}}, {Topic: "b"}}
			a := kmsg.NewConsumerMemberAssignment()
			a.Version, a.Topics = v-2, []kmsg.ConsumerMemberAssignmentTopic{{Topic: "a", Partitions: []int32{0}}}
			m := kmsg.GroupMetadataValueMember{MemberID: "m", InstanceID: &instance, ClientID: "c", ClientHost: "/h", RebalanceTimeoutMillis: 1, SessionTimeoutMillis: 2}
			n := m
			m.Subscription, m.Assignment = s.AppendTo(nil), a.AppendTo(nil)
			n.Subscription, n.Assignment, n.InstanceID = []byte{0, 1, 0, 0}, nil, nil
			g.Members = []kmsg.GroupMetadataValueMember{m, n}
		}
		list = append(list, groupRecordOf("classic", &g))
		g.ProtocolType = "connect"
		list = append(list, groupRecordOf("connect", &g))
	}
	old := kmsg.OffsetCommitKey{Version: 0, Group: "g", Topic: "t", Partition: 1}
	list = append(list, record.Record{Key: old.AppendTo(nil), Value: list[0].Value}, offsetTombstone("g", partition{"t", 1}, 0), groupTombstone("g", 0))
	for _, f := range facts() {
		list = append(list, f.record(0))
		f.gone = true
		list = append(list, f.record(0))
	}
	list = append(list,
		fact{key: keyConsumer, group: "g", epoch: 1}.record(0),
		fact{key: keyMember, group: "g", name: "m"}.record(0),
		fact{key: keyMemberCurrent, group: "g", name: "m"}.record(0),
		record.Record{Key: fact{key: keyConsumerTopics, group: "g"}.record(0).Key, Value: []byte{0, 0, 2, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 0, 0, 0, 0, 0, 0,
			2, 't', 0, 0, 0, 3, 2, 0, 0, 0, 1, 2, 2, 'r', 0, 0, 0}},
		record.Record{Key: fact{key: keyTarget, group: "g"}.record(0).Key, Value: []byte{0, 0, 0, 0, 0, 3, 2, 0, 8, 0, 0, 0, 0, 0, 0, 0, 9, 7, 1, 1}},
		record.Record{Key: fact{key: keyMember, group: "g", name: "m"}.record(0).Key, // without the tag
			Value: []byte{0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0}},
		record.Record{Key: []byte{0, 99, 0}, Value: []byte{0, 0}}, record.Record{Key: []byte{0xff, 0xff}}, record.Record{Key: []byte{0}})
	return list
}

func groupRecordOf(group string, v *kmsg.GroupMetadataValue) record.Record {
	return record.Record{Key: groupKey(group), Value: v.AppendTo(nil)}
}

// TestDump prints a log as Kafka's DumpLogSegments does: testdata/dump_kafka.txt
// is what it printed of the same bytes. With -group.kafka it is asked anew.
func TestDump(t *testing.T) {
	b, err := record.Build(record.Spec{}, dumped()...)
	if err != nil {
		t.Fatal(err)
	}
	const golden = "testdata/dump_kafka.txt"
	if *kafkaJars != "" {
		name := filepath.Join(t.TempDir(), "00000000000000000000.log")
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command("java", "-cp", *kafkaJars+"/*", "org.apache.kafka.tools.DumpLogSegments", "--offsets-decoder", "--files", name).Output()
		if err != nil {
			t.Fatal(err)
		}
		_, text, _ := strings.Cut(string(out), "Log starting offset: 0\n")
		if err := os.WriteFile(golden, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	if err := record.Dump(&got, b, record.DumpSpec{Contents: true, Decode: Dump}); err != nil {
		t.Fatal(err)
	}
	is, be := strings.Split(got.String(), "\n"), strings.Split(string(want), "\n")
	for i := range max(len(is), len(be)) {
		if i >= len(is) || i >= len(be) || is[i] != be[i] {
			t.Errorf("line %d differs from Kafka's:\n%s\nwant\n%s", i, is[min(i, len(is)-1)], be[min(i, len(be)-1)])
		}
	}
}

func TestDumpBroken(t *testing.T) {
	if _, _, err := Dump(record.Record{Offset: 3, Value: []byte{0}}); err == nil || !strings.Contains(err.Error(), "offset 3 ") {
		t.Errorf("a record without key: %v", err)
	}
	for _, r := range dumped() {
		for n := range r.Value {
			short := r
			short.Value = r.Value[:n:n]
			key, value, err := Dump(short)
			if err != nil || value != nil || !strings.HasPrefix(string(key), "Error at offset 0, skipping. Could not read ") && !strings.HasPrefix(string(key), "Unknown record type ") {
				t.Errorf("%d of %d bytes of %x: %s %s %v", n, len(r.Value), r.Key, key, value, err)
			}
		}
	}
}
