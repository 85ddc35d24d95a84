//go:build chaos

package chaos

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/brokerd/brokerd/test/harness"
)

// fault is one kind of bad luck. begin lets it happen and gives what ends it:
// then all nodes run, on whole disks, and see each other.
type fault struct {
	name   string
	serves bool // two nodes that see each other are left: writes must go on
	begin  func() (heal func())

	everywhere bool // in every partition: that somebody waits for the fault to end must not do
}

// everywhereIn is how long every partition may take to go on, on a busy machine; a
// client that was refused tries again within a second.
const everywhereIn = 20 * time.Second

// faults are those that this machine can do; it says which it cannot.
func (c *three) faults(random *rand.Rand) (list []fault) {
	anyone := func() *harness.Node { return c.Nodes[random.IntN(3)] }
	other := func(n *harness.Node) *harness.Node { return c.Nodes[(n.ID-1+1+random.IntN(2))%3] }
	add := func(name string, serves bool, begin func() func()) {
		list = append(list, fault{name: name, serves: serves, begin: begin})
	}
	kill := func(n *harness.Node) func() {
		n.Kill()
		return func() { n.Restart() }
	}
	add("kill of a node", true, func() func() { return kill(anyone()) })
	add("kill of the controller", true, func() func() { return kill(c.controller()) })
	add("kill of a node, twice", true, func() func() {
		n := anyone()
		n.Kill()
		n.Launch()
		pause(time.Duration(random.IntN(300)) * time.Millisecond) // in the middle of its start
		return kill(n)
	})
	add("pause of a node", true, func() func() { return c.paused(anyone()) })
	add("pause of the controller", true, func() func() { return c.paused(c.controller()) })
	add("stop of a node in order", true, func() func() {
		n := anyone()
		n.Stop()
		return func() { n.Restart() }
	})
	add("rolling restart", true, func() func() {
		for _, n := range c.Nodes {
			n.Stop()
			n.Restart()
		}
		return func() {}
	})
	add("node off the network", true, func() func() {
		c.net.unplug(anyone().ID)
		return c.net.heal
	})
	if c.net.firewall {
		c.partitions(add, anyone, other)
	} else {
		c.Log("UNAVAILABLE: one-way and partial partitions: there is no nft")
	}
	add("power cut of a node", true, func() func() {
		n := anyone()
		c.powerCut(n)
		return func() { n.Restart() }
	})
	add("power cut of all nodes", false, func() func() {
		c.powerCut(c.Nodes...)
		return func() { c.launch(c.Nodes...) }
	})
	add("full disk", true, func() func() { return c.fillDisk(anyone()) })
	list[len(list)-1].everywhere = true
	if _, err := exec.LookPath("strace"); err == nil {
		add("failing fsync", true, func() func() { return c.failSync(anyone()) })
	} else {
		c.Log("UNAVAILABLE: a failing fsync: there is no strace")
	}
	c.moves(random, add)
	c.Log("UNAVAILABLE: delay and reordering of packets, a wall clock that jumps: not part of this schedule")
	return list
}

func (c *three) partitions(add func(string, bool, func() func()), anyone func() *harness.Node, other func(*harness.Node) *harness.Node) {
	others := func(n *harness.Node, do func(id int)) {
		for _, o := range c.Nodes {
			if o != n {
				do(o.ID)
			}
		}
	}
	apart := func(n *harness.Node) func() { // clients still see it
		others(n, func(id int) { c.net.cut(n.ID, id); c.net.cut(id, n.ID) })
		return c.net.heal
	}
	add("partition: a node alone", true, func() func() { return apart(anyone()) })
	add("partition: the controller alone", true, func() func() { return apart(c.controller()) })
	add("partition: a node hears nobody", true, func() func() {
		n := anyone()
		others(n, func(id int) { c.net.cut(id, n.ID) })
		return c.net.heal
	})
	add("partition: nobody hears a node", true, func() func() {
		n := anyone()
		others(n, func(id int) { c.net.cut(n.ID, id) })
		return c.net.heal
	})
	add("partition: a bridge", true, func() func() {
		a := anyone()
		b := other(a)
		c.net.cut(a.ID, b.ID)
		c.net.cut(b.ID, a.ID)
		return c.net.heal
	})
	add("partition: one way of one pair", true, func() func() {
		a := anyone()
		c.net.cut(a.ID, other(a).ID)
		return c.net.heal
	})
}

func (c *three) paused(n *harness.Node) func() {
	n.Signal(syscall.SIGSTOP)
	return func() { n.Signal(syscall.SIGCONT) }
}

func (c *three) launch(nodes ...*harness.Node) {
	for _, n := range nodes {
		n.Launch()
	}
	for _, n := range nodes {
		n.WaitReady()
	}
}

// powerCut takes the power from nodes at one moment: what was not synced is gone.
func (c *three) powerCut(nodes ...*harness.Node) {
	for _, n := range nodes {
		n.Signal(syscall.SIGSTOP) // no write may slip in while the image is copied
	}
	var images []string
	for _, n := range nodes {
		images = append(images, c.disks[n.ID-1].snapshot())
	}
	for i, n := range nodes {
		n.Kill()
		c.disks[n.ID-1].cut(images[i])
	}
}

// fillDisk leaves a node less than the reserve below which it refuses records.
func (c *three) fillDisk(n *harness.Node) func() {
	at := c.disks[n.ID-1].at
	filler := filepath.Join(at, "filler")
	var fs unix.Statfs_t
	if err := unix.Statfs(at, &fs); err != nil {
		c.Fatal(err)
	}
	size := int64(fs.Bavail)*fs.Bsize - 24<<20
	c.net.must("fallocate", "-l", fmt.Sprint(max(size, 1)), filler)
	return func() {
		if err := errors.Join(os.Remove(filler), syncDisk(at)); err != nil { // or a power cut brings it back
			c.Fatal(err)
		}
	}
}

// syncDisk makes all that was done to a file system durable.
func syncDisk(at string) error {
	d, err := os.Open(at)
	if err != nil {
		return err
	}
	defer d.Close()
	return unix.Syncfs(int(d.Fd()))
}

// failSync lets every sync of a node fail until it is started anew.
func (c *three) failSync(n *harness.Node) func() {
	tracer := exec.Command("strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync,fsync,syncfs",
		"-e", "inject=fdatasync,fsync,syncfs:error=EIO", "-p", fmt.Sprint(n.Pid()))
	if err := tracer.Start(); err != nil {
		c.Fatal(err)
	}
	return func() {
		n.Kill() // it may have ended by itself
		_ = tracer.Process.Kill()
		_ = tracer.Wait() // it ends with the node or by the signal
		n.Restart()
	}
}
