//go:build chaos

package chaos

import (
	"flag"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/brokerd/brokerd/test/harness"
)

var (
	kills = flag.Int("kills", 8, "how often TestKill kills the broker")
	cuts  = flag.Int("cuts", 3, "how often TestPowerCut cuts the power")
	// With isr a power cut loses what was acknowledged: that this turns the test
	// red shows that it can see a loss.
	durability = flag.String("durability", "fsync", "durability of the brokers of TestPowerCut and TestThree")
	seed       = flag.Uint64("seed", 0, "seed of the schedule; 0: by the clock")
)

// between is how many acknowledgements stand between two faults.
const between = 1000

// small makes rolls and checkpoints frequent.
func small() map[string]*string {
	v := "1048576"
	return map[string]*string{"segment.bytes": &v}
}

func schedule(t *testing.T) *rand.Rand {
	s := *seed
	if s == 0 {
		s = uint64(time.Now().UnixNano())
	}
	t.Logf("schedule: -seed %d", s)
	return rand.New(rand.NewPCG(s, 0))
}

func TestKill(t *testing.T) {
	random := schedule(t)
	node := harness.Start(t, harness.Options{
		Properties: map[string]string{"log.flush.offset.checkpoint.interval.ms": "500"},
	}).Nodes[0]
	l := startLoad(t, node.Addr(), 4, small())
	data := filepath.Join(node.Dir, "data")
	hit := map[string]int{}
	for round := range *kills {
		l.await(between)
		moment := "anywhere"
		switch round % 10 { // three of ten while something is half done
		case 1:
			if awaitFile(t, data, func(name string) bool { return strings.HasSuffix(name, ".log") }, unix.IN_CREATE) {
				moment = "roll"
			}
		case 4:
			if awaitFile(t, data, func(name string) bool { return strings.Contains(name, "checkpoint") }, unix.IN_MODIFY|unix.IN_CREATE|unix.IN_MOVED_TO) {
				moment = "checkpoint"
			}
		}
		node.Kill()
		if round%10 == 7 {
			moment = "recovery"
			for range 1 + random.IntN(3) { // killed again while it comes up
				node.Launch()
				pause(time.Duration(random.IntN(40)) * time.Millisecond)
				node.Kill()
			}
		}
		hit[moment]++
		node.Restart()
		if round%10 == 9 {
			t.Logf("after %d kills: %d records read back, restart took %v", round+1, l.audit(node.Addr()), node.ReadyAfter())
		}
	}
	if aimed := *kills - hit["anywhere"]; *kills >= 20 && 4*aimed < *kills {
		t.Errorf("%d of %d kills hit recovery, roll or checkpoint (%v): a quarter must", aimed, *kills, hit)
	}
	l.await(between)
	l.finish()
	t.Logf("%d kills (%v), %d acknowledgements, %d records read back", *kills, hit, l.acked.Load(), l.audit(node.Addr()))
}

// pause lets the clock run: the moment of a kill is a time, not an event.
func pause(d time.Duration) { <-time.After(d) }

// awaitFile returns when something happens to a file below dir whose name
// matches; false: nothing has within five seconds.
func awaitFile(t *testing.T, dir string, match func(string) bool, mask uint32) bool {
	t.Helper()
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "inotify") // the poller honours its deadline
	defer f.Close()
	_ = filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			_, err = unix.InotifyAddWatch(fd, path, mask)
		}
		return err
	})
	if err := f.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	events := make([]byte, 64<<10)
	for {
		n, err := f.Read(events)
		if err != nil {
			t.Logf("no such file event within five seconds: %v", err)
			return false
		}
		for at := 0; at+unix.SizeofInotifyEvent <= n; {
			size := int(events[at+12]) | int(events[at+13])<<8 | int(events[at+14])<<16
			name := strings.TrimRight(string(events[at+unix.SizeofInotifyEvent:at+unix.SizeofInotifyEvent+size]), "\x00")
			if match(name) {
				return true
			}
			at += unix.SizeofInotifyEvent + size
		}
	}
}
