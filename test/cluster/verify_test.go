//go:build cluster

package cluster

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/brokerd/brokerd/test/harness"
)

// compared is one partition as `brokerd verify -o json` prints it.
type compared struct {
	Topic       string
	Partition   int32
	From, To    int64
	Replicas    []int32
	Differences []struct {
		Broker int32
		Offset int64
		What   string
	}
	NotCompared []struct {
		Broker int32
		Reason string
	}
}

// verify runs `brokerd verify` and gives what it says and its exit code.
func verify(t *testing.T, c *harness.Cluster, args ...string) (list []compared, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.Command(harness.Binary(t), append([]string{"verify", "-o", "json", "-q", "-b", c.Bootstrap()}, args...)...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		code = exit.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(out.Bytes(), &list); err != nil {
		t.Fatalf("verify: %v: %s%s", err, out.Bytes(), errs.Bytes())
	}
	return list, code
}

// TestSilentDamage flips a byte in a sealed segment under a running cluster: verify
// names the replica and the place. Once the brokers scrub, the replica leaves the
// ISR and is fetched anew, and verify finds no difference any more; the same when
// it is the leader's.
func TestSilentDamage(t *testing.T) {
	c := harness.Start(t, harness.Options{Nodes: 3, Properties: map[string]string{"log.scrub.interval.ms": "0"}})
	agree(t, c.Nodes, 3)
	small, compact := "1048576", "compact"
	adm := kadm.NewClient(client(t, c.Bootstrap()))
	if _, err := adm.CreateTopic(within(t), 1, 3, map[string]*string{"segment.bytes": &small}, "t"); err != nil {
		t.Fatal(err)
	}
	if _, err := adm.CreateTopic(within(t), 1, 3, map[string]*string{"cleanup.policy": &compact}, "keyed"); err != nil {
		t.Fatal(err)
	}
	fill(t, c, "t", 4000)
	fill(t, c, "keyed", 10)
	equal := func(what string) {
		t.Helper()
		eventually(t, "all in sync", func() error { return inSync(t, c, "t", 3) })
		list, code := verify(t, c, "--topic", "t")
		if code != 0 || len(list) != 1 || len(list[0].Replicas) != 3 || list[0].To-list[0].From < 4000 {
			t.Fatalf("%s: exit code %d, %+v", what, code, list)
		}
	}
	equal("a whole cluster")
	if list, code := verify(t, c); code != 0 || len(list) < 2 {
		t.Fatalf("all topics: exit code %d, %+v", code, list)
	}
	lead := leaderOf(t, adm, "t")
	n := c.Nodes[lead%3]
	flipByte(t, sealedSegment(t, n, "t-0"), 5000)
	list, code := verify(t, c, "--topic", "t")
	if code != 1 || len(list[0].Differences) == 0 || list[0].Differences[0].Broker != int32(n.ID) {
		t.Fatalf("damage on node %d: exit code %d, %+v", n.ID, code, list)
	}
	t.Logf("node %d, offset %d: %s", n.ID, list[0].Differences[0].Offset, list[0].Differences[0].What)
	for _, n := range c.Nodes {
		n.Stop()
		scrubs(t, n)
		n.Restart()
	}
	repaired(t, c, n)
	equal("a follower repaired")
	n = c.Nodes[leaderOf(t, adm, "t")-1]
	flipByte(t, sealedSegment(t, n, "t-0"), 5000)
	repaired(t, c, n)
	fill(t, c, "t", 10)
	equal("a leader repaired")
}

// fill writes records of a KiB with acks=all.
func fill(t *testing.T, c *harness.Cluster, topic string, records int) {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(addrs(c)...), kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.ProducerBatchMaxBytes(64<<10))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	var all []*kgo.Record
	for i := range records {
		all = append(all, &kgo.Record{Topic: topic, Key: fmt.Append(nil, i), Value: bytes.Repeat([]byte{byte(i)}, 1024)})
	}
	if err := cl.ProduceSync(within(t), all...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// scrubs makes a node read what is sealed once a second, from its next start on.
func scrubs(t *testing.T, n *harness.Node) {
	t.Helper()
	text, err := os.ReadFile(n.File())
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.Replace(text, []byte("log.scrub.interval.ms=0"), []byte("log.scrub.interval.ms=1000"), 1)
	if err := os.WriteFile(n.File(), text, 0o644); err != nil {
		t.Fatal(err)
	}
}

// repaired waits until a node has set its damaged replica aside, and all are in sync.
func repaired(t *testing.T, c *harness.Cluster, n *harness.Node) {
	t.Helper()
	eventually(t, "the damaged replica is set aside", func() error {
		found, _ := filepath.Glob(filepath.Join(n.Dir, "data", "t-0.*-stray")) // the pattern is right
		if len(found) == 0 {
			return fmt.Errorf("node %d has nothing set aside: %s", n.ID, metric(t, n, "brokerd_scrub_"))
		}
		return nil
	})
	eventually(t, "all in sync again", func() error { return inSync(t, c, "t", 3) })
	if got := metric(t, n, "brokerd_scrub_damaged_total"); !strings.HasSuffix(got, " 1") {
		t.Errorf("node %d: %s", n.ID, got)
	}
}

// sealedSegment is the first segment file of a partition, which is not the last.
func sealedSegment(t *testing.T, n *harness.Node, partition string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(n.Dir, "data", partition, "*.log"))
	if err != nil || len(files) < 2 {
		t.Fatalf("%s of node %d has segments %v, %v", partition, n.ID, files, err)
	}
	return files[0]
}

func flipByte(t *testing.T, file string, at int64) {
	t.Helper()
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := make([]byte, 1)
	if _, err := f.ReadAt(b, at); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 0x10
	if _, err := f.WriteAt(b, at); err != nil {
		t.Fatal(err)
	}
}

func leaderOf(t *testing.T, adm *kadm.Client, topic string) int {
	t.Helper()
	topics, err := adm.ListTopics(within(t), topic)
	if err != nil {
		t.Fatal(err)
	}
	return int(topics[topic].Partitions[0].Leader)
}

// metric gives the lines of a node's metrics that begin so.
func metric(t *testing.T, n *harness.Node, prefix string) string {
	t.Helper()
	resp, err := http.Get(n.AdminURL() + "/metrics")
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err.Error()
	}
	var lines []string
	for _, l := range strings.Split(string(text), "\n") {
		if strings.HasPrefix(l, prefix) {
			lines = append(lines, l)
		}
	}
	return strings.Join(lines, "\n")
}
