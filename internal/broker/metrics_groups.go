package broker

import (
	"strconv"

	"github.com/brokerd/brokerd/internal/coord"
	"github.com/brokerd/brokerd/internal/group"
	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/obs"
)

// groupFamilies is what kafka_exporter tells of groups, by its names, from the
// broker that coordinates them.
var groupFamilies = []obs.Family{
	{Name: "kafka_consumergroup_members", Help: "Members of a group that this broker coordinates.", Kind: obs.GaugeKind, Labels: []string{"consumergroup"}},
	{Name: "kafka_consumergroup_current_offset", Help: "Committed offset of a group in a partition.", Kind: obs.GaugeKind, Labels: groupLabels},
	{Name: "kafka_consumergroup_lag", Help: "Records that a group has not committed yet in a partition; of partitions whose log is on this broker.",
		Kind: obs.GaugeKind, Labels: groupLabels},
	{Name: "kafka_consumergroup_current_offset_sum", Help: "Committed offsets of a group in a topic, added up.", Kind: obs.GaugeKind, Labels: groupLabels[:2]},
	{Name: "kafka_consumergroup_lag_sum", Help: "Records that a group has not committed yet in a topic, added up; where the log of each of its partitions is on this broker.", Kind: obs.GaugeKind, Labels: groupLabels[:2]},
}

var groupLabels = []string{"consumergroup", "topic", "partition"}

// collectGroups asks the machine of every led partition; they answer at once.
func (b *Broker) collectGroups(s *obs.Scrape) {
	if !b.partitionSeries(countPartitions(b.catalog.Image(), b.identity.NodeID).here) {
		return
	}
	for _, i := range b.groups.Led() {
		b.groups.Submit(i, group.Survey{}, func(body any, err error, _ coord.Hand) {
			if err != nil {
				return // it loads, or has gone
			}
			for _, g := range body.([]group.Standing) {
				b.emitGroup(s, g)
			}
		})
	}
}

func (b *Broker) emitGroup(s *obs.Scrape, g group.Standing) {
	s.Emit(0, float64(g.Members), g.Group)
	for at := 0; at < len(g.Offsets); {
		topic := g.Offsets[at].Topic
		t, ok := b.catalog.Image().TopicNamed(topic)
		offsets, lags, whole := int64(0), int64(0), ok
		for ; at < len(g.Offsets) && g.Offsets[at].Topic == topic; at++ {
			o := g.Offsets[at]
			number := strconv.Itoa(int(o.Partition))
			s.Emit(1, float64(o.Offset), g.Group, topic, number)
			offsets += o.Offset
			if lag, ok := b.lagOf(t, o); ok {
				s.Emit(2, float64(lag), g.Group, topic, number)
				lags += lag
			} else {
				whole = false
			}
		}
		s.Emit(3, float64(offsets), g.Group, topic)
		if whole {
			s.Emit(4, float64(lags), g.Group, topic)
		}
	}
}

// lagOf is what is committed in a partition behind a group's offset; false: its
// log is not here.
func (b *Broker) lagOf(t *meta.Topic, o group.Committed) (int64, bool) {
	if t == nil {
		return 0, false
	}
	p, err := b.replicas.Partition(t, o.Partition)
	if err != nil {
		return 0, false
	}
	lag := p.Log().View().HighWatermark - o.Offset
	if rec, _ := t.Partition(o.Partition); rec.Leader != b.identity.NodeID {
		lag = max(lag, 0) // a follower hears of what is committed a moment later
	}
	return lag, true
}
