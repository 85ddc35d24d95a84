//go:build bench

package bench

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/brokerd/brokerd/test/raw"
)

// single puts figures that were taken once, or over and over by their own means,
// into the table.
func (b *bench) single(name, durability string, m metric, ours, theirs []float64) {
	b.row(cell{name: name, durability: durability}, m, ours, theirs, nil)
}

// firstAck produces until the broker acknowledges, and says when it did.
func firstAck(t testing.TB, addr string, frame []byte, topic string, since time.Time) time.Duration {
	t.Helper()
	for time.Since(since) < 5*time.Minute {
		c, err := raw.Dial(addr)
		if err != nil {
			time.Sleep(100 * time.Microsecond) // not listening yet
			continue
		}
		if c.Send(frame) == nil {
			if answer, err := c.Receive(); err == nil {
				if _, err := raw.Produced(answer, topic); err == nil {
					took := time.Since(since)
					c.Close()
					return took
				}
			}
		}
		c.Close()
		time.Sleep(time.Millisecond) // it listens, and does not lead yet
	}
	t.Fatalf("%s acknowledges nothing", addr)
	return 0
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1e3 }

// server is a process that can be stopped and started, of either kind.
type server struct {
	*system
	launch, stop, kill func()
}

func bothServers(t testing.TB) []*server {
	t.Helper()
	ours, n := startBrokerd(t, "", nil)
	theirs, k := startKafka(t)
	s := []*server{
		{system: ours, stop: n.Stop, kill: n.Kill}, {system: theirs, kill: k.kill},
	}
	s[0].launch = func() { n.Launch(); s[0].pid = n.Pid() }
	s[1].launch = func() { k.launch(t); s[1].pid = k.cmd.Process.Pid }
	s[1].stop = func() {
		_ = k.cmd.Process.Signal(os.Interrupt) // it may have ended by itself
		_ = k.cmd.Wait()
	}
	return s
}

// s11 is start and idleness.
func s11(b *bench) {
	t := b.t
	starts, idle := 4**rounds, max(20*time.Second, *section)
	frame := raw.Produce("started", 0, -1, raw.Batch(1, 100, time.Now().UnixMilli()))
	servers := bothServers(t)
	figures := map[string][2][]float64{}
	add := func(name string, i int, v float64) {
		f := figures[name]
		f[i] = append(f[i], v)
		figures[name] = f
	}
	for _, s := range servers {
		s.create(t, "started", "fsync", 1, nil)
	}
	for i, s := range servers {
		n := starts
		if i == 1 {
			n = *rounds // seconds each
		}
		for range n {
			s.stop()
			begin := time.Now()
			s.launch()
			add("start", i, ms(firstAck(t, s.addr, frame, "started", begin)))
		}
	}
	measureIdle := func(name string) {
		time.Sleep(5 * time.Second)
		var before [2]time.Duration
		for i, s := range servers {
			before[i] = cpu(t, s.pid)
		}
		time.Sleep(idle)
		for i, s := range servers {
			add(name+" cpu", i, 100*(cpu(t, s.pid)-before[i]).Seconds()/idle.Seconds())
			add(name+" rss", i, rss(t, s.pid))
		}
	}
	measureIdle("empty")
	for i, s := range servers {
		for k := range *rounds {
			begin := time.Now()
			s.announce(t, fmt.Sprintf("many-%d", k), "fsync", 1000, nil)
			add("create", i, ms(time.Since(begin)))
		}
		lists := starts
		if i == 1 {
			lists = *rounds // seconds each
		}
		for range lists {
			add("list", i, ms(list(t, s.system)))
		}
	}
	measureIdle("many")
	for _, f := range []struct {
		key, what string
		m         metric
	}{
		{"start", "exec to first acknowledged record", metric{"ms", "%.0f", false, 100}},
		{"list", "topics --list, each with its own tool", metric{"ms", "%.0f", false, 50}},
		{"create", "create a topic of 1,000 partitions, leaders known", metric{"ms", "%.0f", false, 30}},
		{"empty rss", "idle, one topic", metric{"RSS MB", "%.1f", false, 20}},
		{"empty cpu", "idle, one topic", metric{"% of a core", "%.2f", false, 10}},
		{"many rss", fmt.Sprintf("idle, %d partitions", *rounds*1000), metric{"RSS MB", "%.1f", false, 20}},
		{"many cpu", fmt.Sprintf("idle, %d partitions", *rounds*1000), metric{"% of a core", "%.2f", false, 10}},
	} {
		v := figures[f.key]
		b.single(f.what, "fsync", f.m, []float64{median(v[0])}, []float64{median(v[1])})
	}
	b.note("%d starts and lists of brokerd and %d of Kafka, medians; idle over %v, both at once.", starts, *rounds, idle)
}

// list runs the system's own command line.
func list(t testing.TB, s *system) time.Duration {
	t.Helper()
	cmd := exec.Command(filepath.Join(root(t), "bin", "brokerd"), "topics", "list", "--bootstrap-server", s.addr)
	if s.name == kafkaName {
		cmd = exec.Command(filepath.Join(root(t), "scripts", "kafka"), "tool", "org.apache.kafka.tools.TopicCommand", "--bootstrap-server", s.addr, "--list")
	}
	begin := time.Now()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
	}
	return time.Since(begin)
}

// s12 kills the broker in the middle of writing and waits until it serves again.
func s12(b *bench) {
	t := b.t
	const bytes = 4 << 30
	batch := raw.Batch(1500, 100, time.Now().UnixMilli())
	frame := raw.Produce("killed", 0, -1, raw.Batch(1, 100, time.Now().UnixMilli()))
	for _, c := range []struct {
		name string
		cold bool
	}{{"4 GiB in one partition, in memory", false}, {"4 GiB in one partition, page cache dropped", true}} {
		var took [2][]float64
		for i, s := range bothServers(t) {
			s.create(t, "killed", "isr", 1, nil) // Kafka would take minutes with a sync for each batch
			fill(t, s.system, "killed", batch, 1500, bytes)
			s.change(t, "killed", "fsync")
			end := fill(t, s.system, "killed", batch, 1500, 8<<20)
			acked := make(chan int64)
			go func() { acked <- writeUntilDead(s.addr, "killed", batch, 1500) }()
			time.Sleep(300 * time.Millisecond)
			s.kill()
			end = max(end, <-acked)
			if c.cold {
				forget(t, filepath.Join(s.data, "killed-0"))
			}
			begin := time.Now()
			s.launch()
			took[i] = append(took[i], firstAck(t, s.addr, frame, "killed", begin).Seconds())
			read(t, s.system, "killed", end-100*1500, end, 1<<20) // what was acknowledged last is there
			s.kill()
		}
		b.single(c.name, "fsync", metric{"s to the first acknowledgement", "%.3f", false, 10}, took[0], took[1])
	}
}

// writeUntilDead produces until the connection breaks and gives the end of what
// was acknowledged.
func writeUntilDead(addr, topic string, batch []byte, records int64) (end int64) {
	c, err := raw.Dial(addr)
	if err != nil {
		return 0
	}
	defer c.Close()
	_ = c.Window(raw.Produce(topic, 0, -1, batch), 5, func(answer []byte) (bool, error) { // it ends by an error
		base, err := raw.Produced(answer, topic)
		if err == nil {
			end = max(end, base+records)
		}
		return true, err
	})
	return end
}

// s6 is thousands of connections of which a tenth works.
func s6(b *bench) {
	t := b.t
	for _, n := range []int{2_000, 5_000} {
		figures := map[string][2][]float64{}
		for i, s := range bothServers(t) {
			s.create(t, "connected", "fsync", 16, nil)
			add := func(name string, v float64) {
				f := figures[name]
				f[i] = append(f[i], v)
				figures[name] = f
			}
			time.Sleep(time.Second)
			empty := rss(t, s.pid)
			begin := time.Now()
			conns := connect(t, s.system, n)
			add("connect", ms(time.Since(begin)))
			time.Sleep(2 * time.Second)
			full := rss(t, s.pid)
			add("each", (full-empty)*1024/float64(n))
			add("rss", full)
			p50, p99, used, requests := work(t, s.system, conns[:n/10])
			add("p50", p50)
			add("p99", p99)
			add("cpu", us(used)/float64(requests))
			for _, c := range conns {
				c.Close()
			}
			begin = time.Now()
			again := connect(t, s.system, n)
			add("reconnect", ms(time.Since(begin)))
			for _, c := range again {
				c.Close()
			}
			s.kill()
		}
		name := fmt.Sprintf("%d connections", n)
		for _, f := range []struct {
			key string
			m   metric
		}{
			{"each", metric{"KB per idle connection", "%.1f", false, 0}},
			{"rss", metric{"RSS MB with all of them", "%.0f", false, map[int]float64{5000: 20}[n]}},
			{"p50", metric{"a tenth at 10 requests/s: " + ackP50, "%.0f", false, 0}},
			{"p99", metric{"a tenth at 10 requests/s: " + ackP99, "%.0f", false, 0}},
			{"cpu", metric{"a tenth at 10 requests/s: " + usRequest, "%.0f", false, 0}},
			{"connect", metric{"connect all, one answer each, ms", "%.0f", false, 0}},
			{"reconnect", metric{"the same at once after all have gone, ms", "%.0f", false, 0}},
		} {
			v := figures[f.key]
			b.single(name, "fsync", f.m, v[0], v[1])
		}
	}
	b.note("Kafka's memory is its heap, whatever the connections need; one pass each, no rounds.")
}

// connect opens n connections, each of which asks one thing, eight at a time.
func connect(t testing.TB, s *system, n int) []*raw.Conn {
	t.Helper()
	conns, errs := make([]*raw.Conn, n), make([]error, 8)
	var wg sync.WaitGroup
	for w := range errs {
		wg.Go(func() {
			for i := w; i < n && errs[w] == nil; i += len(errs) {
				if conns[i], errs[w] = raw.Dial(s.addr); errs[w] == nil {
					errs[w] = conns[i].Send(raw.Versions())
				}
				if errs[w] == nil {
					_, errs[w] = conns[i].Receive()
				}
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
	}
	return conns
}

// work lets each connection send ten records a second, for five seconds.
func work(t testing.TB, s *system, conns []*raw.Conn) (p50, p99 float64, used time.Duration, requests int) {
	t.Helper()
	const each, every = 50, 100 * time.Millisecond
	batch := raw.Batch(1, 100, time.Now().UnixMilli())
	waits, errs := make([][]time.Duration, len(conns)), make([]error, len(conns))
	var wg sync.WaitGroup
	before, begin := cpu(t, s.pid), time.Now()
	for i, c := range conns {
		wg.Go(func() {
			frame := raw.Produce("connected", int32(i%16), 1, batch)
			first := begin.Add(every * time.Duration(i) / time.Duration(len(conns)))
			for k := range each {
				time.Sleep(time.Until(first.Add(time.Duration(k) * every)))
				sent := time.Now()
				if errs[i] = c.Send(frame); errs[i] != nil {
					return
				}
				answer, err := c.Receive()
				if err == nil {
					_, err = raw.Produced(answer, "connected")
				}
				if errs[i] = err; err != nil {
					return
				}
				waits[i] = append(waits[i], time.Since(sent))
			}
		})
	}
	wg.Wait()
	used = cpu(t, s.pid) - before
	for _, err := range errs {
		if err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
	}
	all := slices.Sorted(slices.Values(slices.Concat(waits...)))
	return us(all[len(all)/2]), us(all[len(all)*99/100]), used, len(all)
}
