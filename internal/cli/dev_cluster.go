package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// devCluster is a cluster of real processes on this machine, for development.
// All that belongs to it is in one directory:
//
//	cluster.json   what is below, so that every later command finds the same
//	run/           run files of the nodes: who lives, and as which process
//	node-N/        server.properties, data, server.out
type devCluster struct {
	Name      string    `json:"name"`
	Ephemeral bool      `json:"ephemeral"` // forgotten when it stops
	Nodes     []devNode `json:"nodes"`

	dir    string
	called string // the name that this program goes by
}

// devNode is one of its nodes: ports of 127.0.0.1.
type devNode struct {
	ID         int32 `json:"node"`
	Kafka      int   `json:"kafka"`
	Controller int   `json:"controller"`
	HTTP       int   `json:"http"`
}

const (
	devPort  = 9092 // of node 1; the next one's is portStep more
	portStep = 100
	mostDev  = 9
)

// devDir is where the clusters are.
func devDir(getenv func(string) string) string {
	switch x := getenv("XDG_STATE_HOME"); {
	case filepath.IsAbs(x):
		return filepath.Join(x, "brokerd-dev")
	case os.Geteuid() == 0:
		return "/var/lib/brokerd-dev"
	}
	return filepath.Join(getenv("HOME"), ".local", "state", "brokerd-dev")
}

// create lays a new cluster out and writes its files.
func (d *devCluster) create(nodes int, anyPort bool) error {
	for i := range nodes {
		at := devPort + i*portStep
		n := devNode{ID: int32(i + 1), Kafka: at, Controller: at + 1, HTTP: at + 3}
		d.Nodes = append(d.Nodes, n)
	}
	ports := d.portsAreFree
	if anyPort {
		ports = d.takeFreePorts
	}
	if err := ports(); err != nil {
		return err
	}
	for _, n := range d.Nodes {
		if err := os.MkdirAll(d.nodeDir(n), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(d.properties(n), []byte(d.settings(n)), 0o600); err != nil {
			return err
		}
	}
	text, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(d.dir, "cluster.json"), append(text, '\n'), 0o600) // last: now it is whole
}

// portsAreFree refuses to lay a cluster out where somebody else listens: a part of its
// nodes would run, and what is laid out keeps its ports.
func (d *devCluster) portsAreFree() error {
	for _, n := range d.Nodes {
		for _, port := range []int{n.Kafka, n.Controller, n.HTTP} {
			l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
			if err != nil {
				return &cliError{text: fmt.Sprintf("node %d of dev cluster %s cannot listen on 127.0.0.1:%d: %v", n.ID, d.Name, port, rootOf(err)), code: exitConflict, err: err,
					hint: "stop who has the port (`brokerd stop`, if it is a broker), or take others: brokerd dev-cluster start --any-port"}
			}
			l.Close()
		}
	}
	return nil
}

// takeFreePorts finds ports that nobody listens on at this moment.
func (d *devCluster) takeFreePorts() error {
	for i := range d.Nodes {
		for _, port := range []*int{&d.Nodes[i].Kafka, &d.Nodes[i].Controller, &d.Nodes[i].HTTP} {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			defer l.Close() // all at once at the end, so that no port is given twice
			*port = l.Addr().(*net.TCPAddr).Port
		}
	}
	return nil
}

// open finds out what a cluster that was started before consists of.
func (d *devCluster) open() error {
	text, err := os.ReadFile(filepath.Join(d.dir, "cluster.json"))
	if errors.Is(err, os.ErrNotExist) {
		return &cliError{text: fmt.Sprintf("there is no dev cluster %q", d.Name), hint: "start it: brokerd dev-cluster start --name " + d.Name, code: exitNotFound}
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, d); err != nil {
		return fmt.Errorf("read %s: %w", filepath.Join(d.dir, "cluster.json"), err)
	}
	return nil
}

func (d *devCluster) nodeDir(n devNode) string {
	return filepath.Join(d.dir, fmt.Sprintf("node-%d", n.ID))
}
func (d *devCluster) properties(n devNode) string {
	return filepath.Join(d.nodeDir(n), "server.properties")
}
func (d *devCluster) output(n devNode) string { return filepath.Join(d.nodeDir(n), "server.out") }
func (d *devCluster) runDir() string          { return filepath.Join(d.dir, "run") }

func (n devNode) addr() string { return "127.0.0.1:" + strconv.Itoa(n.Kafka) }
func (n devNode) url() string  { return "http://127.0.0.1:" + strconv.Itoa(n.HTTP) }

// bootstrap is the addresses of all nodes.
func (d *devCluster) bootstrap() (addrs []string) {
	for _, n := range d.Nodes {
		addrs = append(addrs, n.addr())
	}
	return addrs
}

// settings is the property file of a node.
func (d *devCluster) settings(n devNode) string {
	var voters []string
	for _, v := range d.Nodes {
		voters = append(voters, fmt.Sprintf("%d@127.0.0.1:%d", v.ID, v.Controller))
	}
	lines := []string{
		"process.roles=broker,controller",
		fmt.Sprintf("node.id=%d", n.ID),
		"controller.quorum.voters=" + strings.Join(voters, ","),
		fmt.Sprintf("listeners=PLAINTEXT://127.0.0.1:%d,CONTROLLER://127.0.0.1:%d", n.Kafka, n.Controller),
		"controller.listener.names=CONTROLLER",
		"log.dirs=" + filepath.Join(d.nodeDir(n), "data"),
		fmt.Sprintf("http.address=127.0.0.1:%d", n.HTTP),
	}
	if len(d.Nodes) >= 3 {
		lines = append(lines, "default.replication.factor=3")
	}
	return strings.Join(lines, "\n") + "\n"
}

// node is one node by its number, as typed.
func (d *devCluster) node(arg string) (devNode, error) {
	for _, n := range d.Nodes {
		if strconv.Itoa(int(n.ID)) == arg {
			return n, nil
		}
	}
	return devNode{}, usageErr(fmt.Sprintf("give a number from 1 to %d", len(d.Nodes)), "dev cluster %s has no node %q", d.Name, arg)
}

// processes are the nodes that live, by number.
func (d *devCluster) processes() (map[int32]runFile, error) {
	list, err := running(d.runDir())
	if err != nil {
		return nil, err
	}
	live := map[int32]runFile{}
	for _, r := range list {
		live[r.Node] = r
	}
	return live, nil
}

// launch starts a node as a process of its own, which outlives this command.
// What it says goes to its server.out, after what it has said before.
func (d *devCluster) launch(n devNode) (*devProcess, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	out, err := os.OpenFile(d.output(n), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer out.Close() // the child has its own
	info, err := out.Stat()
	if err != nil {
		return nil, err
	}
	child := exec.Command(program, "server", d.properties(n))
	child.Args[0] = d.called
	// Settings in the environment are for a server that this person starts.
	child.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "BROKERD_") || strings.HasPrefix(v, "KAFKA_")
	}), "BROKERD_RUN_DIR="+d.runDir())
	child.Stdout, child.Stderr = out, out
	child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := child.Start(); err != nil {
		return nil, fmt.Errorf("start node %d: %w", n.ID, err)
	}
	p := &devProcess{cluster: d, node: n, pid: child.Process.Pid, ended: make(chan struct{}), output: d.output(n), offset: info.Size()}
	go func() { // ends with the node, or with this command
		_ = child.Wait() // its own words say why
		close(p.ended)
	}()
	return p, nil
}

// devProcess is a node that this command has started.
type devProcess struct {
	cluster *devCluster
	node    devNode
	pid     int
	ended   chan struct{}
	output  string
	offset  int64 // where in output its words begin
}

// lives tells whether the process has the node's ports: whoever else has them
// answers in its place, and the node itself ends.
func (p *devProcess) lives() bool {
	live, err := p.cluster.processes()
	return err == nil && live[p.node.ID].Pid == p.pid
}
