//go:build oracle

package oracle

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/brokerd/brokerd/test/harness"
)

// said is what a command did.
type said struct {
	code        int
	out, errors string
}

// tools is one JVM that runs Kafka's Java tools.
type tools struct {
	in  io.Writer
	out *bufio.Reader
}

func startTools(t *testing.T) *tools {
	t.Helper()
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(root, "scripts", "kafka"), "tool", filepath.Join(root, "test", "oracle", "Tools.java"))
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	runtime.LockOSThread() // the signal is sent when this thread ends
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		_ = cmd.Wait() // it halts when its input ends
	})
	return &tools{in, bufio.NewReader(out)}
}

// run runs one tool.
func (j *tools) run(t *testing.T, class, stdin string, args ...string) said {
	t.Helper()
	words := append([]string{class, stdin}, args...)
	fmt.Fprintln(j.in, hex.EncodeToString([]byte(strings.Join(words, "\x00"))))
	line, err := j.out.ReadString('\n')
	if err != nil {
		t.Fatalf("%s %v: %v", class, args, err)
	}
	parts := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
	var s said
	if _, err := fmt.Sscan(parts[0], &s.code); err != nil || len(parts) != 3 {
		t.Fatalf("%s %v: %q", class, args, line)
	}
	s.out, s.errors = unhex(t, parts[1]), unhex(t, parts[2])
	return s
}

func unhex(t *testing.T, s string) string {
	p, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(p)
}

// brokerd runs our binary.
func brokerd(t *testing.T, stdin string, args ...string) said {
	t.Helper()
	cmd := exec.Command(harness.Binary(t), args...)
	var out, errors bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errors
	err := cmd.Run()
	if _, ended := err.(*exec.ExitError); err != nil && !ended {
		t.Fatal(err)
	}
	return said{cmd.ProcessState.ExitCode(), out.String(), errors.String()}
}
