//go:build chaos

package chaos

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// disk is a file system in an image file, mounted at a directory.
type disk struct {
	t           *testing.T
	image, at   string
	generations int
}

func newDisk(t *testing.T, dir, size string) *disk {
	t.Helper()
	d := &disk{t: t, image: filepath.Join(dir, "image-0"), at: filepath.Join(dir, "disk")}
	if err := os.MkdirAll(d.at, 0o755); err != nil {
		t.Fatal(err)
	}
	d.do("truncate", "-s", size, d.image)
	d.do("mkfs.ext4", "-q", "-F", d.image)
	d.mount()
	t.Cleanup(func() { _ = exec.Command("umount", "-l", d.at).Run() }) // not mounted when the test failed in between
	return d
}

func (d *disk) mount() { d.do("mount", "-o", "loop", d.image, d.at) }

// cut goes on with the image as it is now, as if the power had failed: what was
// not written through to it is gone. Nothing may run on the disk.
func (d *disk) cut(image string) {
	d.do("umount", d.at)
	if err := os.Remove(d.image); err != nil {
		d.t.Fatal(err)
	}
	d.image = image
	d.mount()
}

// snapshot copies the image while it is mounted.
func (d *disk) snapshot() string {
	d.generations++
	to := filepath.Join(filepath.Dir(d.at), fmt.Sprintf("image-%d", d.generations))
	d.do("cp", "--sparse=always", d.image, to)
	return to
}

func (d *disk) do(name string, args ...string) {
	d.t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		d.t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
}

func TestPowerCut(t *testing.T) {
	random := schedule(t)
	node, d := onDisk(t, "2G", map[string]string{"durability": *durability, "log.flush.offset.checkpoint.interval.ms": "200"})
	l := startLoad(t, node.Addr(), 4, small())
	for round := range *cuts {
		l.await(between + int64(random.IntN(2000)))
		node.Signal(syscall.SIGSTOP) // no write may slip in while the image is copied
		image := d.snapshot()
		node.Kill()
		d.cut(image)
		node.Restart()
		if round%10 == 9 {
			t.Logf("after %d cuts: %d records read back, restart took %v", round+1, l.audit(node.Addr()), node.ReadyAfter())
		}
	}
	l.await(between)
	l.finish()
	t.Logf("%d power cuts, %d acknowledgements, %d records read back", *cuts, l.acked.Load(), l.audit(node.Addr()))
}
