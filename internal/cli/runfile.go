package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// runFile tells other commands of a server that runs on this machine. The
// server holds a lock on the file for as long as it lives, so that a file left
// by kill -9 is known to be one.
type runFile struct {
	Pid      int       `json:"pid"`
	Node     int32     `json:"node"`
	Cluster  string    `json:"cluster"`
	Roles    []string  `json:"roles"`
	Kafka    string    `json:"kafka"` // address for clients on this machine
	HTTP     string    `json:"http,omitempty"`
	DataDirs []string  `json:"dataDirs"`
	Started  time.Time `json:"started"`
	Version  string    `json:"version"`

	path string
}

// runDir is where run files are: BROKERD_RUN_DIR, else the user's runtime
// directory, else one below the temporary directory.
func runDir(getenv func(string) string) string {
	if d := getenv("BROKERD_RUN_DIR"); d != "" {
		return d
	}
	if d := getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(d) {
		return filepath.Join(d, "brokerd")
	}
	if os.Geteuid() == 0 {
		return "/run/brokerd"
	}
	return filepath.Join(os.TempDir(), "brokerd-"+strconv.Itoa(os.Geteuid()))
}

// publish writes the run file; the function it gives takes it back.
func (r runFile) publish(dir string) (func(), error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	text, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	// The file gets its name when it is locked and whole: one without a lock is
	// nobody's, from the first moment on.
	name := filepath.Join(dir, strconv.Itoa(r.Pid)+".json")
	f, err := os.CreateTemp(dir, "new-*")
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		_, err = f.Write(append(text, '\n'))
	}
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close(), os.Remove(f.Name()))
	}
	return func() {
		_ = os.Remove(name) // a file that stays is known as stale by its lock
		_ = f.Close()
	}, nil
}

// running lists the servers that live, by pid. Stale files are removed.
func running(dir string) ([]runFile, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return nil, err
	}
	var list []runFile
	for _, name := range names {
		r, alive, err := readRunFile(name)
		switch {
		case errors.Is(err, os.ErrNotExist): // ended just now
		case err != nil:
			return nil, fmt.Errorf("run file %s: %w", name, err)
		case alive:
			list = append(list, r)
		default:
			_ = os.Remove(name) // nobody's any more; a failure only leaves it
		}
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Pid < list[j].Pid })
	return list, nil
}

func readRunFile(name string) (r runFile, alive bool, err error) {
	f, err := os.Open(name)
	if err != nil {
		return r, false, err
	}
	defer f.Close() // only read; closing gives the lock back
	if unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB) == nil {
		return r, false, nil
	}
	if err := json.NewDecoder(f).Decode(&r); err != nil {
		return r, false, err
	}
	r.path = name
	return r, true, nil
}

// waitEnd waits until the server of a run file has ended.
func (r runFile) waitEnd(limit time.Duration) bool {
	f, err := os.Open(r.path)
	if err != nil {
		return errors.Is(err, os.ErrNotExist)
	}
	ended := make(chan error, 1) // filled once
	go func() {
		for {
			if err := unix.Flock(int(f.Fd()), unix.LOCK_SH); !errors.Is(err, unix.EINTR) {
				ended <- err
				return
			}
		}
	}()
	select {
	case err := <-ended:
		_ = f.Close()
		return err == nil
	case <-time.After(limit):
		return false // the goroutine ends with the process
	}
}
