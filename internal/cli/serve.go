package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/brokerd/brokerd/internal/broker"
	"github.com/brokerd/brokerd/internal/conf"
	"github.com/brokerd/brokerd/internal/obs"
	"github.com/brokerd/brokerd/internal/vfs"
)

// drainLimit is how long a stopping broker waits for the connections that are
// owed an answer. Data is safe either way.
const drainLimit = 30 * time.Second

// oneSignal is how close two signals are one: timeout(1) and the like signal a
// process and then its group.
const oneSignal = 250 * time.Millisecond

// serve runs a broker until a signal ends it.
func serve(e *Env, s serverFlags, quiet bool) error {
	if s.daemon {
		return daemonize(e)
	}
	started := time.Now()
	if s.ephemeral {
		dir, err := ephemeralDir(s.dataDir)
		if err != nil {
			return err
		}
		s.dataDir = dir
		defer s.forget()
	}
	settings, err := s.load(e, quiet)
	if err != nil {
		return err
	}
	signals := make(chan os.Signal, 2) // the first stops, the second ends
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stopped := make(chan os.Signal, 1) // filled once
	go func() {                        // ends with the process, which ends after serve
		stopped <- <-signals
		cancel() // a start that has not finished is given up
		first := time.Now()
		for range signals {
			if time.Since(first) > oneSignal {
				s.forget()
				os.Exit(exitInterrupted)
			}
		}
	}()
	syscall.Umask(0o077) // what is kept here is nobody else's to read
	broker.LimitMemory()
	ready := newReadiness(e)
	w := &waiting{e: e, ready: ready, settings: settings, started: started, forget: func() {}}
	logs := obs.NewLogs(e.Err, obs.Auto, slog.LevelInfo)
	metrics := obs.NewRegistry()
	metrics.Process()
	b, err := broker.New(ctx, broker.Options{Conf: settings, Version: e.Version, Log: logs.Logger("broker"), Waiting: w.tell, Metrics: metrics})
	defer w.forget()
	if err != nil {
		if ctx.Err() != nil {
			return context.Canceled
		}
		return startError(e, err)
	}
	r := &runningBroker{e: e, s: s, b: b, settings: settings, quiet: quiet, ready: ready}
	return r.untilStopped(started, stopped)
}

// waiting is what a server does that waits for other nodes: who started it in
// the background need not wait with it, and it can be found, to be stopped.
type waiting struct {
	e        *Env
	ready    *readiness
	settings *conf.Broker
	started  time.Time
	once     sync.Once
	forget   func() // takes the run file back
}

func (w *waiting) tell(missing string) {
	w.once.Do(func() {
		f := runFile{Pid: os.Getpid(), Node: w.settings.NodeID, Roles: w.settings.ProcessRoles, Started: w.started, Version: w.e.Version}
		for _, d := range w.settings.LogDirs {
			f.DataDirs = append(f.DataDirs, absolute(d))
		}
		// Without it the server is only harder to find; it says so when it is ready.
		if forget, err := f.publish(runDir(w.e.Getenv)); err == nil {
			w.forget = forget
		}
		w.ready.waiting(missing)
	})
}

// forget removes the data of --ephemeral.
func (s *serverFlags) forget() {
	if s.ephemeral {
		_ = os.RemoveAll(s.dataDir) // what stays is in the temporary directory
	}
}

func ephemeralDir(dataDir string) (string, error) {
	if dataDir != "" {
		return "", usageErr("leave one of them out", "--ephemeral and --data-dir cannot go together")
	}
	dir, err := os.MkdirTemp("", "brokerd-")
	if err != nil {
		return "", fmt.Errorf("make a temporary data directory: %w", err)
	}
	return dir, nil
}

// runningBroker is a broker with what the command line adds to it.
type runningBroker struct {
	e        *Env
	s        serverFlags
	b        *broker.Broker
	settings *conf.Broker
	quiet    bool
	ready    *readiness
}

func (r *runningBroker) untilStopped(started time.Time, stopped chan os.Signal) error {
	forget, err := r.runFile(started).publish(runDir(r.e.Getenv))
	if err != nil {
		fmt.Fprintf(r.e.Err, "warning: no run file, so `brokerd stop` will not find this server: %v\n", err)
		forget = func() {}
	}
	defer forget()
	if !r.quiet {
		fmt.Fprint(r.e.Out, r.banner(time.Since(started)))
		r.warnOpen()
	}
	r.ready.announce("ready")
	broker.Trim()
	var failed error
	select {
	case sig := <-stopped:
		fmt.Fprintf(r.e.Err, "stopping on %s; again ends at once\n", signalName(sig))
	case failed = <-r.b.Failed():
	}
	began := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), drainLimit)
	defer cancel()
	err = errors.Join(failed, r.b.Close(ctx))
	if err == nil && !r.quiet {
		fmt.Fprintf(r.e.Err, "stopped in %s\n", time.Since(began).Round(time.Millisecond))
	}
	return err
}

func signalName(sig os.Signal) string {
	switch sig {
	case os.Interrupt:
		return "SIGINT"
	case syscall.SIGTERM:
		return "SIGTERM"
	}
	return sig.String()
}

func (r *runningBroker) runFile(started time.Time) runFile {
	id := r.b.Identity()
	f := runFile{Pid: os.Getpid(), Node: id.NodeID, Cluster: id.ClusterID, Roles: r.settings.ProcessRoles,
		Kafka: r.b.Addr(), HTTP: r.b.HTTPAddr(), Started: started, Version: r.e.Version}
	for _, d := range r.settings.LogDirs {
		f.DataDirs = append(f.DataDirs, absolute(d))
	}
	if host, port, err := net.SplitHostPort(f.Kafka); err == nil && (host == "" || host == "::" || host == "0.0.0.0") {
		f.Kafka = net.JoinHostPort("localhost", port)
	}
	return f
}

// banner is what a person reads when a broker has started.
func (r *runningBroker) banner(took time.Duration) string {
	id := r.b.Identity()
	var b strings.Builder
	fmt.Fprintf(&b, "brokerd %s · node %d · cluster %s · pid %d", r.e.Version, id.NodeID, id.ClusterID, os.Getpid())
	if id.Formatted {
		b.WriteString(" · formatted new storage")
	}
	b.WriteByte('\n')
	local := true
	for _, l := range r.b.Listeners() {
		local = local && loopback(l.Addr)
		if l.Advertised == "" {
			fmt.Fprintf(&b, "  raft    %-10s %s\n", l.Name, l.Addr)
			continue
		}
		fmt.Fprintf(&b, "  kafka   %-10s %s  (advertised %s)\n", l.Name, l.Addr, l.Advertised)
	}
	if addr := r.b.HTTPAddr(); addr != "" {
		fmt.Fprintf(&b, "  http    metrics /metrics  health /healthz /readyz   http://%s%s\n", addr, r.httpNote(addr))
	}
	for _, d := range r.settings.LogDirs {
		note := free(d)
		if r.b.Unusable(d) != nil {
			note = "  (failed: the log says why)"
		}
		fmt.Fprintf(&b, "  data    %s%s\n", homely(r.e, d), note)
	}
	fmt.Fprintf(&b, "ready in %d ms.", took.Milliseconds())
	if local {
		b.WriteString(" Only this machine can connect; for others: brokerd server --listen 0.0.0.0 --advertise HOST")
	}
	b.WriteByte('\n')
	if r.s.kafkaFace {
		fmt.Fprintf(&b, "[%s] INFO [KafkaRaftServer nodeId=%d] Kafka Server started (kafka.server.KafkaRaftServer)\n",
			strings.Replace(time.Now().Format("2006-01-02 15:04:05.000"), ".", ",", 1), id.NodeID)
	} else if r.b.Addr() != "" {
		b.WriteString("try:  echo hello | brokerd produce greetings      brokerd consume greetings --from-beginning\n")
	}
	return b.String()
}

// warnOpen warns of listeners that let everybody in.
func (r *runningBroker) warnOpen() {
	for _, l := range r.b.Listeners() {
		if l.Protocol == "PLAINTEXT" && !loopback(l.Addr) {
			fmt.Fprintf(r.e.Err, "warning: whoever reaches %s (%s) may read and write: it neither encrypts nor asks who is there. Let only a network that you trust reach it\n", l.Addr, l.Name)
		}
	}
}

// httpNote says when another port than the usual one was taken.
func (r *runningBroker) httpNote(addr string) string {
	if r.settings.HTTPAddrSet || addr == r.settings.HTTPAddr {
		return ""
	}
	return "  (" + r.settings.HTTPAddr + " is taken)"
}

func loopback(a net.Addr) bool {
	tcp, ok := a.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

// homely writes ~ for the home directory.
func homely(e *Env, dir string) string {
	if rest, ok := strings.CutPrefix(dir, e.Getenv("HOME")+string(filepath.Separator)); ok && e.Getenv("HOME") != "" {
		return "~/" + rest
	}
	return dir
}

func free(dir string) string {
	n, err := vfs.NewOS().Free(dir)
	if err != nil {
		return "" // the banner can do without
	}
	return "  (" + bytesText(n) + " free)"
}

func bytesText(n int64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB"}
	v, i := float64(n), 0
	for v >= 1024 && i < len(units)-1 {
		v, i = v/1024, i+1
	}
	if v >= 10 || i == 0 {
		return fmt.Sprintf("%.0f %s", v, units[i])
	}
	return fmt.Sprintf("%.1f %s", v, units[i])
}

// startError adds to a failed start what this machine can tell about it.
func startError(e *Env, err error) error {
	var bind *broker.BindError
	switch {
	case errors.As(err, &bind) && errors.Is(err, syscall.EADDRINUSE):
		holder := portHolder(e, bind.Addr)
		return &cliError{text: fmt.Sprintf("port %s is already in use%s", portOf(bind.Addr), holder), code: exitConflict, err: err,
			hint: "stop it with `brokerd stop` if it is a broker, or start a second one: brokerd server --any-port --data-dir DIR"}
	case errors.As(err, &bind):
		return &cliError{text: fmt.Sprintf("listener %s cannot listen on %s: %v", bind.Listener, bind.Addr, rootOf(bind.Err)), code: exitFailed, err: err,
			hint: "the address must be one of this machine: --listen HOST:PORT, or listeners in the file"}
	case errors.Is(err, vfs.ErrLocked):
		return &cliError{text: err.Error(), code: exitConflict, err: err}
	case errors.Is(err, broker.ErrIdentity), errors.Is(err, broker.ErrForeign), errors.Is(err, broker.ErrMetaLost), errors.Is(err, broker.ErrNotFormatted):
		return &cliError{text: err.Error(), code: exitConflict, err: err}
	}
	return err
}

// rootOf is the system's own word for a network error.
func rootOf(err error) error {
	var number syscall.Errno
	if errors.As(err, &number) {
		return number
	}
	return err
}

func portOf(addr string) string {
	if _, port, err := net.SplitHostPort(addr); err == nil {
		return port
	}
	return addr
}
