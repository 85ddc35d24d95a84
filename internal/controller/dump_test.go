package controller

import (
	"bytes"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/step"
)

// TestDump finds every command in the log and what they made in the snapshot.
func TestDump(t *testing.T) {
	dir := t.TempDir()
	n := start(t, boltOptions(t, dir))
	n.Register(registration())
	epoch := n.await(n.WaitActive)
	value := "1000"
	n.must(
		meta.CreateTopic{ID: tid(7), Name: "orders", Assignments: [][]int32{{1}, {1}}, Config: map[string]string{"b": "2", "a": "1"}},
		meta.AlterConfig{Resource: meta.Resource{Type: meta.BrokerResource}, Set: map[string]*string{"log.retention.ms": &value, "gone": nil}},
		meta.AssignDir{Broker: 1, BrokerEpoch: epoch, Dir: tid(1), Partitions: []step.PartitionID{{Topic: tid(7), Index: 1}}},
	)
	n.submit(meta.Malformed{})
	if err := Dump(&bytes.Buffer{}, dir, false); !errors.Is(err, ErrHeld) {
		t.Errorf("while it runs: %v", err)
	}
	if err := n.node.r.Snapshot().Error(); err != nil {
		t.Fatal(err)
	}
	n.stop()

	var text, lines bytes.Buffer
	if err := errors.Join(Dump(&text, dir, false), Dump(&lines, dir, true)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"Dumping " + filepath.Join(dir, "raft.db") + "\ncurrentTerm: 2 lastVoteTerm: 2 lastVoteCand: ",
		"\nindex: 1 term: 1 kind: Configuration size: ", "\n| suffrage: Voter id: 1@",
		"\n| command: CreateTopic version: 1 id: " + tid(7).String() + ` name: orders internal: false assignments: [[1],[1]] config: {"a":"1","b":"2"} minIsr: 0` + "\n",
		"\n| command: AlterConfig version: 1 resource: {\"type\":\"BROKER\",\"name\":\"\"} set: {\"gone\":null,\"log.retention.ms\":\"1000\"} replace: false minIsr: 0\n",
		`command: AssignDir version: 2 broker: 1 `, `"` + tid(7).String() + `-1"]`,
		`| command: unknown(0) version: `,
		"\ntopic id: " + tid(7).String() + " name: orders internal: false minIsrSetting: 0 deletedAt: 0 partitions: 2\n",
		"| partition topic: orders partition: 1 replicas: [1] ", " dirs: [\"" + tid(1).String() + `"] leader: 1 `, "\nconfig resource: BROKER name: \"\" set: {\"log.retention.ms\":\"1000\"}\n",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("%q is not in\n%s", want, text.String())
		}
	}
	types := map[string]int{}
	for _, line := range strings.Split(strings.TrimSpace(lines.String()), "\n") {
		var v struct {
			File, Type string
			Commands   []map[string]any
		}
		if err := json.Unmarshal([]byte(line), &v); err != nil || v.File == "" {
			t.Fatalf("%v: %s", err, line)
		}
		types[v.Type]++
		for _, c := range v.Commands {
			types[c["command"].(string)]++
		}
	}
	for _, want := range []string{"file", "stable", "entry", "snapshot", "image", "broker", "config", "topic", "partition", "CreateTopic", "RegisterBroker"} {
		if types[want] == 0 {
			t.Errorf("no line of type %s in %v", want, types)
		}
	}
}

func TestCamel(t *testing.T) {
	for in, want := range map[string]string{"ID": "id", "ClusterID": "clusterId", "ISRMember": "isrMember", "Dirs": "dirs", "CurrentTerm": "currentTerm", "MinISR": "minIsr"} {
		if got := camel(in); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}
