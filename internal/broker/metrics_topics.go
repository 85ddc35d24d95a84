package broker

import (
	"strconv"

	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/obs"
	"github.com/brokerd/brokerd/internal/step"
	"github.com/brokerd/brokerd/internal/storage"
)

// What kafka_exporter tells of the cluster, by its names. It is one process for
// all brokers; here each thing is told by one node, so that sums stay right: a
// partition by its leader, what has none and what is not a partition's by the
// active controller.

var topicFamilies = []obs.Family{
	{Name: "kafka_brokers", Help: "Active brokers; on the active controller.", Kind: obs.GaugeKind},
	{Name: "kafka_topic_partitions", Help: "Partitions of a topic; on the active controller.", Kind: obs.GaugeKind, Labels: []string{"topic"}},
	partitionFamily("kafka_topic_partition_leader", "Broker that leads a partition, -1: none."),
	partitionFamily("kafka_topic_partition_leader_is_preferred", "1 when the first replica leads."),
	partitionFamily("kafka_topic_partition_replicas", "Replicas of a partition."),
	partitionFamily("kafka_topic_partition_in_sync_replica", "Replicas in sync."),
	partitionFamily("kafka_topic_partition_under_replicated_partition", "1 when a replica is out of sync."),
	partitionFamily("kafka_cluster_partition_underminisr", "1 when fewer than min.insync.replicas are in sync."),
	partitionFamily("kafka_cluster_partition_atminisr", "1 when min.insync.replicas are in sync and none to spare."),
	partitionFamily("kafka_topic_partition_current_offset", "End of what is committed; of partitions that were used since the start."),
	partitionFamily("kafka_topic_partition_oldest_offset", "First offset; of partitions that were used since the start."),
}

func partitionFamily(name, help string) obs.Family {
	return obs.Family{Name: name, Help: help, Kind: obs.GaugeKind, Labels: []string{"topic", "partition"}}
}

func (b *Broker) collectTopics(s *obs.Scrape) {
	im, self := b.catalog.Image(), b.identity.NodeID
	c := countPartitions(im, self)
	mine, all := b.partitionSeries(c.here), false
	if b.control.Active() {
		s.Emit(0, float64(c.active))
		all = b.partitionSeries(c.partitions)
	}
	if !mine && !all {
		return
	}
	logs := b.openLogsByID()
	for t := range im.Topics() {
		if all {
			s.Emit(1, float64(t.Partitions()), t.Name)
		}
		for i := range t.Partitions() {
			p, _ := t.Partition(i)
			if mine && p.Leader == self || all && p.Leader < 0 {
				emitPartition(s, t.Name, i, p, logs[step.PartitionID{Topic: t.ID, Index: i}])
			}
		}
	}
}

func emitPartition(s *obs.Scrape, topic string, i int32, p meta.Partition, l *storage.Log) {
	number, inSync := strconv.Itoa(int(i)), p.ISRSize()
	for k, v := range []float64{
		float64(p.Leader), oneIf(p.Leader == p.Replicas[0]), float64(len(p.Replicas)), float64(inSync),
		oneIf(inSync < len(p.Replicas)), oneIf(inSync < int(p.MinISR)), oneIf(inSync == int(p.MinISR)),
	} {
		s.Emit(2+k, v, topic, number)
	}
	if l != nil && p.Leader >= 0 {
		v := l.View()
		s.Emit(9, float64(v.HighWatermark), topic, number)
		s.Emit(10, float64(v.Start), topic, number)
	}
}

func (b *Broker) openLogsByID() map[step.PartitionID]*storage.Log {
	logs := map[step.PartitionID]*storage.Log{}
	for _, d := range b.logs.Dirs() {
		for _, l := range d.Logs {
			logs[l.ID()] = l
		}
	}
	return logs
}
