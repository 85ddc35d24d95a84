package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// kcatMember is a kcat that reads as a member of a group, until it is closed.
type kcatMember struct {
	cmd     *exec.Cmd
	records chan record
	err     error // why there will be no more records
}

func (k *kcat) join(r request, _ *answer) error {
	strategy := map[bool]string{false: "range", true: "cooperative-sticky"}[r.Cooperative]
	args := []string{"-b", k.bootstrap, "-G", r.Group, "-q", "-u", "-f", "%p %o %T %K %S\n%k%s\n", "-X", "client.id=" + r.Client,
		"-X", "auto.offset.reset=" + r.Reset, "-X", "auto.commit.interval.ms=100", "-X", fmt.Sprint("session.timeout.ms=", r.Session),
		"-X", fmt.Sprint("heartbeat.interval.ms=", r.Heartbeat), "-X", "partition.assignment.strategy=" + strategy}
	if r.Cooperative { // the case wants to see what is read without a commit
		args = append(args, "-X", "enable.auto.commit=false")
	}
	if r.Instance != "" {
		args = append(args, "-X", "group.instance.id="+r.Instance)
	}
	m := &kcatMember{cmd: exec.Command("kcat", append(args, r.Topic)...), records: make(chan record, 1000)}
	m.cmd.Stderr = os.Stderr
	out, err := m.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	// It dies with us, and "us" is the thread that starts it.
	runtime.LockOSThread()
	m.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := m.cmd.Start(); err != nil {
		return err
	}
	k.member = m
	go m.read(bufio.NewReader(out))
	return nil
}

func (m *kcatMember) read(out *bufio.Reader) {
	defer close(m.records)
	for {
		var x record
		var key, value int
		if _, m.err = fmt.Fscanf(out, "%d %d %d %d %d\n", &x.Partition, &x.Offset, &x.Timestamp, &key, &value); m.err != nil {
			return
		}
		rest := make([]byte, max(key, 0)+max(value, 0)+1)
		if _, m.err = io.ReadFull(out, rest); m.err != nil {
			return
		}
		if key >= 0 {
			x.Key, rest = rest[:key], rest[key:]
		}
		if value >= 0 {
			x.Value = rest[:value]
		}
		m.records <- x
	}
}

func (m *kcatMember) poll(r request, a *answer) error {
	end := time.After(r.timeout())
	for len(a.Records) < r.Count {
		select {
		case x, ok := <-m.records:
			if !ok {
				return fmt.Errorf("kcat ended: %w", m.err)
			}
			a.Records = append(a.Records, x)
		case <-end:
			return nil
		}
	}
	return nil
}

// close interrupts it, as a person would: it commits, leaves and ends.
func (k *kcat) close(request, *answer) error {
	m := k.member
	if m == nil {
		return nil
	}
	k.member = nil
	if err := m.cmd.Process.Signal(os.Interrupt); err != nil {
		return err
	}
	for range m.records { // to its end, which Wait must not overtake
	}
	return m.cmd.Wait()
}
