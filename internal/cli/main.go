package cli

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/mattn/go-isatty"
)

// Env is the world around one call.
type Env struct {
	Args    []string // as os.Args: the name called by, then the arguments
	In      io.Reader
	Out     io.Writer
	Err     io.Writer
	InTTY   bool // a person types
	OutTTY  bool // a person reads
	Getenv  func(string) string
	Version string
}

// OS is the process's own world.
func OS(version string) *Env {
	return &Env{
		Args: os.Args, In: os.Stdin, Out: os.Stdout, Err: os.Stderr,
		InTTY:  isatty.IsTerminal(os.Stdin.Fd()),
		OutTTY: isatty.IsTerminal(os.Stdout.Fd()),
		Getenv: os.Getenv, Version: version,
	}
}

// Main runs one command and gives its exit code. Called by a Kafka tool's name
// (or with one as the first argument) it wears Kafka's face.
func Main(e *Env) int {
	if tool := face(toolName(e.Args[0])); tool != nil {
		return tool(e, e.Args[1:])
	}
	if len(e.Args) > 1 {
		if tool := face(toolName(e.Args[1])); tool != nil {
			return tool(e, e.Args[2:])
		}
	}
	return native(e, e.Args[1:])
}

func toolName(arg string) string { return strings.TrimSuffix(filepath.Base(arg), ".sh") }

// interruptible gives a context that ends with SIGINT or SIGTERM.
func interruptible() (context.Context, context.CancelFunc) {
	return signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
}

// gone says that nobody reads our output any more: a silent end.
func gone(err error) bool {
	return errors.Is(err, syscall.EPIPE) || errors.Is(err, fs.ErrClosed)
}
