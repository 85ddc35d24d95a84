package conf

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// Dynamic is the dynamic broker settings of the image.
type Dynamic struct {
	PerBroker map[string]string
	Cluster   map[string]string
}

// found is a value with the key and the place it was found in.
type found struct {
	link   Link
	value  string
	secret bool
	source Source
}

// layers are the places that a broker key's value may come from, strongest first.
func (b *Broker) layers(d Dynamic) [3]struct {
	source Source
	get    func(string) (string, bool)
} {
	of := func(m map[string]string) func(string) (string, bool) {
		return func(name string) (string, bool) { v, ok := m[name]; return v, ok }
	}
	type layer = struct {
		source Source
		get    func(string) (string, bool)
	}
	return [3]layer{
		{DynamicBroker, of(d.PerBroker)},
		{DynamicDefaultBroker, of(d.Cluster)},
		{StaticBroker, func(name string) (string, bool) { s, ok := b.values[name]; return s.value, ok }},
	}
}

// search finds every value of the given broker keys: place by place, and in each
// place in the order of the keys. Defaults are not among them.
func (b *Broker) search(d Dynamic, links []Link) []found {
	var out []found
	for _, layer := range b.layers(d) {
		for _, link := range links {
			if v, ok := layer.get(link.Name); ok {
				out = append(out, found{link: link, value: v, source: layer.source, secret: b.values[link.Name].secret})
			}
		}
	}
	return out
}

// scaled turns a broker key's value into the unit of the topic key that it
// stands for; an age below zero means for ever.
func (f found) scaled(k *Key) (value, error) {
	v, err := k.parse(f.value)
	if err != nil || f.link.Unit == 0 {
		return v, err
	}
	if v.num < 0 {
		v.num = -1
	} else {
		v.num = saturate(v.num, f.link.Unit)
	}
	return v, nil
}

func saturate(n, unit int64) int64 {
	if n > math.MaxInt64/unit {
		return math.MaxInt64
	}
	return n * unit
}

// topicValue is what a topic key is worth: the topic's own setting over dynamic
// broker settings over the file over the default. set tells whether anyone set it.
func (b *Broker) topicValue(k *Key, d Dynamic, overrides map[string]string) (v value, set bool, err error) {
	if raw, ok := overrides[k.Name]; ok {
		v, err = k.parse(raw)
		return v, true, err
	}
	if all := b.search(d, k.From); len(all) > 0 {
		v, err = all[0].scaled(k)
		return v, true, err
	}
	return k.standard(), false, nil
}

// resolver reads topic keys one after the other and keeps the first error.
type resolver struct {
	b         *Broker
	d         Dynamic
	overrides map[string]string
	err       error
}

func (r *resolver) lookup(name string) (value, bool) {
	k, _ := TopicKey(name)
	v, set, err := r.b.topicValue(k, r.d, r.overrides)
	if err == nil && set && k.check.fn != nil {
		err = k.check.fn(name, v)
	}
	if err != nil {
		if r.err == nil {
			r.err = err
		}
		return k.unread(), false
	}
	return v, set
}

// unread stands in for a value that cannot be read: the default, but of keys by
// which records are deleted the value that deletes none.
func (k *Key) unread() value {
	v := value{typ: k.Type}
	switch k.Name {
	case "cleanup.policy":
	case "retention.ms", "retention.bytes":
		v.num = -1
	case "delete.retention.ms", "min.compaction.lag.ms":
		v.num = math.MaxInt64
	default:
		return k.standard()
	}
	return v
}

func (r *resolver) num(name string) int64        { v, _ := r.lookup(name); return v.num }
func (r *resolver) text(name string) string      { v, _ := r.lookup(name); return v.str }
func (r *resolver) flag(name string) bool        { v, _ := r.lookup(name); return v.flag }
func (r *resolver) ms(name string) time.Duration { return millis(r.num(name)) }

// Topic resolves a topic's settings: its own over dynamic broker settings over
// the file over the defaults. A value that its key does not take counts as not
// set, or deletes nothing (unread); all others hold, and the error names the
// first that does not.
func (b *Broker) Topic(d Dynamic, overrides map[string]string) (Topic, error) {
	r := &resolver{b: b, d: d, overrides: overrides}
	policy, _ := r.lookup("cleanup.policy")
	ratio, _ := r.lookup("min.cleanable.dirty.ratio")
	t := Topic{
		CleanupDelete:        slices.Contains(policy.list, "delete"),
		CleanupCompact:       slices.Contains(policy.list, "compact"),
		CompressionType:      r.text("compression.type"),
		GzipLevel:            int(r.num("compression.gzip.level")),
		LZ4Level:             int(r.num("compression.lz4.level")),
		ZstdLevel:            int(r.num("compression.zstd.level")),
		DeleteRetention:      r.ms("delete.retention.ms"),
		FileDeleteDelay:      r.ms("file.delete.delay.ms"),
		FlushMessages:        r.num("flush.messages"),
		IndexIntervalBytes:   r.num("index.interval.bytes"),
		MaxMessageBytes:      int32(r.num("max.message.bytes")),
		MaxDecompressedBytes: r.num("max.decompressed.message.bytes"),
		LogAppendTime:        r.text("message.timestamp.type") == "LogAppendTime",
		RetentionBytes:       r.num("retention.bytes"),
		Retention:            r.ms("retention.ms"),
		SegmentBytes:         r.num("segment.bytes"),
		SegmentAge:           r.ms("segment.ms"),
		SegmentJitter:        r.ms("segment.jitter.ms"),
		SegmentIndexBytes:    r.num("segment.index.bytes"),
		MinCompactionLag:     r.ms("min.compaction.lag.ms"),
		MaxCompactionLag:     r.ms("max.compaction.lag.ms"),
		MinCleanableRatio:    ratio.dbl,
		UncleanElection:      r.flag("unclean.leader.election.enable"),
		FullValidation:       r.text("record.validation") == "full",
	}
	leaders, _ := r.lookup("leader.replication.throttled.replicas")
	followers, _ := r.lookup("follower.replication.throttled.replicas")
	t.ThrottledLeaders, t.ThrottledFollowers = leaders.list, followers.list
	t.DurabilityISR = r.text("durability") == "isr" && t.FlushMessages != 1
	if isr, set := r.lookup("min.insync.replicas"); set {
		t.MinInsyncReplicas = int16(min(math.MaxInt16, isr.num))
	}
	if bytes, set := r.lookup("internal.segment.bytes"); set {
		t.SegmentBytes = bytes.num
	}
	t.FlushInterval = r.flushInterval()
	t.TimestampBeforeMax, t.TimestampAfterMax = r.timestamps()
	return t, r.err
}

// flushInterval is flush.ms, 0 when there is no such limit; a limit of nothing
// is the shortest that a clock can keep.
func (r *resolver) flushInterval() time.Duration {
	d := r.ms("flush.ms")
	if d == math.MaxInt64 {
		return 0
	}
	return max(d, time.Millisecond)
}

// timestamps lets the older message.timestamp.difference.max.ms stand for the
// two newer keys where they are not set.
func (r *resolver) timestamps() (before, after time.Duration) {
	b, setBefore := r.lookup("message.timestamp.before.max.ms")
	a, setAfter := r.lookup("message.timestamp.after.max.ms")
	if both, set := r.lookup("message.timestamp.difference.max.ms"); set {
		if !setBefore {
			b = both
		}
		if !setAfter {
			a = both
		}
	}
	return millis(b.num), millis(a.num)
}

// MinInsyncDefault is min.insync.replicas of a topic where nobody set it.
func MinInsyncDefault(replicationFactor int) int16 {
	if replicationFactor >= 3 {
		return 2
	}
	return 1
}

// CheckTopic says what is wrong with a topic setting: an unknown name, a value
// of the wrong type or out of range. The text is fit for a client.
func CheckTopic(name, value string) error {
	k, ok := TopicKey(name)
	if !ok {
		text := "Unknown topic config name: " + name
		if s := suggest(name, TopicKeys()); s != "" {
			text += " (did you mean " + s + "?)"
		}
		return fmt.Errorf("%s", text)
	}
	return k.take(name, value)
}

// CheckTopicSet checks all settings of one topic together: each by itself, in
// name order, and then what must hold between them.
func (b *Broker) CheckTopicSet(d Dynamic, overrides map[string]string) error {
	for _, name := range sortedNames(overrides) {
		if err := CheckTopic(name, overrides[name]); err != nil {
			return err
		}
	}
	t, err := b.Topic(d, overrides)
	if err != nil {
		return err
	}
	if t.MinCompactionLag > t.MaxCompactionLag {
		return fmt.Errorf("conflict topic config setting min.compaction.lag.ms (%d) > max.compaction.lag.ms (%d)",
			t.MinCompactionLag.Milliseconds(), t.MaxCompactionLag.Milliseconds())
	}
	return nil
}
