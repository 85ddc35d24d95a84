//go:build bench

package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/brokerd/brokerd/test/raw"
)

// trickle produces a batch a hundred times a second until stop is closed.
func trickle(t testing.TB, s *system, topic string, partition int32, stop <-chan struct{}) error {
	c := dial(t, s.addr)
	defer c.Close()
	frame := raw.Produce(topic, partition, 1, raw.Batch(150, 100, time.Now().UnixMilli()))
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return nil
		case <-tick.C:
		}
		if err := c.Send(frame); err != nil {
			return err
		}
		answer, err := c.Receive()
		if err != nil {
			return err
		}
		if _, err := raw.Produced(answer, topic); err != nil {
			return err
		}
	}
}

// s5 is ten consumers that each read the same backlog while a producer writes
// behind it.
func s5(b *bench) {
	const backlog, readers = 1 << 30, 10
	batch := raw.Batch(1500, 100, time.Now().UnixMilli())
	for _, n := range []int{1, readers} {
		topic, end := map[*system]string{}, map[*system]int64{}
		b.compare(cell{
			name: fmt.Sprintf("%d consumers, fetches of 1 MiB, 100 batches/s written beside", n), durability: "isr",
			metrics: []metric{{cpuGB, "%.3f", false, map[int]float64{readers: 1.2}[n]}, {gbRate, "%.2f", true, 0}},
			run: func(t testing.TB, s *system) values {
				if topic[s] == "" {
					topic[s] = b.topic()
					s.create(t, topic[s], "isr", 1, nil)
					end[s] = fill(t, s, topic[s], batch, 1500, backlog)
				}
				stop := make(chan struct{})
				var writer, all sync.WaitGroup
				var wrote error
				writer.Go(func() { wrote = trickle(t, s, topic[s], 0, stop) })
				part := end[s] / readers // the same tenth for each
				errs, sums := make([]error, n), make([]int64, n)
				before, begin := cpu(t, s.pid), time.Now()
				for i := range n {
					all.Go(func() {
						c, err := raw.Dial(s.addr)
						if err != nil {
							errs[i] = err
							return
						}
						defer c.Close()
						sums[i], errs[i] = readOn(c, topic[s], 0, part, 1<<20)
					})
				}
				all.Wait()
				took, used := time.Since(begin), cpu(t, s.pid)-before
				close(stop)
				writer.Wait()
				total := int64(0)
				for i := range n {
					if errs[i] != nil || wrote != nil {
						t.Fatalf("%s: %v, %v", s.name, errs[i], wrote)
					}
					total += sums[i]
				}
				return values{cpuGB: used.Seconds() / (float64(total) / 1e9), gbRate: float64(total) / 1e9 / took.Seconds()}
			},
		})
		for s, name := range topic {
			s.remove(b.t, name)
		}
	}
}

const (
	hotP99  = "hot ack p99 µs, alone"
	coldP99 = "hot ack p99 µs, beside the cold reader"
)

// s13 reads what is not in memory any more, with and without somebody at the tail.
func s13(b *bench) {
	const bytes = 2 << 30
	batch := raw.Batch(1000, 1024, time.Now().UnixMilli())
	cold, hot, end := map[*system]string{}, map[*system]string{}, map[*system]int64{}
	b.compare(cell{
		name: "1 KB, 2 GiB read cold in fetches of 1 MiB", durability: "isr",
		metrics: []metric{{gbRate, "%.2f", true, 1.2}, {cpuGB, "%.3f", false, 0}, {hotP99, "%.0f", false, 0}, {coldP99, "%.0f", false, 0}},
		run: func(t testing.TB, s *system) values {
			if cold[s] == "" {
				cold[s], hot[s] = b.topic(), b.topic()
				s.create(t, cold[s], "isr", 1, nil)
				s.create(t, hot[s], "isr", 1, nil)
				end[s] = fill(t, s, cold[s], batch, 1000, bytes)
			}
			p := paced{rate: 1000, size: 1024, acks: 1, took: 2 * time.Second}
			alone := p.run(t, s, hot[s], true)
			forget(t, filepath.Join(s.data, cold[s]+"-0"))
			var n int64
			var took, used time.Duration
			var wg sync.WaitGroup
			wg.Go(func() {
				before, begin := cpu(t, s.pid), time.Now()
				n = read(t, s, cold[s], 0, end[s], 1<<20)
				took, used = time.Since(begin), cpu(t, s.pid)-before
			})
			beside := p.run(t, s, hot[s], true)
			wg.Wait()
			return values{gbRate: float64(n) / 1e9 / took.Seconds(), cpuGB: used.Seconds() / (float64(n) / 1e9), hotP99: alone[ackP99], coldP99: beside[ackP99]}
		},
		floor: func(t testing.TB) values {
			s := b.brokerd
			dir := filepath.Join(s.data, cold[s]+"-0")
			forget(t, dir)
			begin := time.Now()
			n := readFiles(t, dir)
			return values{gbRate: float64(n) / 1e9 / time.Since(begin).Seconds()}
		},
	})
	for _, topics := range []map[*system]string{cold, hot} {
		for s, name := range topics {
			s.remove(b.t, name)
		}
	}
}

// forget makes the kernel drop what it has in memory of a partition.
func forget(t testing.TB, dir string) {
	t.Helper()
	for _, name := range logs(t, dir) {
		f, err := os.OpenFile(name, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := unix.Fdatasync(int(f.Fd())); err != nil {
			t.Fatal(err)
		}
		if err := unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED); err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
}

func logs(t testing.TB, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.log"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no logs in %s: %v", dir, err)
	}
	return names
}

// readFiles reads the logs of a partition as fio would: 1 MiB after the other.
func readFiles(t testing.TB, dir string) (n int64) {
	t.Helper()
	p := make([]byte, 1<<20)
	for _, name := range logs(t, dir) {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		for {
			k, err := f.Read(p)
			n += int64(k)
			if err != nil {
				break
			}
		}
		f.Close()
	}
	return n
}
