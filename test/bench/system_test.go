//go:build bench

package bench

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/brokerd/brokerd/test/harness"
	"github.com/brokerd/brokerd/test/raw"
)

// system is a broker under measurement.
type system struct {
	name string
	addr string
	pid  int
	data string // log directory
	// settings are what a topic gets for a durability.
	settings map[string]map[string]string

	// nodes are the three of a cluster, of which this is one; nil: it is alone. What
	// the first one is asked to create has three replicas, and is led by each in turn.
	nodes []*system
	turn  int
}

const (
	brokerdName = "brokerd"
	kafkaName   = "Kafka 4.4.0"
	floorName   = "floor"
)

// startBrokerd starts brokerd with its defaults; no binary: the one of this module.
func startBrokerd(t testing.TB, binary string, properties map[string]string) (*system, *harness.Node) {
	t.Helper()
	n := harness.Start(t, harness.Options{Binary: binary, Properties: properties}).Nodes[0]
	return brokerd(n), n
}

// brokerd is a node that runs.
func brokerd(n *harness.Node) *system {
	return &system{name: brokerdName, addr: n.Addr(), pid: n.Pid(), data: filepath.Join(n.Dir, "data"), settings: map[string]map[string]string{
		"fsync": nil, "isr": {"durability": "isr"},
	}}
}

// kafkaLimit bounds Kafka's start, recovery of a few GiB included.
const kafkaLimit = 120 * time.Second

// kafkaNode is a Kafka process.
type kafkaNode struct {
	cmd       *exec.Cmd
	home      string
	port      int
	arguments []string // of scripts/kafka
}

// startKafka starts Apache Kafka with its best settings: a heap of 1 GB, and
// socket buffers that the kernel sizes.
func startKafka(t testing.TB, properties ...string) (*system, *kafkaNode) {
	t.Helper()
	home, port := t.TempDir(), portsInARow(t, 2)
	k := &kafkaNode{home: home, port: port, arguments: append([]string{"broker", home, fmt.Sprint(port)}, append(kafkaSettings, properties...)...)}
	t.Cleanup(k.kill)
	k.launch(t)
	s := kafka(k.home, k.port, k.cmd.Process.Pid)
	if !answers(s.addr, kafkaLimit) {
		said, _ := os.ReadFile(filepath.Join(k.home, "output")) // what it says is a courtesy
		t.Fatalf("Kafka does not answer after %v:\n%s", kafkaLimit, said)
	}
	return s, k
}

// kafkaSettings are the best that a Kafka can have here: buffers that the kernel sizes.
var kafkaSettings = []string{"socket.send.buffer.bytes=-1", "socket.receive.buffer.bytes=-1", "auto.create.topics.enable=false"}

// kafka is a node that was started.
func kafka(home string, port, pid int) *system {
	return &system{name: kafkaName, addr: fmt.Sprintf("127.0.0.1:%d", port), pid: pid, data: filepath.Join(home, "data"), settings: map[string]map[string]string{
		"fsync": {"flush.messages": "1"}, "isr": nil,
	}}
}

// launch starts the process and returns at once.
func (k *kafkaNode) launch(t testing.TB) {
	t.Helper()
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	out, err := os.OpenFile(filepath.Join(k.home, "output"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	k.cmd = exec.Command(filepath.Join(root, "scripts", "kafka"), k.arguments...)
	k.cmd.Stdout, k.cmd.Stderr = out, out
	k.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	runtime.LockOSThread() // the signal is sent when this thread ends
	defer runtime.UnlockOSThread()
	if err := k.cmd.Start(); err != nil {
		t.Fatal(err)
	}
}

func (k *kafkaNode) kill() {
	_ = k.cmd.Process.Kill() // it may have ended by itself
	_ = k.cmd.Wait()
}

// answers waits until somebody accepts connections.
func answers(addr string, limit time.Duration) bool {
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); <-time.After(10 * time.Millisecond) {
		if c, err := net.Dial("tcp", addr); err == nil {
			c.Close()
			return true
		}
	}
	return false
}

// portsInARow finds n free ports side by side, below those that the kernel gives to
// connections: one of these would be taken while the JVM starts.
func portsInARow(t testing.TB, n int) int {
	t.Helper()
search:
	for range 100 {
		port := 12_000 + rand.IntN(20_000)
		for i := range n {
			l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port+i))
			if err != nil {
				continue search
			}
			l.Close()
		}
		return port
	}
	t.Fatalf("no %d free ports side by side", n)
	return 0
}

func dial(t testing.TB, addr string) *raw.Conn {
	t.Helper()
	c, err := raw.Dial(addr)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// create makes a topic with the settings of a durability and waits until it is served.
// In a cluster that is by the leader of its first partition, which create returns.
func (s *system) create(t testing.TB, topic, durability string, partitions int, more map[string]string) (leader *system) {
	t.Helper()
	leader = s
	if len(s.nodes) > 0 {
		leader = s.nodes[s.turn%len(s.nodes)]
	}
	s.announce(t, topic, durability, partitions, more)
	if len(s.nodes) == 0 {
		s.awaitServing(t, topic, partitions)
		return leader
	}
	firstAck(t, leader.addr, raw.Produce(topic, 0, -1, raw.Batch(1, 100, time.Now().UnixMilli())), topic, time.Now())
	return leader
}

// announce makes a topic and waits until every partition has a leader and all its replicas.
func (s *system) announce(t testing.TB, topic, durability string, partitions int, more map[string]string) {
	t.Helper()
	c := dial(t, s.addr)
	defer c.Close()
	req := kmsg.NewPtrCreateTopicsRequest()
	req.TimeoutMillis = 60_000
	ct := kmsg.NewCreateTopicsRequestTopic()
	ct.Topic, ct.NumPartitions, ct.ReplicationFactor = topic, int32(partitions), 1
	if len(s.nodes) > 0 {
		ct.NumPartitions, ct.ReplicationFactor = -1, -1
		ct.ReplicaAssignment = s.inTurn(partitions)
	}
	soon := map[string]string{"file.delete.delay.ms": "1000"} // a minute of sections is more than a disk may hold
	for _, settings := range []map[string]string{s.settings[durability], soon, more} {
		for k, v := range settings {
			ct.Configs = append(ct.Configs, kmsg.CreateTopicsRequestTopicConfig{Name: k, Value: &v})
		}
	}
	req.Topics = append(req.Topics, ct)
	for limit, again := time.Now().Add(time.Minute), false; ; again = true {
		resp, err := c.Do(4, req)
		if err != nil {
			t.Fatalf("%s: create topic: %v", s.name, err)
		}
		code := resp.(*kmsg.CreateTopicsResponse).Topics[0].ErrorCode
		if code == 0 || again && code == 36 { // it exists: the answer before did not know
			break
		}
		if code != 7 && code != 41 || time.Now().After(limit) { // no controller at this moment
			t.Fatalf("%s: create topic: error %d", s.name, code)
		}
		<-time.After(100 * time.Millisecond)
	}
	s.turn++
	s.awaitLeaders(t, c, topic, partitions)
}

func (s *system) awaitLeaders(t testing.TB, c *raw.Conn, topic string, partitions int) {
	t.Helper()
	for limit := time.Now().Add(time.Minute); time.Now().Before(limit); <-time.After(2 * time.Millisecond) {
		req := kmsg.NewPtrMetadataRequest()
		mt := kmsg.NewMetadataRequestTopic()
		mt.Topic = &topic
		req.Topics = append(req.Topics, mt)
		resp, err := c.Do(4, req)
		if err != nil {
			t.Fatal(err)
		}
		led := 0
		for _, p := range resp.(*kmsg.MetadataResponse).Topics[0].Partitions {
			if p.ErrorCode == 0 && p.Leader >= 0 && len(p.ISR) == len(p.Replicas) {
				led++
			}
		}
		if led == partitions {
			return
		}
	}
	t.Fatalf("%s: %s has partitions without a leader, or with fewer in sync than replicas, after a minute", s.name, topic)
}

// awaitServing waits until the broker answers for every partition: it may say
// who leads before it does.
func (s *system) awaitServing(t testing.TB, topic string, partitions int) {
	t.Helper()
	c := dial(t, s.addr)
	defer c.Close()
	req := kmsg.NewPtrListOffsetsRequest()
	lt := kmsg.NewListOffsetsRequestTopic()
	lt.Topic = topic
	for i := range partitions {
		p := kmsg.NewListOffsetsRequestTopicPartition()
		p.Partition, p.Timestamp = int32(i), -1
		lt.Partitions = append(lt.Partitions, p)
	}
	req.Topics = append(req.Topics, lt)
	for limit := time.Now().Add(time.Minute); time.Now().Before(limit); <-time.After(10 * time.Millisecond) {
		resp, err := c.Do(1, req)
		if err != nil {
			t.Fatal(err)
		}
		served := 0
		for _, p := range resp.(*kmsg.ListOffsetsResponse).Topics[0].Partitions {
			if p.ErrorCode == 0 {
				served++
			}
		}
		if served == partitions {
			return
		}
	}
	t.Fatalf("%s: %s is not served after a minute", s.name, topic)
}

// change gives a topic the settings of another durability.
func (s *system) change(t testing.TB, topic, durability string) {
	t.Helper()
	c := dial(t, s.addr)
	defer c.Close()
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	r := kmsg.NewIncrementalAlterConfigsRequestResource()
	r.ResourceType, r.ResourceName = kmsg.ConfigResourceTypeTopic, topic
	for _, k := range []string{"durability", "flush.messages"} {
		cfg := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
		cfg.Name, cfg.Op = k, kmsg.IncrementalAlterConfigOpDelete
		if v, ok := s.settings[durability][k]; ok {
			cfg.Op, cfg.Value = kmsg.IncrementalAlterConfigOpSet, &v
		} else if _, ok := s.settings["isr"][k]; !ok && k == "durability" {
			continue // Kafka does not know it
		}
		r.Configs = append(r.Configs, cfg)
	}
	req.Resources = append(req.Resources, r)
	resp, err := c.Do(0, req)
	if err != nil {
		t.Fatal(err)
	}
	if code := resp.(*kmsg.IncrementalAlterConfigsResponse).Resources[0].ErrorCode; code != 0 {
		t.Fatalf("%s: change of %s: error %d", s.name, topic, code)
	}
}

// remove deletes a topic; its disk space is wanted again.
func (s *system) remove(t testing.TB, topic string) {
	t.Helper()
	c := dial(t, s.addr)
	defer c.Close()
	req := kmsg.NewPtrDeleteTopicsRequest()
	req.TimeoutMillis = 60_000
	req.TopicNames = []string{topic}
	if _, err := c.Do(3, req); err != nil {
		t.Fatalf("%s: delete topic: %v", s.name, err)
	}
}
