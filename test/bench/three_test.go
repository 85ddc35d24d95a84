//go:build bench

package bench

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

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/brokerd/brokerd/test/harness"
	"github.com/brokerd/brokerd/test/raw"
)

// member is a node of a cluster that can be killed and comes back.
type member struct {
	*system
	kill, launch func()
}

// startBrokerds starts three nodes, brokers and controllers, and gives the first.
func startBrokerds(t testing.TB, binary string) (*system, []*member) {
	t.Helper()
	var members []*member
	for _, n := range harness.Start(t, harness.Options{Nodes: 3, Binary: binary}).Nodes {
		m := &member{system: brokerd(n), kill: n.Kill}
		m.launch = func() { n.Launch(); m.pid = n.Pid() }
		members = append(members, m)
	}
	return together(members), members
}

// startKafkas starts three of Kafka, as startBrokerds does.
func startKafkas(t testing.TB) (*system, []*member) {
	t.Helper()
	dir, port := t.TempDir(), portsInARow(t, 6)
	cmd := exec.Command(filepath.Join(root(t), "scripts", "kafka"), append([]string{"cluster", dir, fmt.Sprint(port)}, kafkaSettings...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM} // the script ends the nodes
	runtime.LockOSThread()                                             // the signal is sent when this thread ends
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended by itself
		_ = cmd.Wait()                          // its code is the signal's
	})
	var members []*member
	for i := range 3 {
		home := filepath.Join(dir, fmt.Sprint(i+1))
		s := kafka(home, port+2*i, 0)
		if !answers(s.addr, kafkaLimit) {
			said, _ := os.ReadFile(filepath.Join(home, "output")) // what it says is a courtesy
			t.Fatalf("Kafka does not answer after %v:\n%s", kafkaLimit, said)
		}
		s.pid = pidIn(t, filepath.Join(home, "pid"))
		again := &kafkaNode{home: home, arguments: []string{"node", home}}
		m := &member{system: s}
		m.kill = func() {
			if again.cmd == nil {
				_ = syscall.Kill(s.pid, syscall.SIGKILL) // the script waits for it
			} else {
				again.kill()
			}
		}
		m.launch = func() { again.launch(t); s.pid = again.cmd.Process.Pid }
		t.Cleanup(func() {
			if again.cmd != nil {
				again.kill()
			}
		})
		members = append(members, m)
	}
	return together(members), members
}

func pidIn(t testing.TB, file string) int {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// together makes members know each other.
func together(members []*member) *system {
	var nodes []*system
	for _, m := range members {
		nodes = append(nodes, m.system)
	}
	for _, m := range members {
		m.nodes = nodes
	}
	return nodes[0]
}

// inTurn places partitions on all nodes of a cluster, each led by the next one.
func (s *system) inTurn(partitions int) []kmsg.CreateTopicsRequestTopicReplicaAssignment {
	list := make([]kmsg.CreateTopicsRequestTopicReplicaAssignment, partitions)
	for p := range list {
		list[p].Partition = int32(p)
		for i := range s.nodes {
			list[p].Replicas = append(list[p].Replicas, int32((s.turn+p+i)%len(s.nodes)+1))
		}
	}
	return list
}

// safe is what a topic of a cluster has beside its durability.
var safe = map[string]string{"min.insync.replicas": "2"}

// clusters starts both and warms Kafka's nodes, each as a leader and as a follower.
func (b *bench) clusters() (ours, theirs []*member) {
	b.brokerd, ours = startBrokerds(b.t, "")
	if *against != "" {
		b.kafka, theirs = startBrokerds(b.t, *against)
		b.kafka.name = filepath.Base(*against)
		return ours, theirs
	}
	if *alone {
		return ours, nil
	}
	b.kafka, theirs = startKafkas(b.t)
	was := *section
	defer func() { *section = was }()
	*section = time.Second
	leaders := map[string]*system{}
	for range b.kafka.nodes {
		topic := b.topic()
		leaders[topic] = b.kafka.create(b.t, topic, "isr", 1, safe)
	}
	batch := raw.Batch(150, 100, time.Now().UnixMilli())
	for begin := time.Now(); time.Since(begin) < *warm; {
		for topic, leader := range leaders {
			produceLoad{records: 150, size: 100, acks: -1, depth: 5, bytes: 64 << 20}.drive(b.t, leader, topic)
			produceLoad{records: 1, size: 100, acks: -1, depth: 5}.drive(b.t, leader, topic)
			end := fill(b.t, leader, topic, batch, 150, 1<<20)
			read(b.t, leader, topic, end-3000, end, 1<<20)
		}
	}
	for topic := range leaders {
		b.kafka.remove(b.t, topic)
	}
	return ours, theirs
}

// s3 is three replicas, acknowledged by all that are in sync.
func s3(b *bench) {
	ours, theirs := b.clusters()
	for _, d := range both {
		of := func(isr, fsync float64) float64 {
			if d == "isr" {
				return isr
			}
			return fsync
		}
		b.produce("16.5 KB batches, 5 in flight", d, replicated(150, 5),
			metric{requestRate, "%.0f", true, of(5, 3)}, metric{leaderUs, "%.1f", false, 0}, metric{allUs, "%.1f", false, 0})
		b.produce("16.5 KB batches, 1 in flight", d, replicated(150, 1),
			metric{requestRate, "%.0f", true, 0}, metric{ackP50, "%.0f", false, 0}, metric{ackP99, "%.0f", false, 0})
		b.produce("one record, 5 in flight", d, replicated(1, 5),
			metric{requestRate, "%.0f", true, of(5, 0)}, metric{leaderUs, "%.1f", false, 0}, metric{allUs, "%.1f", false, 0})
		b.produce("one record, 1 in flight", d, replicated(1, 1),
			metric{requestRate, "%.0f", true, 0}, metric{ackP50, "%.0f", false, 0}, metric{ackP99, "%.0f", false, 0})
		b.produce("165 KB batches, 5 in flight", d, replicated(1500, 5),
			metric{mbRate, "%.0f", true, of(4, 0)}, metric{leaderGB, "%.2f", false, of(4, 0)}, metric{allGB, "%.2f", false, 0})
	}
	b.kills(ours, theirs)
	b.nats("sync", "three")
	b.nats("three")
}

func replicated(records, depth int) produceLoad {
	return produceLoad{records: records, size: 100, acks: -1, depth: depth, topic: safe}
}

// s4three is the way of a record that three brokers must have.
func s4three(b *bench) {
	b.clusters()
	for _, c := range []struct {
		durability string
		rate       int
	}{{"fsync", 1000}, {"isr", 1000}, {"isr", 5000}} {
		metrics := []metric{{ackP50, "%.0f", false, 0}, {ackP99, "%.0f", false, 0}, {e2eP50, "%.0f", false, 0}, {e2eP99, "%.0f", false, 0}, {e2eP999, "%.0f", false, 0}}
		switch {
		case c.durability == "fsync":
			metrics[0].bar = 3
		case c.rate == 1000:
			metrics[2].bar, metrics[3].bar = 2.5, 5
		}
		p := paced{rate: c.rate, size: 1024, acks: -1, took: max(*section, 2*time.Second)}
		b.compare(cell{
			name: fmt.Sprintf("1 KB, %d records/s, acks=all", c.rate), durability: c.durability, metrics: metrics,
			run: func(t testing.TB, s *system) values {
				topic := b.topic()
				leader := s.create(t, topic, c.durability, 1, safe)
				defer s.remove(t, topic)
				return p.run(t, leader, topic, true)
			},
		})
	}
}

// s16 is three brokers with 10,000 partitions of which nobody asks anything.
func s16(b *bench) {
	const topics, partitions = 10, 1000
	b.clusters()
	systems := []*system{b.brokerd}
	if b.kafka != nil {
		systems = append(systems, b.kafka)
	}
	idle := max(60*time.Second, *section)
	for _, s := range systems {
		for range topics {
			s.announce(b.t, b.topic(), "fsync", partitions, safe)
		}
	}
	time.Sleep(20 * time.Second) // what follows a creation is over
	var used, memory [2]float64  // of one broker
	for i, s := range systems {
		used[i] = -cpuOf(b.t, s.nodes).Seconds()
	}
	time.Sleep(idle)
	for i, s := range systems {
		used[i] = 100 * (used[i] + cpuOf(b.t, s.nodes).Seconds()) / idle.Seconds() / float64(len(s.nodes))
		for _, n := range s.nodes {
			memory[i] += rss(b.t, n.pid) / float64(len(s.nodes))
		}
	}
	name := fmt.Sprintf("idle, %d partitions of three replicas, each broker", topics*partitions)
	b.single(name, "fsync", metric{"% of a core", "%.2f", false, 10}, used[:1], used[1:])
	b.single(name, "fsync", metric{"RSS MB", "%.1f", false, 0}, memory[:1], memory[1:])
	b.note("Idle over %v, both at once.", idle)
}
