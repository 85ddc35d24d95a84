package conf

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// deliberate are keys whose origin is another here: they have a default where
// Kafka asks for a value, or Kafka sets them itself in a new cluster.
var deliberate = map[string]bool{"process.roles": true, "node.id": true, "controller.listener.names": true, "min.insync.replicas": true}

// What a real Kafka 4.4.0 answered to DescribeConfigs for a topic, for its broker
// and for the cluster default, in name order: kind, key, value, source,
// sensitive, synonyms. It ran with the settings below; a topic had retention.ms=5.
func TestDescribeIsKafkas(t *testing.T) {
	data, err := os.ReadFile("testdata/kafka-4.4.0-describe.tsv")
	if err != nil {
		t.Fatal(err)
	}
	b := broker(t, "process.roles=broker,controller", "node.id=1", "controller.quorum.voters=1@127.0.0.1:19093",
		"listeners=PLAINTEXT://127.0.0.1:19092,CONTROLLER://127.0.0.1:19093", "advertised.listeners=PLAINTEXT://127.0.0.1:19092",
		"controller.listener.names=CONTROLLER", "listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
		"log.dirs=/data", "num.partitions=3", "log.retention.hours=24", "log.segment.bytes=2097152",
		"ssl.keystore.password=hunter2", "offsets.topic.replication.factor=1")
	d := Dynamic{Cluster: map[string]string{"message.max.bytes": "7777"}, PerBroker: map[string]string{"log.cleaner.threads": "2"}}
	ours := map[string]string{}
	for kind, all := range map[string][]Described{
		"topic":   b.DescribeTopic(d, map[string]string{"retention.ms": "5"}, 1),
		"broker":  b.DescribeBroker(d),
		"cluster": b.DescribeCluster(d),
	} {
		for _, e := range all {
			ours[kind+"\t"+e.Name] = described(e)
		}
	}
	for line := range strings.Lines(string(data)) {
		row := strings.SplitN(strings.TrimRight(line, "\n "), "\t", 3)
		if deliberate[row[1]] {
			continue
		}
		got, ok := ours[row[0]+"\t"+row[1]]
		if !ok {
			t.Errorf("%s %s is not described", row[0], row[1])
			continue
		}
		if k, ok := find(row[0], row[1]); ok && k.Kafka != "" {
			continue // another default, on purpose
		}
		if want := row[2]; strings.TrimRight(got, "\t ") != strings.TrimRight(want, "\t ") {
			t.Errorf("%s %s\n got %s\nwant %s", row[0], row[1], got, want)
		}
	}
}

func described(e Described) string {
	show := func(v string, null bool) string {
		if null {
			return "<null>"
		}
		return v
	}
	var synonyms []string
	for _, s := range e.Synonyms {
		synonyms = append(synonyms, fmt.Sprintf("%d:%s=%s", s.Source, s.Name, show(s.Value, s.IsNull)))
	}
	return fmt.Sprintf("%s\t%d\t%v\t%s", show(e.Value, e.IsNull), e.Source, e.Sensitive, strings.Join(synonyms, " "))
}
