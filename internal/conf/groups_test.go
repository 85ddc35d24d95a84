package conf

import (
	"testing"
	"time"
)

func TestGroupSettings(t *testing.T) {
	b := broker(t, "group.consumer.session.timeout.ms=46000", "group.consumer.max.heartbeat.interval.ms=20000")
	if got := b.Group(nil); got != (GroupTimes{46 * time.Second, 5 * time.Second}) {
		t.Errorf("%+v", got)
	}
	own := map[string]string{"consumer.heartbeat.interval.ms": "30000", "consumer.session.timeout.ms": "50000"}
	if err := b.CheckGroupSet(own); err == nil || err.Error() != "consumer.heartbeat.interval.ms must be in the range 5000 to 20000 inclusive." {
		t.Errorf("%v", err)
	}
	if got := b.Group(own); got != (GroupTimes{50 * time.Second, 20 * time.Second}) { // set before the broker had that bound
		t.Errorf("%+v", got)
	}
	b = broker(t, "group.consumer.max.heartbeat.interval.ms=50000")
	own = map[string]string{"consumer.heartbeat.interval.ms": "45000"}
	if err := b.CheckGroupSet(own); err == nil || err.Error() != "consumer.session.timeout.ms must be greater than consumer.heartbeat.interval.ms" {
		t.Errorf("%v", err)
	}
	d := b.DescribeGroup(map[string]string{"consumer.heartbeat.interval.ms": "6000"})
	if len(d) != 3 || d[1].Value != "6000" || d[1].Source != DynamicGroup || d[2].Source != Default || d[2].Synonyms[0].Name != "group.consumer.session.timeout.ms" {
		t.Errorf("%+v", d)
	}
}
