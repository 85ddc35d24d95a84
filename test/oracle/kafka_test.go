//go:build oracle

package oracle

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/brokerd/brokerd/test/harness"
)

// settings are what both brokers run with beside what they need to start.
var settings = map[string]string{
	"auto.create.topics.enable":              "false",
	"log.index.interval.bytes":               "256",
	"log.retention.check.interval.ms":        "600000",
	"group.consumer.assignment.interval.ms":  "0", // Kafka assigns at once, as ours
	"group.consumer.assignor.offload.enable": "false",
	"broker.session.timeout.ms":              "60000", // a busy machine is not a dead broker
}

// startScript is what scripts/kafka gives Kafka, which ours gets too: what is
// set looks otherwise than what is a default.
var startScript = map[string]string{
	"inter.broker.listener.name":                       "PLAINTEXT",
	"listener.security.protocol.map":                   "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
	"offsets.topic.replication.factor":                 "1",
	"transaction.state.log.replication.factor":         "1",
	"transaction.state.log.min.isr":                    "1",
	"share.coordinator.state.topic.replication.factor": "1",
	"share.coordinator.state.topic.min.isr":            "1",
	"group.initial.rebalance.delay.ms":                 "0",
}

// kafkaLimit bounds Kafka's start; on an idle machine it takes 3 s.
const kafkaLimit = 120 * time.Second

// theKafka is the one Kafka of a test run.
var theKafka struct {
	once       sync.Once
	addr       string
	dir        string // its log directory
	controller string // its port
	err        error
	cmd        *exec.Cmd
}

func TestMain(m *testing.M) {
	code := m.Run()
	if flag.Lookup("test.run").Value.String() == "" { // a whole run
		code = max(code, stale(), theRun.verdict())
	}
	fmt.Println(&theRun)
	if c := theKafka.cmd; c != nil {
		_ = c.Process.Kill() // nothing of it is needed any more
		_ = c.Wait()
		_ = os.RemoveAll(filepath.Dir(theKafka.dir)) // a leftover in the temporary directory harms nobody
	}
	os.Exit(code)
}

// seen has the index of each difference that was met.
var seen = map[int]bool{}

// stale fails a whole run that has not met a difference that is named: it is gone.
func stale() (code int) {
	for i, d := range differences {
		if !seen[i] {
			fmt.Printf("a difference is named and was not met: %s: %s\n", d.question, d.reason)
			code = 1
		}
	}
	return code
}

// kafka starts Kafka, or finds the one that runs, and gives its address and its
// log directory.
func kafka(t testing.TB) (addr, dir string) {
	t.Helper()
	theKafka.once.Do(func() { theKafka.err = startKafka(t) })
	if theKafka.err != nil {
		t.Fatal(theKafka.err)
	}
	return theKafka.addr, theKafka.dir
}

func startKafka(t testing.TB) error {
	root, err := harness.Root()
	if err != nil {
		return err
	}
	home, err := os.MkdirTemp("", "oracle-kafka-")
	if err != nil {
		return err
	}
	port := portsInARow(t, 2)
	args := []string{"broker", home, fmt.Sprint(port)}
	for k, v := range settings {
		args = append(args, k+"="+v)
	}
	out, err := os.Create(filepath.Join(home, "output"))
	if err != nil {
		return err
	}
	cmd := exec.Command(filepath.Join(root, "scripts", "kafka"), args...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	runtime.LockOSThread() // the signal is sent when this thread ends
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		return err
	}
	theKafka.cmd, theKafka.dir = cmd, filepath.Join(home, "data")
	theKafka.addr, theKafka.controller = fmt.Sprintf("127.0.0.1:%d", port), fmt.Sprint(port+1)
	if !answers(theKafka.addr, kafkaLimit) {
		said, _ := os.ReadFile(out.Name()) // what it says is a courtesy
		return fmt.Errorf("Kafka does not answer after %v:\n%s", kafkaLimit, said)
	}
	return nil
}

// answers waits until somebody accepts connections.
func answers(addr string, limit time.Duration) bool {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); <-tick.C {
		if c, err := net.Dial("tcp", addr); err == nil {
			c.Close()
			return true
		}
	}
	return false
}

// portsInARow finds n free ports side by side, below those that the system gives
// to whoever dials: one of those may be taken before Kafka, which is slow, asks
// for it.
func portsInARow(t testing.TB, n int) int {
search:
	for range 100 {
		port := 12_000 + rand.IntN(20_000)
		for i := range n {
			next, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port+i))
			if err != nil {
				continue search
			}
			next.Close()
		}
		return port
	}
	t.Fatalf("no %d free ports side by side", n)
	return 0
}
