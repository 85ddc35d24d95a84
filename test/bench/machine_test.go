//go:build bench

package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// cpu is the time that a process has had on the processors, ended threads included.
func cpu(t testing.TB, pid int) time.Duration {
	t.Helper()
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|2), &ts); err != nil { // CPUCLOCK_SCHED of the process
		t.Fatalf("cpu clock of %d: %v", pid, err)
	}
	return time.Duration(ts.Nano())
}

// cpuOf is the time that all of them have had.
func cpuOf(t testing.TB, list []*system) (sum time.Duration) {
	t.Helper()
	for _, s := range list {
		sum += cpu(t, s.pid)
	}
	return sum
}

// status reads a size in kB from /proc/PID/status or smaps_rollup.
func kilobytes(t testing.TB, file, key string) int {
	t.Helper()
	p, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var n int
	_, rest, _ := strings.Cut(string(p), key+":")
	if _, err := fmt.Sscan(rest, &n); err != nil {
		t.Fatalf("%s has no %s", file, key)
	}
	return n
}

func rss(t testing.TB, pid int) float64 {
	return float64(kilobytes(t, fmt.Sprintf("/proc/%d/smaps_rollup", pid), "Rss")) / 1024
}

// touch makes the kernel have n bytes of memory at hand for the page cache (B5): it
// writes them to a file and deletes it. [Where the host has to give the memory
// first, writing costs 1 to 2 CPU-s/GB, and 0.1 after this. Anonymous memory, mapped
// and given back, was not what the page cache took next: 0.1 or 1.6]
func touch(t testing.TB, n int) {
	t.Helper()
	f, err := os.CreateTemp("", "bench-touch-")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := os.Remove(f.Name()); err != nil {
		t.Fatal(err)
	}
	p := make([]byte, 1<<20)
	for ; n > 0; n -= len(p) {
		if _, err := f.Write(p); err != nil {
			t.Fatal(err)
		}
	}
}

const congestionFile = "/proc/sys/net/ipv4/tcp_congestion_control"

// cubic sets the congestion control of the machine for the run, where it may,
// and says what it is.
func cubic(t testing.TB) string {
	was, err := os.ReadFile(congestionFile)
	if err != nil {
		return "unknown"
	}
	if os.WriteFile(congestionFile, []byte("cubic"), 0o644) != nil {
		return strings.TrimSpace(string(was))
	}
	t.Cleanup(func() { _ = os.WriteFile(congestionFile, was, 0o644) }) // it could be written a moment ago
	return "cubic"
}

// disk is what one small write and fdatasync take.
type disk struct{ p50, p99 time.Duration }

func (d disk) String() string {
	return fmt.Sprintf("%d/%d µs", d.p50.Microseconds(), d.p99.Microseconds())
}

// calibrate writes 16 KiB and syncs it, again and again.
func calibrate(t testing.TB, dir string) disk {
	t.Helper()
	name := filepath.Join(dir, "fdatasync")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer os.Remove(name)
	defer f.Close()
	p := make([]byte, 16<<10)
	var took []time.Duration
	for begin := time.Now(); time.Since(begin) < time.Second; {
		start := time.Now()
		if _, err := f.Write(p); err != nil {
			t.Fatal(err)
		}
		if err := unix.Fdatasync(int(f.Fd())); err != nil {
			t.Fatal(err)
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	return disk{took[len(took)/2], took[len(took)*99/100]}
}

// machine describes where this runs.
func machine(congestion string) string {
	model := "unknown processor"
	if p, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(p)) {
			if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == "model name" {
				model = strings.TrimSpace(v)
				break
			}
		}
	}
	var u unix.Utsname
	kernel := "unknown"
	if unix.Uname(&u) == nil {
		kernel = unix.ByteSliceToString(u.Release[:])
	}
	return fmt.Sprintf("%d × %s, Linux %s, %s, %s", runtime.NumCPU(), model, kernel, runtime.Version(), congestion)
}

// prioritize gives this session the priority that the process has. Where the
// kernel groups processes by session, nice counts only among those of one. [Under a
// load of 60 nice -20 alone left a JVM with 70 requests/s]
func prioritize() {
	nice, err := unix.Getpriority(unix.PRIO_PROCESS, 0)
	if err != nil || nice <= 20 { // the system call says 20 - nice
		return
	}
	_ = os.WriteFile("/proc/self/autogroup", fmt.Append(nil, 20-nice), 0o644) // no autogroups: nice is enough
}

// load is the number of runnable processes of the whole machine, over a minute.
func load() string {
	p, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "?"
	}
	first, _, _ := strings.Cut(string(p), " ")
	return first
}
