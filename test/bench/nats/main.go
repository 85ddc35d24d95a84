// Command nats measures NATS JetStream beside brokerd: a peer that keeps one
// record at a time. It is a module of its own, so that the product does not
// depend on it.
//
//	nats serve DIR [sync]     a server with file storage on a free port; prints its address
//	nats measure [sync]       starts one, publishes and consumes, prints a JSON object of figures
//
// sync means sync_interval: always, which is what an acknowledgement of brokerd's
// default says. Asynchronous publishing keeps 4,000 acknowledgements open.
//
// Goroutines: the libraries' own. Tests: test/bench runs it.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sys/unix"
)

func main() {
	sync := slices.Contains(os.Args, "sync")
	var err error
	switch {
	case len(os.Args) > 2 && os.Args[1] == "serve":
		err = serve(os.Args[2], sync)
	case len(os.Args) > 1 && os.Args[1] == "measure":
		err = measure(sync)
	default:
		err = fmt.Errorf("nats serve DIR [sync] | nats measure [sync]")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(dir string, sync bool) error {
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: dir,
		SyncAlways: sync, NoSigs: true, JetStreamMaxMemory: 1 << 30, JetStreamMaxStore: 16 << 30})
	if err != nil {
		return err
	}
	s.Start()
	if !s.ReadyForConnections(30 * time.Second) {
		return fmt.Errorf("not ready after 30 s")
	}
	fmt.Println(s.ClientURL())
	s.WaitForShutdown()
	return nil
}

// runFor is how long each figure is taken.
const runFor = 2 * time.Second

func measure(sync bool) error {
	dir, err := os.MkdirTemp("", "bench-nats-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	args := []string{"serve", dir}
	if sync {
		args = append(args, "sync")
	}
	cmd := exec.Command(os.Args[0], args...)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	defer func() {
		_ = cmd.Process.Kill() // nothing of it is needed any more
		_ = cmd.Wait()
	}()
	url, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return err
	}
	nc, err := nats.Connect(strings.TrimSpace(url))
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(4000))
	if err != nil {
		return err
	}
	ctx := context.Background()
	stream, err := js.CreateStream(ctx, jetstream.StreamConfig{Name: "bench", Subjects: []string{"bench"}, Storage: jetstream.FileStorage})
	if err != nil {
		return err
	}
	figures := map[string]float64{}
	pid := cmd.Process.Pid
	if err := publishOne(ctx, js, pid, figures); err != nil {
		return err
	}
	n, err := publishMany(js, pid, figures)
	if err != nil {
		return err
	}
	if err := consume(ctx, stream, pid, n, figures); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(figures)
}

// publishOne waits for each acknowledgement.
func publishOne(ctx context.Context, js jetstream.JetStream, pid int, f map[string]float64) error {
	var took []time.Duration
	payload := make([]byte, 100)
	before := cpu(pid)
	for begin := time.Now(); time.Since(begin) < runFor; {
		at := time.Now()
		if _, err := js.Publish(ctx, "bench", payload); err != nil {
			return err
		}
		took = append(took, time.Since(at))
	}
	used := cpu(pid) - before
	slices.Sort(took)
	f["one at a time: ack p50 µs"] = us(took[len(took)/2])
	f["one at a time: ack p99 µs"] = us(took[len(took)*99/100])
	f["one at a time: CPU µs/record"] = us(used) / float64(len(took))
	return nil
}

// publishMany keeps thousands of acknowledgements open.
func publishMany(js jetstream.JetStream, pid int, f map[string]float64) (n int, err error) {
	payload := make([]byte, 100)
	before, begin := cpu(pid), time.Now()
	for time.Since(begin) < runFor {
		if _, err := js.PublishAsync("bench", payload, jetstream.WithStallWait(time.Minute)); err != nil {
			return 0, err
		}
		n++
	}
	<-js.PublishAsyncComplete()
	took, used := time.Since(begin), cpu(pid)-before
	f["asynchronous: CPU ns/record"] = float64(used.Nanoseconds()) / float64(n)
	f["asynchronous: M records/s"] = float64(n) / took.Seconds() / 1e6
	return n, nil
}

// consume reads at least n records in order.
func consume(ctx context.Context, stream jetstream.Stream, pid, n int, f map[string]float64) error {
	c, err := stream.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{})
	if err != nil {
		return err
	}
	messages, err := c.Messages(jetstream.PullMaxMessages(10_000))
	if err != nil {
		return err
	}
	defer messages.Stop()
	n = min(n, 500_000)
	before, begin := cpu(pid), time.Now()
	for range n {
		if _, err := messages.Next(); err != nil {
			return err
		}
	}
	took, used := time.Since(begin), cpu(pid)-before
	f["consume: CPU ns/record"] = float64(used.Nanoseconds()) / float64(n)
	f["consume: M records/s"] = float64(n) / took.Seconds() / 1e6
	return nil
}

func us(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }

// cpu is the time that a process has had on the processors.
func cpu(pid int) time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|2), &ts); err != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}
