package conf

import (
	"math"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
)

// What a broker key takes, at start or while the broker runs, every topic key
// that it stands for takes too: else a start succeeds and each creation of a
// topic fails.
func TestBrokerValuesAreTopicValues(t *testing.T) {
	for _, topic := range TopicKeys() {
		for _, link := range topic.From {
			k, _ := BrokerKey(link.Name)
			for _, n := range []int64{math.MinInt64, -1e6, -8, -7, -2, -1, 0, 1, 2, 5, 17, 18, 1e6, 2e9, math.MaxInt64} {
				raw := strconv.FormatInt(n, 10)
				if k.Check(raw) != nil {
					continue
				}
				v, err := found{link: link, value: raw}.scaled(topic)
				if err == nil && topic.check.fn != nil {
					err = topic.check.fn(topic.Name, v)
				}
				if err != nil {
					t.Errorf("%s=%s is taken, but %s is not: %v", link.Name, raw, topic.Name, err)
				}
			}
		}
	}
}

// One value that cannot be read leaves all others alone.
func TestBadValueStandsAlone(t *testing.T) {
	b := broker(t)
	own := map[string]string{"cleanup.policy": "compact", "retention.bytes": "77", "max.message.bytes": "500"}
	for _, bad := range []string{"retention.ms", "retention.bytes", "cleanup.policy", "delete.retention.ms", "min.compaction.lag.ms"} {
		set := map[string]string{bad: "bad"}
		for k, v := range own {
			if k != bad {
				set[k] = v
			}
		}
		got, err := b.Topic(Dynamic{PerBroker: map[string]string{"log.segment.bytes": "2097152"}}, set)
		if err == nil || got.MaxMessageBytes != 500 || got.SegmentBytes != 2097152 || got.CleanupDelete {
			t.Errorf("%s: %+v, %v", bad, got, err)
		}
		if got.CleanupCompact != (bad != "cleanup.policy") || got.RetentionBytes != 77 && (bad != "retention.bytes" || got.RetentionBytes != -1) {
			t.Errorf("%s: %+v", bad, got)
		}
		switch bad {
		case "retention.ms":
			if got.Retention != -1 {
				t.Errorf("retention %v", got.Retention)
			}
		case "delete.retention.ms":
			if got.DeleteRetention != math.MaxInt64 {
				t.Errorf("tombstones go after %v", got.DeleteRetention)
			}
		case "min.compaction.lag.ms":
			if got.MinCompactionLag != math.MaxInt64 {
				t.Errorf("compaction lag %v", got.MinCompactionLag)
			}
		}
	}
}

// Kafka's brokers take any age below zero for none, topics only -1.
func TestNegativeRetention(t *testing.T) {
	for _, d := range []Dynamic{
		{PerBroker: map[string]string{"log.retention.ms": "-2"}},
		{Cluster: map[string]string{"log.retention.ms": "-9"}},
	} {
		got, err := broker(t, "log.retention.ms=5").Topic(d, map[string]string{"cleanup.policy": ""})
		if err != nil || got.Retention != -1 || got.CleanupDelete {
			t.Errorf("%v: %+v, %v", d, got, err)
		}
	}
	for _, set := range []string{"log.retention.ms=-2", "log.retention.minutes=-2", "log.retention.hours=-2"} {
		if got, err := broker(t, set).Topic(Dynamic{}, nil); err != nil || got.Retention != -1 {
			t.Errorf("%s: %v, %v", set, got.Retention, err)
		}
	}
	if err := CheckTopic("retention.ms", "-2"); err == nil {
		t.Error("a topic takes retention.ms=-2")
	}
	for _, set := range []string{"log.retention.ms=0", "log.retention.hours=0", "log.roll.ms=0", "log.roll.ms=-7", "log.roll.jitter.ms=-1", "log.flush.interval.ms=-1"} {
		if _, report := Load(Sources{Overrides: []string{set}, ReadFile: nil}); report.Err() == nil {
			t.Errorf("a start with %s goes on", set)
		}
	}
	if got, err := broker(t, "log.retention.ms=1").Topic(Dynamic{}, nil); err != nil || got.Retention != time.Millisecond {
		t.Errorf("%v %v", got.Retention, err)
	}
}

// Whatever is said to change while the broker runs is read as it is then: as the
// default of a topic key, by Limits, by Cleaner or by Throttles. What is read at start says so.
func TestDynamicKeysAreRead(t *testing.T) {
	b := broker(t)
	ofTopics := map[string]bool{}
	for _, k := range TopicKeys() {
		for _, link := range k.From {
			ofTopics[link.Name] = true
		}
	}
	other := map[string]string{"max.connections.per.ip.overrides": "10.0.0.1:5"}
	for _, k := range BrokerKeys() {
		if k.Scope == ReadOnly || k.Status != Applied || ofTopics[k.Name] || k.Name == Draining { // that one is the controller's
			continue
		}
		value := other[k.Name]
		if value == "" {
			value = "7"
		}
		d := Dynamic{Cluster: map[string]string{k.Name: value}}
		same := reflect.DeepEqual(b.Limits(d), b.Limits(Dynamic{})) && b.Cleaner(d) == b.Cleaner(Dynamic{}) && b.Throttles(d) == b.Throttles(Dynamic{})
		if same && !strings.Contains(k.Doc, "read when the broker starts") {
			t.Errorf("%s is dynamic, but nobody reads what it is set to", k.Name)
		}
	}
}
