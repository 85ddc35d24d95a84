//go:build oracle

package oracle

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/brokerd/brokerd/test/harness"
	"github.com/twmb/franz-go/pkg/kgo"
)

// classes are the Java tools behind our names for them.
var classes = map[string]string{
	"kafka-topics":           "org.apache.kafka.tools.TopicCommand",
	"kafka-configs":          "kafka.admin.ConfigCommand",
	"kafka-console-producer": "org.apache.kafka.tools.ConsoleProducer",
	"kafka-console-consumer": "org.apache.kafka.tools.consumer.ConsoleConsumer",
	"kafka-storage":          "kafka.tools.StorageTool",
	"kafka-consumer-groups":  "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
	"kafka-groups":           "org.apache.kafka.tools.GroupsCommand",
	"kafka-get-offsets":      "org.apache.kafka.tools.GetOffsetShell",
	"kafka-delete-records":   "org.apache.kafka.tools.DeleteRecordsCommand",
	"kafka-cluster":          "org.apache.kafka.tools.ClusterTool",
	"kafka-features":         "org.apache.kafka.tools.FeatureCommand",
	"kafka-metadata-quorum":  "org.apache.kafka.tools.MetadataQuorumCommand",

	"kafka-reassign-partitions": "org.apache.kafka.tools.reassign.ReassignPartitionsCommand",
	"kafka-leader-election":     "org.apache.kafka.tools.LeaderElectionCommand",
	"kafka-log-dirs":            "org.apache.kafka.tools.LogDirsCommand",
}

// lineCase is one command line, given to both tools. NAME is a topic of each
// one's own, DIR a directory, FILE a property file, B the bootstrap server.
type lineCase struct {
	line  string
	stdin string
	why   string // not empty: they differ, and why
}

// lines is run in order: later ones see what earlier ones did.
var lines = []lineCase{
	// What tells of all groups or topics, before either side has some of its own.
	{line: "kafka-consumer-groups --bootstrap-server B --list"},
	{line: "kafka-consumer-groups --bootstrap-server B --list --state"},
	{line: "kafka-consumer-groups --bootstrap-server B --list --state Empty"},
	{line: "kafka-consumer-groups --bootstrap-server B --list --state stable,dead"},
	{line: "kafka-consumer-groups --bootstrap-server B --list --type"},
	{line: "kafka-consumer-groups --bootstrap-server B --list --type classic"},
	{line: "kafka-consumer-groups --bootstrap-server B --list --type consumer --state Stable"},
	{line: "kafka-consumer-groups --bootstrap-server B --list --type odd"},
	{line: "kafka-consumer-groups --bootstrap-server B --describe --group classic"},
	{line: "kafka-consumer-groups --bootstrap-server B --describe --group classic --offsets --verbose"},
	{line: "kafka-consumer-groups --bootstrap-server B --describe --group classic --members"},
	{line: "kafka-consumer-groups --bootstrap-server B --describe --group classic --members --verbose"},
	{line: "kafka-consumer-groups --bootstrap-server B --describe --group classic --state"},
	{line: "kafka-consumer-groups --bootstrap-server B --describe --group consumer"},
	{line: "kafka-consumer-groups --bootstrap-server B --describe --group consumer --offsets --verbose"},
	{line: "kafka-consumer-groups --bootstrap-server B --describe --group consumer --members"},
	{line: "kafka-consumer-groups --bootstrap-server B --describe --group consumer --members --verbose"},
	{line: "kafka-consumer-groups --bootstrap-server B --describe --group consumer --state"},
	{line: "kafka-consumer-groups --bootstrap-server B --describe --group consumer --state --verbose"},
	{line: "kafka-consumer-groups --bootstrap-server B --describe --all-groups"},
	{line: "kafka-consumer-groups --bootstrap-server B --describe --all-groups --state"},
	{line: "kafka-consumer-groups --bootstrap-server B --describe --group consumer --group classic --timeout 9000"},
	{line: "kafka-consumer-groups --bootstrap-server B --reset-offsets --group classic --topic one --to-earliest --execute"},
	{line: "kafka-consumer-groups --bootstrap-server B --reset-offsets --group consumer --topic one --to-earliest --execute"},
	{line: "kafka-consumer-groups --bootstrap-server B --delete-offsets --group classic --topic one"},
	{line: "kafka-consumer-groups --bootstrap-server B --delete-offsets --group consumer --topic one"},
	{line: "kafka-consumer-groups --bootstrap-server B --delete --group classic"},
	{line: "kafka-consumer-groups --bootstrap-server B --delete --group consumer --group absent"},
	{line: "kafka-groups --bootstrap-server B --list"},
	{line: "kafka-groups --bootstrap-server B --list --protocol consumer"},
	{line: "kafka-groups --bootstrap-server B --list --group-type classic"},
	{line: "kafka-groups --bootstrap-server B --list --group-type consumer --protocol consumer"},
	{line: "kafka-groups --bootstrap-server B --list --consumer"},
	{line: "kafka-get-offsets --bootstrap-server B"},
	{line: "kafka-get-offsets --bootstrap-server B --exclude-internal-topics"},
	{line: "kafka-get-offsets --bootstrap-server B --topic-partitions one:0,.*:1"},

	{line: "kafka-topics --bootstrap-server B --list"},
	{line: "kafka-topics --bootstrap-server B --create --topic NAME --partitions 2 --replication-factor 1"},
	{line: "kafka-topics --bootstrap-server B --create --topic NAME"},
	{line: "kafka-topics --bootstrap-server B --create --topic NAME --if-not-exists"},
	{line: "kafka-topics --bootstrap-server B --create --topic NAME.dot --config retention.ms=1000 --config cleanup.policy=compact"},
	{line: "kafka-topics --bootstrap-server B --create --topic NAME_dot"},
	{line: "kafka-topics --bootstrap-server B --create --topic a/b"},
	{line: "kafka-topics --bootstrap-server B --create --topic NAME2 --partitions 0"},
	{line: "kafka-topics --bootstrap-server B --create --topic NAME2 --replication-factor 3"},
	{line: "kafka-topics --bootstrap-server B --create --topic NAME2 --config retention.ms=soon"},
	{line: "kafka-topics --bootstrap-server B --create --topic NAME2 --config no.such=1"},
	{line: "kafka-topics --bootstrap-server B --create --topic NAME2 --replica-assignment 1,1"},
	{line: "kafka-topics --bootstrap-server B --create --topic NAME2 --replica-assignment 1:1"},
	{line: "kafka-topics --bootstrap-server B --create --topic NAME2 --replica-assignment 1 --partitions 1"},
	{line: "kafka-topics --bootstrap-server B --describe --topic NAME"},
	{line: "kafka-topics --bootstrap-server B --describe --topic NAME.dot"},
	{line: "kafka-topics --bootstrap-server B --describe --topic absent"},
	{line: "kafka-topics --bootstrap-server B --describe --topic absent --if-exists"},
	{line: "kafka-topics --bootstrap-server B --describe --topic NAME --under-replicated-partitions"},
	{line: "kafka-topics --bootstrap-server B --describe --topic NAME --unavailable-partitions"},
	{line: "kafka-topics --bootstrap-server B --describe --topic NAME.* --topics-with-overrides"},
	{line: "kafka-topics --bootstrap-server B --list --topic NAME.*"},
	{line: "kafka-topics --bootstrap-server B --list --exclude-internal --topic absent"},
	{line: "kafka-topics --bootstrap-server B --alter --topic NAME --partitions 3"},
	{line: "kafka-topics --bootstrap-server B --alter --topic NAME --partitions 2"},
	{line: "kafka-topics --bootstrap-server B --alter --topic absent --partitions 2"},
	{line: "kafka-topics --bootstrap-server B --alter --topic absent --partitions 2 --if-exists"},
	{line: "kafka-topics --bootstrap-server B --alter --topic NAME"},
	{line: "kafka-topics --bootstrap-server B --delete --topic absent"},
	{line: "kafka-topics --bootstrap-server B --delete --topic absent --if-exists"},
	{line: "kafka-topics --bootstrap-server B --delete --topic NAME.dot"},
	{line: "kafka-topics --bootstrap-server B"},
	{line: "kafka-topics --bootstrap-server B --list --create --topic x"},
	{line: "kafka-topics --bootstrap-server B --create"},
	{line: "kafka-topics --list"},
	{line: "kafka-topics --bootstrap-server B --no-such-option"},
	{line: "kafka-topics --bootstrap-server B --create --topic x --partitions many"},
	{line: "kafka-topics --help"},

	{line: "kafka-configs --bootstrap-server B --describe --entity-type topics --entity-name NAME"},
	{line: "kafka-configs --bootstrap-server B --alter --entity-type topics --entity-name NAME --add-config retention.ms=86400000,segment.ms=70000"},
	{line: "kafka-configs --bootstrap-server B --describe --entity-type topics --entity-name NAME"},
	{line: "kafka-configs --bootstrap-server B --alter --entity-type topics --entity-name NAME --delete-config segment.ms"},
	{line: "kafka-configs --bootstrap-server B --describe --topic NAME"},
	{line: "kafka-configs --bootstrap-server B --alter --topic NAME --add-config retention.ms=soon"},
	{line: "kafka-configs --bootstrap-server B --alter --topic NAME --add-config no.such=1"},
	{line: "kafka-configs --bootstrap-server B --alter --topic NAME --delete-config segment.ms"},
	{line: "kafka-configs --bootstrap-server B --alter --topic absent --add-config retention.ms=5"},
	{line: "kafka-configs --bootstrap-server B --describe --topic absent"},
	{line: "kafka-configs --bootstrap-server B --alter --broker-defaults --add-config log.retention.ms=700000"},
	{line: "kafka-configs --bootstrap-server B --describe --broker-defaults"},
	{line: "kafka-configs --bootstrap-server B --describe --entity-type brokers --entity-name 1"},
	{line: "kafka-configs --bootstrap-server B --alter --broker-defaults --delete-config log.retention.ms"},
	{line: "kafka-configs --bootstrap-server B --alter --broker-defaults --add-config max.connections.per.ip=0"},
	{line: "kafka-configs --bootstrap-server B --alter --broker-defaults --add-config max.connections.per.ip=0,max.connections.per.ip.overrides=127.0.0.1:1000"},
	{line: "kafka-configs --bootstrap-server B --alter --broker-defaults --delete-config max.connections.per.ip.overrides"},
	{line: "kafka-configs --bootstrap-server B --alter --broker-defaults --delete-config max.connections.per.ip,max.connections.per.ip.overrides"},
	{line: "kafka-configs --bootstrap-server B --describe"},
	{line: "kafka-configs --bootstrap-server B --alter --entity-type topics --entity-name NAME"},
	{line: "kafka-configs --bootstrap-server B --alter --describe --topic NAME"},
	{line: "kafka-configs --bootstrap-server B --entity-type topics"},
	{line: "kafka-configs --bootstrap-server B --describe --entity-type nothing"},
	{line: "kafka-configs --describe --topic NAME"},

	{line: "kafka-console-producer --bootstrap-server B --topic NAME", stdin: "one\ntwo\n\nfour\n"},
	{line: "kafka-console-producer --bootstrap-server B --topic NAME --property parse.key=true --property key.separator=:", stdin: "k:v\n:empty\nk2:\n"},
	{line: "kafka-console-producer --bootstrap-server B --topic NAME --property parse.key=true --property key.separator=:", stdin: "nokey\n"},
	{line: "kafka-console-producer --bootstrap-server B --topic NAME --property parse.headers=true", stdin: "a:1,b:2\twith headers\n"},
	{line: "kafka-console-producer --bootstrap-server B --topic NAME --property parse.headers=true", stdin: "none\n"},
	{line: "kafka-console-producer --bootstrap-server B"},
	{line: "kafka-console-producer --topic NAME", why: "Kafka's words do not say what is missing"},
	{line: "kafka-console-producer --bootstrap-server B --topic NAME --no-such"},

	{line: "kafka-console-consumer --bootstrap-server B --topic one --from-beginning --max-messages 3", why: "Kafka's client says first which group protocol to try"},
	{line: "kafka-console-consumer --bootstrap-server B --topic one --partition 0 --offset 1 --max-messages 1"},
	{line: "kafka-console-consumer --bootstrap-server B --topic one --partition 0 --offset earliest --max-messages 4 --property print.key=true --property print.offset=true --property print.partition=true --property print.headers=true"},
	{line: "kafka-console-consumer --bootstrap-server B --topic one --partition 0 --offset 2 --timeout-ms 2000"},
	{line: "kafka-console-consumer --bootstrap-server B --topic one --partition 0 --offset nowhere"},
	{line: "kafka-console-consumer --bootstrap-server B --topic one --offset 1"},
	{line: "kafka-console-consumer --bootstrap-server B --topic one --partition 0 --offset -1"},
	{line: "kafka-console-consumer --bootstrap-server B"},
	{line: "kafka-console-consumer --topic one"},
	{line: "kafka-console-consumer --bootstrap-server B --topic one --include x"},

	{line: "kafka-consumer-groups --bootstrap-server B --describe --group NAME"},
	{line: "kafka-consumer-groups --bootstrap-server B --reset-offsets --group NAME --topic one --to-offset 2 --dry-run"},
	{line: "kafka-consumer-groups --bootstrap-server B --reset-offsets --group NAME --topic one --to-offset 2 --execute"},
	{line: "kafka-consumer-groups --bootstrap-server B --describe --group NAME"},
	{line: "kafka-consumer-groups --bootstrap-server B --describe --group NAME --verbose"},
	{line: "kafka-consumer-groups --bootstrap-server B --describe --group NAME --members"},
	{line: "kafka-consumer-groups --bootstrap-server B --describe --group NAME --members --verbose"},
	{line: "kafka-consumer-groups --bootstrap-server B --describe --group NAME --state"},
	{line: "kafka-consumer-groups --bootstrap-server B --describe --group NAME --state --verbose"},
	{line: "kafka-consumer-groups --bootstrap-server B --reset-offsets --group NAME --all-topics --shift-by -9 --execute"},
	{line: "kafka-consumer-groups --bootstrap-server B --reset-offsets --group NAME --all-topics --shift-by 90 --execute"},
	{line: "kafka-consumer-groups --bootstrap-server B --reset-offsets --group NAME --all-topics --to-earliest --dry-run"},
	{line: "kafka-consumer-groups --bootstrap-server B --reset-offsets --group NAME --all-topics --to-latest --dry-run --export"},
	{line: "kafka-consumer-groups --bootstrap-server B --reset-offsets --group NAME --all-topics --to-current"},
	{line: "kafka-consumer-groups --bootstrap-server B --reset-offsets --group NAME --all-topics --by-duration PT1H --dry-run"},
	{line: "kafka-consumer-groups --bootstrap-server B --reset-offsets --group NAME --all-topics --by-duration soon --dry-run"},
	{line: "kafka-consumer-groups --bootstrap-server B --reset-offsets --group NAME --all-topics --to-datetime 2034-01-01T00:00:00.000 --dry-run"},
	{line: "kafka-consumer-groups --bootstrap-server B --reset-offsets --group NAME --all-topics --to-datetime soon --dry-run"},
	{line: "kafka-consumer-groups --bootstrap-server B --reset-offsets --group NAME --topic one:9 --to-earliest --dry-run"},
	{line: "kafka-consumer-groups --bootstrap-server B --reset-offsets --group NAME --topic one:x --to-earliest --dry-run"},
	{line: "kafka-consumer-groups --bootstrap-server B --reset-offsets --group NAME --topic absent --to-earliest --dry-run"},
	{line: "kafka-consumer-groups --bootstrap-server B --reset-offsets --group NAME --to-earliest --dry-run"},
	{line: "kafka-consumer-groups --bootstrap-server B --reset-offsets --group NAME --topic one --to-earliest --to-latest --dry-run"},
	{line: "kafka-consumer-groups --bootstrap-server B --reset-offsets --group NAME --topic one --to-earliest --execute --dry-run"},
	{line: "kafka-consumer-groups --bootstrap-server B --reset-offsets --group NAME --topic one --to-offset soon --execute"},
	{line: "kafka-consumer-groups --bootstrap-server B --reset-offsets --group NAME2 --topic one --shift-by 1 --dry-run"},
	{line: "kafka-consumer-groups --bootstrap-server B --reset-offsets --group NAME --from-file DIR/absent --dry-run"},
	{line: "kafka-consumer-groups --bootstrap-server B --delete-offsets --group NAME --topic one"},
	{line: "kafka-consumer-groups --bootstrap-server B --delete-offsets --group NAME --topic absent"},
	{line: "kafka-consumer-groups --bootstrap-server B --delete-offsets --group absent --topic one"},
	{line: "kafka-consumer-groups --bootstrap-server B --delete-offsets --group NAME --topic one:0,7"},
	{line: "kafka-consumer-groups --bootstrap-server B --delete --group absent"},
	{line: "kafka-consumer-groups --bootstrap-server B --reset-offsets --group NAME --from-file DIR/plan --dry-run"},
	{line: "kafka-consumer-groups --bootstrap-server B --reset-offsets --group NAME --from-file DIR/plan --execute"},
	{line: "kafka-consumer-groups --bootstrap-server B --reset-offsets --group NAME --group NAME-too --from-file DIR/plans --execute --export", why: "Kafka's tool does not read the file that it exports for several groups"},
	{line: "kafka-consumer-groups --bootstrap-server B --reset-offsets --group NAME --group NAME-too --topic one --to-latest --dry-run --export"},
	{line: "kafka-consumer-groups --bootstrap-server B --describe --group NAME-too"},
	{line: "kafka-consumer-groups --bootstrap-server B --delete --group NAME-too"},
	{line: "kafka-consumer-groups --bootstrap-server B --reset-offsets --group NAME --topic one --to-earliest --execute"},
	{line: "kafka-consumer-groups --bootstrap-server B --delete --group NAME"},
	{line: "kafka-consumer-groups --bootstrap-server B --describe --group NAME"},
	{line: "kafka-consumer-groups --bootstrap-server B --describe --group NAME --members --state"},
	{line: "kafka-consumer-groups --bootstrap-server B --list --group x"},
	{line: "kafka-consumer-groups --bootstrap-server B --list --verbose"},
	{line: "kafka-consumer-groups --bootstrap-server B --list --no-such"},
	{line: "kafka-consumer-groups --bootstrap-server B --describe --group x --topic one"},
	{line: "kafka-consumer-groups --bootstrap-server B"},
	{line: "kafka-consumer-groups --list"},
	{line: "kafka-consumer-groups --help"},
	{line: "kafka-consumer-groups --validate-regex a.*"},
	{line: "kafka-consumer-groups --validate-regex [a"},
	{line: "kafka-consumer-groups --validate-regex a**"},
	{line: "kafka-groups --bootstrap-server B --list --protocol none"},
	{line: "kafka-groups --bootstrap-server B --list --share"},
	{line: "kafka-groups --bootstrap-server B --list --consumer --share"},
	{line: "kafka-groups --bootstrap-server B --list --group-type nonsense"},
	{line: "kafka-groups --bootstrap-server B"},
	{line: "kafka-groups --list"},
	{line: "kafka-groups --help"},
	{line: "kafka-groups --bootstrap-server B --no-such"},
	{line: "kafka-get-offsets --bootstrap-server B --topic one"},
	{line: "kafka-get-offsets --bootstrap-server B --topic one --time earliest"},
	{line: "kafka-get-offsets --bootstrap-server B --topic one --time -3"},
	{line: "kafka-get-offsets --bootstrap-server B --topic one --time 1"},
	{line: "kafka-get-offsets --bootstrap-server B --topic one --time 99999999999999"},
	{line: "kafka-get-offsets --bootstrap-server B --topic one --time earliest-local"},
	{line: "kafka-get-offsets --bootstrap-server B --topic one --time latest-tiered"},
	{line: "kafka-get-offsets --bootstrap-server B --topic one --time soon"},
	{line: "kafka-get-offsets --bootstrap-server B --topic one --partitions 0,7"},
	{line: "kafka-get-offsets --bootstrap-server B --topic one --partitions x"},
	{line: "kafka-get-offsets --bootstrap-server B --topic absent"},
	{line: "kafka-get-offsets --bootstrap-server B --topic-partitions one:0-2"},
	{line: "kafka-get-offsets --bootstrap-server B --topic-partitions one:x"},
	{line: "kafka-get-offsets --bootstrap-server B --topic-partitions one --topic one"},
	{line: "kafka-get-offsets --bootstrap-server somewhere"},
	{line: "kafka-get-offsets --topic one"},
	{line: "kafka-get-offsets --help"},
	{line: "kafka-get-offsets --bootstrap-server B --no-such"},

	{line: "kafka-cluster cluster-id --bootstrap-server B"},
	{line: "kafka-cluster list-endpoints -b B"},
	{line: "kafka-cluster list-endpoints --bootstrap-server B --include-fenced-brokers"},
	{line: "kafka-cluster list-endpoints --bootstrap-controller B --include-fenced-brokers"},
	{line: "kafka-cluster unregister --bootstrap-server B --id 9"},
	{line: "kafka-features --bootstrap-server B describe"},
	{line: "kafka-features --bootstrap-server B describe --node-id 1"},
	{line: "kafka-features --bootstrap-server B upgrade --feature brokerd.metadata=3"},
	{line: "kafka-features --bootstrap-server B upgrade --feature brokerd.metadata=99 --dry-run"},
	{line: "kafka-features --bootstrap-server B upgrade --feature nosuch=1"},
	{line: "kafka-features --bootstrap-server B downgrade --feature brokerd.metadata=3 --dry-run"},
	{line: "kafka-features --bootstrap-server B downgrade --unsafe --feature brokerd.metadata=1"},
	{line: "kafka-features --bootstrap-server B disable --feature nosuch"},
	{line: "kafka-features --bootstrap-server B upgrade --feature x"},
	{line: "kafka-features --bootstrap-server B upgrade --feature x=1 --feature x=2"},
	{line: "kafka-features --bootstrap-server B upgrade"},
	{line: "kafka-features --bootstrap-server B nosuch"},
	{line: "kafka-features --help"},
	{line: "kafka-metadata-quorum --bootstrap-server B describe --status"},
	{line: "kafka-metadata-quorum --bootstrap-server B describe"},
	{line: "kafka-metadata-quorum --bootstrap-server B describe --status --replication"},
	{line: "kafka-metadata-quorum --bootstrap-server B describe --status --human-readable"},
	{line: "kafka-metadata-quorum --bootstrap-server B remove-controller -i 9 -d AAAAAAAAAAAAAAAAAAAABw"},
	{line: "kafka-metadata-quorum --bootstrap-server B remove-controller -i 9 -d AAAAAAAAAAAAAAAAAAAABw --dry-run"},
	{line: "kafka-metadata-quorum --bootstrap-server B remove-controller -i 9 -d xx"},
	{line: "kafka-metadata-quorum --bootstrap-server B remove-controller -i -9 -d AAAAAAAAAAAAAAAAAAAABw"},
	{line: "kafka-metadata-quorum --bootstrap-server B add-controller"},
	{line: "kafka-delete-records --bootstrap-server B --offset-json-file DIR/absent"},
	{line: "kafka-delete-records --bootstrap-server B --offset-json-file DIR/records"},
	{line: "kafka-delete-records --bootstrap-server B --offset-json-file DIR/twice"},
	{line: "kafka-delete-records --bootstrap-server B --offset-json-file FILE"},
	{line: "kafka-delete-records --bootstrap-server B"},
	{line: "kafka-delete-records --help"},
	{line: "kafka-delete-records --bootstrap-server B --no-such"},

	{line: "kafka-storage info --config FILE"},
	{line: "kafka-storage format --config FILE --cluster-id 6foHn9NLQpiMAirIK7EG4A"},
	{line: "kafka-storage format --config FILE --cluster-id 6foHn9NLQpiMAirIK7EG4A"},
	{line: "kafka-storage format --config FILE --cluster-id 6foHn9NLQpiMAirIK7EG4A --ignore-formatted"},
	{line: "kafka-storage info --config FILE"},
	{line: "kafka-storage format --config FILE"},
	{line: "kafka-storage format --cluster-id 6foHn9NLQpiMAirIK7EG4A"},
	{line: "kafka-storage format --config DIR/absent --cluster-id 6foHn9NLQpiMAirIK7EG4A", why: "ours says what to do"},
	{line: "kafka-storage"},
	{line: "kafka-storage nonsense"},

	{line: "kafka-topics --bootstrap-server B --create --topic NAME.x --partitions=2 --config=segment.ms=70000"},
	{line: "kafka-topics --bootstrap-server B --create --topic NAME-odd --config min.insync.replicas=0"},
	{line: "kafka-topics --bootstrap-server B --create --topic NAME-odd --config cleanup.policy=shred"},
	{line: "kafka-topics --bootstrap-server B --create --topic NAME-odd --config retention.ms"},
	{line: "kafka-topics --bootstrap-server B --create --topic NAME-odd --partitions -1"},
	{line: "kafka-topics --bootstrap-server B --create --topic NAME-odd --partitions 10001"},
	{line: "kafka-topics --bootstrap-server B --create --topic NAME-odd --replication-factor 0"},
	{line: "kafka-topics --bootstrap-server B --create --topic NAME-odd --replication-factor 40000"},
	{line: "kafka-topics --bootstrap-server B --create --topic NAME-odd --replica-assignment 1:2"},
	{line: "kafka-topics --bootstrap-server B --create --topic NAME-odd --replica-assignment x"},
	{line: "kafka-topics --bootstrap-server B --create --topic NAME-odd --replica-assignment 1 --replication-factor 1"},
	{line: "kafka-topics --bootstrap-server B --create --topic .."},
	{line: "kafka-topics --bootstrap-server B --create --if-exists --topic NAME-odd"},
	{line: "kafka-topics --bootstrap-server B --delete --if-not-exists --topic NAME-odd"},
	{line: "kafka-topics --bootstrap-server B --delete"},
	{line: "kafka-topics --bootstrap-server B --alter --topic NAME --partitions 0"},
	{line: "kafka-topics --bootstrap-server B --alter --topic NAME --partitions 5 --replica-assignment 1"},
	{line: "kafka-topics --bootstrap-server B --alter --partitions 5"},
	{line: "kafka-topics --bootstrap-server B --describe --topic-id AAAA"},
	{line: "kafka-topics --bootstrap-server B --describe --topic-id 6foHn9NLQpiMAirIK7EG4A"},
	{line: "kafka-topics --bootstrap-server B --describe --topic NAME --under-min-isr-partitions"},
	{line: "kafka-topics --bootstrap-server B --describe --topic NAME --at-min-isr-partitions"},
	{line: "kafka-topics --bootstrap-server B --describe --topic NAME --under-replicated-partitions --unavailable-partitions"},
	{line: "kafka-topics --bootstrap-server B --describe --topic NAME --partition-size-limit-per-response 1"},
	{line: "kafka-topics --bootstrap-server B --list --topic NAME --if-exists"},
	{line: "kafka-topics --bootstrap-server B --list --topic [ "},
	{line: "kafka-topics --bootstrap B --list --exclude --topic absent", why: "an abbreviation that can mean one option only is taken"},
	{line: "kafka-topics --bootstrap-server B --command-config DIR/absent --list", why: "ours says what it was about"},
	{line: "kafka-topics --bootstrap-server B --list --topic NAME extra"},
	{line: "kafka-topics --bootstrap-server"},
	{line: "kafka-topics --zookeeper x --list"},

	{line: "kafka-configs --bootstrap-server B --alter --topic NAME --add-config cleanup.policy=[compact,delete]"},
	{line: "kafka-configs --bootstrap-server B --describe --topic NAME"},
	{line: "kafka-configs --bootstrap-server B --alter --topic NAME --add-config retention.ms=5 --delete-config cleanup.policy"},
	{line: "kafka-configs --bootstrap-server B --alter --topic NAME --delete-config retention.ms,cleanup.policy"},
	{line: "kafka-configs --bootstrap-server B --alter --topic NAME --add-config retention.ms"},
	{line: "kafka-configs --bootstrap-server B --alter --topic NAME --add-config retention.ms=-9"},
	{line: "kafka-configs --bootstrap-server B --alter --topic NAME --add-config-file DIR/absent"},
	{line: "kafka-configs --bootstrap-server B --alter --topic NAME --add-config a=b --add-config-file DIR/absent"},
	{line: "kafka-configs --bootstrap-server B --alter --entity-type brokers --entity-name 1 --add-config node.id=4"},
	{line: "kafka-configs --bootstrap-server B --alter --entity-type brokers --entity-name x --add-config log.retention.ms=4"},
	{line: "kafka-configs --bootstrap-server B --describe --entity-type brokers --entity-name x"},
	{line: "kafka-configs --bootstrap-server B --describe --entity-type brokers"},
	{line: "kafka-configs --bootstrap-server B --describe --entity-type topics --entity-default"},
	{line: "kafka-configs --bootstrap-server B --describe --entity-type topics --topic NAME"},
	{line: "kafka-configs --bootstrap-server B --describe --topic NAME --add-config a=b"},
	{line: "kafka-configs --bootstrap-server B --describe --entity-name NAME"},
	{line: "kafka-configs --bootstrap-server B --alter --entity-type topics --add-config retention.ms=5"},
	{line: "kafka-configs"},

	{line: "kafka-console-producer --bootstrap-server B --topic NAME --reader-property parse.key=true --reader-property key.separator=| --reader-property null.marker=NULL", stdin: "a|1\nb|NULL\n"},
	{line: "kafka-console-producer --bootstrap-server B --topic NAME --compression-codec gzip --request-required-acks 1 --sync", stdin: "zipped\n"},
	{line: "kafka-console-producer --bootstrap-server B --topic NAME --compression-codec brotli", stdin: "x\n", why: "in our words"},
	{line: "kafka-console-producer --bootstrap-server B --topic NAME --batch-size many", stdin: "x\n"},
	{line: "kafka-console-producer --bootstrap-server B --topic NAME --property parse.headers=true --property headers.separator=; --property headers.key.separator==", stdin: "a=1;b=2\tv\n"},
	{line: "kafka-console-producer --bootstrap-server B --topic NAME --property nonsense=1", stdin: "fine\n"},
	{line: "kafka-console-producer --bootstrap-server B --topic NAME --property parse.key=true --property ignore.error=true", stdin: "nokey\n"},
	{line: "kafka-console-producer --bootstrap-server B --topic NAME --command-config DIR/absent", stdin: "x\n", why: "in our words"},
	{line: "kafka-console-producer --bootstrap-server B --topic NAME", stdin: "no end of line"},

	{line: "kafka-console-consumer --bootstrap-server B --topic one --partition 0 --offset latest --timeout-ms 500"},
	{line: "kafka-console-consumer --bootstrap-server B --topic one --partition 0 --offset 1 --max-messages 2 --formatter-property print.value=false --formatter-property print.offset=true"},
	{line: "kafka-console-consumer --bootstrap-server B --topic one --partition 0 --offset 1 --max-messages 2 --property print.key=true --property null.literal=nil --property key.separator=: --property line.separator=;"},
	{line: "kafka-console-consumer --bootstrap-server B --topic one --partition 0 --offset 1 --max-messages 1 --property print.epoch=true", why: "Kafka's tool loses the epoch on its way"},
	{line: "kafka-console-consumer --bootstrap-server B --topic one --partition 0 --from-beginning --offset 1"},
	{line: "kafka-console-consumer --bootstrap-server B --topic one --partition 0 --offset 1 --max-messages many", why: "Kafka counts before it says what is wrong"},
	{line: "kafka-console-consumer --bootstrap-server B --topic one --partition 0 --group g"},
	{line: "kafka-console-consumer --bootstrap-server B --topic one --isolation-level odd --partition 0 --offset 0 --max-messages 1"},
	{line: "kafka-console-consumer --bootstrap-server B --topic one --isolation-level read_committed --partition 0 --offset 0 --max-messages 1"},
	{line: "kafka-console-consumer --bootstrap-server B --topic one --partition 0 --offset 0 --max-messages 1 --formatter no.such.Class", why: "ours says which there are"},
	{line: "kafka-console-consumer --bootstrap-server B --topic one --partition 0 --offset 0 --max-messages 0"},

	{line: "kafka-storage info"},
	{line: "kafka-storage info --config DIR/absent", why: "ours says what to do"},
	{line: "kafka-storage format --config FILE --cluster-id short", why: "an id that cannot be one is said to be so"},
	{line: "kafka-storage format --config FILE --cluster-id 6foHn9NLQpiMAirIK7EG4A --odd"},
	{line: "kafka-storage random-uuid extra"},
}

// TestTexts gives the same words to Kafka's tools and to ours.
func TestTexts(t *testing.T) {
	node := harness.Start(t, harness.Options{Properties: map[string]string{"auto.create.topics.enable": "false"}}).Nodes[0]
	one := brokerd(t, "", "kafka-topics", "--bootstrap-server", node.Addr(), "--create", "--topic", "one")
	if one.code != 0 {
		t.Fatal(one)
	}
	brokerd(t, "zero\none\ntwo\nthree\n", "kafka-console-producer", "--bootstrap-server", node.Addr(), "--topic", "one")
	lively(t, node.Addr(), "classic")
	lively(t, node.Addr(), "consumer", kgo.ServerSideBalancer())
	j := startTools(t)
	theirs, ours := newWords(t, "xqj", node), newWords(t, "xqo", node)
	for _, c := range lines {
		c.compare(t, j, theirs, ours, func() {})
	}
}

// compare gives a line to both tools, after settle each.
func (c lineCase) compare(t *testing.T, j *tools, theirs, ours words, settle func()) {
	t.Helper()
	a, b := theirs.of(c.line), ours.of(c.line)
	settle()
	x := theirs.clean(j.run(t, classes[a[0]], c.stdin, a[1:]...))
	settle()
	y := ours.clean(brokerd(t, c.stdin, b...))
	theRun.texts++
	if c.why == "" {
		same(t, c.line, x, y)
	} else if x.code == y.code && slices.Equal(plain(x.out), plain(y.out)) && firstOf(x.errors) == firstOf(y.errors) {
		t.Errorf("%s: does not differ any more: %s", c.line, c.why)
	}
}

// lively keeps a group with a member that has read all of topic one and committed it.
func lively(t *testing.T, addr, group string, opts ...kgo.Opt) {
	t.Helper()
	c, err := kgo.NewClient(append(opts, kgo.SeedBrokers(addr), kgo.ConsumerGroup(group), kgo.ClientID("c"), kgo.ConsumeTopics("one"), kgo.DisableAutoCommit(),
		kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	ctx, cancel := context.WithTimeout(t.Context(), answerLimit)
	defer cancel()
	for n := 0; n < 4; {
		fetches := c.PollFetches(ctx)
		if err := errors.Join(fetches.Err(), ctx.Err()); err != nil {
			t.Fatal(err)
		}
		n += fetches.NumRecords()
	}
	if err := c.CommitUncommittedOffsets(ctx); err != nil {
		t.Fatal(err)
	}
}

// words are what the placeholders stand for on one side.
type words struct{ name, dir, addr string }

func newWords(t *testing.T, name string, node *harness.Node) words {
	w := words{name, t.TempDir(), node.Addr()}
	if err := os.WriteFile(w.dir+"/p", fmt.Appendf(nil, "process.roles=broker,controller\nnode.id=1\ncontroller.quorum.voters=1@127.0.0.1:1\n"+
		"listeners=PLAINTEXT://127.0.0.1:2,CONTROLLER://127.0.0.1:1\ncontroller.listener.names=CONTROLLER\nlog.dirs=%s/data\n", w.dir), 0o600); err != nil {
		t.Fatal(err)
	}
	for file, text := range map[string]string{"records": "{\"partitions\":[{\"topic\":\"" + name + "\",\"partition\":0,\"offset\":0}],\"version\":1}",
		"plan": "one,0,1\n", "plans": name + ",one,0,2\n" + name + "-too,one,0,3\n",
		"twice": "{\"partitions\":[{\"topic\":\"one\",\"partition\":0,\"offset\":0},{\"topic\":\"one\",\"partition\":0,\"offset\":1}]}"} {
		if err := os.WriteFile(filepath.Join(w.dir, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

func (w words) of(line string) []string {
	list := strings.Fields(line)
	for i, s := range list {
		if s == "B" {
			s = w.addr
		}
		if s == "FILE" {
			s = w.dir + "/p"
		}
		list[i] = strings.ReplaceAll(strings.ReplaceAll(s, "NAME", w.name), "DIR", w.dir)
	}
	return list
}

var (
	topicID   = regexp.MustCompile(`TopicId: \S+`)
	directory = regexp.MustCompile(`directory\.id=\S+?([,}])`)
)

// clean puts the placeholders back, and takes out what each chose by itself.
func (w words) clean(s said) said {
	fix := func(text string) string {
		text = strings.ReplaceAll(strings.ReplaceAll(text, w.dir, "DIR"), w.name, "NAME")
		text = strings.TrimPrefix(text, `Exception in thread "main" `) // the launcher's, which the tests do without
		text = topicID.ReplaceAllString(text, "TopicId: ID")
		text = directory.ReplaceAllString(text, "directory.id=ID$1")
		return text
	}
	out := bootstrap.ReplaceAllString(fix(s.out), "")
	return said{s.code, formatted.ReplaceAllString(out, "metadata.version V"), fix(s.errors)}
}

// bootstrap is the line about the records of Kafka's features that a format writes: ours has none of them.
var bootstrap = regexp.MustCompile("(?m)^Bootstrap metadata: .*\n")

// formatted is the version that a format names: the tools are of the release before the broker's.
var formatted = regexp.MustCompile(`metadata\.version [0-9.]+-IV[0-9]+`)
