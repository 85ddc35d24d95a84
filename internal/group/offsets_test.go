package group

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/brokerd/brokerd/internal/record"
	"github.com/brokerd/brokerd/internal/step"
	"github.com/brokerd/brokerd/test/captured"
)

func (b *bed) wantOffset(topic string, p int32, at int64) {
	b.Helper()
	if got, code := b.fetch(topic, p, false); got != at || code != 0 {
		b.Fatalf("%s-%d: offset %d, error %d, want %d", topic, p, got, code, at)
	}
}

func TestSimpleCommits(t *testing.T) {
	b := newBed(t)
	tool := b.client()
	b.wantOffset("t", 0, -1)
	want(t, "commit", tool.commit("t", 0, 5), 0)
	want(t, "commit", tool.commit("t", 0, 3), 0) // a reset
	b.wantOffset("t", 0, 3)
	b.wantState("Empty", 0)
	want(t, "kind", b.describe().ProtocolType, "")
	want(t, "no such topic", tool.commit("nope", 0, 5), codeUnknownTopic)
	want(t, "no such partition", tool.commit("t", 4, 5), codeUnknownTopic)

	b.form(b.client("t"))
	want(t, "beside members", tool.commit("t", 0, 9), codeUnknownMember)
	b.reload()
	b.wantOffset("t", 0, 3)
}

func TestCommitIsChecked(t *testing.T) {
	b := newBed(t)
	a := b.client("t")
	b.form(a)
	for _, c := range []struct {
		name   string
		change func(*kmsg.OffsetCommitRequest)
		code   int16
	}{
		{"member", func(r *kmsg.OffsetCommitRequest) {}, 0},
		{"generation", func(r *kmsg.OffsetCommitRequest) { r.Generation = 7 }, codeIllegalGeneration},
		{"unknown member", func(r *kmsg.OffsetCommitRequest) { r.MemberID = "x" }, codeUnknownMember},
		{"unknown instance", func(r *kmsg.OffsetCommitRequest) { r.InstanceID = kmsg.StringPtr("i") }, codeUnknownMember},
		{"no group, old", func(r *kmsg.OffsetCommitRequest) { r.Version, r.Group = 8, "h" }, codeIllegalGeneration},
		{"no group", func(r *kmsg.OffsetCommitRequest) { r.Group = "h" }, codeGroupNotFound},
		{"metadata", func(r *kmsg.OffsetCommitRequest) {
			r.Topics[0].Partitions[0].Metadata = kmsg.StringPtr(strings.Repeat("x", 4097))
		}, codeMetadataTooLarge},
		{"metadata of many bytes", func(r *kmsg.OffsetCommitRequest) {
			r.Topics[0].Partitions[0].Metadata = kmsg.StringPtr(strings.Repeat("ü", 4096))
		}, 0},
		{"metadata of pairs", func(r *kmsg.OffsetCommitRequest) {
			r.Topics[0].Partitions[0].Metadata = kmsg.StringPtr(strings.Repeat("\U0001F680", 2049))
		}, codeMetadataTooLarge},
		{"topic id", func(r *kmsg.OffsetCommitRequest) {
			r.Version, r.Topics[0].Topic, r.Topics[0].TopicID = 10, "", b.topics["t"]
		}, 0},
		{"unknown topic id", func(r *kmsg.OffsetCommitRequest) { r.Version, r.Topics[0].TopicID = 10, [16]byte{9} }, codeUnknownTopicID},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := kmsg.NewPtrOffsetCommitRequest()
			r.Version, r.Group, r.MemberID, r.Generation = 9, "g", a.id, a.gen
			rt, rp := kmsg.NewOffsetCommitRequestTopic(), kmsg.NewOffsetCommitRequestTopicPartition()
			rt.Topic, rp.Offset = "t", 5
			rt.Partitions = append(rt.Partitions, rp)
			r.Topics = append(r.Topics, rt)
			c.change(r)
			resp := b.answers[b.send(OffsetCommit{r})].(*kmsg.OffsetCommitResponse)
			want(t, "error", resp.Topics[0].Partitions[0].ErrorCode, c.code)
			if b.m.groups["h"] != nil {
				t.Fatal("a refused commit made a group")
			}
		})
	}
}

func TestCommitKeepsTheSession(t *testing.T) {
	b := newBed(t)
	a := b.client("t")
	b.form(a)
	for at := range int64(5) {
		b.advance(8 * time.Second)
		want(t, "commit", a.commit("t", 1, at), 0)
	}
}

func TestFetchForms(t *testing.T) {
	b := newBed(t)
	tool := b.client()
	tool.commit("u", 1, 7)
	tool.commit("t", 3, 4)
	tool.commit("t", 0, 2)
	e := OffsetFetch{Version: 10}
	e.Group.Group = "g"
	all := b.answers[b.send(e)].(*kmsg.OffsetFetchResponseGroup)
	want(t, "topics", len(all.Topics), 2)
	want(t, "first", all.Topics[0].Topic, "t")
	want(t, "its id", step.TopicID(all.Topics[0].TopicID), b.topics["t"])
	want(t, "metadata", *all.Topics[0].Partitions[1].Metadata, "note")
	want(t, "offset", all.Topics[0].Partitions[1].Offset, 4)

	byID := kmsg.NewOffsetFetchRequestGroupTopic()
	byID.TopicID, byID.Partitions = b.topics["u"], []int32{1, 2}
	unknown := kmsg.NewOffsetFetchRequestGroupTopic()
	unknown.TopicID, unknown.Partitions = [16]byte{9}, []int32{0}
	e.Group.Topics = []kmsg.OffsetFetchRequestGroupTopic{byID, unknown}
	some := b.answers[b.send(e)].(*kmsg.OffsetFetchResponseGroup)
	want(t, "by id", some.Topics[0].Partitions[0].Offset, 7)
	want(t, "none", some.Topics[0].Partitions[1].Offset, -1)
	want(t, "unknown id", some.Topics[1].Partitions[0].ErrorCode, codeUnknownTopicID)

	e.Group.Group, e.Group.Topics = "h", nil
	none := b.answers[b.send(e)].(*kmsg.OffsetFetchResponseGroup)
	want(t, "unknown group", len(none.Topics), 0)
}

// commitTxn stages an offset of group g.
func (b *bed) commitTxn(producer int64, p int32, at int64) int16 {
	r := kmsg.NewPtrTxnOffsetCommitRequest()
	r.Version, r.Group, r.ProducerID, r.Generation = 3, "g", producer, -1
	rt, rp := kmsg.NewTxnOffsetCommitRequestTopic(), kmsg.NewTxnOffsetCommitRequestTopicPartition()
	rt.Topic, rp.Partition, rp.Offset = "t", p, at
	rt.Partitions = append(rt.Partitions, rp)
	r.Topics = append(r.Topics, rt)
	return b.answers[b.send(TxnOffsetCommit{r})].(*kmsg.TxnOffsetCommitResponse).Topics[0].Partitions[0].ErrorCode
}

func (b *bed) endTxn(producer int64, commit bool) {
	b.append(logged{producer: producer, marker: true, committed: commit})
	b.checkC0()
}

func TestStagedOffsets(t *testing.T) {
	b := newBed(t)
	tool := b.client()
	want(t, "stage", b.commitTxn(1, 0, 10), 0)
	b.wantOffset("t", 0, -1)
	_, code := b.fetch("t", 0, true)
	want(t, "stable", code, codeUnstableOffset) // O3
	b.endTxn(1, true)
	b.wantOffset("t", 0, 10)
	_, code = b.fetch("t", 0, true)
	want(t, "stable", code, 0)

	b.commitTxn(2, 0, 20)
	b.endTxn(2, false)
	b.wantOffset("t", 0, 10)

	// O1: of a plain commit and a staged one the later record counts.
	b.commitTxn(3, 0, 30)
	tool.commit("t", 0, 40)
	b.endTxn(3, true)
	b.wantOffset("t", 0, 40)
	tool.commit("t", 0, 41)
	b.commitTxn(4, 0, 50)
	b.reload()
	b.endTxn(4, true)
	b.wantOffset("t", 0, 50)

	// A group that is deleted takes what is staged along.
	b.commitTxn(5, 1, 60)
	want(t, "delete", b.answers[b.send(DeleteGroup{"g"})].(*kmsg.DeleteGroupsResponseGroup).ErrorCode, 0)
	b.endTxn(5, true)
	b.wantOffset("t", 1, -1)
	if len(b.m.groups) != 0 || len(b.m.open) != 0 {
		t.Fatalf("left: %v %v", b.m.groups, b.m.open)
	}
}

func TestTxnCommitIsChecked(t *testing.T) {
	b := newBed(t)
	a := b.client("t")
	b.form(a)
	for _, c := range []struct {
		name   string
		change func(*kmsg.TxnOffsetCommitRequest)
		code   int16
	}{
		{"old client", func(r *kmsg.TxnOffsetCommitRequest) { r.MemberID, r.Generation = "", -1 }, 0},
		{"member", func(r *kmsg.TxnOffsetCommitRequest) {}, 0},
		{"generation", func(r *kmsg.TxnOffsetCommitRequest) { r.Generation = 9 }, codeIllegalGeneration},
		{"unknown member", func(r *kmsg.TxnOffsetCommitRequest) { r.MemberID = "x" }, codeUnknownMember},
		{"no group", func(r *kmsg.TxnOffsetCommitRequest) { r.Group = "h" }, codeIllegalGeneration},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := kmsg.NewPtrTxnOffsetCommitRequest()
			r.Version, r.Group, r.MemberID, r.Generation, r.ProducerID = 3, "g", a.id, a.gen, 1
			rt, rp := kmsg.NewTxnOffsetCommitRequestTopic(), kmsg.NewTxnOffsetCommitRequestTopicPartition()
			rt.Topic, rt.Partitions = "t", append(rt.Partitions, rp)
			r.Topics = append(r.Topics, rt)
			c.change(r)
			resp := b.answers[b.send(TxnOffsetCommit{r})].(*kmsg.TxnOffsetCommitResponse)
			want(t, "error", resp.Topics[0].Partitions[0].ErrorCode, c.code)
		})
	}
}

func TestOffsetDelete(t *testing.T) {
	b := newBed(t)
	at := int32(0)
	del := func(topic string) (int16, int16) {
		r := kmsg.NewPtrOffsetDeleteRequest()
		rt, rp := kmsg.NewOffsetDeleteRequestTopic(), kmsg.NewOffsetDeleteRequestTopicPartition()
		r.Group, rt.Topic, rp.Partition = "g", topic, at
		rt.Partitions = append(rt.Partitions, rp)
		r.Topics = append(r.Topics, rt)
		resp := b.answers[b.send(OffsetDelete{r})].(*kmsg.OffsetDeleteResponse)
		if resp.ErrorCode != 0 {
			return resp.ErrorCode, 0
		}
		return 0, resp.Topics[0].Partitions[0].ErrorCode
	}
	code, _ := del("t")
	want(t, "no group", code, codeGroupNotFound)
	tool := b.client()
	tool.commit("t", 0, 1)
	tool.commit("u", 0, 1)
	b.form(b.client("t"))
	_, code = del("t")
	want(t, "subscribed", code, codeSubscribed)
	_, code = del("nope")
	want(t, "unknown topic", code, codeUnknownTopic)
	_, code = del("u")
	want(t, "free", code, 0)
	b.wantOffset("u", 0, -1)
	b.wantOffset("t", 0, 1)
	at = 99
	_, code = del("t")
	want(t, "unknown partition", code, codeUnknownTopic)
}

func TestExpiry(t *testing.T) {
	b := newBed(t)
	a, tool := b.client("t"), b.client()
	tool.commit("u", 0, 1)
	tool.commit("t", 0, 2)
	b.form(a)
	b.cfg.Retention, b.m.cfg.Retention = time.Hour, time.Hour
	for range 660 { // 66 minutes
		b.advance(6 * time.Second)
		a.beat()
	}
	b.wantOffset("u", 0, -1) // nobody reads it
	b.wantOffset("t", 0, 2)  // O2: a member does
	a.leave()
	b.advance(59 * time.Minute)
	b.wantOffset("t", 0, 2) // from when the group became empty
	b.commitTxn(1, 0, 3)
	b.advance(30 * time.Minute)
	b.wantOffset("t", 0, 2) // staged
	b.endTxn(1, false)
	b.advance(20 * time.Minute)
	b.wantOffset("t", 0, -1)
	want(t, "group", b.describe().ErrorCode, codeGroupNotFound)
	if len(b.m.groups) != 0 {
		t.Fatal("the group is still there")
	}
}

// The date is set forward by a year. Nothing is older for it while it is not believed;
// and what is committed meanwhile is no year old when it is.
func TestExpiryAfterAJump(t *testing.T) {
	b := newBed(t)
	b.client().commit("u", 0, 4)
	b.jumped, b.doubted = 365*24*time.Hour, 365*24*time.Hour
	b.client().commit("t", 0, 5)
	b.advance(time.Hour)
	b.wantOffset("u", 0, 4)
	b.doubted = 0
	b.advance(time.Hour)
	b.wantOffset("u", 0, -1)
	b.wantOffset("t", 0, 5)
}

func TestRetentionOfTheRequest(t *testing.T) {
	b := newBed(t)
	r := kmsg.NewPtrOffsetCommitRequest()
	r.Version, r.Group, r.Generation, r.RetentionTimeMillis = 2, "g", -1, 1000
	rt, rp := kmsg.NewOffsetCommitRequestTopic(), kmsg.NewOffsetCommitRequestTopicPartition()
	rt.Topic, rp.Offset, rt.Partitions = "t", 5, append(rt.Partitions, rp)
	rt.Partitions[0].Offset = 5
	r.Topics = append(r.Topics, rt)
	b.send(OffsetCommit{r})
	b.wantOffset("t", 0, 5)
	b.advance(11 * time.Minute)
	b.wantOffset("t", 0, -1)
}

func TestTopicMadeAnew(t *testing.T) {
	b := newBed(t)
	b.client().commit("t", 0, 5)
	b.topics["t"] = step.TopicID{7}
	b.wantOffset("t", 0, -1) // O5, at once
	b.client().commit("t", 1, 6)
	b.send(TopicsDeleted{})
	b.advance(time.Second)
	want(t, "offsets kept", len(b.m.groups["g"].offsets), 1)
	b.wantOffset("t", 1, 6)
	delete(b.topics, "t")
	b.send(TopicsDeleted{})
	b.advance(time.Second)
	if len(b.m.groups) != 0 {
		t.Fatal("offsets of a deleted topic are kept")
	}
}

func TestSweepIsCut(t *testing.T) {
	b := newBed(t)
	for p := range int32(3000) {
		o := offset{at: 1, expireMs: -1}
		b.append(logged{r: offsetRecord("g", partition{"gone", p}, o), producer: -1})
	}
	b.append(logged{r: offsetRecord("h", partition{"gone", 0}, offset{at: 1, expireMs: -1}), producer: -1})
	b.send(TopicsDeleted{})
	want(t, "first step", len(b.m.groups["g"].offsets), 2000)
	b.advance(time.Second)
	want(t, "groups", len(b.m.groups), 0)
}

func TestListAndDelete(t *testing.T) {
	b := newBed(t)
	b.form(b.client("t"))
	r := kmsg.NewPtrOffsetCommitRequest()
	r.Version, r.Group, r.Generation = 9, "a", -1
	rt := kmsg.NewOffsetCommitRequestTopic()
	rt.Topic, rt.Partitions = "t", append(rt.Partitions, kmsg.NewOffsetCommitRequestTopicPartition())
	r.Topics = append(r.Topics, rt)
	b.send(OffsetCommit{r})
	for _, c := range []struct {
		states, types []string
		want          string
	}{
		{nil, nil, "a g"}, {[]string{" stable"}, nil, "g"}, {[]string{"Empty"}, []string{"Classic"}, "a"},
		{nil, []string{"consumer"}, ""}, {[]string{"odd"}, nil, ""},
	} {
		l := kmsg.NewPtrListGroupsRequest()
		l.Version, l.StatesFilter, l.TypesFilter = 5, c.states, c.types
		var names []string
		for _, g := range b.answers[b.send(ListGroups{l})].(*kmsg.ListGroupsResponse).Groups {
			names = append(names, g.Group)
		}
		want(t, "groups", strings.Join(names, " "), c.want)
	}
	for id, code := range map[string]int16{"": codeGroupNotFound, "x": codeGroupNotFound, "g": codeNonEmptyGroup, "a": 0} {
		want(t, "delete "+id, b.answers[b.send(DeleteGroup{id})].(*kmsg.DeleteGroupsResponseGroup).ErrorCode, code)
	}
	want(t, "groups", len(b.m.groups), 1)
}

// What Kafka 4.4.0 wrote for a consumer of franz-go and its commit.
func TestKafkasRecords(t *testing.T) {
	for _, c := range []struct{ key, value string }{
		{"\x00\x02\x00\x02g1", "\x00\x03\x00\x00\x00\x00\x00\x00\xff\xff\xff\xff\x00\x00\x01\xa2\x12\xef\xcc\x1d\x00\x00\x00\x00"},
		{"\x00\x02\x00\x02g1", "\x00\x03\x00\bconsumer\x00\x00\x00\x01\x00\x05range\x00\x04cid1\x00\x00\x01\xa2\x12\xef\xcc9\x00\x00\x00\x01\x00\x04cid1\xff\xff\x00\x03cid\x00\n/127.0.0.1\x00\x00\xea`\x00\x00\xaf\xc8\x00\x00\x00\x02ab\x00\x00\x00\x01c"},
		{"\x00\x01\x00\x02g1\x00\x01t\x00\x00\x00\x01", "\x00\x04\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x02m\x00\x00\x01\xa2\x12\xef\xcf>\x01\x00\x10\x15\xe2\x19{\xc0\x84A=\xa5A\x18\xe7U@\xc2\x18"},
	} {
		m := New(DefaultConfig())
		e, err := parse(record.Record{Key: []byte(c.key), Value: []byte(c.value)})
		if err == nil {
			err = m.Replay(0, record.Record{Key: []byte(c.key), Value: []byte(c.value)})
		}
		if err != nil {
			t.Fatal(err)
		}
		again := record.Record{}
		if e.key == keyGroup {
			var out step.Effects
			m.Loaded(1, &out)
			again = groupRecord("g1", m.groups["g1"].classic.value(), 0)
		} else {
			again = offsetRecord("g1", e.partition, e.offset)
		}
		want(t, "key", string(again.Key), c.key)
		want(t, "value", string(again.Value), c.value)
	}
}

func TestUnknownKeysAreSkipped(t *testing.T) {
	m := New(DefaultConfig())
	for _, key := range []string{"\x00\x09\x00\x01g", "\x00\x63", "\xff\xff"} {
		if err := m.Replay(0, record.Record{Key: []byte(key), Value: []byte("x")}); err != nil {
			t.Errorf("key %x: %v", key, err)
		}
	}
	if len(m.groups) != 0 {
		t.Fatal("an unknown key made a group")
	}
	for _, r := range []record.Record{{}, {Key: []byte{0}}, {Key: []byte{0, 1, 0, 9}}, {Key: groupKey("g"), Value: []byte{0, 9}}, {Key: offsetKey("g", partition{"t", 0}), Value: []byte{}}} {
		if m.Replay(0, r) == nil {
			t.Errorf("record %x=%x was taken", r.Key, r.Value)
		}
	}
}

func FuzzRecord(f *testing.F) {
	f.Add(groupKey("g"), groupRecord("g", &kmsg.GroupMetadataValue{Members: []kmsg.GroupMetadataValueMember{{MemberID: "m"}}}, 0).Value)
	f.Add(offsetKey("g", partition{"t", 1}), offsetRecord("g", partition{"t", 1}, offset{at: 7, expireMs: -1, topicID: step.TopicID{1}}).Value)
	f.Add(offsetKey("g", partition{"t", 1}), offsetRecord("g", partition{"t", 1}, offset{at: 7, expireMs: 5}).Value)
	f.Add(groupKey("g"), []byte(nil))
	seeds := []record.Record{groupRecord("g", &kmsg.GroupMetadataValue{Members: []kmsg.GroupMetadataValueMember{{MemberID: "m"}}}, 0),
		offsetRecord("g", partition{"t", 1}, offset{at: 7, expireMs: -1, topicID: step.TopicID{1}})}
	for _, fact := range facts() {
		seeds = append(seeds, fact.record(0))
	}
	for _, r := range seeds {
		f.Add(r.Key, r.Value)
		for _, p := range captured.Spoiled(r.Key) {
			f.Add(p, r.Value)
		}
		for _, p := range captured.Spoiled(r.Value) {
			f.Add(r.Key, p)
		}
	}
	f.Fuzz(func(t *testing.T, key, value []byte) {
		m := New(DefaultConfig())
		r := record.Record{Key: key, Value: value}
		if k, v, err := Dump(r); err == nil && v != nil && (!json.Valid(k) || !json.Valid(v) && r.Value != nil) {
			t.Fatalf("printed as %s %s", k, v)
		}
		if m.Replay(3, r) != nil {
			return
		}
		var out step.Effects
		m.Loaded(1, &out) // what was replayed can be restored
		e, _ := parse(r)
		if isConsumerKey(e.key) && e.key != keyConsumerTopics {
			again, err := parse(e.fact.record(0))
			if err != nil || !reflect.DeepEqual(again.fact, e.fact) {
				t.Fatalf("%+v became %+v: %v", e.fact, again.fact, err)
			}
		}
		if e.key <= keyOffset && e.key >= 0 && !e.tombstone {
			e.offset.written = 0
			again, err := parse(offsetRecord(e.group, e.partition, e.offset))
			if e.offset.expireMs >= 0 { // version 1 has neither
				again.offset.epoch, again.offset.topicID = e.offset.epoch, e.offset.topicID
			}
			if err != nil || again.offset != e.offset || again.partition != e.partition {
				t.Fatalf("%+v became %+v: %v", e, again, err)
			}
		}
	})
}
