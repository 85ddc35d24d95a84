// Package harness starts brokerd as real processes, on N nodes, for the suites
// under test/: client suites, chaos, oracle and benchmarks.
//
//	harness.Start(t, harness.Options{Nodes: 1}) ─► Cluster ─► Node 1 … Node N
//	    each: own directory, own ports, own process; Kill, Stop, Pause, Restart
//
// Every process a test starts ends with the test. A node is started when it
// has printed its ready line. Output of a failed test's nodes goes to its log.
//
// Goroutines: one per running process, which copies its output; joined by Stop
// and Kill. Tests: the suites that use it.
package harness

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Options says what to start.
type Options struct {
	Nodes      int               // default 1
	Properties map[string]string // added to every node's property file
	// Each says what one node's file has beside or instead of that; an empty
	// value leaves a key out.
	Each   func(n *Node) map[string]string
	Dir    string // where the nodes live; default t.TempDir()
	Binary string // default $BROKERD or bin/brokerd of the module, built if missing
	Env    []string
	// Prefix is the command that runs the broker in its own place, as one that
	// enters a network namespace; it must become the broker, not start it.
	Prefix  func(n *Node) []string
	NoStart bool
}

// Cluster is a set of nodes on loopback.
type Cluster struct {
	Nodes []*Node
}

// Node is one brokerd process, running or not.
type Node struct {
	ID                          int
	Dir                         string // holds server.properties and data
	Host                        string // default 127.0.0.1
	Port, ControllerPort, Admin int
	front                       int // the port of a capture in front of Port; 0: none
	t                           testing.TB
	binary                      string
	env                         []string
	prefix                      []string // what runs the binary; empty: nothing

	mu     sync.Mutex
	cmd    *exec.Cmd
	output bytes.Buffer
	ready  time.Duration // from exec to the ready line, of the last start
	done   chan struct{} // closed when the process of cmd has been waited for
}

// readyLimit bounds a start, recovery of a few GiB included.
const readyLimit = 60 * time.Second

// Start starts a cluster and waits until every node is ready.
func Start(t testing.TB, o Options) *Cluster {
	t.Helper()
	if o.Nodes == 0 {
		o.Nodes = 1
	}
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	if o.Binary == "" {
		o.Binary = Binary(t)
	}
	c := &Cluster{}
	free := freePorts(t, 3*o.Nodes) // asked for one by one, two nodes could get the same
	for i := range o.Nodes {
		ports := free[3*i : 3*i+3]
		c.Nodes = append(c.Nodes, &Node{
			ID: i + 1, Dir: filepath.Join(o.Dir, fmt.Sprintf("node-%d", i+1)),
			Port: ports[0], ControllerPort: ports[1], Admin: ports[2],
			t: t, binary: o.Binary, env: o.Env,
		})
		if o.Prefix != nil {
			c.Nodes[i].prefix = o.Prefix(c.Nodes[i])
		}
		if file := os.Getenv("BROKERD_CAPTURE"); file != "" {
			n := c.Nodes[i]
			n.front = captured(t, file, n.Addr())
		}
	}
	for _, n := range c.Nodes {
		n.writeProperties(c, o)
	}
	t.Cleanup(func() {
		for _, n := range c.Nodes {
			n.Kill()
			if t.Failed() {
				t.Logf("output of node %d:\n%s", n.ID, n.Output())
			}
		}
	})
	if o.NoStart {
		return c
	}
	for _, n := range c.Nodes {
		n.Launch()
	}
	for _, n := range c.Nodes {
		n.WaitReady()
	}
	return c
}

// Bootstrap is the addresses of all nodes, comma separated.
func (c *Cluster) Bootstrap() string {
	var addrs []string
	for _, n := range c.Nodes {
		addrs = append(addrs, n.Addr())
	}
	return strings.Join(addrs, ",")
}

func (n *Node) writeProperties(c *Cluster, o Options) {
	n.t.Helper()
	var voters []string
	for _, v := range c.Nodes {
		voters = append(voters, fmt.Sprintf("%d@127.0.0.1:%d", v.ID, v.ControllerPort))
	}
	p := map[string]string{
		"process.roles":             "broker,controller",
		"node.id":                   fmt.Sprint(n.ID),
		"controller.quorum.voters":  strings.Join(voters, ","),
		"listeners":                 fmt.Sprintf("PLAINTEXT://127.0.0.1:%d,CONTROLLER://127.0.0.1:%d", n.Port, n.ControllerPort),
		"advertised.listeners":      "PLAINTEXT://" + n.Addr(),
		"controller.listener.names": "CONTROLLER",
		"log.dirs":                  filepath.Join(n.Dir, "data"),
		"http.address":              fmt.Sprintf("127.0.0.1:%d", n.Admin),
	}
	maps.Copy(p, o.Properties)
	if o.Each != nil {
		maps.Copy(p, o.Each(n))
	}
	maps.DeleteFunc(p, func(_, v string) bool { return v == "" })
	var lines []string
	for k, v := range p {
		lines = append(lines, k+"="+v+"\n")
	}
	sort.Strings(lines)
	if err := os.MkdirAll(n.Dir, 0o755); err != nil {
		n.t.Fatal(err)
	}
	if err := os.WriteFile(n.File(), []byte(strings.Join(lines, "")), 0o644); err != nil {
		n.t.Fatal(err)
	}
}

// Use makes the next start of the node one of another program.
func (n *Node) Use(binary string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.binary = binary
}

// File is the node's property file.
func (n *Node) File() string { return filepath.Join(n.Dir, "server.properties") }

// Addr is where clients connect.
func (n *Node) Addr() string {
	if n.front != 0 {
		return fmt.Sprintf("127.0.0.1:%d", n.front)
	}
	return net.JoinHostPort(cmp.Or(n.Host, "127.0.0.1"), strconv.Itoa(n.Port))
}

// AdminURL is the address of metrics and health.
func (n *Node) AdminURL() string { return fmt.Sprintf("http://127.0.0.1:%d", n.Admin) }

// Launch starts the process and returns at once.
func (n *Node) Launch(args ...string) {
	n.t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cmd != nil {
		n.t.Fatalf("node %d runs already", n.ID)
	}
	words := append(append(slices.Clone(n.prefix), n.binary, "server", n.File()), args...)
	cmd := exec.Command(words[0], words[1:]...)
	// The run file is for this test: a person's `brokerd stop` must not find it.
	cmd.Env = append(append(os.Environ(), "BROKERD_RUN_DIR="+filepath.Join(n.Dir, "run")), n.env...)
	cmd.SysProcAttr = endsWithUs()
	out, err := cmd.StdoutPipe()
	if err != nil {
		n.t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	start := time.Now()
	if err := cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
	n.cmd, n.done, n.ready = cmd, make(chan struct{}), 0
	go n.follow(cmd, bufio.NewReader(out), start, n.done)
}

// follow copies the process's output until it ends, and notes the ready line.
func (n *Node) follow(cmd *exec.Cmd, out *bufio.Reader, start time.Time, done chan struct{}) {
	for {
		line, err := out.ReadString('\n')
		n.mu.Lock()
		n.output.WriteString(line)
		if strings.HasPrefix(line, "ready in ") {
			n.ready = time.Since(start)
		}
		n.mu.Unlock()
		if err != nil {
			break
		}
	}
	_ = cmd.Wait() // a killed process is no news
	close(done)
}

// WaitReady waits for the ready line.
func (n *Node) WaitReady() {
	n.t.Helper()
	if err := n.TryReady(); err != nil {
		n.t.Fatal(err)
	}
}

// TryReady waits for the ready line; it fails when the process ends before.
func (n *Node) TryReady() error {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	limit := time.After(readyLimit)
	for {
		n.mu.Lock()
		ready, done := n.ready > 0, n.done
		n.mu.Unlock()
		if ready {
			return nil
		}
		select {
		case <-done:
			return fmt.Errorf("node %d ended before it was ready:\n%s", n.ID, n.Output())
		case <-limit:
			return fmt.Errorf("node %d not ready within %v:\n%s", n.ID, readyLimit, n.Output())
		case <-tick.C:
		}
	}
}

// ReadyAfter is how long the last start took, from exec to the ready line.
func (n *Node) ReadyAfter() time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.ready
}

// Pid is the running process, 0 if none.
func (n *Node) Pid() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cmd == nil {
		return 0
	}
	return n.cmd.Process.Pid
}

// Kill ends the process at once (SIGKILL) and waits for it. No process: nothing.
func (n *Node) Kill() { n.end(syscall.SIGKILL) }

// Stop asks the process to end (SIGTERM) and waits for it.
func (n *Node) Stop() { n.end(syscall.SIGTERM) }

func (n *Node) end(sig syscall.Signal) {
	n.mu.Lock()
	cmd, done := n.cmd, n.done
	n.mu.Unlock()
	if cmd == nil {
		return
	}
	_ = cmd.Process.Signal(sig) // it may have ended by itself
	select {
	case <-done:
	case <-time.After(readyLimit):
		_ = cmd.Process.Kill()
		<-done
		n.t.Errorf("node %d did not end within %v of %v", n.ID, readyLimit, sig)
	}
	n.mu.Lock()
	n.cmd = nil
	n.mu.Unlock()
}

// Signal sends any other signal, as SIGSTOP and SIGCONT.
func (n *Node) Signal(sig syscall.Signal) {
	n.t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cmd == nil {
		n.t.Fatalf("node %d does not run", n.ID)
	}
	if err := n.cmd.Process.Signal(sig); err != nil {
		n.t.Fatalf("signal node %d: %v", n.ID, err)
	}
}

// Restart launches the node again and waits until it is ready.
func (n *Node) Restart(args ...string) {
	n.t.Helper()
	n.Launch(args...)
	n.WaitReady()
}

// Output is all that the node has printed so far.
func (n *Node) Output() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.output.String()
}

// freePorts finds ports that nobody listens on at this moment.
func freePorts(t testing.TB, count int) []int {
	t.Helper()
	var ports []int
	for range count {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close() // all at once at the end, so that no port is given twice
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports
}

var (
	buildOnce sync.Once
	buildErr  error
	built     string
)

// Binary is the brokerd to test: $BROKERD, else built once from this module.
func Binary(t testing.TB) string {
	t.Helper()
	if b := os.Getenv("BROKERD"); b != "" {
		return b
	}
	buildOnce.Do(func() {
		root, err := Root()
		if err != nil {
			buildErr = err
			return
		}
		built = filepath.Join(root, "bin", "brokerd")
		build := exec.Command("make", "-s", "build") // the one recipe: it says the version too
		build.Dir = root
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			buildErr = fmt.Errorf("build brokerd: %w\n%s", err, out)
		}
	})
	if buildErr != nil {
		t.Fatal(buildErr)
	}
	return built
}

// Root is the directory of the module.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", fmt.Errorf("no go.mod above the working directory")
		}
		dir = parent
	}
}
