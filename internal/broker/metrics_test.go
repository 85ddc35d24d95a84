package broker

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/brokerd/brokerd/test/pages"
)

var rewrite = flag.Bool("rewrite", false, "write the list of metrics into docs/metrics.md")

// TestMetricsPage holds the list of docs/metrics.md to what is registered.
func TestMetricsPage(t *testing.T) {
	b := start(t, t.TempDir(), nil)
	defer stop(t, b)
	pages.Hold(t, "../../docs/metrics.md", "metrics", listForDocs(b), *rewrite)
}

func listForDocs(b *Broker) string {
	native, kafka := []string{}, []string{}
	for _, f := range b.o.Metrics.Families() {
		row := fmt.Sprintf("| `%s` | %s | %s | %s |\n", f.Name, strings.Join(f.Labels, ", "), f.Kind, f.Help)
		if strings.HasPrefix(f.Name, "kafka_") {
			kafka = append(kafka, row)
		} else {
			native = append(native, row)
		}
	}
	slices.Sort(native)
	slices.Sort(kafka)
	const head = "| Name | Labels | Kind | What it is |\n|---|---|---|---|\n"
	return "\n## brokerd's own\n\n" + head + strings.Join(native, "") + "\nBesides, those of the process and of the Go runtime: `process_…` and `go_…`.\n" +
		"\n## By Kafka's names\n\n" + head + strings.Join(kafka, "") + "\n"
}

// readByDashboards are the names that dashboards and alerts of Strimzi, of Confluent
// and for kafka_exporter read;
// (a,b) stands for several names. What is not served is in docs/metrics.md, with
// the reason.
var readByDashboards = []string{
	"kafka_server_brokertopicmetrics_(messagesin,bytesin,bytesout,totalproducerequests,totalfetchrequests,failedproducerequests,failedfetchrequests,bytesrejected)_total{topic=",
	`kafka_server_brokertopicmetrics_totalproducerequests_total{topic="jobs"} 51`,
	`kafka_server_brokertopicmetrics_failedproducerequests_total{topic="jobs"} 1`,
	"kafka_server_brokertopicmetrics_(replicationbytesin,replicationbytesout)_total ",
	"kafka_server_replicamanager_(underreplicatedpartitions,underminisrpartitioncount,atminisrpartitioncount,partitioncount,leadercount,offlinereplicacount) ",
	"kafka_server_replicamanager_(isrshrinks,isrexpands)_total ",
	"kafka_server_replicafetchermanager_maxlag ",
	"kafka_cluster_partition_(underminisr,atminisr){partition=",
	"kafka_controller_kafkacontroller_(activecontrollercount,offlinepartitionscount,globaltopiccount,globalpartitioncount,fencedbrokercount,activebrokercount,preferredreplicaimbalancecount,metadataerrorcount) ",
	"kafka_controller_controllerstats_uncleanleaderelections_total ",
	"kafka_server_raftmetrics_(current_leader,current_epoch,current_vote,high_watermark,log_end_offset,commit_latency_avg,append_records_rate,fetch_records_rate) ",
	`kafka_server_raftmetrics_current_state{current_state="leader"} 1`,
	"kafka_network_requestmetrics_(requests_total,totaltimems,totaltimems_count){request=",
	`kafka_network_requestmetrics_errors_total{error="UNKNOWN_TOPIC_ID",request="Fetch"} 1`,
	`brokerd_request_errors_total{api="Produce",error="MESSAGE_TOO_LARGE"} 1`,
	"kafka_network_requestchannel_requestqueuesize ",
	"kafka_server_socket_server_metrics_connection_(count,creation_rate,close_rate){listener=",
	`kafka_server_socket_server_metrics_connections_software{clientSoftwareName="kgo",clientSoftwareVersion=`,
	"kafka_log_log_(size,numlogsegments,logstartoffset,logendoffset){partition=",
	"kafka_log_logflushstats_logflushrateandtimems{quantile=",
	"kafka_log_logflushstats_logflushrateandtimems_count ",
	"kafka_log_logmanager_offlinelogdirectorycount ",
	"kafka_coordinator_group_groupmetadatamanager_numgroups(,empty,preparingrebalance,completingrebalance,dead) ",
	"kafka_coordinator_group_groupmetadatamanager_numgroupsstable 1\n",
	"kafka_brokers 1\n",
	`kafka_topic_partitions{topic="jobs"} 3`,
	"kafka_topic_partition_(oldest_offset,in_sync_replica,leader,leader_is_preferred,replicas,under_replicated_partition){partition=",
	`kafka_topic_partition_current_offset{partition="0",topic="jobs"} `,
	"kafka_consumergroup_(current_offset,lag,members){consumergroup=",
	"kafka_consumergroup_(current_offset,lag)_sum{consumergroup=",
	"brokerd_request_duration_seconds_bucket{api=",
	`brokerd_groups{protocol="classic",state="stable"} 1`,
	"brokerd_flush_duration_seconds_count ",
}

func names(pattern string) (list []string) {
	head, rest, several := strings.Cut(pattern, "(")
	if !several {
		return []string{pattern}
	}
	choices, tail, _ := strings.Cut(rest, ")")
	for c := range strings.SplitSeq(choices, ",") {
		list = append(list, head+c+tail)
	}
	return list
}

// TestNamesThatDashboardsRead: each has a value once a cluster works.
func TestNamesThatDashboardsRead(t *testing.T) {
	b := start(t, t.TempDir(), groupConfig)
	defer stop(t, b)
	ctx := t.Context()
	fill(ctx, t, b, "jobs", 3, 0, 50)
	c := client(t, b, kgo.ConsumerGroup("workers"), kgo.ConsumeTopics("jobs"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	defer c.Close()
	consume(ctx, t, c, 50)
	nowhere := kmsg.NewPtrFetchRequest()
	nowhere.SessionEpoch = -1
	topic := kmsg.NewFetchRequestTopic()
	topic.TopicID, topic.Partitions = [16]byte{1}, []kmsg.FetchRequestTopicPartition{kmsg.NewFetchRequestTopicPartition()}
	nowhere.Topics = append(nowhere.Topics, topic)
	if _, err := c.Broker(int(b.identity.NodeID)).Request(ctx, nowhere); err != nil {
		t.Fatal(err)
	}
	large := client(t, b, kgo.ProducerBatchMaxBytes(4<<20), kgo.ProducerBatchCompression(kgo.NoCompression()))
	defer large.Close()
	if err := large.ProduceSync(ctx, &kgo.Record{Topic: "jobs", Value: make([]byte, 2<<20)}).FirstErr(); err == nil {
		t.Fatal("a record of 2 MiB is taken")
	}
	_, body := get(t, b, "/metrics")
	for _, pattern := range readByDashboards {
		for _, name := range names(pattern) {
			if !strings.Contains(body, "\n"+name) {
				t.Errorf("not on /metrics: %s", name)
			}
		}
	}
	for line := range strings.Lines(body) {
		if strings.Contains(line, `"Unknown"`) {
			t.Errorf("an API has no name: %s", line)
		}
	}
}

// A node that is a controller and no broker has no groups and no partitions.
func TestMetricsOfAController(t *testing.T) {
	b := start(t, t.TempDir(), map[string]string{"process.roles": "controller", "node.id": "1",
		"listeners": "CONTROLLER://127.0.0.1:0", "advertised.listeners": "CONTROLLER://127.0.0.1:0"})
	defer stop(t, b)
	code, body := get(t, b, "/metrics")
	for _, want := range []string{"brokerd_controller_active 1\n", "kafka_brokers 0\n",
		"kafka_coordinator_group_groupmetadatamanager_numgroups 0\n", // a collector that panics is left out
		`kafka_server_raftmetrics_current_state{current_state="leader"} 1`} {
		if code != 200 || !strings.Contains(body, want) {
			t.Errorf("%d, without %q", code, want)
		}
	}
}

func TestMetricsWithoutKafkasNames(t *testing.T) {
	b := start(t, t.TempDir(), map[string]string{"metrics.compat": "none"})
	defer stop(t, b)
	code, body := get(t, b, "/metrics")
	if code != 200 || !strings.Contains(body, "brokerd_controller_active 1\n") {
		t.Errorf("%d:\n%s", code, body)
	}
	for line := range strings.Lines(body) {
		if strings.HasPrefix(line, "kafka_") && !strings.HasPrefix(line, "kafka_consumergroup_") {
			t.Errorf("there is %s", line)
		}
	}
}
