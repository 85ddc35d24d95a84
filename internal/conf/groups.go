package conf

import (
	"fmt"
	"time"
)

// GroupTimes is what a consumer group's own settings come to.
type GroupTimes struct {
	Session   time.Duration // consumer.session.timeout.ms
	Heartbeat time.Duration // consumer.heartbeat.interval.ms
}

// groupLimit is the broker keys that bound a group's own setting. They bound what
// is set from now on, and what was set before them: that is brought into bounds.
type groupLimit struct{ min, max string }

var groupLimits = map[string]groupLimit{
	"consumer.assignment.interval.ms": {"group.consumer.min.assignment.interval.ms", "group.consumer.max.assignment.interval.ms"},
	"consumer.heartbeat.interval.ms":  {"group.consumer.min.heartbeat.interval.ms", "group.consumer.max.heartbeat.interval.ms"},
	"consumer.session.timeout.ms":     {"group.consumer.min.session.timeout.ms", "group.consumer.max.session.timeout.ms"},
}

// GroupKey finds a key of consumer groups by its exact name.
func GroupKey(name string) (*Key, bool) {
	k, ok := tables().group[name]
	return k, ok
}

// GroupKeys is every key of consumer groups in name order.
func GroupKeys() []*Key { return sortedKeys(tables().group) }

// CheckGroup says what is wrong with a group's setting by itself.
func CheckGroup(name, value string) error {
	k, ok := GroupKey(name)
	if !ok {
		text := "Unknown group config name: " + name
		if s := suggest(name, GroupKeys()); s != "" {
			text += " (did you mean " + s + "?)"
		}
		return fmt.Errorf("%s", text)
	}
	return k.Check(value)
}

// CheckGroupSet checks all settings of one group together: each by itself and
// within this broker's bounds, and the session against the heartbeats.
func (b *Broker) CheckGroupSet(own map[string]string) error {
	for _, name := range sortedNames(own) {
		if err := CheckGroup(name, own[name]); err != nil {
			return err
		}
		limit := groupLimits[name]
		low, high := b.val(limit.min).num, b.val(limit.max).num
		if n := b.groupNum(name, own); n < low || n > high {
			return fmt.Errorf("%s must be in the range %d to %d inclusive.", name, low, high)
		}
	}
	const session, heartbeat = "consumer.session.timeout.ms", "consumer.heartbeat.interval.ms"
	if own[session] == "" && own[heartbeat] == "" {
		return nil
	}
	if b.groupNum(session, own) <= b.groupNum(heartbeat, own) {
		return fmt.Errorf("%s must be greater than %s", session, heartbeat)
	}
	return nil
}

// groupNum is a group's setting: its own, or the broker's.
func (b *Broker) groupNum(name string, own map[string]string) int64 {
	k, _ := GroupKey(name)
	v, _, err := b.topicValue(k, Dynamic{}, own)
	if err != nil {
		return k.standard().num
	}
	return v.num
}

// Group is what a group's own settings come to within this broker's bounds.
func (b *Broker) Group(own map[string]string) GroupTimes {
	bounded := func(name string) time.Duration {
		n := b.groupNum(name, own)
		if _, set := own[name]; set {
			n = max(b.val(groupLimits[name].min).num, min(n, b.val(groupLimits[name].max).num))
		}
		return millis(n)
	}
	return GroupTimes{bounded("consumer.session.timeout.ms"), bounded("consumer.heartbeat.interval.ms")}
}

// DescribeGroup lists every setting of a group with value and origin, in name order.
func (b *Broker) DescribeGroup(own map[string]string) []Described {
	var out []Described
	for _, k := range GroupKeys() {
		d := b.describeTopicKey(k, Dynamic{}, own, 1)
		if d.Source == DynamicTopic {
			d.Synonyms[0].Source, d.Source = DynamicGroup, DynamicGroup
		}
		out = append(out, d)
	}
	return out
}
