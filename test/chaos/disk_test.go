//go:build chaos

package chaos

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/brokerd/brokerd/test/harness"
)

// onDisk starts a broker whose data is on a file system of its own.
func onDisk(t *testing.T, size string, more map[string]string) (*harness.Node, *disk) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("UNAVAILABLE: a file system of its own needs root (loop mounts)")
	}
	dir := t.TempDir()
	d := newDisk(t, dir, size)
	properties := map[string]string{"log.dirs": filepath.Join(d.at, "data")}
	maps.Copy(properties, more)
	return harness.Start(t, harness.Options{Dir: dir, Properties: properties}).Nodes[0], d
}

func oneShot(t *testing.T, node *harness.Node, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	c, err := kgo.NewClient(append(opts, kgo.SeedBrokers(node.Addr()), kgo.DisableIdempotentWrite(), kgo.RecordRetries(0),
		kgo.AllowAutoTopicCreation(), kgo.ProducerBatchCompression(kgo.NoCompression()))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// TestDiskFull fills the disk to the line where produce is refused, frees space
// by deleting a topic, and goes on without a restart.
func TestDiskFull(t *testing.T) {
	node, _ := onDisk(t, "256M", nil)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	adm := kadm.NewClient(oneShot(t, node))
	now := "0"
	if _, err := adm.CreateTopic(ctx, 1, 1, map[string]*string{"file.delete.delay.ms": &now}, "filler"); err != nil {
		t.Fatal(err)
	}
	c := oneShot(t, node)
	payload := make([]byte, 800<<10)
	var refused error
	acked := 0
	for range 400 {
		if refused = c.ProduceSync(ctx, &kgo.Record{Topic: "filler", Value: payload}).FirstErr(); refused != nil {
			break
		}
		acked++
	}
	if !errors.Is(refused, kerr.KafkaStorageError) {
		t.Fatalf("after %d records of 800 KiB on 256 MiB: %v", acked, refused)
	}
	// A producer that tries again until its time is up is told of the disk, too.
	cli := exec.Command(harness.Binary(t), "produce", "filler", "--timeout", "2s", "--bootstrap-server", node.Addr())
	cli.Stdin = strings.NewReader("no room\n")
	if out, err := cli.CombinedOutput(); err == nil || !strings.Contains(string(out), "the disk of broker 1 is full") {
		t.Errorf("brokerd produce on a full disk: %v\n%s", err, out)
	}
	for _, words := range [][]string{{"cluster", "info"}, {"cluster", "info", "-o", "json"}} {
		out, err := exec.Command(harness.Binary(t), append(words, "-b", node.Addr())...).CombinedOutput()
		if err != nil || !strings.Contains(string(out), filepath.Join("disk", "data")) {
			t.Errorf("brokerd %v on a full disk: %v\n%s", words, err, out)
		}
	}
	if body := readiness(t, node); !strings.Contains(body, "short of space") {
		t.Errorf("/readyz does not say why: %s", body)
	}
	if _, err := adm.DeleteTopics(ctx, "filler"); err != nil {
		t.Fatal(err)
	}
	var err error
	for limit := time.Now().Add(30 * time.Second); time.Now().Before(limit); {
		if err = c.ProduceSync(ctx, &kgo.Record{Topic: "after", Value: []byte("room again")}).FirstErr(); err == nil {
			break
		}
	}
	if err != nil {
		t.Fatalf("space is free again, but: %v", err)
	}
	t.Logf("refused after %d records of 800 KiB, went on after a topic was deleted", acked)
}

// TestSyncError lets fdatasync fail once, for real, under strace: nothing more is
// acknowledged from that directory, and after a restart all that was
// acknowledged is there.
func TestSyncError(t *testing.T) {
	if _, err := exec.LookPath("strace"); err != nil {
		t.Skip("UNAVAILABLE: strace is not installed")
	}
	node := harness.Start(t, harness.Options{}).Nodes[0]
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c := oneShot(t, node)
	if err := c.ProduceSync(ctx, &kgo.Record{Topic: "t", Value: []byte("first")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	tracer := exec.Command("strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync",
		"-e", "inject=fdatasync:error=EIO:when=20+", "-p", fmt.Sprint(node.Pid()))
	if err := tracer.Start(); err != nil {
		t.Fatal(err)
	}
	acked := 1
	var refused error
	for range 2000 {
		one, stop := context.WithTimeout(ctx, 5*time.Second)
		refused = c.ProduceSync(one, &kgo.Record{Topic: "t", Value: fmt.Appendf(nil, "record %d", acked)}).FirstErr()
		stop()
		if refused != nil {
			break
		}
		acked++
	}
	if refused == nil {
		t.Fatalf("%d records acknowledged although every fdatasync from the 20th on failed", acked)
	}
	if err := c.ProduceSync(ctx, &kgo.Record{Topic: "t", Value: []byte("after")}).FirstErr(); err == nil {
		t.Fatal("acknowledged after a failed fsync: the directory must be latched")
	}
	_ = tracer.Process.Signal(syscall.SIGINT)
	_ = tracer.Wait() // it ends by the signal
	if err := c.ProduceSync(ctx, &kgo.Record{Topic: "t", Value: []byte("after")}).FirstErr(); err == nil {
		t.Fatal("acknowledged once the disk worked again: what the kernel dropped is unknown until a restart")
	}
	node.Kill()
	node.Restart()
	r := oneShot(t, node, kgo.ConsumeTopics("t"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	got := 0
	for got < acked {
		f := r.PollFetches(ctx)
		if err := f.Err(); err != nil {
			t.Fatalf("LOST: %d of %d acknowledged records read back: %v", got, acked, err)
		}
		got += f.NumRecords()
	}
	t.Logf("latched after %d acknowledgements (%v), all read back after a restart", acked, refused)
}

func readiness(t *testing.T, node *harness.Node) string {
	t.Helper()
	resp, err := http.Get(node.AdminURL() + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b := make([]byte, 4096)
	n, _ := resp.Body.Read(b) // what is there is shown
	return string(b[:n])
}
