package broker

import (
	"strconv"
	"strings"

	"github.com/brokerd/brokerd/internal/coord"
	"github.com/brokerd/brokerd/internal/group"
	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/obs"
	"github.com/brokerd/brokerd/internal/step"
)

// groupFamilies is what kafka_exporter tells of groups, by its names, from the
// broker that coordinates them.
var groupFamilies = []obs.Family{
	{Name: "kafka_consumergroup_members", Help: "Members of a group that this broker coordinates.", Kind: obs.GaugeKind, Labels: []string{"consumergroup"}},
	{Name: "kafka_consumergroup_current_offset", Help: "Committed offset of a group in a partition.", Kind: obs.GaugeKind, Labels: groupLabels},
	{Name: "kafka_consumergroup_lag", Help: "Records that a group has not committed yet in a partition; without a leader that answers there is none.",
		Kind: obs.GaugeKind, Labels: groupLabels},
	{Name: "kafka_consumergroup_current_offset_sum", Help: "Committed offsets of a group in a topic, added up.", Kind: obs.GaugeKind, Labels: groupLabels[:2]},
	{Name: "kafka_consumergroup_lag_sum", Help: "Records that a group has not committed yet in a topic, added up; where the end of each of its partitions is known.", Kind: obs.GaugeKind, Labels: groupLabels[:2]},
	{Name: "brokerd_groups", Help: "Groups that this broker coordinates, by protocol (classic, consumer) and state.", Kind: obs.GaugeKind, Labels: []string{"protocol", "state"}},
}

var groupLabels = []string{"consumergroup", "topic", "partition"}

func (b *Broker) collectGroups(s *obs.Scrape) {
	whole := b.partitionSeries(countPartitions(b.catalog.Image(), b.identity.NodeID).here)
	n := map[[2]string]int{}
	var all []group.Standing
	b.eachGroup(func(g group.Standing) {
		n[[2]string{g.Protocol, strings.ToLower(g.State)}]++
		if whole {
			all = append(all, g)
		}
	})
	ends := b.ends(all)
	for _, g := range all {
		b.emitGroup(s, g, ends)
	}
	for of, n := range n {
		s.Emit(5, float64(n), of[0], of[1])
	}
	if !b.o.Conf.MetricsCompat {
		return
	}
	classic := 0
	for i, state := range classicStates {
		n := n[[2]string{"classic", state}]
		classic += n
		s.Emit(len(groupFamilies)+1+i, float64(n))
	}
	s.Emit(len(groupFamilies), float64(classic))
}

// kafkaGroupFamilies come after groupFamilies. They count the groups of the classic
// protocol only, as Kafka's do.
var kafkaGroupFamilies = []obs.Family{
	{Name: "kafka_coordinator_group_groupmetadatamanager_numgroups", Help: "Groups of the classic protocol that this broker coordinates.", Kind: obs.GaugeKind},
	{Name: "kafka_coordinator_group_groupmetadatamanager_numgroupsstable", Help: "Those whose members have their partitions.", Kind: obs.GaugeKind},
	{Name: "kafka_coordinator_group_groupmetadatamanager_numgroupsempty", Help: "Those without members.", Kind: obs.GaugeKind},
	{Name: "kafka_coordinator_group_groupmetadatamanager_numgroupspreparingrebalance", Help: "Those that wait for members to join.", Kind: obs.GaugeKind},
	{Name: "kafka_coordinator_group_groupmetadatamanager_numgroupscompletingrebalance", Help: "Those that wait for the leader's assignment.", Kind: obs.GaugeKind},
	{Name: "kafka_coordinator_group_groupmetadatamanager_numgroupsdead", Help: "0: a group that is deleted is forgotten at once.", Kind: obs.GaugeKind},
}

// classicStates is in the order of kafkaGroupFamilies.
var classicStates = []string{"stable", "empty", "preparingrebalance", "completingrebalance", "dead"}

// eachGroup asks the machine of every led partition; they answer at once.
func (b *Broker) eachGroup(visit func(group.Standing)) {
	if b.groups == nil {
		return // no broker
	}
	for _, i := range b.groups.Led() {
		b.groups.Submit(i, group.Survey{}, func(body any, err error, _ coord.Hand) {
			if err != nil {
				return // it loads, or has gone
			}
			for _, g := range body.([]group.Standing) {
				visit(g)
			}
		})
	}
}

func (b *Broker) emitGroup(s *obs.Scrape, g group.Standing, ends map[step.PartitionID]int64) {
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
			if lag, ok := lagOf(t, o, ends); ok {
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

// lagOf is what is committed in a partition behind a group's offset; false: nobody
// knows.
func lagOf(t *meta.Topic, o group.Committed, ends map[step.PartitionID]int64) (int64, bool) {
	if t == nil {
		return 0, false
	}
	end, ok := ends[step.PartitionID{Topic: t.ID, Index: o.Partition}]
	return end - o.Offset, ok && end != unknownEnd
}
