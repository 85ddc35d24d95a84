//go:build measure

package measure

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/brokerd/brokerd/test/harness"
	"github.com/brokerd/brokerd/test/raw"
)

const topic = "measured"

func create(t *testing.T, c *raw.Conn) {
	t.Helper()
	req := kmsg.NewPtrCreateTopicsRequest()
	req.TimeoutMillis = 10_000
	ct := kmsg.NewCreateTopicsRequestTopic()
	ct.Topic, ct.NumPartitions, ct.ReplicationFactor = topic, 1, 1
	req.Topics = append(req.Topics, ct)
	resp, err := c.Do(4, req)
	if err != nil {
		t.Fatal(err)
	}
	if code := resp.(*kmsg.CreateTopicsResponse).Topics[0].ErrorCode; code != 0 {
		t.Fatalf("create topic: error %d", code)
	}
}

func dial(t *testing.T, n *harness.Node) *raw.Conn {
	t.Helper()
	c, err := raw.Dial(n.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// TestStart measures twenty starts: to the ready line, and to the first
// acknowledged record of a topic that exists.
func TestStart(t *testing.T) {
	n := harness.Start(t, harness.Options{}).Nodes[0]
	create(t, dial(t, n))
	frame := raw.Produce(topic, 0, -1, raw.Batch(1, 100, time.Now().UnixMilli()))
	var ready, acked []time.Duration
	for range 20 {
		n.Stop()
		start := time.Now()
		n.Launch()
		for {
			c, err := raw.Dial(n.Addr())
			if err != nil {
				continue // not listening yet: dial again at once
			}
			if c.Send(frame) == nil {
				if _, err := c.Receive(); err == nil {
					acked = append(acked, time.Since(start))
					c.Close()
					break
				}
			}
			c.Close()
		}
		n.WaitReady()
		ready = append(ready, n.ReadyAfter())
	}
	t.Logf("exec to ready: p50 %v, max %v", median(ready), slices.Max(ready))
	t.Logf("exec to first acknowledged record: p50 %v, max %v", median(acked), slices.Max(acked))
}

// TestIdle reports memory and CPU of a broker that nobody uses.
func TestIdle(t *testing.T) {
	n := harness.Start(t, harness.Options{}).Nodes[0]
	<-time.After(5 * time.Second)
	before := cpu(t, n.Pid())
	const window = 30 * time.Second
	<-time.After(window)
	t.Logf("idle: RSS %.1f MB, CPU %.2f %% of a core over %v", rss(t, n.Pid()), 100*(cpu(t, n.Pid())-before).Seconds()/window.Seconds(), window)
}

// TestSendfile consumes one GiB under strace and adds up what each call sent.
func TestSendfile(t *testing.T) {
	if _, err := exec.LookPath("strace"); err != nil {
		t.Skip("UNAVAILABLE: strace is not installed")
	}
	n := harness.Start(t, harness.Options{}).Nodes[0]
	c := dial(t, n)
	create(t, c)
	batch := raw.Batch(900, 1000, time.Now().UnixMilli())
	frame := raw.Produce(topic, 0, 1, batch)
	const total = 1 << 30
	for sent := 0; sent < total; sent += len(batch) {
		if err := c.Send(frame); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Receive(); err != nil {
			t.Fatal(err)
		}
	}
	trace := filepath.Join(t.TempDir(), "trace")
	strace := exec.Command("strace", "-f", "-qq", "-e", "trace=sendfile,write,writev,sendto,sendmsg,pwrite64", "-o", trace, "-p", strconv.Itoa(n.Pid()))
	if err := strace.Start(); err != nil {
		t.Fatal(err)
	}
	awaitTraced(t, n.Pid())
	records := int64(0)
	read := 0
	for read < total {
		got := fetch(t, c, records, 8<<20)
		if len(got) == 0 {
			break
		}
		read += len(got)
		records += int64(len(got)/len(batch)) * 900
	}
	_ = strace.Process.Signal(syscall.SIGINT)
	_ = strace.Wait() // it ends by the signal
	sums := sumTrace(t, trace)
	all := int64(0)
	for call, n := range sums {
		if call != "pwrite64" {
			all += n
		}
	}
	t.Logf("read %d bytes; sent by call: %v; sendfile carried %.3f %%", read, sums, 100*float64(sums["sendfile"])/float64(all))
}

// awaitTraced waits until a tracer is attached.
func awaitTraced(t *testing.T, pid int) {
	t.Helper()
	for limit := time.Now().Add(10 * time.Second); time.Now().Before(limit); {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(status), "TracerPid:\t0\n") {
			return
		}
	}
	t.Fatal("strace did not attach")
}

var traced = regexp.MustCompile(`(sendfile|writev|write|sendto|sendmsg|pwrite64)(?:\(| resumed).*= (\d+)$`)

func sumTrace(t *testing.T, path string) map[string]int64 {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	sums := map[string]int64{}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if m := traced.FindStringSubmatch(lines.Text()); m != nil {
			n, err := strconv.ParseInt(m[2], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			sums[m[1]] += n
		}
	}
	return sums
}

func median(d []time.Duration) time.Duration {
	d = slices.Sorted(slices.Values(d))
	return d[len(d)/2]
}

// rss is the resident set in MB, file pages of the binary included.
func rss(t *testing.T, pid int) float64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	kb, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return float64(kb) / 1024
}

// cpu is the user and system time of the process, threads included.
func cpu(t *testing.T, pid int) time.Duration {
	t.Helper()
	total := time.Duration(0)
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		b, err := os.ReadFile(task)
		if err != nil {
			continue // the thread has ended
		}
		ns, err := strconv.ParseInt(strings.Fields(string(b))[0], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		total += time.Duration(ns)
	}
	return total
}
