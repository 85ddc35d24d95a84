package broker

import (
	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/obs"
)

// What replication does, natively and by Kafka's names.

var copiedFamilies = []obs.Family{
	{Name: "brokerd_replication_received_bytes_total", Help: "Bytes of records copied from leaders.", Kind: obs.CounterKind},
	{Name: "brokerd_replication_sent_bytes_total", Help: "Bytes of records sent to followers.", Kind: obs.CounterKind},
	{Name: "brokerd_isr_shrinks_total", Help: "Times that a partition led here lost a replica in sync.", Kind: obs.CounterKind},
	{Name: "brokerd_isr_expands_total", Help: "Times that a replica of a partition led here came in sync.", Kind: obs.CounterKind},
	{Name: "brokerd_replica_max_lag_records", Help: "The most records that a replica here lacks of what its leader has committed.", Kind: obs.GaugeKind},
}

func (b *Broker) collectCopied(s *obs.Scrape) {
	c := b.replicas.Copied()
	for i, v := range []int64{c.BytesIn, c.BytesOut, c.Shrinks, c.Expands, c.MaxLag} {
		s.Emit(i, float64(v))
	}
}

var kafkaCopiedFamilies = []obs.Family{
	{Name: "kafka_server_brokertopicmetrics_replicationbytesin_total", Help: "Bytes of records copied from leaders.", Kind: obs.CounterKind},
	{Name: "kafka_server_brokertopicmetrics_replicationbytesout_total", Help: "Bytes of records sent to followers.", Kind: obs.CounterKind},
	{Name: "kafka_server_replicamanager_isrshrinks_total", Help: "Times that a partition led here lost a replica in sync.", Kind: obs.CounterKind},
	{Name: "kafka_server_replicamanager_isrexpands_total", Help: "Times that a replica of a partition led here came in sync.", Kind: obs.CounterKind},
	{Name: "kafka_server_replicafetchermanager_maxlag", Help: "The most records that a replica here lacks of what its leader has committed.", Kind: obs.GaugeKind},
	{Name: "kafka_server_replicamanager_atminisrpartitioncount", Help: "Led partitions that have min.insync.replicas in sync and none to spare.", Kind: obs.GaugeKind},
	{Name: "kafka_server_replicamanager_reassigningpartitions", Help: "Led partitions on their way to other replicas.", Kind: obs.GaugeKind},
	{Name: "kafka_controller_kafkacontroller_preferredreplicaimbalancecount", Help: "Partitions that another than the preferred replica leads.", Kind: obs.GaugeKind},
	{Name: "kafka_controller_controllerstats_uncleanleaderelections_total", Help: "Leaders given while this node was the controller that may lack acknowledged records.", Kind: obs.CounterKind},
}

func (b *Broker) collectKafkaCopied(s *obs.Scrape) {
	b.collectCopied(s)
	n := countLeads(b.catalog.Image(), b.identity.NodeID)
	for i, v := range []int64{n.atMin, n.moving, n.imbalanced, b.control.UncleanElections()} {
		s.Emit(len(copiedFamilies)+i, float64(v))
	}
}

type leads struct{ atMin, moving, imbalanced int64 }

// countLeads walks the image, as countPartitions does.
func countLeads(im *meta.Image, self int32) (n leads) {
	for t := range im.Topics() {
		for i := range t.Partitions() {
			p, _ := t.Partition(i)
			if p.Leader != p.Replicas[0] {
				n.imbalanced++
			}
			if p.Leader != self {
				continue
			}
			if p.ISRSize() == int(p.MinISR) {
				n.atMin++
			}
			if len(p.Adding)+len(p.Removing) > 0 {
				n.moving++
			}
		}
	}
	return n
}
