//go:build oracle

package oracle

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/brokerd/brokerd/test/harness"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestThreeKafkas: the script makes three nodes of one cluster, and they end
// with it.
func TestThreeKafkas(t *testing.T) {
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	dir, port := t.TempDir(), portsInARow(t, 6)
	cmd := exec.Command(filepath.Join(root, "scripts", "kafka"), "cluster", dir, fmt.Sprint(port))
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	runtime.LockOSThread() // the signal is sent when this thread ends
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := false
	end := func() {
		if !ended {
			ended = true
			_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended by itself
			_ = cmd.Wait()                          // its code is the signal's
		}
	}
	t.Cleanup(end)
	if n := brokersSeen(t, port, 3); n != 3 {
		t.Errorf("%d brokers after %v", n, clusterLimit)
	}
	var pids []int
	for n := 1; n <= 3; n++ {
		text, err := os.ReadFile(filepath.Join(dir, fmt.Sprint(n), "pid"))
		if err != nil {
			t.Fatal(err)
		}
		pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
		if err != nil {
			t.Fatal(err)
		}
		pids = append(pids, pid)
	}
	end()
	for _, pid := range pids {
		for deadline := time.Now().Add(answerLimit); syscall.Kill(pid, 0) == nil && !zombie(pid); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("process %d outlives the script", pid)
			}
		}
	}
}

// zombie reports whether a process has ended and nobody has asked how.
func zombie(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || strings.Contains(string(stat), ") Z ")
}

// clusterLimit bounds the start of three Kafkas side by side; on an idle machine
// it takes 10 s.
const clusterLimit = 2 * kafkaLimit

// brokersSeen waits until the first node knows of so many brokers.
func brokersSeen(t *testing.T, port, want int) (n int) {
	for deadline := time.Now().Add(clusterLimit); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		addr := fmt.Sprintf("127.0.0.1:%d", port)
		if !answers(addr, clusterLimit) {
			break
		}
		s := &side{name: "Kafka", addr: addr}
		s.redial(t)
		resp, _ := s.do(t, 1, kmsg.NewPtrDescribeClusterRequest())
		s.conn.Close()
		if r, ok := resp.(*kmsg.DescribeClusterResponse); ok {
			if n = len(r.Brokers); n == want {
				return n
			}
		}
	}
	return n
}
