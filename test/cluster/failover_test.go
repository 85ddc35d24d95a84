//go:build cluster

package cluster

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/brokerd/brokerd/test/harness"
)

var (
	failovers = flag.Int("failovers", 3, "how many nodes TestFailover ends")
	javaJars  = flag.String("java", "", "directory with the jars of the Java client that TestFailover runs beside franz-go")
)

// write is one acknowledged record of a writer that has one under way at a time.
type write struct{ begun, acked time.Time }

// writer is a client that writes to each partition of a topic of its own.
type writer struct {
	name, topic string

	mu     sync.Mutex
	writes map[int32][]write
	errs   []string
}

func (w *writer) note(p int32, begun, acked time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writes[p] = append(w.writes[p], write{begun, acked})
}

func (w *writer) failed(why string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.errs = append(w.errs, time.Now().Format("15:04:05.000 ")+why)
}

// next is the first record that was begun after a moment and acknowledged.
func (w *writer) next(t *testing.T, p int32, after time.Time) (found write) {
	t.Helper()
	eventually(t, fmt.Sprintf("%s writes to %s-%d", w.name, w.topic, p), func() error {
		w.mu.Lock()
		defer w.mu.Unlock()
		all := w.writes[p]
		i := len(all)
		for i > 0 && all[i-1].begun.After(after) {
			i--
		}
		if i == len(all) {
			return fmt.Errorf("nothing after %s; %v", after.Format("15:04:05.000"), w.errs)
		}
		found = all[i]
		return nil
	})
	return found
}

// slowest is the record that took longest of those under way after a moment.
func (w *writer) slowest(p int32, after time.Time) (worst write) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, x := range slices.Backward(w.writes[p]) {
		if x.acked.Before(after) {
			break
		}
		if x.acked.Sub(x.begun) > worst.acked.Sub(worst.begun) {
			worst = x
		}
	}
	return worst
}

// franz writes with franz-go's own settings, but for how often it may ask for
// metadata: five seconds apart would hide all else.
func (w *writer) franz(t *testing.T, c *harness.Cluster, partitions int) {
	cl, err := kgo.NewClient(kgo.SeedBrokers(addrs(c)...), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0),
		kgo.MetadataMinAge(50*time.Millisecond), kgo.RetryBackoffFn(func(int) time.Duration { return 50 * time.Millisecond }))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var all sync.WaitGroup
	t.Cleanup(func() { stop(); all.Wait(); cl.Close() })
	for p := range int32(partitions) {
		all.Go(func() {
			for ctx.Err() == nil {
				begun := time.Now()
				err := cl.ProduceSync(ctx, &kgo.Record{Topic: w.topic, Partition: p, Value: []byte("record")}).FirstErr()
				switch {
				case err == nil:
					w.note(p, begun, time.Now())
					time.Sleep(2 * time.Millisecond)
				case ctx.Err() == nil:
					w.failed(err.Error())
				}
			}
		})
	}
}

// java runs Writer.java with the client of -java.
func (w *writer) java(t *testing.T, c *harness.Cluster, partitions int) {
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if out, err := exec.Command("javac", "-nowarn", "-d", dir, "-cp", filepath.Join(*javaJars, "*"), filepath.Join(root, "test/cluster/java/Writer.java")).CombinedOutput(); err != nil {
		t.Fatalf("compile the Java writer: %v\n%s", err, out)
	}
	cmd := exec.Command("java", "-Xmx128M", "-cp", dir+string(os.PathListSeparator)+filepath.Join(*javaJars, "*"), "Writer",
		strings.Join(addrs(c), ","), w.topic, fmt.Sprint(partitions))
	in, err := cmd.StdinPipe() // its end ends the writer
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { // ends with the process
		defer close(ended)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			var p int32
			var begun, acked int64
			if n, _ := fmt.Sscan(lines.Text(), &p, &begun, &acked); n == 3 {
				w.note(p, time.Unix(0, begun), time.Unix(0, acked))
			} else {
				w.failed(lines.Text())
			}
		}
		_, _ = io.Copy(io.Discard, out) // a line that is too long ends the scanner
	}()
	t.Cleanup(func() {
		_ = in.Close()
		<-ended
		_ = cmd.Wait() // how it ends says nothing
	})
}

// figures of one kind of end.
type figures struct {
	what string
	all  []time.Duration
}

func (f *figures) String() string {
	if len(f.all) == 0 {
		return f.what + ": none"
	}
	slices.Sort(f.all)
	at := func(q float64) time.Duration {
		return f.all[min(int(q*float64(len(f.all))), len(f.all)-1)].Round(time.Millisecond)
	}
	return fmt.Sprintf("%-34s %4d  p50 %6v  p99 %6v  most %6v", f.what, len(f.all), at(.5), at(.99), at(1))
}

// TestFailover measures how long a partition is without acknowledgements when its
// leader is killed, when that one was the controller too, and when it is stopped
// in order. It asserts only that writing goes on and that no client saw an error:
// `make failover KILLS=60` prints the percentiles.
func TestFailover(t *testing.T) {
	const partitions = 3
	c := harness.Start(t, harness.Options{Nodes: 3})
	agree(t, c.Nodes, 3)
	adm := kadm.NewClient(client(t, addrs(c)...))
	writers := []*writer{{name: "franz-go", topic: "franz"}}
	if *javaJars != "" {
		writers = append(writers, &writer{name: "Java", topic: "java"})
	}
	table := map[string]*figures{}
	for _, w := range writers {
		w.writes = map[int32][]write{}
		if _, err := adm.CreateTopic(within(t), partitions, 3, nil, w.topic); err != nil {
			t.Fatal(err)
		}
		if w.name == "Java" {
			w.java(t, c, partitions)
		} else {
			w.franz(t, c, partitions)
		}
		for p := range int32(partitions) {
			w.next(t, p, time.Now())
		}
	}
	kinds := []string{"leader", "leader that was controller", "stopped in order"}
	bars := []time.Duration{1500 * time.Millisecond, 3 * time.Second, 300 * time.Millisecond} // beyond, the log of the nodes is shown
	for k := range *failovers {
		kind := k % 3
		victim, led := choose(t, c, writers, k/3, kind)
		said := map[*harness.Node]int{}
		for _, n := range c.Nodes {
			said[n] = len(n.Output())
		}
		at := time.Now()
		if kind == 2 {
			victim.Stop()
		} else {
			victim.Kill()
		}
		dead := time.Now()
		slow := false
		for _, w := range writers {
			var took time.Duration
			for _, p := range led[w.topic] {
				x := w.next(t, p, dead)
				if kind == 2 {
					x = w.slowest(p, at)
					took = max(took, x.acked.Sub(x.begun))
					t.Logf("%s-%d: the slowest record was begun %v after the signal and took %v", w.topic, p, x.begun.Sub(at).Round(time.Millisecond), x.acked.Sub(x.begun).Round(time.Millisecond))
				} else {
					took = max(took, x.acked.Sub(at))
				}
			}
			if len(led[w.topic]) == 0 {
				continue
			}
			name := kinds[kind] + ", " + w.name
			if table[name] == nil {
				table[name] = &figures{what: name}
			}
			table[name].all = append(table[name].all, took)
			slow = slow || took > bars[kind]
			t.Logf("%s  %2d: node %d ended at %s (%v): %v for %v of %s", name, k, victim.ID, at.Format("15:04:05.000"), dead.Sub(at).Round(time.Millisecond), took.Round(time.Millisecond), led[w.topic], w.topic)
		}
		if slow {
			for _, n := range c.Nodes {
				t.Logf("node %d said meanwhile:\n%s", n.ID, n.Output()[said[n]:])
			}
		}
		victim.Restart()
		for _, w := range writers {
			allInSync(t, c, w.topic, 3)
		}
		// A client that could not reach the node for a while tries less and less
		// often, the Java client once a second in the end: that is not our subject.
		time.Sleep(1500 * time.Millisecond)
	}
	for _, kind := range kinds {
		for _, w := range writers {
			if f := table[kind+", "+w.name]; f != nil {
				t.Log(f)
			}
		}
	}
	for _, w := range writers {
		w.mu.Lock()
		if len(w.errs) > 0 {
			t.Errorf("%s saw %d errors: %v", w.name, len(w.errs), w.errs[:min(len(w.errs), 5)])
		}
		w.mu.Unlock()
	}
}

// choose finds a node to end, and what it leads: for kind 1 the controller, for
// kind 0 another one. When nobody fits the controller is restarted, which moves
// what it leads.
func choose(t *testing.T, c *harness.Cluster, writers []*writer, k, kind int) (victim *harness.Node, led map[string][]int32) {
	t.Helper()
	for range 10 {
		v := agree(t, c.Nodes, 3)
		for i := range c.Nodes {
			n := c.Nodes[(k+i)%len(c.Nodes)]
			if (int32(n.ID) == v.controller) != (kind == 1) && kind != 2 {
				continue
			}
			led = map[string][]int32{}
			for _, w := range writers {
				for p, leader := range v.leaders[w.topic] {
					if leader == int32(n.ID) {
						led[w.topic] = append(led[w.topic], int32(p))
					}
				}
			}
			if len(led) > 0 {
				return n, led
			}
		}
		n := c.Nodes[v.controller-1]
		if kind == 1 { // it leads nothing: those who do make way
			n = c.Nodes[v.controller%3]
		}
		n.Stop()
		n.Restart()
		for _, w := range writers {
			allInSync(t, c, w.topic, 3)
		}
	}
	t.Fatal("ten restarts have not given a leader to end")
	return nil, nil
}
