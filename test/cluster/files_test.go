//go:build cluster

package cluster

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/brokerd/brokerd/test/harness"
)

// hosts is n addresses of this machine that nobody else is likely to use.
func hosts(t *testing.T, n int) (list []string) {
	t.Helper()
	net24 := fmt.Sprintf("127.%d.%d", 64+rand.IntN(128), rand.IntN(256))
	for i := range n {
		list = append(list, fmt.Sprintf("%s.%d", net24, i+1))
	}
	l, err := net.Listen("tcp", list[0]+":0")
	if err != nil {
		t.Skipf("this machine has one loopback address only: %v", err)
	}
	_ = l.Close()
	return list
}

// TestZooKeeperFiles starts three files from the time of ZooKeeper: broker.id, a
// listener, log.dirs and zookeeper.connect, which names three hosts.
func TestZooKeeperFiles(t *testing.T) {
	at := hosts(t, 3)
	var zk []string
	for _, h := range at {
		zk = append(zk, h+":2181")
	}
	c := harness.Start(t, harness.Options{Nodes: 3, Each: func(n *harness.Node) map[string]string {
		n.Host, n.Port = at[n.ID-1], 9092
		return map[string]string{
			"process.roles": "", "node.id": "", "controller.quorum.voters": "", "controller.listener.names": "", "advertised.listeners": "",
			"broker.id": fmt.Sprint(n.ID - 1), "listeners": fmt.Sprintf("PLAINTEXT://%s:9092", n.Host),
			"zookeeper.connect": strings.Join(zk, ","),
		}
	}})
	if v := agree(t, c.Nodes, 3); fmt.Sprint(v.brokers) != "[0 1 2]" {
		t.Errorf("%+v", v)
	}
	if _, err := kadm.NewClient(client(t, c.Bootstrap())).CreateTopic(within(t), 3, 3, nil, "t"); err != nil {
		t.Fatal(err)
	}
	produce(t, c, "t", 100)
	for _, n := range c.Nodes { // they find themselves again
		n.Kill()
		n.Restart()
	}
	agree(t, c.Nodes, 3)
	produce(t, c, "t", 100)
}

// TestJoin: controllers without brokers, and brokers without controllers that
// join them by controller.quorum.bootstrap.servers.
func TestJoin(t *testing.T) {
	var seeds []string
	c := harness.Start(t, harness.Options{Nodes: 5, NoStart: true, Each: func(n *harness.Node) map[string]string {
		if n.ID <= 3 {
			seeds = append(seeds, fmt.Sprintf("127.0.0.1:%d", n.ControllerPort))
			return map[string]string{
				"process.roles": "controller", "listeners": fmt.Sprintf("CONTROLLER://127.0.0.1:%d", n.ControllerPort),
				"advertised.listeners": "", "controller.quorum.voters": "",
			}
		}
		return map[string]string{
			"process.roles": "broker", "controller.quorum.voters": "", "controller.quorum.bootstrap.servers": strings.Join(seeds, ","),
			"listeners": fmt.Sprintf("PLAINTEXT://127.0.0.1:%d,INSIDE://127.0.0.1:%d", n.Port, n.ControllerPort), "inter.broker.listener.name": "INSIDE",
			"advertised.listeners":           fmt.Sprintf("PLAINTEXT://127.0.0.1:%d,INSIDE://localhost:%d", n.Port, n.ControllerPort),
			"listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,INSIDE:PLAINTEXT,CONTROLLER:PLAINTEXT",
		}
	}})
	for _, n := range c.Nodes {
		var more []string
		if n.ID <= 3 {
			more = []string{"--override", "controller.quorum.bootstrap.servers=" + strings.Join(seeds, ",")}
		}
		n.Launch(more...)
	}
	for _, n := range c.Nodes {
		n.WaitReady()
	}
	brokers := c.Nodes[3:]
	// Whom they name as controller is whom their clients can reach: themselves.
	same := func(v view) string { return fmt.Sprint(v.cluster, v.brokers, v.leaders) }
	v := agreeOn(t, brokers, 2, same)
	if fmt.Sprint(v.brokers) != "[4 5]" {
		t.Errorf("%+v", v)
	}
	if _, err := kadm.NewClient(client(t, brokers[0].Addr())).CreateTopic(within(t), 4, 2, nil, "t"); err != nil {
		t.Fatal(err)
	}
	produce(t, &harness.Cluster{Nodes: brokers}, "t", 100)
	c.Nodes[0].Kill()
	brokers[0].Stop()
	brokers[0].Restart()
	agreeOn(t, brokers, 2, same)
	produce(t, &harness.Cluster{Nodes: brokers}, "t", 100)
}

// TestIPv6 forms a cluster over IPv6.
func TestIPv6(t *testing.T) {
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skipf("no IPv6 here: %v", err)
	}
	_ = l.Close()
	var voters []string
	opts := harness.Options{Nodes: 3, NoStart: true, Each: func(n *harness.Node) map[string]string {
		n.Host = "::1"
		voters = append(voters, fmt.Sprintf("%d@[::1]:%d", n.ID, n.ControllerPort))
		return map[string]string{
			"listeners":            fmt.Sprintf("PLAINTEXT://[::1]:%d,CONTROLLER://[::1]:%d", n.Port, n.ControllerPort),
			"advertised.listeners": fmt.Sprintf("PLAINTEXT://[::1]:%d", n.Port), "controller.quorum.voters": "",
		}
	}}
	c := harness.Start(t, opts)
	for _, n := range c.Nodes {
		n.Launch("--override", "controller.quorum.voters="+strings.Join(voters, ","))
	}
	for _, n := range c.Nodes {
		n.WaitReady()
	}
	agree(t, c.Nodes, 3)
	if _, err := kadm.NewClient(client(t, c.Bootstrap())).CreateTopic(within(t), 3, 3, nil, "t"); err != nil {
		t.Fatal(err)
	}
	produce(t, c, "t", 100)
}

// TestArticleFiles is the set-up of three KRaft files with comments after the
// values: format each with one cluster id, start each in the background, one
// after the other, create a topic with Kafka's command.
func TestArticleFiles(t *testing.T) {
	c := harness.Start(t, harness.Options{Nodes: 3, NoStart: true, Each: func(n *harness.Node) map[string]string {
		return map[string]string{"process.roles": "broker,controller ##both", "node.id": fmt.Sprintf("%d ##unique", n.ID)}
	}})
	kafka := func(n *harness.Node, name string, args ...string) string {
		t.Helper()
		cmd := exec.Command(harness.Binary(t), append([]string{name}, args...)...)
		cmd.Env = append(os.Environ(), "BROKERD_RUN_DIR="+filepath.Join(n.Dir, "run"), "LOG_DIR="+n.Dir)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s %v: %v\n%s", name, args, err, out)
		}
		return string(out)
	}
	t.Cleanup(func() {
		// Kafka's command tells them to stop; ours tells them to end at once, and
		// waits: their directories must not be removed under them.
		for _, stop := range []string{"kafka-server-stop", "stop"} {
			for _, n := range c.Nodes {
				cmd := exec.Command(harness.Binary(t), stop)
				cmd.Env = append(os.Environ(), "BROKERD_RUN_DIR="+filepath.Join(n.Dir, "run"))
				_ = cmd.Run() // it may not have come so far, or have ended
			}
		}
		for _, n := range c.Nodes {
			if log, err := os.ReadFile(filepath.Join(n.Dir, "kafkaServer.out")); t.Failed() && err == nil {
				t.Logf("output of node %d:\n%s", n.ID, log)
			}
		}
	})
	id := strings.TrimSpace(kafka(c.Nodes[0], "kafka-storage", "random-uuid"))
	for _, n := range c.Nodes {
		kafka(n, "kafka-storage", "format", "-t", id, "-c", n.File())
	}
	for i, n := range c.Nodes {
		out := kafka(n, "kafka-server-start", "-daemon", n.File())
		if waits := strings.Contains(out, "is waiting for"); waits != (i < 2) {
			t.Errorf("node %d: %s", n.ID, out)
		}
	}
	if v := agree(t, c.Nodes, 3); v.cluster != id {
		t.Errorf("cluster %s, formatted as %s", v.cluster, id)
	}
	kafka(c.Nodes[0], "kafka-topics", "--create", "--topic", "t", "--bootstrap-server", c.Bootstrap(), "--partitions", "3", "--replication-factor", "2")
	produce(t, c, "t", 100)
}
