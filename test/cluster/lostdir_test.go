//go:build cluster

package cluster

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/brokerd/brokerd/test/harness"
)

// TestLostDirectory: one of two log directories of a node begins to fail its
// fsyncs under load. What lies in it is led, and served, by others from then on;
// the node goes on with what lies in the other directory; and after a restart with
// a disk that works it is in sync with everything again.
func TestLostDirectory(t *testing.T) {
	if _, err := exec.LookPath("strace"); err != nil {
		t.Skip("UNAVAILABLE: strace is not installed")
	}
	const partitions = 8
	c := harness.Start(t, harness.Options{Nodes: 3, Each: func(n *harness.Node) map[string]string {
		return map[string]string{"log.dirs": filepath.Join(n.Dir, "a") + "," + filepath.Join(n.Dir, "b")}
	}})
	agree(t, c.Nodes, 3)
	adm := kadm.NewClient(client(t, addrs(c)...))
	for topic, replicas := range map[string]int16{"kept": 3, "alone": 1} {
		if _, err := adm.CreateTopic(within(t), partitions, replicas, nil, topic); err != nil {
			t.Fatal(err)
		}
	}
	l := startLoad(t, c, "kept", partitions)
	l.await(t, 200)
	node := c.Nodes[1]
	alone := writeEach(t, c, "alone", partitions)
	var lost []string // what lies in the directory that will fail
	files, err := filepath.Glob(filepath.Join(node.Dir, "b", "*", "*.log"))
	if err != nil || len(files) == 0 {
		t.Fatalf("nothing lies in directory b: %v", err)
	}
	args := []string{"-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync,fsync,syncfs",
		"-e", "inject=fdatasync,fsync,syncfs:error=EIO", "-P", filepath.Join(node.Dir, "b")}
	for _, f := range files {
		args = append(args, "-P", f)
		lost = append(lost, filepath.Base(filepath.Dir(f)))
	}
	tracer := exec.Command("strace", append(args, "-p", fmt.Sprint(node.Pid()))...)
	if err := tracer.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tracer.Process.Kill() })

	eventually(t, "directory b is lost, and only that", func() error { return onlyB(t, adm, int32(node.ID), lost) })
	l.await(t, 200)
	for p, elsewhere := range alone { // a directory that works serves on
		err := writeOne(t, c, "alone", p)
		failed := slices.Contains(lost, fmt.Sprintf("alone-%d", p))
		if failed && err == nil || !failed && err != nil {
			t.Errorf("alone-%d (node %d, failed %v): %v", p, elsewhere, failed, err)
		}
	}
	if text := run(t, c, 0, "partitions", "dirs", "--broker", "2"); !strings.Contains(text, "/b  failed") {
		t.Errorf("partitions dirs does not show it: %s", text)
	}

	_ = tracer.Process.Signal(syscall.SIGINT)
	_ = tracer.Wait() // it ends by the signal
	node.Kill()
	node.Restart()
	allInSync(t, c, "kept", 3)
	allInSync(t, c, "alone", 1)
	l.await(t, 100)
	l.finish()
	for _, err := range l.errs {
		t.Error(err)
	}
	t.Logf("longest time without an acknowledgement: %v", l.gap)
	audit(t, c, "kept", partitions, l.acked)
}

// onlyB says whether a broker is out of sync with exactly the partitions of topic
// kept that are lost, and leads none of them.
func onlyB(t *testing.T, adm *kadm.Client, id int32, lost []string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	topics, err := adm.ListTopics(ctx, "kept")
	if err != nil {
		return err
	}
	for _, p := range topics["kept"].Partitions.Sorted() {
		gone := slices.Contains(lost, fmt.Sprintf("kept-%d", p.Partition))
		if slices.Contains(p.ISR, id) == gone || gone && p.Leader == id || p.Leader < 0 {
			return fmt.Errorf("kept-%d is led by %d, in sync %v, lost %v", p.Partition, p.Leader, p.ISR, gone)
		}
	}
	return nil
}

// writeEach writes one record to each partition of a topic, and tells who leads.
func writeEach(t *testing.T, c *harness.Cluster, topic string, partitions int32) map[int32]int32 {
	t.Helper()
	topics, err := kadm.NewClient(client(t, addrs(c)...)).ListTopics(within(t), topic)
	if err != nil {
		t.Fatal(err)
	}
	led := map[int32]int32{}
	for p := range partitions {
		if err := writeOne(t, c, topic, p); err != nil {
			t.Fatal(err)
		}
		led[p] = topics[topic].Partitions[p].Leader
	}
	return led
}

func writeOne(t *testing.T, c *harness.Cluster, topic string, p int32) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	w, err := kgo.NewClient(kgo.SeedBrokers(addrs(c)...), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.DisableIdempotentWrite(), kgo.RecordRetries(3))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	return w.ProduceSync(ctx, &kgo.Record{Topic: topic, Partition: p, Value: []byte("x")}).FirstErr()
}
