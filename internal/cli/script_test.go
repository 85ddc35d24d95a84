package cli

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/brokerd/brokerd/internal/broker"
	"github.com/brokerd/brokerd/internal/conf"
	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain makes this test binary brokerd, and every Kafka tool, for scripts.
func TestMain(m *testing.M) {
	run := func() { os.Exit(Main(OS("test"))) }
	commands := map[string]func(){"brokerd": run}
	for _, name := range faceNames() {
		commands[name], commands[name+".sh"] = run, run
	}
	testscript.Main(m, commands)
}

// TestScripts runs testdata/script/*.txt. Each gets a broker of its own, whose
// address is $BROKER and in $BROKERD_BROKERS; scripts that start their own
// servers begin with server_.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"), UpdateScripts: os.Getenv("UPDATE_SCRIPTS") != "",
		Setup: func(env *testscript.Env) error {
			env.Setenv("BROKERD_RUN_DIR", filepath.Join(env.WorkDir, "run"))
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("NOBODY", "127.0.0.1:1") // the port multiplexer: never a broker
			if strings.HasPrefix(filepath.Base(env.WorkDir), "script-server_") {
				env.Defer(func() { endServers(env.WorkDir) })
				return nil
			}
			return startBroker(env)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"rc": exitCode, "clean": clean, "waitready": waitReady,
		},
	})
}

func startBroker(env *testscript.Env) error {
	c, err := conf.New(map[string]string{
		"listeners": "PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:0", "controller.listener.names": "CONTROLLER",
		"log.dirs": filepath.Join(env.WorkDir, "data"), "http.address": "127.0.0.1:0",
	})
	if err != nil {
		return err
	}
	b, err := broker.New(context.Background(), broker.Options{Conf: c, Version: "test", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	env.Setenv("BROKER", b.Addr())
	env.Setenv("BROKERD_BROKERS", b.Addr())
	env.Defer(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := b.Close(ctx); err != nil {
			panic(err)
		}
	})
	return nil
}

// endServers ends what a script that failed has left running in the background.
func endServers(work string) {
	clusters, err := filepath.Glob(filepath.Join(work, "state", "brokerd-dev", "*", "run"))
	if err != nil {
		panic(err)
	}
	for _, dir := range append(clusters, filepath.Join(work, "run")) {
		list, err := running(dir)
		if err != nil {
			panic(err)
		}
		for _, r := range list {
			_ = syscall.Kill(r.Pid, syscall.SIGKILL) // it may have ended just now
		}
	}
}

// exitCode runs a command and expects its exit code: rc 3 brokerd topics list.
func exitCode(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	var ended *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &ended) {
		got = ended.ExitCode()
	} else if err != nil {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// clean copies stdout or stderr into a file without what differs from run to
// run: ids, times, addresses.
func clean(ts *testscript.TestScript, _ bool, args []string) {
	text := ts.ReadFile(args[0])
	text = strings.ReplaceAll(text, ts.Getenv("WORK"), "$WORK")
	if addr := ts.Getenv("BROKER"); addr != "" {
		text = strings.ReplaceAll(text, addr, "BROKER")
	}
	// An id may end with a dash, which is no letter to a regular expression.
	text = regexp.MustCompile(`[A-Za-z0-9_-]+`).ReplaceAllStringFunc(text, func(word string) string {
		if len(word) == 22 {
			return "ID"
		}
		return word
	})
	for pattern, by := range map[string]string{
		`\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}\]`: "[TIME]",
		`(CreateTime: ?|"timestamp":)\d{13}`:       "${1}TIME",
		`\bcrc: \d+`:                               "crc: CRC",
		`127\.0\.0\.1:\d{4,5}`:                     "ADDR",
		`pid \d+`:                                  "pid PID",
		`ready in \d+ ms`:                          "ready in N ms",
		`\([0-9.]+ [KMGTP]iB free\)`:               "(FREE)",
	} {
		text = regexp.MustCompile(pattern).ReplaceAllString(text, by)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(text), 0o644))
}

// waitReady waits until so many servers of the script are ready (default 1).
func waitReady(ts *testscript.TestScript, _ bool, args []string) {
	want := 1
	if len(args) > 0 {
		n, err := strconv.Atoi(args[0])
		ts.Check(err)
		want = n
	}
	deadline := time.Now().Add(20 * time.Second)
	for {
		list, err := running(ts.Getenv("BROKERD_RUN_DIR"))
		if err == nil && len(list) >= want {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%d servers are ready, want %d (%v)", len(list), want, err)
		}
		time.Sleep(5 * time.Millisecond) // a poll with a limit: the server is another process
	}
}
