package cli

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/brokerd/brokerd/pkg/client"
	"github.com/spf13/cobra"
)

// devPatience is how long a dev cluster may take to be what a command promises.
const devPatience = time.Minute

// start starts the nodes that do not run and waits until they are ready: every
// partition has a leader.
func (d *devCluster) start(ctx context.Context, nodes ...devNode) error {
	live, err := d.processes()
	if err != nil {
		return err
	}
	var started []*devProcess
	for _, n := range nodes {
		if _, runs := live[n.ID]; runs {
			continue
		}
		p, err := d.launch(n)
		if err != nil {
			return err
		}
		started = append(started, p)
	}
	for _, p := range started {
		if err := p.ready(ctx); err != nil {
			return err
		}
	}
	return nil
}

// ready waits until a node says that it is ready.
func (p *devProcess) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, devPatience)
	defer cancel()
	why := ""
	for tick := time.NewTicker(10 * time.Millisecond); ; {
		ok, answer := readyz(ctx, p.node)
		if ok && p.lives() {
			return nil
		}
		if answer != "" {
			why = answer
		}
		select {
		case <-tick.C:
		case <-p.ended:
			return &cliError{text: fmt.Sprintf("node %d did not start", p.node.ID), hint: tail(p.output, p.offset), code: exitFailed}
		case <-ctx.Done():
			return &cliError{text: fmt.Sprintf("node %d runs, and is not ready after %s", p.node.ID, devPatience), hint: why + "\nwhat it says: " + p.output, code: exitTimeout}
		}
	}
}

func readyz(ctx context.Context, n devNode) (ok bool, answer string) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, n.url()+"/readyz", nil)
	if err != nil {
		return false, err.Error()
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false, "" // nobody listens yet
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 4096))
	if err != nil {
		return false, ""
	}
	return resp.StatusCode == http.StatusOK, strings.TrimSpace(string(text))
}

// signal sends a signal to a node that lives.
func (d *devCluster) signal(n devNode, sig syscall.Signal) (runFile, error) {
	live, err := d.processes()
	if err != nil {
		return runFile{}, err
	}
	r, runs := live[n.ID]
	if !runs {
		return r, &cliError{text: fmt.Sprintf("node %d does not run", n.ID), hint: fmt.Sprintf("brokerd dev-cluster restart %d --name %s", n.ID, d.Name), code: exitConflict}
	}
	if err := syscall.Kill(r.Pid, sig); err != nil && err != syscall.ESRCH {
		return r, fmt.Errorf("signal node %d (pid %d): %w", n.ID, r.Pid, err)
	}
	return r, nil
}

// stop ends nodes in order, those that are paused too, and waits for their end.
func (d *devCluster) stop(sig syscall.Signal, nodes ...devNode) error {
	live, err := d.processes()
	if err != nil {
		return err
	}
	var ending []runFile
	for _, n := range nodes {
		if r, runs := live[n.ID]; runs {
			for _, s := range []syscall.Signal{sig, syscall.SIGCONT} {
				if err := syscall.Kill(r.Pid, s); err != nil && err != syscall.ESRCH {
					return fmt.Errorf("signal node %d (pid %d): %w", n.ID, r.Pid, err)
				}
			}
			ending = append(ending, r)
		}
	}
	deadline := time.Now().Add(devPatience)
	for _, r := range ending {
		if !r.waitEnd(time.Until(deadline)) {
			return &cliError{text: fmt.Sprintf("node %d (pid %d) has not ended within %s", r.Node, r.Pid, devPatience), hint: fmt.Sprintf("brokerd dev-cluster kill %d --name %s", r.Node, d.Name), code: exitTimeout}
		}
	}
	return nil
}

// forget removes all that belongs to a cluster that does not run.
func (d *devCluster) forget() error { return os.RemoveAll(d.dir) }

// inSync waits until every replica of every partition is in sync.
func (a *app) inSync(c *cobra.Command, d *devCluster) error {
	a.brokers = d.bootstrap()
	var behind string
	for end := time.Now().Add(devPatience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		admin, ctx, done, err := a.admin(c)
		if err != nil {
			return err
		}
		behind, err = firstBehind(ctx, admin)
		done()
		if err != nil {
			return err
		}
		if behind == "" {
			return nil
		}
	}
	return &cliError{text: fmt.Sprintf("not every replica is in sync after %s", devPatience), hint: behind, code: exitTimeout}
}

func firstBehind(ctx context.Context, admin *client.Admin) (string, error) {
	topics, err := admin.Topics(ctx)
	if err != nil {
		return "", err
	}
	var names []string
	for _, t := range topics {
		names = append(names, t.Name)
	}
	list, err := admin.DescribeTopics(ctx, names...)
	if err != nil {
		return "", err
	}
	for _, t := range list {
		for _, p := range t.Partitions {
			if len(p.ISR) < len(p.Replicas) {
				return fmt.Sprintf("%s-%d: replicas %v, in sync %v", t.Name, p.Partition, p.Replicas, p.ISR), nil
			}
		}
	}
	return "", nil
}
