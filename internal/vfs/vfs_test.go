package vfs_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/brokerd/brokerd/internal/vfs"
	"github.com/brokerd/brokerd/internal/vfs/vfstest"
)

func TestOS(t *testing.T) {
	vfstest.Run(t, func(t *testing.T) (vfs.FS, string) { return vfs.NewOS(), t.TempDir() })
}

func TestMem(t *testing.T) {
	vfstest.Run(t, func(t *testing.T) (vfs.FS, string) { return memDir(t) })
}

func TestFaultWithoutRules(t *testing.T) {
	vfstest.Run(t, func(t *testing.T) (vfs.FS, string) {
		m, dir := memDir(t)
		return vfs.NewFault(m), dir
	})
}

func memDir(t *testing.T) (*vfs.Mem, string) {
	m := vfs.NewMem()
	if err := m.MkdirAll("/data/x"); err != nil {
		t.Fatal(err)
	}
	return m, "/data/x"
}

func TestLockNamesTheHolder(t *testing.T) {
	fsys, name := vfs.NewOS(), t.TempDir()+"/.lock"
	l, err := fsys.Lock(name)
	if err != nil {
		t.Fatal(err)
	}
	_, err = vfs.NewOS().Lock(name)
	want := fmt.Sprintf("(pid %d)", os.Getpid())
	if !errors.Is(err, vfs.ErrLocked) || !strings.Contains(err.Error(), want) {
		t.Fatalf("got %v, want ErrLocked with %s", err, want)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(name); err != nil || len(text) != 0 {
		t.Fatalf("after Close the lock file holds %q, %v", text, err)
	}
}

func TestAllocateReserves(t *testing.T) {
	name := t.TempDir() + "/a"
	f, err := vfs.NewOS().Open(name, vfs.Create)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Allocate(0, 1<<20); err != nil {
		t.Fatal(err)
	}
	before := blocks(t, name)
	if err := f.Truncate(0); err != nil {
		t.Fatal(err)
	}
	if after := blocks(t, name); before != 0 && after >= before {
		t.Fatalf("%d blocks after Allocate, %d after Truncate", before, after)
	}
}

// What a topic holds is nobody else's: directories 0700, files 0600.
func TestOSModes(t *testing.T) {
	fs, dir := vfs.NewOS(), t.TempDir()+"/d"
	if err := fs.MkdirAll(dir); err != nil {
		t.Fatal(err)
	}
	f, err := fs.Open(dir+"/f", vfs.Create)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lock, err := fs.Lock(dir + "/l")
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	for name, want := range map[string]os.FileMode{dir: 0o700, dir + "/f": 0o600, dir + "/l": 0o600} {
		if s, err := os.Stat(name); err != nil || s.Mode().Perm() != want {
			t.Errorf("%s: mode %v (%v), want %v", name, s.Mode().Perm(), err, want)
		}
	}
}

// WriteVector writes what single writes would, on every file system, also more
// pieces than one call takes.
func TestWriteVector(t *testing.T) {
	m, dir := memDir(t)
	for _, on := range []struct {
		fs  vfs.FS
		dir string
	}{{vfs.NewOS(), t.TempDir()}, {m, dir}, {vfs.NewFault(m), dir}} {
		f, err := on.fs.Open(on.dir+"/vector", vfs.Create)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range []int{0, 1, 2, 7, 3000} {
			var pieces [][]byte
			var want []byte
			for i := range n {
				p := bytes.Repeat([]byte{byte(i)}, i%100)
				pieces, want = append(pieces, p), append(want, p...)
			}
			if err := vfs.WriteVector(f, pieces, 10); err != nil {
				t.Fatal(err)
			}
			got := make([]byte, len(want))
			if _, err := f.ReadAt(got, 10); err != nil && len(want) > 0 || !bytes.Equal(got, want) {
				t.Errorf("%T: %d pieces are not what was written: %v", f, n, err)
			}
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
