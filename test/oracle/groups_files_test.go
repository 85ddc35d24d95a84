//go:build oracle

package oracle

import (
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/brokerd/brokerd/test/harness"
)

// TestOffsetsFiles: what groups of each kind leave in __consumer_offsets is printed
// field by field as Kafka does, of its files and of ours.
func TestOffsetsFiles(t *testing.T) {
	p := newPair(t)
	p.coordinators()
	p.each(func(s *side) {
		brokerd(t, "", "kafka-topics", "--bootstrap-server", s.addr, "--create", "--topic", "one")
		brokerd(t, "zero\none\ntwo\nthree\n", "kafka-console-producer", "--bootstrap-server", s.addr, "--topic", "one")
		for _, group := range []string{"files-classic", "files-consumer", "files-deleted"} {
			p.group(group)
		}
		lively(t, s.addr, "files-classic", kgo.InstanceID("i"))
		lively(t, s.addr, "files-consumer", kgo.ServerSideBalancer())
		brokerd(t, "", "kafka-consumer-groups", "--bootstrap-server", s.addr, "--group", "files-deleted", "--topic", "one", "--reset-offsets", "--to-latest", "--execute")
		brokerd(t, "", "kafka-consumer-groups", "--bootstrap-server", s.addr, "--group", "files-deleted", "--delete")
	})
	p.node.Stop()
	j := startTools(t)
	p.each(func(s *side) {
		logs, err := filepath.Glob(filepath.Join(s.dir, "__consumer_offsets-*", "*.log"))
		if err != nil {
			t.Fatal(err)
		}
		logs = append(logs, segments(t, filepath.Join(s.dir, "one-0"))...) // records without a key end it
		slices.Sort(logs)
		args := []string{"--offsets-decoder", "--files", strings.Join(logs, ",")}
		theirs := j.run(t, dumpLogSegments, "", args...)
		for _, want := range []string{"files-classic", "files-consumer", "<DELETE>", `"type":"8"`, `"groupInstanceId":"i"`} {
			if !strings.Contains(theirs.out, want) {
				t.Errorf("nothing of %s in the files of %s: %.2000s", want, s.name, theirs.out)
			}
		}
		ours := brokerd(t, "", append([]string{"kafka-dump-log"}, args...)...)
		ours.errors = strings.TrimPrefix(ours.errors, `Exception in thread "main" `) // the launcher's, which the tests do without
		same(t, "the offsets of "+s.name, theirs, ours)
	})
}

// TestLagShown: the lag on /metrics is what Kafka's kafka-consumer-groups prints.
func TestLagShown(t *testing.T) {
	node := harness.Start(t, harness.Options{}).Nodes[0]
	brokerd(t, "", "kafka-topics", "--bootstrap-server", node.Addr(), "--create", "--topic", "one")
	fill := []string{"kafka-console-producer", "--bootstrap-server", node.Addr(), "--topic", "one"}
	brokerd(t, "zero\none\ntwo\nthree\n", fill...)
	lively(t, node.Addr(), "classic")
	lively(t, node.Addr(), "consumer", kgo.ServerSideBalancer())
	brokerd(t, "four\nfive\nsix\n", fill...)
	j := startTools(t)
	for _, group := range []string{"classic", "consumer"} {
		s := j.run(t, classes["kafka-consumer-groups"], "", "--bootstrap-server", node.Addr(), "--describe", "--group", group)
		lag := ""
		for _, line := range plain(s.out) { // GROUP TOPIC PARTITION CURRENT-OFFSET LOG-END-OFFSET LAG
			if f := strings.Fields(line); len(f) > 5 && f[0] == group && f[1] == "one" {
				lag = f[5]
			}
		}
		resp, err := http.Get(node.AdminURL() + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprintf("kafka_consumergroup_lag{consumergroup=\"%s\",partition=\"0\",topic=\"one\"} %s\n", group, lag)
		if lag != "3" || !strings.Contains(string(body), want) {
			t.Errorf("not on /metrics: %s%s", want, s.out)
		}
	}
}
