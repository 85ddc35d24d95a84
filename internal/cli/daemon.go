package cli

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// readyVariable tells a child of -daemon which descriptor it reports to.
const readyVariable = "BROKERD_READY_FD"

// daemonize starts this program again, in a session of its own with its output
// in a file, and returns once the broker is ready, or waits for other nodes that
// may start later: a failed start is told here, not only there.
func daemonize(e *Env) error {
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	name, err := outputFile(e)
	if err != nil {
		return err
	}
	out, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("open the file for the server's output: %w", err)
	}
	defer out.Close() // the child has its own
	offset, err := out.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	ready, report, err := os.Pipe()
	if err != nil {
		return err
	}
	defer ready.Close() // only read
	child := exec.Command(program)
	child.Args = append([]string{e.Args[0]}, withoutDaemon(e.Args[1:])...)
	child.Env = append(os.Environ(), readyVariable+"=3")
	child.Stdout, child.Stderr, child.ExtraFiles = out, out, []*os.File{report}
	child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := child.Start(); err != nil {
		return fmt.Errorf("start the server: %w", err)
	}
	_ = report.Close() // the child's copy keeps the pipe open
	line, _ := bufio.NewReader(ready).ReadString('\n')
	switch {
	case line == "ready\n":
		fmt.Fprintf(e.Err, "server runs as pid %d, output in %s\n", child.Process.Pid, name)
		return child.Process.Release()
	case strings.HasPrefix(line, waitingFor):
		fmt.Fprintf(e.Err, "server runs as pid %d and is %s; output in %s\n", child.Process.Pid, strings.TrimSpace(line), name)
		return child.Process.Release()
	}
	_ = child.Wait() // its own words are below
	return &cliError{text: "the server did not start", hint: tail(name, offset), code: exitFailed}
}

// outputFile is $LOG_DIR/kafkaServer.out as Kafka has it, else in the state directory.
func outputFile(e *Env) (string, error) {
	dir, name := e.Getenv("LOG_DIR"), "kafkaServer.out"
	if dir == "" {
		dir, name = stateDir(e), "server.out"
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("make the directory for the server's output: %w", err)
	}
	return filepath.Join(dir, name), nil
}

func stateDir(e *Env) string {
	if d := e.Getenv("STATE_DIRECTORY"); d != "" {
		return strings.Split(d, ":")[0]
	}
	if d := e.Getenv("XDG_STATE_HOME"); filepath.IsAbs(d) {
		return filepath.Join(d, "brokerd-logs")
	}
	if os.Geteuid() == 0 {
		return "/var/log/brokerd"
	}
	return filepath.Join(e.Getenv("HOME"), ".local", "state", "brokerd-logs")
}

func withoutDaemon(args []string) []string {
	return slices.DeleteFunc(slices.Clone(args), func(a string) bool { return a == "-daemon" || a == "--daemon" || a == "-d" || a == "--daemon=true" })
}

// tail is what a file got from offset on, its last lines.
func tail(name string, offset int64) string {
	text, err := os.ReadFile(name)
	if err != nil || int64(len(text)) < offset {
		return "see " + name
	}
	fresh := string(text[offset:])
	if i := strings.Index(fresh, "error: "); i >= 0 { // what came before it is in the file
		fresh = fresh[i+len("error: "):]
	}
	return lastLines(fresh) + "\n(from " + name + ")"
}

func lastLines(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-10):], "\n")
}

// readiness tells who started us in the background how far we are, once.
type readiness struct {
	once sync.Once
	pipe *os.File // nil: nobody waits
}

func newReadiness(e *Env) *readiness {
	r := &readiness{}
	if e.Getenv(readyVariable) == "3" {
		r.pipe = os.NewFile(3, "ready")
	}
	return r
}

func (r *readiness) announce(line string) {
	r.once.Do(func() {
		if r.pipe == nil {
			return
		}
		_, _ = io.WriteString(r.pipe, line+"\n") // nobody waits any more: so be it
		_ = r.pipe.Close()
	})
}

// waiting says that the rest is up to other nodes.
func (r *readiness) waiting(missing string) { r.announce(waitingFor + missing) }

const waitingFor = "waiting for "
