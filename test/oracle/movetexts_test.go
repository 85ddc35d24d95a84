//go:build oracle

package oracle

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/brokerd/brokerd/test/harness"
)

// moveFiles are what the lines below name as DIR/…; NAME is each one's own topic.
var moveFiles = map[string]string{
	"move":      `{"version":1,"partitions":[{"topic":"NAME","partition":0,"replicas":[2,3]},{"topic":"NAME","partition":1,"replicas":[3,1],"log_dirs":["any","any"]}]}`,
	"more":      `{"partitions":[{"topic":"NAME","partition":0,"replicas":[2,3,1]}]}`,
	"lost":      `{"version":1,"partitions":[{"topic":"NAMElost","partition":0,"replicas":[1]}]}`,
	"stranger":  `{"version":1,"partitions":[{"topic":"NAME","partition":0,"replicas":[2,9]}]}`,
	"nowhere":   `{"version":1,"partitions":[{"topic":"nowhere","partition":0,"replicas":[2]}]}`,
	"beyond":    `{"version":1,"partitions":[{"topic":"NAME","partition":7,"replicas":[2]}]}`,
	"nobody":    `{"version":1,"partitions":[{"topic":"NAME","partition":0,"replicas":[]}]}`,
	"twice":     `{"version":1,"partitions":[{"topic":"NAME","partition":0,"replicas":[2,2]}]}`,
	"again":     `{"version":1,"partitions":[{"topic":"NAME","partition":0,"replicas":[2]},{"topic":"NAME","partition":0,"replicas":[1]}]}`,
	"dirs":      `{"version":1,"partitions":[{"topic":"NAME","partition":0,"replicas":[2,1],"log_dirs":["any"]}]}`,
	"newer":     `{"version":2,"partitions":[]}`,
	"none":      `{"version":1,"partitions":[]}`,
	"fieldless": `{"version":1,"partitions":[{"topic":"NAME","replicas":[2,1]}]}`,
	"topics":    `{"topics":[{"topic":"NAME"}],"version":1}`,
	"lonely":    `{"topics":[{"topic":"NAMElost"}],"version":1}`,
	"topics2":   `{"topics":[{"topic":"NAME"},{"topic":"NAME"}],"version":1}`,
	"topics3":   `{"topics":[{"topic":"nowhere"}],"version":1}`,
	"elect":     `{"partitions":[{"topic":"NAME","partition":1}]}`,
	"elect2":    `{"partitions":[{"topic":"NAME","partition":1},{"topic":"NAME","partition":1}]}`,
	"elect3":    `{"topics":[]}`,
	"elect4":    `{"partitions":[{"topic":"NAME"}]}`,
}

const moveTool, electTool, dirTool = "kafka-reassign-partitions --bootstrap-server B ", "kafka-leader-election --bootstrap-server B ", "kafka-log-dirs --bootstrap-server B "

// moveLines run in order, each when nothing moves any more; "kill 3" ends a node.
var moveLines = []lineCase{
	{line: moveTool + "--list"},
	{line: moveTool + "--verify --reassignment-json-file DIR/move"},
	{line: moveTool + "--execute --reassignment-json-file DIR/move"},
	{line: moveTool + "--verify --reassignment-json-file DIR/move"},
	{line: moveTool + "--execute --reassignment-json-file DIR/more --throttle 50000000"},
	{line: "kafka-configs --bootstrap-server B --describe --topic NAME"},
	{line: "kafka-configs --bootstrap-server B --describe --broker 2"},
	{line: moveTool + "--verify --preserve-throttles --reassignment-json-file DIR/more"},
	{line: moveTool + "--verify --reassignment-json-file DIR/more"},
	{line: "kafka-configs --bootstrap-server B --describe --topic NAME"},
	{line: moveTool + "--execute --disallow-replication-factor-change --reassignment-json-file DIR/move"},
	{line: moveTool + "--cancel --reassignment-json-file DIR/move"},
	{line: moveTool + "--cancel --preserve-throttles --reassignment-json-file DIR/none"},
	{line: moveTool + "--verify --reassignment-json-file DIR/nowhere --preserve-throttles"},
	{line: moveTool + "--execute --reassignment-json-file DIR/stranger"},
	{line: moveTool + "--execute --reassignment-json-file DIR/nowhere"},
	{line: moveTool + "--execute --reassignment-json-file DIR/beyond"},
	{line: moveTool + "--execute --reassignment-json-file DIR/nobody"},
	{line: moveTool + "--execute --reassignment-json-file DIR/twice"},
	{line: moveTool + "--execute --reassignment-json-file DIR/again"},
	{line: moveTool + "--execute --reassignment-json-file DIR/dirs"},
	{line: moveTool + "--execute --reassignment-json-file DIR/newer"},
	{line: moveTool + "--execute --reassignment-json-file DIR/none"},
	{line: moveTool + "--execute --reassignment-json-file DIR/fieldless"},
	{line: moveTool + "--execute --reassignment-json-file DIR/absent"},
	{line: moveTool + "--generate --broker-list 1 --topics-to-move-json-file DIR/lonely"},
	{line: moveTool + "--generate --broker-list 8 --disable-rack-aware --topics-to-move-json-file DIR/lonely"},
	{line: moveTool + "--generate --broker-list 1,2,1 --topics-to-move-json-file DIR/topics"},
	{line: moveTool + "--generate --broker-list 1,x --topics-to-move-json-file DIR/topics"},
	{line: moveTool + "--generate --broker-list 1,2,3 --topics-to-move-json-file DIR/topics2"},
	{line: moveTool + "--generate --broker-list 1,2,3 --topics-to-move-json-file DIR/topics3"},
	{line: moveTool + "--generate --broker-list 1,2,3"},
	{line: moveTool + "--list --throttle 5"},
	{line: moveTool + "--execute"},
	{line: moveTool + "--execute --verify"},
	{line: moveTool + "--execute --throttle much --reassignment-json-file DIR/move"},
	{line: moveTool + "--no-such"},
	{line: "kafka-reassign-partitions --bootstrap-server B --bootstrap-controller B --list"},
	{line: "kafka-reassign-partitions --list"},
	{line: "kafka-reassign-partitions"},
	{line: "kafka-reassign-partitions --help"},

	{line: electTool + "--election-type preferred --topic NAME --partition 0"},
	{line: electTool + "--election-type PREFERRED --topic NAME --partition 0"},
	{line: electTool + "--election-type preferred --path-to-json-file DIR/elect"},
	{line: electTool + "--election-type unclean --topic NAME --partition 1"},
	{line: electTool + "--election-type preferred --topic NAME --partition 9"},
	{line: electTool + "--election-type preferred --topic nowhere --partition 0"},
	{line: electTool + "--election-type preferred --all-topic-partitions"},
	{line: electTool + "--election-type preferred --path-to-json-file DIR/elect2"},
	{line: electTool + "--election-type preferred --path-to-json-file DIR/elect3"},
	{line: electTool + "--election-type preferred --path-to-json-file DIR/elect4"},
	{line: electTool + "--election-type preferred --path-to-json-file DIR/absent"},
	{line: electTool + "--election-type preferred --topic NAME"},
	{line: electTool + "--election-type preferred --partition 0 --all-topic-partitions"},
	{line: electTool + "--election-type preferred --topic NAME --all-topic-partitions"},
	{line: electTool + "--election-type best --topic NAME --partition 0"},
	{line: electTool},
	{line: "kafka-leader-election --topic NAME"},
	{line: "kafka-leader-election --no-such"},
	{line: "kafka-leader-election --help"},

	{line: dirTool + "--describe --topic-list nowhere"},
	{line: dirTool + "--describe --topic-list NAME --broker-list 2"},
	{line: dirTool + "--describe --broker-list 1,8"},
	{line: dirTool + "--describe --broker-list x"},
	{line: dirTool},
	{line: "kafka-log-dirs --describe"},
	{line: "kafka-log-dirs --bootstrap-server B --no-such"},
	{line: "kafka-log-dirs --help"},

	{line: "kill 3"},
	{line: moveTool + "--execute --reassignment-json-file DIR/lost --additional"},
	{line: moveTool + "--verify --reassignment-json-file DIR/lost"},
	{line: moveTool + "--execute --reassignment-json-file DIR/lost"},
	{line: moveTool + "--execute --reassignment-json-file DIR/more --additional"},
	{line: electTool + "--election-type preferred --topic NAMElost --partition 0"},
	{line: moveTool + "--cancel --reassignment-json-file DIR/lost"},
	{line: moveTool + "--list"},
}

// TestMoveTexts gives the same words to Kafka's tools that move partitions and
// elect leaders, and to ours, on three nodes.
func TestMoveTexts(t *testing.T) {
	c := harness.Start(t, harness.Options{Nodes: 3, Properties: map[string]string{
		"auto.create.topics.enable": "false", "auto.leader.rebalance.enable": "false"}})
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.Nodes[0].Addr(), c.Nodes[1].Addr(), c.Nodes[2].Addr()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	theirs, ours := newWords(t, "xqj", c.Nodes[0]), newWords(t, "xqo", c.Nodes[0])
	for _, w := range []words{theirs, ours} {
		for file, text := range moveFiles {
			if err := os.WriteFile(filepath.Join(w.dir, file), []byte(strings.ReplaceAll(text, "NAME", w.name)), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for topic, replicas := range map[string]string{w.name: "1:2,2:3", w.name + "lost": "3"} {
			if s := brokerd(t, "", "kafka-topics", "--bootstrap-server", w.addr, "--create", "--topic", topic, "--replica-assignment", replicas); s.code != 0 {
				t.Fatal(s)
			}
		}
	}
	j := startTools(t)
	lost := false
	for _, line := range moveLines {
		if line.line == "kill 3" {
			c.Nodes[2].Kill()
			lost = true
			fenced(t, cl, 3)
			continue
		}
		line.compare(t, j, theirs, ours, func() {
			if !lost {
				quiet(t, cl)
			}
		})
	}
}

// quiet waits until every node knows that nothing moves; fenced until the first
// two know that a node is no broker any more.
func quiet(t *testing.T, cl *kgo.Client) {
	t.Helper()
	for _, b := range cl.SeedBrokers() {
		until(t, func(ctx context.Context) bool {
			resp, err := b.RetriableRequest(ctx, kmsg.NewPtrListPartitionReassignmentsRequest())
			return err == nil && len(resp.(*kmsg.ListPartitionReassignmentsResponse).Topics) == 0
		})
	}
}

func fenced(t *testing.T, cl *kgo.Client, id int32) {
	t.Helper()
	for _, b := range cl.SeedBrokers()[:2] {
		until(t, func(ctx context.Context) bool {
			resp, err := b.RetriableRequest(ctx, kmsg.NewPtrMetadataRequest())
			return err == nil && !slices.ContainsFunc(resp.(*kmsg.MetadataResponse).Brokers,
				func(b kmsg.MetadataResponseBroker) bool { return b.NodeID == id })
		})
	}
}

// moveLimit bounds what the cluster does by itself.
const moveLimit = time.Minute

func until(t *testing.T, done func(context.Context) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), moveLimit)
	defer cancel()
	for !done(ctx) {
		if ctx.Err() != nil {
			t.Fatal("not so in time")
		}
		time.Sleep(20 * time.Millisecond)
	}
}
