package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

func (a *app) devClusterCommand() *cobra.Command {
	var name string
	c := &cobra.Command{Use: "dev-cluster", Short: "Run several nodes on this machine, and let some of them fail",
		Long: `Run several nodes on this machine, each a process of its own, and let some of them fail: kill -9 means something here.
Nodes listen on 127.0.0.1, ports 9092, 9192, 9292 and so on.`,
		Example: "  brokerd dev-cluster start\n  brokerd dev-cluster status\n  brokerd dev-cluster kill 2\n  brokerd dev-cluster restart 2\n  brokerd dev-cluster purge"}
	c.PersistentFlags().StringVar(&name, "name", "dev", "which cluster, when there are several")
	open := func() (*devCluster, error) {
		if name == "" || name != filepath.Base(name) || strings.HasPrefix(name, ".") {
			return nil, usageErr("give a word without slashes", "%q is no name of a cluster", name)
		}
		d := &devCluster{Name: name, dir: filepath.Join(devDir(a.e.Getenv), name), called: a.e.Args[0]}
		return d, d.open()
	}
	c.AddCommand(a.devStart(open), a.devStatus(open), a.devStop(open), a.devPurge(open), a.devLogs(open), a.devRolling(open),
		a.devNode(open, "kill N", "End a node at once, as kill -9 does", "killed", func(_ context.Context, d *devCluster, n devNode) error {
			if _, err := d.signal(n, 0); err != nil {
				return err
			}
			return d.stop(syscall.SIGKILL, n)
		}),
		a.devNode(open, "pause N", "Let a node do nothing, as SIGSTOP does", "paused", func(_ context.Context, d *devCluster, n devNode) error {
			r, err := d.signal(n, syscall.SIGSTOP)
			if err == nil {
				awaitPause(r.Pid)
			}
			return err
		}),
		a.devNode(open, "resume N", "Let a paused node go on", "goes on", func(_ context.Context, d *devCluster, n devNode) error {
			_, err := d.signal(n, syscall.SIGCONT)
			return err
		}),
		a.devNode(open, "restart N", "Stop a node in order, if it runs, and start it", "is ready", func(ctx context.Context, d *devCluster, n devNode) error {
			if err := d.stop(syscall.SIGTERM, n); err != nil {
				return err
			}
			return d.start(ctx, n)
		}))
	return c
}

// devOpen gives the cluster that the flags name. With an exitNotFound it is one
// that is not there yet.
type devOpen func() (*devCluster, error)

func (a *app) devStart(open devOpen) *cobra.Command {
	var nodes int
	var ephemeral, anyPort bool
	c := &cobra.Command{Use: "start", Short: "Start a cluster, or the nodes of it that do not run", Args: cobra.NoArgs,
		Example: "  brokerd dev-cluster start\n  brokerd dev-cluster start --nodes 5 --name five --any-port"}
	c.Flags().IntVar(&nodes, "nodes", 3, "how many nodes, from 1 to 9")
	c.Flags().BoolVar(&ephemeral, "ephemeral", false, "forget its data when it stops")
	c.Flags().BoolVar(&anyPort, "any-port", false, "take free ports")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if nodes < 1 || nodes > mostDev {
			return usageErr("give a number from 1 to 9", "a dev cluster cannot have %d nodes", nodes)
		}
		began := time.Now()
		d, err := open()
		switch why, _ := err.(*cliError); {
		case err == nil && c.Flags().Changed("nodes") && nodes != len(d.Nodes):
			return &cliError{text: fmt.Sprintf("dev cluster %s has %d nodes", d.Name, len(d.Nodes)), hint: "choose another --name, or purge this one first", code: exitConflict}
		case why != nil && why.code == exitNotFound:
			d.Ephemeral = ephemeral
			err = d.create(nodes, anyPort)
		}
		if err != nil {
			return err
		}
		if err := d.start(c.Context(), d.Nodes...); err != nil {
			return err
		}
		a.note("dev cluster %s is ready after %s; for other commands: export BROKERD_BROKERS=%s", d.Name, time.Since(began).Round(time.Millisecond), strings.Join(d.bootstrap(), ","))
		return a.devTable(c.Context(), d)
	}
	return c
}

func (a *app) devStatus(open devOpen) *cobra.Command {
	return &cobra.Command{Use: "status", Short: "Which nodes run, and where", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			d, err := open()
			if err != nil {
				return err
			}
			return a.devTable(c.Context(), d)
		}}
}

// devLine is the state of one node, in JSON.
type devLine struct {
	Node  int32  `json:"node"`
	State string `json:"state"`
	Pid   int    `json:"pid,omitempty"`
	Kafka string `json:"kafka"`
	HTTP  string `json:"http"`
	Why   string `json:"why,omitempty"`
	Dir   string `json:"dir"`
}

func (a *app) devTable(ctx context.Context, d *devCluster) error {
	live, err := d.processes()
	if err != nil {
		return err
	}
	rows := [][]string{{"NODE", "STATE", "PID", "KAFKA", "HTTP", "DIRECTORY"}}
	lines := []devLine{}
	for _, n := range d.Nodes {
		l := devLine{Node: n.ID, State: "stopped", Kafka: n.addr(), HTTP: n.url(), Dir: d.nodeDir(n)}
		if r, runs := live[n.ID]; runs {
			l.Pid = r.Pid
			l.State, l.Why = devState(ctx, n, r.Pid)
		}
		lines = append(lines, l)
		pid := "-"
		if l.Pid != 0 {
			pid = strconv.Itoa(l.Pid)
		}
		rows = append(rows, []string{strconv.Itoa(int(n.ID)), l.State, pid, l.Kafka, l.HTTP, l.Dir})
	}
	if a.json() {
		return printJSON(a.e.Out, lines)
	}
	if err := printTable(a.e.Out, rows); err != nil {
		return err
	}
	for _, l := range lines {
		if l.Why != "" {
			a.note("node %d: %s", l.Node, l.Why)
		}
	}
	return nil
}

// awaitPause waits until a process that was told to pause does: a busy machine lets it
// run on for a moment.
func awaitPause(pid int) {
	for end := time.Now().Add(time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if is, known := isPaused(pid); is || !known {
			return
		}
	}
}

// isPaused asks Linux.
func isPaused(pid int) (is, known bool) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false, false
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return strings.HasPrefix(rest, "T"), true
}

// devState is what a living process does: paused, ready, or not ready and why.
func devState(ctx context.Context, n devNode, pid int) (state, why string) {
	if is, _ := isPaused(pid); is {
		return "paused", ""
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	ok, answer := readyz(ctx, n)
	switch {
	case ok:
		return "ready", ""
	case answer == "":
		return "silent", ""
	}
	return "not ready", answer
}

func (a *app) devStop(open devOpen) *cobra.Command {
	return &cobra.Command{Use: "stop", Short: "Stop every node in order", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			d, err := open()
			if err != nil {
				return err
			}
			if err := d.stop(syscall.SIGTERM, d.Nodes...); err != nil {
				return err
			}
			if d.Ephemeral {
				a.note("stopped and forgot dev cluster %s", d.Name)
				return d.forget()
			}
			a.note("stopped dev cluster %s; its data is in %s", d.Name, d.dir)
			return nil
		}}
}

func (a *app) devPurge(open devOpen) *cobra.Command {
	var yes bool
	c := &cobra.Command{Use: "purge", Short: "End every node at once and remove all data", Args: cobra.NoArgs}
	c.Flags().BoolVar(&yes, "yes", false, "do not ask")
	c.RunE = func(*cobra.Command, []string) error {
		d, err := open()
		if err != nil {
			return err
		}
		if err := a.confirm(yes, "remove dev cluster", d.Name); err != nil {
			return err
		}
		if err := d.stop(syscall.SIGKILL, d.Nodes...); err != nil {
			return err
		}
		a.note("removed dev cluster %s", d.Name)
		return d.forget()
	}
	return c
}

func (a *app) devLogs(open devOpen) *cobra.Command {
	return &cobra.Command{Use: "logs [N]", Short: "What the nodes, or one of them, have said", Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			d, err := open()
			if err != nil {
				return err
			}
			nodes := d.Nodes
			if len(args) == 1 {
				n, err := d.node(args[0])
				if err != nil {
					return err
				}
				nodes = []devNode{n}
			}
			for _, n := range nodes {
				if err := a.devLog(d, n); err != nil {
					return err
				}
			}
			return nil
		}}
}

func (a *app) devLog(d *devCluster, n devNode) error {
	f, err := os.Open(d.output(n))
	if err != nil {
		return err
	}
	defer f.Close() // only read
	if len(d.Nodes) > 1 {
		fmt.Fprintf(a.e.Err, "node %d, %s:\n", n.ID, f.Name())
	}
	_, err = io.Copy(a.e.Out, f)
	return err
}

func (a *app) devRolling(open devOpen) *cobra.Command {
	return &cobra.Command{Use: "rolling-restart", Short: "Restart one node after the other, each when all replicas are in sync", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			d, err := open()
			if err != nil {
				return err
			}
			a.timeout = devPatience
			for _, n := range d.Nodes {
				if err := a.inSync(c, d); err != nil {
					return err
				}
				began := time.Now()
				if err := d.stop(syscall.SIGTERM, n); err != nil {
					return err
				}
				if err := d.start(c.Context(), n); err != nil {
					return err
				}
				a.note("node %d is ready again after %s", n.ID, time.Since(began).Round(time.Millisecond))
			}
			return a.inSync(c, d)
		}}
}

// devNode is a command that does something to one node.
func (a *app) devNode(open devOpen, use, short, result string, do func(context.Context, *devCluster, devNode) error) *cobra.Command {
	return &cobra.Command{Use: use, Short: short, Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			d, err := open()
			if err != nil {
				return err
			}
			n, err := d.node(args[0])
			if err != nil {
				return err
			}
			if err := do(c.Context(), d, n); err != nil {
				return err
			}
			a.note("node %d %s", n.ID, result)
			return nil
		}}
}
