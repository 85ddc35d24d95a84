package broker

import (
	"slices"
	"strconv"

	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/obs"
)

// registerMetrics hands over what is computed at the scrape (obs I1).
func (b *Broker) registerMetrics() {
	r := b.o.Metrics
	r.Info("brokerd_build_info", "The running version.", map[string]string{"version": b.o.Version})
	r.Collect(serverFamilies, b.collectServer)
	r.Collect(clusterFamilies, b.collectCluster)
	r.Collect(logFamilies, b.collectLogs)
	r.Collect(copiedFamilies, b.collectCopied)
	r.Collect(quorumFamilies, b.collectQuorum)
	r.Collect(failureFamilies, b.collectFailures)
	groups := groupFamilies
	if b.o.Conf.MetricsCompat {
		groups = slices.Concat(groupFamilies, kafkaGroupFamilies)
	}
	r.Collect(groups, b.collectGroups)
	if b.o.Conf.MetricsCompat {
		r.Collect(kafkaFamilies, b.collectKafka)
		r.Collect(trafficFamilies, b.collectTraffic)
		r.Collect(kafkaCopiedFamilies, b.collectKafkaCopied)
		r.Collect(kafkaQuorumFamilies, (&quorumRates{b: b}).collect)
		r.Collect(topicFamilies, b.collectTopics)
		r.Collect(kafkaRequestFamilies, b.collectKafkaRequests)
		r.Collect(socketFamilies, (&socketRates{b: b}).collect)
	}
}

var serverFamilies = []obs.Family{
	{Name: "brokerd_connections", Help: "Open connections.", Kind: obs.GaugeKind, Labels: []string{"listener"}},
	{Name: "brokerd_connections_accepted_total", Help: "Connections accepted since the start.", Kind: obs.CounterKind},
	{Name: "brokerd_connections_closed_total", Help: "Connections closed or refused, by reason.", Kind: obs.CounterKind, Labels: []string{"reason"}},
	{Name: "brokerd_requests_total", Help: "Requests taken up.", Kind: obs.CounterKind},
	{Name: "brokerd_received_bytes_total", Help: "Bytes read from connections.", Kind: obs.CounterKind},
	{Name: "brokerd_sent_bytes_total", Help: "Bytes written to connections.", Kind: obs.CounterKind},
	{Name: "brokerd_requests_pending", Help: "Requests taken up and not answered.", Kind: obs.GaugeKind},
	{Name: "brokerd_request_panics_total", Help: "Panics recovered in a request: each is a bug.", Kind: obs.CounterKind},
	{Name: "brokerd_request_memory_bytes", Help: "Memory that request bodies hold.", Kind: obs.GaugeKind},
	{Name: "brokerd_request_memory_limit_bytes", Help: "What they may hold (queued.max.request.bytes).", Kind: obs.GaugeKind},
	{Name: "brokerd_request_memory_waiting", Help: "Connections that wait for memory.", Kind: obs.GaugeKind},
	{Name: "brokerd_connections_software", Help: "Open connections, by what the client says it is; those beyond 100 are other.", Kind: obs.GaugeKind, Labels: []string{"name", "version"}},
}

func (b *Broker) collectServer(s *obs.Scrape) {
	st := b.server.Stats()
	for name, n := range st.Connections {
		s.Emit(0, float64(n), name)
	}
	accepted := int64(0)
	for _, n := range st.Accepted {
		accepted += n
	}
	s.Emit(1, float64(accepted))
	for reason, n := range st.Closed {
		s.Emit(2, float64(n), reason)
	}
	for i, v := range []int64{st.Requests, st.BytesIn, st.BytesOut, st.Pending, st.Panics, st.MemoryInUse, st.MemoryLimit, st.MemoryQueued} {
		s.Emit(3+i, float64(v))
	}
	for is, n := range st.Software {
		s.Emit(11, float64(n), is.Name, is.Version)
	}
}

var clusterFamilies = []obs.Family{
	{Name: "brokerd_controller_active", Help: "1 on the active controller.", Kind: obs.GaugeKind},
	{Name: "brokerd_quorum_known", Help: "1 while an active controller is known.", Kind: obs.GaugeKind},
	{Name: "brokerd_metadata_index", Help: "Index of the last applied metadata entry.", Kind: obs.GaugeKind},
	{Name: "brokerd_topics", Help: "Topics in the cluster.", Kind: obs.GaugeKind},
	{Name: "brokerd_partitions", Help: "Partitions in the cluster.", Kind: obs.GaugeKind},
	{Name: "brokerd_brokers", Help: "Registered brokers, by state.", Kind: obs.GaugeKind, Labels: []string{"state"}},
	{Name: "brokerd_unclean_elections_total", Help: "Leaders given while this node was the controller that may lack acknowledged records.", Kind: obs.CounterKind},
	{Name: "brokerd_full_log_dirs", Help: "Log directories that take no records for want of space, as the cluster knows: others lead instead where they can.", Kind: obs.GaugeKind, Labels: []string{"broker"}},
}

func (b *Broker) collectCluster(s *obs.Scrape) {
	im := b.catalog.Image()
	_, known := b.control.Leader()
	s.Emit(0, oneIf(b.control.Active()))
	s.Emit(1, oneIf(known))
	s.Emit(2, float64(im.Index()))
	s.Emit(3, float64(im.TopicCount()))
	s.Emit(4, float64(im.PartitionCount()))
	states := map[string]int{}
	for br := range im.Brokers() {
		states[br.State.String()]++
	}
	for state, n := range states {
		s.Emit(5, float64(n), state)
	}
	s.Emit(6, float64(b.control.UncleanElections()))
	for br := range im.Brokers() {
		s.Emit(7, float64(len(br.Full)), strconv.Itoa(int(br.ID)))
	}
}

var logFamilies = []obs.Family{
	{Name: "brokerd_log_dir_free_bytes", Help: "Free space of a log directory's file system.", Kind: obs.GaugeKind, Labels: []string{"dir"}},
	{Name: "brokerd_log_dir_failed", Help: "1 when a log directory has failed for good.", Kind: obs.GaugeKind, Labels: []string{"dir"}},
	{Name: "brokerd_log_dir_full", Help: "1 while produce is refused for want of space.", Kind: obs.GaugeKind, Labels: []string{"dir"}},
	{Name: "brokerd_logs", Help: "Logs that have been opened.", Kind: obs.GaugeKind, Labels: []string{"dir"}},
	{Name: "brokerd_log_bytes", Help: "Bytes of all opened logs.", Kind: obs.GaugeKind, Labels: []string{"dir"}},
	{Name: "brokerd_cleaner_passes_total", Help: "Passes of compaction over a log.", Kind: obs.CounterKind},
	{Name: "brokerd_cleaner_read_bytes_total", Help: "Bytes that compaction has read.", Kind: obs.CounterKind},
	{Name: "brokerd_cleaner_written_bytes_total", Help: "Bytes that compaction has written.", Kind: obs.CounterKind},
	{Name: "brokerd_scrub_segments_total", Help: "Sealed segments that were read and found whole.", Kind: obs.CounterKind},
	{Name: "brokerd_scrub_read_bytes_total", Help: "Bytes of sealed segments that were read and found whole.", Kind: obs.CounterKind},
	{Name: "brokerd_scrub_damaged_total", Help: "Sealed segments that were read and found damaged: their disk lies.", Kind: obs.CounterKind},
	{Name: "brokerd_log_moves", Help: "Replicas that move between the log directories of this broker, or wait to.", Kind: obs.GaugeKind},
	{Name: "brokerd_log_moves_total", Help: "Replicas that have moved to another log directory.", Kind: obs.CounterKind},
	{Name: "brokerd_log_moves_failed_total", Help: "Moves of replicas to another log directory that failed; the replica serves on where it was.", Kind: obs.CounterKind},
	{Name: "brokerd_log_moves_written_bytes_total", Help: "Bytes copied into other log directories.", Kind: obs.CounterKind},
}

func (b *Broker) collectLogs(s *obs.Scrape) {
	for _, d := range b.logs.Dirs() {
		bytes := int64(0)
		for _, l := range d.Logs {
			bytes += l.Size()
		}
		for i, v := range []float64{float64(d.Free), oneIf(d.Err != nil), oneIf(d.Full), float64(len(d.Logs)), float64(bytes)} {
			s.Emit(i, v, d.Path)
		}
	}
	c, scrub, moves := b.logs.Cleaner(), b.logs.Scrub(), b.logs.Moves()
	for i, v := range []int64{c.Passes, c.BytesRead, c.BytesWritten, scrub.Segments, scrub.BytesRead, scrub.Damaged,
		moves.Moving, moves.Moved, moves.Failed, moves.Bytes} {
		s.Emit(5+i, float64(v))
	}
}

// kafkaFamilies are Kafka's names, as the JMX exporter's sample rules spell
// them, for dashboards that exist.
var kafkaFamilies = []obs.Family{
	{Name: "kafka_controller_kafkacontroller_activecontrollercount", Help: "1 on the active controller.", Kind: obs.GaugeKind},
	{Name: "kafka_controller_kafkacontroller_globaltopiccount", Help: "Topics in the cluster.", Kind: obs.GaugeKind},
	{Name: "kafka_controller_kafkacontroller_globalpartitioncount", Help: "Partitions in the cluster.", Kind: obs.GaugeKind},
	{Name: "kafka_controller_kafkacontroller_offlinepartitionscount", Help: "Partitions without a leader.", Kind: obs.GaugeKind},
	{Name: "kafka_controller_kafkacontroller_fencedbrokercount", Help: "Fenced brokers.", Kind: obs.GaugeKind},
	{Name: "kafka_controller_kafkacontroller_activebrokercount", Help: "Active brokers.", Kind: obs.GaugeKind},
	{Name: "kafka_controller_kafkacontroller_metadataerrorcount", Help: "1 when this node cannot apply the metadata, and ends.", Kind: obs.GaugeKind},
	{Name: "kafka_server_replicamanager_partitioncount", Help: "Partitions on this broker.", Kind: obs.GaugeKind},
	{Name: "kafka_server_replicamanager_leadercount", Help: "Partitions that this broker leads.", Kind: obs.GaugeKind},
	{Name: "kafka_server_replicamanager_underreplicatedpartitions", Help: "Led partitions with a replica out of sync.", Kind: obs.GaugeKind},
	{Name: "kafka_server_replicamanager_underminisrpartitioncount", Help: "Led partitions below min.insync.replicas.", Kind: obs.GaugeKind},
	{Name: "kafka_server_replicamanager_offlinereplicacount", Help: "Replicas here that cannot be served: in failed log directories, or of a log that is bad, cannot be read or is of a newer release.", Kind: obs.GaugeKind},
	{Name: "kafka_log_logmanager_offlinelogdirectorycount", Help: "Failed log directories.", Kind: obs.GaugeKind},
	{Name: "kafka_log_log_size", Help: "Bytes of a partition.", Kind: obs.GaugeKind, Labels: []string{"topic", "partition"}},
	{Name: "kafka_log_log_numlogsegments", Help: "Segments of a partition.", Kind: obs.GaugeKind, Labels: []string{"topic", "partition"}},
	{Name: "kafka_log_log_logstartoffset", Help: "First offset of a partition.", Kind: obs.GaugeKind, Labels: []string{"topic", "partition"}},
	{Name: "kafka_log_log_logendoffset", Help: "Offset after the last of a partition.", Kind: obs.GaugeKind, Labels: []string{"topic", "partition"}},
}

func (b *Broker) collectKafka(s *obs.Scrape) {
	c := countPartitions(b.catalog.Image(), b.identity.NodeID)
	failed := 0
	perPartition := b.partitionSeries(c.here)
	for _, d := range b.logs.Dirs() {
		if d.Err != nil {
			failed++
		}
		for _, l := range d.Logs {
			if !perPartition {
				break
			}
			v := l.View()
			for i, n := range []int64{l.Size(), int64(l.Segments()), v.Start, v.End} {
				s.Emit(13+i, float64(n), l.Topic(), strconv.Itoa(int(l.ID().Index)))
			}
		}
	}
	for i, v := range []float64{
		oneIf(b.control.Active()), float64(c.topics), float64(c.partitions), float64(c.leaderless), float64(c.fenced), float64(c.active), oneIf(b.control.Standing().Failed),
		float64(c.here), float64(c.led), float64(c.underReplicated), float64(c.underMinISR), float64(c.offline(failed) + len(b.replicas.Lost())), float64(failed),
	} {
		s.Emit(i, v)
	}
}

// partitionSeries says whether a scrape shows single partitions
// (metrics.partition.labels).
func (b *Broker) partitionSeries(here int) bool {
	switch b.o.Conf.MetricsPartitions {
	case "on":
		return true
	case "off":
		return false
	}
	return here < manyPartitions
}

// manyPartitions is where partition series stop being on by default.
const manyPartitions = 2000

type counts struct {
	topics, partitions, leaderless, fenced, active int
	here, led, underReplicated, underMinISR, dirs  int
}

// offline estimates the replicas of failed directories: all of them when every
// directory has failed; the image does not say which lie where.
func (c counts) offline(failed int) int {
	if failed == 0 || c.dirs == 0 {
		return 0
	}
	return c.here * failed / c.dirs
}

// countPartitions walks the image once: about 20 ms for two million partitions,
// at a scrape.
func countPartitions(im *meta.Image, self int32) (c counts) {
	for br := range im.Brokers() {
		if br.State == meta.Active {
			c.active++
		} else {
			c.fenced++
		}
		if br.ID == self {
			c.dirs = len(br.Dirs)
		}
	}
	for t := range im.Topics() {
		c.topics++
		for i := range t.Partitions() {
			p, _ := t.Partition(i)
			c.partitions++
			if p.Leader < 0 {
				c.leaderless++
			}
			for _, r := range p.Replicas {
				if r == self {
					c.here++
				}
			}
			if p.Leader == self {
				c.led++
				inSync := len(p.ISR())
				if inSync < len(p.Replicas) {
					c.underReplicated++
				}
				if inSync < int(p.MinISR) {
					c.underMinISR++
				}
			}
		}
	}
	return c
}

func oneIf(ok bool) float64 {
	if ok {
		return 1
	}
	return 0
}

var trafficFamilies = []obs.Family{
	{Name: "kafka_server_brokertopicmetrics_messagesin_total", Help: "Records appended, by topic.", Kind: obs.CounterKind, Labels: []string{"topic"}},
	{Name: "kafka_server_brokertopicmetrics_bytesin_total", Help: "Bytes appended, by topic.", Kind: obs.CounterKind, Labels: []string{"topic"}},
	{Name: "kafka_server_brokertopicmetrics_bytesout_total", Help: "Bytes sent to consumers, by topic.", Kind: obs.CounterKind, Labels: []string{"topic"}},
	{Name: "kafka_server_brokertopicmetrics_totalproducerequests_total", Help: "Batches that came, the refused ones too, by topic.", Kind: obs.CounterKind, Labels: []string{"topic"}},
	{Name: "kafka_server_brokertopicmetrics_failedproducerequests_total", Help: "Batches that this broker refused as the leader, by topic.", Kind: obs.CounterKind, Labels: []string{"topic"}},
	{Name: "kafka_server_brokertopicmetrics_bytesrejected_total", Help: "Bytes of batches that were refused, by topic.", Kind: obs.CounterKind, Labels: []string{"topic"}},
	{Name: "kafka_server_brokertopicmetrics_totalfetchrequests_total", Help: "Fetches by consumers, one for each partition asked for, by topic.", Kind: obs.CounterKind, Labels: []string{"topic"}},
	{Name: "kafka_server_brokertopicmetrics_failedfetchrequests_total", Help: "Those whose log could not be read, by topic.", Kind: obs.CounterKind, Labels: []string{"topic"}},
}

func (b *Broker) collectTraffic(s *obs.Scrape) {
	for topic, t := range b.replicas.Traffic() {
		for i, n := range []int64{t.Records, t.BytesIn, t.BytesOut, t.Batches, t.Refused, t.BytesRefused, t.Fetches, t.FetchesFailed} {
			s.Emit(i, float64(n), topic)
		}
	}
}
