package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/brokerd/brokerd/internal/wire"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// controller is a controller that is started to be measured.
type controller struct {
	program string
	words   []string // what starts it: its name, and arguments
	env     []string
	addr    string
	output  string // file of what it says
	process *exec.Cmd
	ended   chan struct{}
	peer    *wire.Peer
}

// StartError is a controller that has ended before it served.
type StartError struct{ Said string } // all that it has printed

func (e *StartError) Error() string { return "the controller did not start" }

// errFinal is an answer that does not become better.
var errFinal = errors.New("asking again is in vain")

// patience bounds what a controller may take for one step.
const patience = 10 * time.Minute

// ownController lays a controller of this program out in a directory. called is the
// name that this program goes by.
func ownController(dir, called string) (*controller, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	addr := l.Addr().String()
	l.Close()
	file := filepath.Join(dir, "server.properties")
	text := fmt.Sprintf(`process.roles=controller
node.id=1
controller.quorum.voters=1@%s
listeners=CONTROLLER://%s
controller.listener.names=CONTROLLER
log.dirs=%s
http.address=off
`, addr, addr, filepath.Join(dir, "data"))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return nil, err
	}
	// Settings in the environment are for a server that this person starts.
	env := append(slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "BROKERD_") || strings.HasPrefix(v, "KAFKA_")
	}), "BROKERD_RUN_DIR="+filepath.Join(dir, "run"))
	return &controller{program: program, words: []string{called, "server", file}, env: env, addr: addr, output: filepath.Join(dir, "server.out")}, nil
}

// start runs it and waits until it is the active controller, by the answer to a
// request that only such a one gives.
func (c *controller) start(ctx context.Context, ask func(context.Context) error) (time.Duration, error) {
	out, err := os.OpenFile(c.output, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return 0, err
	}
	defer out.Close() // the child has its own
	c.process = exec.Command(c.program)
	c.process.Args = c.words
	c.process.Env, c.process.Stdout, c.process.Stderr = c.env, out, out
	began := time.Now()
	if err := c.process.Start(); err != nil {
		return 0, fmt.Errorf("start a controller: %w", err)
	}
	c.ended = make(chan struct{})
	go func(process *exec.Cmd, ended chan struct{}) { // ends with the process
		_ = process.Wait() // its own words say why
		close(ended)
	}(c.process, c.ended)
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		c.peer = c.connect()
		err := ask(ctx)
		if err == nil {
			return time.Since(began), nil
		}
		c.peer.Close()
		if errors.Is(err, errFinal) {
			return 0, err // nothing to wait for
		}
		select {
		case <-time.After(time.Millisecond):
		case <-c.ended:
			said, _ := os.ReadFile(c.output) // what it says is a courtesy
			return 0, &StartError{Said: strings.TrimSpace(string(said))}
		case <-ctx.Done():
			return 0, fmt.Errorf("the controller at %s serves nothing: %w", c.addr, err)
		}
	}
}

// stop ends it in order.
func (c *controller) stop() {
	if c.peer != nil {
		c.peer.Close()
	}
	if c.process == nil || c.process.Process == nil {
		return
	}
	_ = c.process.Process.Signal(syscall.SIGTERM) // it may have ended by itself
	select {
	case <-c.ended:
	case <-time.After(patience):
		_ = c.process.Process.Kill() // as above
		<-c.ended
	}
}

// connect gives a connection of its own: what waits on one holds up what comes after.
func (c *controller) connect() *wire.Peer {
	return wire.NewPeer(wire.PeerOptions{Network: wire.TCP{}, Addr: c.addr, ClientID: "bench", Software: "brokerd", SoftwareVersion: "1", Timeout: patience})
}

func (c *controller) do(ctx context.Context, req kmsg.Request) (kmsg.Response, error) {
	return c.peer.Send(req).Wait(ctx)
}

// residentMB is the memory that the process has, in 1<<20 bytes.
func (c *controller) residentMB() (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.process.Process.Pid))
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil // not Linux: nobody says
	}
	if err != nil {
		return 0, err
	}
	var kb float64
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	_, err = fmt.Sscan(rest, &kb)
	return kb / 1024, err
}
