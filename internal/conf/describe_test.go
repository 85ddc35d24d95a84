package conf

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func broker(t *testing.T, kv ...string) *Broker {
	t.Helper()
	src := Sources{Root: func() bool { return true }}
	src.Overrides = kv
	b, report := Load(src)
	if err := report.Err(); err != nil {
		t.Fatal(err)
	}
	return b
}

func topicEntry(t *testing.T, all []Described, name string) Described {
	t.Helper()
	for _, d := range all {
		if d.Name == name {
			return d
		}
	}
	t.Fatalf("%s is not described", name)
	return Described{}
}

// The dump that a tutorial prints from Kafka 3.0: 26 keys of a topic with one
// replica, all of them defaults.
func TestArticleDump(t *testing.T) {
	want := map[string]string{
		"compression.type": "producer", "leader.replication.throttled.replicas": "", "message.downconversion.enable": "true",
		"min.insync.replicas": "1", "segment.jitter.ms": "0", "cleanup.policy": "delete", "flush.ms": "9223372036854775807",
		"follower.replication.throttled.replicas": "", "segment.bytes": "1073741824", "retention.ms": "604800000",
		"flush.messages": "9223372036854775807", "message.format.version": "3.0-IV1", "file.delete.delay.ms": "60000",
		"max.compaction.lag.ms": "9223372036854775807", "max.message.bytes": "1048588", "min.compaction.lag.ms": "0",
		"message.timestamp.type": "CreateTime", "preallocate": "false", "min.cleanable.dirty.ratio": "0.5",
		"index.interval.bytes": "4096", "unclean.leader.election.enable": "false", "retention.bytes": "-1",
		"delete.retention.ms": "86400000", "segment.ms": "604800000", "message.timestamp.difference.max.ms": "9223372036854775807",
		"segment.index.bytes": "10485760",
	}
	all := broker(t, "log.retention.hours=168").DescribeTopic(Dynamic{}, nil, 1)
	for name, value := range want {
		d := topicEntry(t, all, name)
		if d.Value != value || d.IsNull || d.Source != Default || d.ReadOnly || d.Sensitive {
			t.Errorf("%s: %+v, want %q", name, d, value)
		}
	}
	for i := 1; i < len(all); i++ {
		if all[i-1].Name >= all[i].Name {
			t.Errorf("%s before %s", all[i-1].Name, all[i].Name)
		}
	}
}

func TestTopicDefaults(t *testing.T) {
	got, err := broker(t).Topic(Dynamic{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := Topic{
		CleanupDelete: true, CompressionType: "producer", GzipLevel: -1, LZ4Level: 9, ZstdLevel: 3,
		DeleteRetention: 24 * time.Hour, FileDeleteDelay: time.Minute, FlushMessages: 1<<63 - 1, IndexIntervalBytes: 4096,
		MaxMessageBytes: 1048588, MaxDecompressedBytes: 2147483639, TimestampBeforeMax: 1<<63 - 1, TimestampAfterMax: time.Hour,
		RetentionBytes: -1, Retention: 7 * 24 * time.Hour, SegmentBytes: 1 << 30, SegmentAge: 7 * 24 * time.Hour,
		SegmentIndexBytes: 10 << 20, MaxCompactionLag: 1<<63 - 1, MinCleanableRatio: 0.5,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// One key through all layers, weakest first: each one wins over those before.
func TestTopicLayers(t *testing.T) {
	const day = 24 * time.Hour
	b := broker(t, "log.retention.hours=48", "log.flush.interval.messages=1", "durability=isr")
	check := func(name string, d Dynamic, overrides map[string]string, want time.Duration) {
		t.Helper()
		if got, err := b.Topic(d, overrides); err != nil || got.Retention != want {
			t.Errorf("%s: %v, error %v, want %v", name, got.Retention, err, want)
		}
	}
	cluster := map[string]string{"log.retention.ms": "1000"}
	node := map[string]string{"log.retention.ms": "2000"}
	check("file", Dynamic{}, nil, 2*day)
	check("cluster", Dynamic{Cluster: cluster}, nil, time.Second)
	check("broker", Dynamic{Cluster: cluster, PerBroker: node}, nil, 2*time.Second)
	check("topic", Dynamic{Cluster: cluster, PerBroker: node}, map[string]string{"retention.ms": " 3000 "}, 3*time.Second)
	check("for ever", Dynamic{}, map[string]string{"retention.ms": "-1"}, -1)
	b = broker(t, "log.retention.hours=-5")
	check("hours below zero", Dynamic{}, nil, -1)
	b = broker(t, "log.retention.hours=1", "log.retention.minutes=1")
	check("minutes before hours", Dynamic{}, nil, time.Minute)
}

func TestTopicSettings(t *testing.T) {
	for _, c := range []struct {
		name      string
		file      string
		overrides map[string]string
		ok        func(Topic) bool
	}{
		{"isr", "durability=isr", nil, func(t Topic) bool { return t.DurabilityISR }},
		{"flush.messages=1 means fsync", "durability=isr", map[string]string{"flush.messages": "1"}, func(t Topic) bool { return !t.DurabilityISR && t.FlushMessages == 1 }},
		{"the topic's durability wins", "durability=isr", map[string]string{"durability": "fsync"}, func(t Topic) bool { return !t.DurabilityISR }},
		{"scheduler interval as default", "log.flush.scheduler.interval.ms=5", nil, func(t Topic) bool { return t.FlushInterval == 5*time.Millisecond }},
		{"flush.ms of nothing", "", map[string]string{"flush.ms": "0"}, func(t Topic) bool { return t.FlushInterval == time.Millisecond }},
		{"no policy", "", map[string]string{"cleanup.policy": ""}, func(t Topic) bool { return !t.CleanupDelete && !t.CleanupCompact }},
		{"both policies", "log.cleanup.policy=compact,delete", nil, func(t Topic) bool { return t.CleanupDelete && t.CleanupCompact }},
		{"min.insync set", "", map[string]string{"min.insync.replicas": "3"}, func(t Topic) bool { return t.MinInsyncReplicas == 3 }},
		{"min.insync of a file", "min.insync.replicas=2", nil, func(t Topic) bool { return t.MinInsyncReplicas == 2 }},
		{"small segments for tests", "", map[string]string{"internal.segment.bytes": "500"}, func(t Topic) bool { return t.SegmentBytes == 500 }},
		{"older timestamp limit", "", map[string]string{"message.timestamp.difference.max.ms": "7"}, func(t Topic) bool {
			return t.TimestampBeforeMax == 7*time.Millisecond && t.TimestampAfterMax == 7*time.Millisecond
		}},
		{"newer timestamp limit wins", "log.message.timestamp.difference.max.ms=7", map[string]string{"message.timestamp.after.max.ms": "9"}, func(t Topic) bool {
			return t.TimestampBeforeMax == 7*time.Millisecond && t.TimestampAfterMax == 9*time.Millisecond
		}},
		{"hours overflow", "log.roll.hours=2147483647", nil, func(t Topic) bool { return t.SegmentAge == 1<<63-1 }},
		{"full validation", "record.validation=full", nil, func(t Topic) bool { return t.FullValidation }},
		{"append time", "", map[string]string{"message.timestamp.type": "LogAppendTime"}, func(t Topic) bool { return t.LogAppendTime }},
	} {
		t.Run(c.name, func(t *testing.T) {
			var kv []string
			if c.file != "" {
				kv = append(kv, c.file)
			}
			got, err := broker(t, kv...).Topic(Dynamic{}, c.overrides)
			if err != nil || !c.ok(got) {
				t.Errorf("%+v, error %v", got, err)
			}
		})
	}
}

// A setting that cannot be read, from an older version say, counts as not set
// and is reported; the rest holds. By an age that cannot be read nothing is deleted.
func TestTopicWithBadSetting(t *testing.T) {
	got, err := broker(t).Topic(Dynamic{}, map[string]string{"retention.ms": "soon", "segment.bytes": "5000000"})
	if err == nil || !strings.Contains(err.Error(), "retention.ms") {
		t.Errorf("error %v", err)
	}
	if got.Retention != -1 || got.SegmentBytes != 5000000 {
		t.Errorf("%+v", got)
	}
}

func TestDescribeTopicSynonyms(t *testing.T) {
	b := broker(t, "log.retention.ms=5", "log.retention.hours=1", "log.segment.bytes=2097152")
	d := Dynamic{PerBroker: map[string]string{"log.retention.ms": "6"}, Cluster: map[string]string{"log.retention.ms": "7"}}
	all := b.DescribeTopic(d, map[string]string{"retention.ms": "8"}, 3)
	got := topicEntry(t, all, "retention.ms")
	want := []Synonym{
		{Name: "retention.ms", Value: "8", Source: DynamicTopic},
		{Name: "log.retention.ms", Value: "6", Source: DynamicBroker},
		{Name: "log.retention.ms", Value: "7", Source: DynamicDefaultBroker},
		{Name: "log.retention.ms", Value: "5", Source: StaticBroker},
		{Name: "log.retention.hours", Value: "1", Source: StaticBroker},
		{Name: "log.retention.hours", Value: "168", Source: Default},
	}
	if diff := cmp.Diff(want, got.Synonyms); diff != "" || got.Value != "8" || got.Source != DynamicTopic {
		t.Errorf("%+v\n%s", got, diff)
	}
	if got := topicEntry(t, all, "segment.bytes"); got.Value != "2097152" || got.Source != StaticBroker || got.Type != int8(Int) || got.Documentation == "" {
		t.Errorf("%+v", got)
	}
	if got := topicEntry(t, all, "min.insync.replicas"); got.Value != "2" {
		t.Errorf("min.insync.replicas of three replicas: %+v", got)
	}
}

func TestDescribeBroker(t *testing.T) {
	b := broker(t, "num.partitions=3", "ssl.keystore.password=hunter2", "confluent.x=1", "log.retention.hours=24", "listener.name.plaintext.max.connections=5")
	d := Dynamic{PerBroker: map[string]string{"message.max.bytes": "9"}, Cluster: map[string]string{"message.max.bytes": "8", "log.retention.ms": "7"}}
	all := b.DescribeBroker(d)
	for name, want := range map[string]struct {
		value    string
		source   Source
		readOnly bool
		null     bool
	}{
		"num.partitions":                          {"3", StaticBroker, true, false},
		"message.max.bytes":                       {"9", DynamicBroker, false, false},
		"log.retention.ms":                        {"7", DynamicDefaultBroker, false, false},
		"log.retention.hours":                     {"24", StaticBroker, true, false},
		"log.retention.minutes":                   {"", Default, true, true},
		"ssl.keystore.password":                   {"", StaticBroker, false, true},
		"confluent.x":                             {"", StaticBroker, true, true},
		"listener.name.plaintext.max.connections": {"5", StaticBroker, false, false},
		"node.id":                                 {"1", Default, true, false},
		"log.dirs":                                {"/var/lib/brokerd", Default, true, false},
		"listeners":                               {"PLAINTEXT://127.0.0.1:9092,PLAINTEXT://[::1]:9092,CONTROLLER://127.0.0.1:9093,CONTROLLER://[::1]:9093", Default, true, false},
		"durability":                              {"fsync", Default, false, false},
		"advertised.listeners":                    {"PLAINTEXT://localhost:9092", Default, true, false},
	} {
		got := topicEntry(t, all, name)
		if got.Value != want.value || got.Source != want.source || got.ReadOnly != want.readOnly || got.IsNull != want.null {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
	for _, e := range all {
		for _, s := range e.Synonyms {
			if strings.Contains(s.Value, "hunter2") {
				t.Errorf("%s shows a secret", e.Name)
			}
		}
		if k, ok := BrokerKey(e.Name); ok && (k.Hidden || k.Legacy) {
			t.Errorf("%s is described", e.Name)
		}
	}
	cluster := b.DescribeCluster(d)
	if len(cluster) != 2 || cluster[1].Name != "message.max.bytes" || cluster[1].Value != "8" || len(cluster[1].Synonyms) != 1 {
		t.Errorf("cluster: %+v", cluster)
	}
}

func TestCheckTopic(t *testing.T) {
	for _, c := range []struct{ name, value, want string }{
		{"retention.ms", "86400000", ""},
		{"retention.ms", "-2", "Invalid value -2 for configuration retention.ms: Value must be at least -1"},
		{"retention.m", "1", "Unknown topic config name: retention.m (did you mean retention.ms?)"},
		{"no.such.thing", "1", "Unknown topic config name: no.such.thing"},
		{"remote.storage.enable", "false", ""},
		{"remote.storage.enable", "true", "remote.storage.enable=true is refused: " + noTiering},
		{"durability", "maybe", "Invalid value maybe for configuration durability: String must be one of: fsync, isr"},
		{"message.format.version", "2.8", ""},
	} {
		got := ""
		if err := CheckTopic(c.name, c.value); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s=%s: %q, want %q", c.name, c.value, got, c.want)
		}
	}
	err := broker(t).CheckTopicSet(Dynamic{}, map[string]string{"min.compaction.lag.ms": "5", "max.compaction.lag.ms": "4"})
	if err == nil || err.Error() != "conflict topic config setting min.compaction.lag.ms (5) > max.compaction.lag.ms (4)" {
		t.Errorf("error %v", err)
	}
	if err := broker(t).CheckTopicSet(Dynamic{}, map[string]string{"retention.ms": "x"}); err == nil {
		t.Error("a bad value passed")
	}
}

func TestCheckBrokerDynamic(t *testing.T) {
	for _, c := range []struct {
		name, value string
		cluster     bool
		want        string
	}{
		{"log.retention.ms", "5", true, ""},
		{"log.retention.ms", "5", false, ""},
		{"log.retention.ms", "x", false, "Invalid value x for configuration log.retention.ms: Not a number of type LONG"},
		{"num.partitions", "5", false, "Cannot update these configs dynamically: [num.partitions]"},
		{"listeners", "x", false, "Cannot update these configs dynamically: [listeners]"},
		{"cordoned.log.dirs", "/a", true, "Cannot update these configs at default cluster level, broker id must be specified: [cordoned.log.dirs]"},
		{"max.connections.per.ip.overrides", "abc", false, "Error parsing configuration property 'max.connections.per.ip.overrides': \"abc\" is not address:number"},
		{"log.roll.ms", "0", true, "requirement failed: log.roll.ms must be greater than or equal to 1"},
		{"log.retention.ms", "0", true, "requirement failed: log.retention.ms must be unlimited (-1) or, greater than or equal to 1"},
		{"log.retention.ms", "-2", true, ""},
		{"listener.name.a.max.connections", "5", true, ""},
		{"listener.name.a.ssl.keystore.location", "/x", false, ""},
		{"listener.name.a.ssl.keystore.location", "/x", true, "Cannot update these configs at default cluster level, broker id must be specified: [listener.name.a.ssl.keystore.location]"},
		{"ssl.keystore.location", "/x", false, "These security configs can be dynamically updated only per-listener using the listener prefix: [ssl.keystore.location]"},
		{"log.retention.mss", "5", false, "Unknown broker config name: log.retention.mss (did you mean log.retention.ms?)"},
		{"listener.name.a.ssl.key.password", "${file:/etc/shadow:x}", false, "listener.name.a.ssl.key.password: references to the environment or to files are allowed only in the broker's own files"},
		{"leader.replication.throttled.rate", "100", false, ""},
		{"principal.builder.class", "x.Y", false, "principal.builder.class=x.Y is refused: class x.Y cannot be loaded here, so what it decides would not be enforced"},
	} {
		got := ""
		if err := CheckBrokerDynamic(c.name, c.value, c.cluster); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s=%s: %q, want %q", c.name, c.value, got, c.want)
		}
	}
}

func TestIsList(t *testing.T) {
	for name, want := range map[string]bool{"cleanup.policy": true, "retention.ms": false, "log.cleanup.policy": true, "none": false, "listener.name.a.ssl.cipher.suites": true} {
		if IsList(name) != want {
			t.Errorf("%s: %v", name, !want)
		}
	}
}

func TestExplain(t *testing.T) {
	all, _ := Explain("retention.ms")
	if len(all) != 1 || !all[0].Topic || cmp.Diff(all[0].From, []string{"log.retention.ms", "log.retention.minutes", "log.retention.hours"}) != "" {
		t.Errorf("%+v", all)
	}
	all, _ = Explain("compression.type")
	if len(all) != 2 || all[1].Scope != "cluster-wide" || cmp.Diff(all[1].For, []string{"compression.type"}) != "" {
		t.Errorf("%+v", all)
	}
	if all, nearest := Explain("Retentoin.ms"); len(all) != 0 || nearest != "retention.ms" {
		t.Errorf("%+v %s", all, nearest)
	}
}

func TestEditDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"a", "", 1}, {"ab", "ba", 1}, {"kitten", "sitting", 3}, {"abc", "abc", 0}, {"abcdef", "a", 3}, {"log.dris", "log.dirs", 1}} {
		if got := editDistance(c.a, c.b, 3); got != c.want {
			t.Errorf("%q %q: %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

func TestNew(t *testing.T) {
	b, err := New(map[string]string{"num.partitions": "4", "log.dirs": "/x"})
	if err != nil || b.NumPartitions != 4 || b.LogDirs[0] != "/x" {
		t.Errorf("%+v, error %v", b, err)
	}
	_, err = New(map[string]string{"num.partitions": "0", "nonsense": "1"})
	if err == nil || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("error %v", err)
	}
}
