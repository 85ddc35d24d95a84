// Command nats measures NATS JetStream beside brokerd: a peer that keeps one
// record at a time. It is a module of its own, so that the product does not
// depend on it.
//
//	nats serve DIR [sync] [NUMBER PORT PORT PORT]
//	                          a server with file storage on a free port; prints its address. With a
//	                          number it is that one of three, whose routes have these ports
//	nats measure [sync] [three]
//	                          starts one, or three and a stream of three replicas; publishes and
//	                          consumes, prints a JSON object of figures; CPU is that of all servers
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
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sys/unix"
)

func main() {
	sync, three := slices.Contains(os.Args, "sync"), slices.Contains(os.Args, "three")
	var err error
	switch {
	case len(os.Args) > 2 && os.Args[1] == "serve":
		err = serve(os.Args[2], sync, slices.DeleteFunc(os.Args[3:], func(s string) bool { return s == "sync" }))
	case len(os.Args) > 1 && os.Args[1] == "measure":
		err = measure(sync, three)
	default:
		err = fmt.Errorf("nats serve DIR [sync] [NUMBER PORT PORT PORT] | nats measure [sync] [three]")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(dir string, sync bool, cluster []string) error {
	o := &server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: dir,
		SyncAlways: sync, NoSigs: true, JetStreamMaxMemory: 1 << 30, JetStreamMaxStore: 16 << 30}
	if len(cluster) > 0 {
		if err := join(o, cluster); err != nil {
			return err
		}
	}
	s, err := server.NewServer(o)
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

// join makes a server one of a cluster: its number, and the ports of all routes.
func join(o *server.Options, cluster []string) error {
	n, err := strconv.Atoi(cluster[0])
	if err != nil || n < 1 || n >= len(cluster) {
		return fmt.Errorf("server %s of %d", cluster[0], len(cluster)-1)
	}
	o.ServerName = "n" + cluster[0]
	o.Cluster.Name, o.Cluster.Host = "bench", "127.0.0.1"
	if o.Cluster.Port, err = strconv.Atoi(cluster[n]); err != nil {
		return err
	}
	for _, port := range cluster[1:] {
		o.Routes = append(o.Routes, &url.URL{Scheme: "nats", Host: "127.0.0.1:" + port})
	}
	return nil
}

// runFor is how long each figure is taken.
const runFor = 2 * time.Second

func measure(sync, three bool) error {
	dir, err := os.MkdirTemp("", "bench-nats-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	var more []string
	if sync {
		more = append(more, "sync")
	}
	replicas := 1
	var ports []string
	if three {
		replicas = 3
		if ports, err = freePorts(3); err != nil {
			return err
		}
	}
	var pids []int
	address := ""
	for i := range replicas {
		args := append([]string{"serve", filepath.Join(dir, strconv.Itoa(i))}, more...)
		if three {
			args = append(append(args, strconv.Itoa(i+1)), ports...)
		}
		cmd, url, err := start(args)
		if err != nil {
			return err
		}
		defer func() {
			_ = cmd.Process.Kill() // nothing of it is needed any more
			_ = cmd.Wait()
		}()
		pids, address = append(pids, cmd.Process.Pid), url
	}
	nc, err := nats.Connect(address)
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(4000))
	if err != nil {
		return err
	}
	ctx := context.Background()
	stream, err := create(ctx, js, replicas)
	if err != nil {
		return err
	}
	figures := map[string]float64{}
	if err := publishOne(ctx, js, pids, figures); err != nil {
		return err
	}
	n, err := publishMany(js, pids, figures)
	if err != nil {
		return err
	}
	if err := consume(ctx, stream, pids, n, figures); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(figures)
}

// start runs a server and gives its address.
func start(args []string) (cmd *exec.Cmd, address string, err error) {
	cmd = exec.Command(os.Args[0], args...)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, "", err
	}
	if err := cmd.Start(); err != nil {
		return nil, "", err
	}
	address, err = bufio.NewReader(out).ReadString('\n')
	return cmd, strings.TrimSpace(address), err
}

// create makes the stream as soon as the servers have found each other.
func create(ctx context.Context, js jetstream.JetStream, replicas int) (stream jetstream.Stream, err error) {
	config := jetstream.StreamConfig{Name: "bench", Subjects: []string{"bench"}, Storage: jetstream.FileStorage, Replicas: replicas}
	for limit := time.Now().Add(30 * time.Second); time.Now().Before(limit); time.Sleep(100 * time.Millisecond) {
		if stream, err = js.CreateStream(ctx, config); err == nil {
			return stream, nil
		}
	}
	return nil, err
}

// freePorts finds ports that nobody listens on at this moment.
func freePorts(n int) (list []string, err error) {
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close() // all at once at the end, so that no port is given twice
		_, port, err := net.SplitHostPort(l.Addr().String())
		if err != nil {
			return nil, err
		}
		list = append(list, port)
	}
	return list, nil
}

// publishOne waits for each acknowledgement.
func publishOne(ctx context.Context, js jetstream.JetStream, pids []int, f map[string]float64) error {
	var took []time.Duration
	payload := make([]byte, 100)
	before := cpu(pids)
	for begin := time.Now(); time.Since(begin) < runFor; {
		at := time.Now()
		if _, err := js.Publish(ctx, "bench", payload); err != nil {
			return err
		}
		took = append(took, time.Since(at))
	}
	used := cpu(pids) - before
	slices.Sort(took)
	f["one at a time: ack p50 µs"] = us(took[len(took)/2])
	f["one at a time: ack p99 µs"] = us(took[len(took)*99/100])
	f["one at a time: CPU µs/record"] = us(used) / float64(len(took))
	return nil
}

// publishMany keeps thousands of acknowledgements open.
func publishMany(js jetstream.JetStream, pids []int, f map[string]float64) (n int, err error) {
	payload := make([]byte, 100)
	before, begin := cpu(pids), time.Now()
	for time.Since(begin) < runFor {
		if _, err := js.PublishAsync("bench", payload, jetstream.WithStallWait(time.Minute)); err != nil {
			return 0, err
		}
		n++
	}
	<-js.PublishAsyncComplete()
	took, used := time.Since(begin), cpu(pids)-before
	f["asynchronous: CPU ns/record"] = float64(used.Nanoseconds()) / float64(n)
	f["asynchronous: M records/s"] = float64(n) / took.Seconds() / 1e6
	return n, nil
}

// consume reads at least n records in order.
func consume(ctx context.Context, stream jetstream.Stream, pids []int, n int, f map[string]float64) error {
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
	before, begin := cpu(pids), time.Now()
	for range n {
		if _, err := messages.Next(); err != nil {
			return err
		}
	}
	took, used := time.Since(begin), cpu(pids)-before
	f["consume: CPU ns/record"] = float64(used.Nanoseconds()) / float64(n)
	f["consume: M records/s"] = float64(n) / took.Seconds() / 1e6
	return nil
}

func us(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }

// cpu is the time that processes have had on the processors.
func cpu(pids []int) (sum time.Duration) {
	for _, pid := range pids {
		var ts unix.Timespec
		if unix.ClockGettime(int32(^pid<<3|2), &ts) == nil {
			sum += time.Duration(ts.Nano())
		}
	}
	return sum
}
