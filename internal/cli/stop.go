package cli

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// kafkaServerStop signals every server of this user, or those that
// --process-role or --node-id names, and does not wait.
func kafkaServerStop(e *Env, args []string) int {
	role, node := "", ""
	for _, a := range args {
		if v, ok := strings.CutPrefix(a, "--process-role="); ok {
			role = v
		}
		if v, ok := strings.CutPrefix(a, "--node-id="); ok {
			node = v
		}
	}
	if role != "" && node != "" {
		fmt.Fprintln(e.Out, "When both node-id and process-role are provided, the value for node-id will take precedence")
	}
	list, err := running(runDir(e.Getenv))
	if err != nil {
		fmt.Fprintln(e.Err, err)
		return 1
	}
	list = slices.DeleteFunc(list, func(r runFile) bool {
		if node != "" {
			return strconv.Itoa(int(r.Node)) != node
		}
		return role != "" && strings.Join(r.Roles, ",") != role && !slices.Contains(r.Roles, role)
	})
	if len(list) == 0 {
		fmt.Fprintln(e.Out, "No kafka server to stop")
		return 1
	}
	for _, r := range list {
		if err := syscall.Kill(r.Pid, syscall.SIGTERM); err != nil && err != syscall.ESRCH {
			fmt.Fprintf(e.Err, "stop pid %d: %v\n", r.Pid, err)
			return 1
		}
	}
	return 0
}

// stopOptions says which servers `brokerd stop` is about.
type stopOptions struct {
	all     bool
	node    int32 // -1: any
	dataDir string
	timeout time.Duration
	json    bool
}

// stopped is one server that has ended, in JSON.
type stopped struct {
	Node     int32    `json:"node"`
	Pid      int      `json:"pid"`
	DataDirs []string `json:"dataDirs"`
}

func stopServers(e *Env, o stopOptions) error {
	dir := runDir(e.Getenv)
	list, err := running(dir)
	if err != nil {
		return err
	}
	list = slices.DeleteFunc(list, func(r runFile) bool {
		return o.node >= 0 && r.Node != o.node || o.dataDir != "" && !slices.Contains(r.DataDirs, absolute(o.dataDir))
	})
	if len(list) == 0 {
		return &cliError{text: "no brokerd server to stop" + o.described(), hint: "servers of this user that run are listed in " + dir, code: exitNotFound}
	}
	if len(list) > 1 && !o.all {
		lines := make([]string, len(list))
		for i, r := range list {
			lines[i] = fmt.Sprintf("pid %d  node %d  %s  %s", r.Pid, r.Node, r.Kafka, strings.Join(r.DataDirs, ","))
		}
		return &cliError{text: fmt.Sprintf("%d brokerd servers run here", len(list)), hint: "say which: --data-dir DIR, --node-id N or --all\n" + strings.Join(lines, "\n"), code: exitUsage}
	}
	for _, r := range list {
		if err := syscall.Kill(r.Pid, syscall.SIGTERM); err != nil && err != syscall.ESRCH {
			return fmt.Errorf("stop pid %d: %w", r.Pid, err)
		}
	}
	deadline := time.Now().Add(o.timeout)
	for _, r := range list {
		if !r.waitEnd(time.Until(deadline)) {
			return &cliError{text: fmt.Sprintf("pid %d (node %d) has not ended within %s", r.Pid, r.Node, o.timeout), hint: "it may be handing over its partitions; a second `brokerd stop` ends it at once", code: exitTimeout}
		}
		if o.json {
			if err := printLine(e.Out, stopped{r.Node, r.Pid, r.DataDirs}); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintf(e.Err, "stopped node %d (pid %d)\n", r.Node, r.Pid)
	}
	return nil
}

func (o stopOptions) described() string {
	switch {
	case o.dataDir != "":
		return " with data directory " + o.dataDir
	case o.node >= 0:
		return fmt.Sprintf(" with node id %d", o.node)
	}
	return ""
}
