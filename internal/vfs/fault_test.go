package vfs_test

import (
	"errors"
	"io/fs"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brokerd/brokerd/internal/vfs"
)

func faulty(t *testing.T) (*vfs.Fault, *vfs.Mem, string) {
	m, dir := memDir(t)
	return vfs.NewFault(m), m, dir
}

func create(t *testing.T, fsys vfs.FS, name string) vfs.File {
	t.Helper()
	f, err := fsys.Open(name, vfs.Create)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func write(t *testing.T, f vfs.File, off int64, text string) {
	t.Helper()
	if _, err := f.WriteAt([]byte(text), off); err != nil {
		t.Fatal(err)
	}
}

func TestRules(t *testing.T) {
	eio := func(r vfs.Rule) vfs.Rule { r.Err = syscall.EIO; return r }
	for _, c := range []struct {
		name string
		rule vfs.Rule
		want string // of six syncs of a.log: x failed
	}{
		{"every sync", vfs.Rule{Op: vfs.OpSync}, "xxxxxx"},
		{"every operation", vfs.Rule{}, "xxxxxx"},
		{"the third", vfs.Rule{Op: vfs.OpSync, Nth: 3, Times: 1}, "..x..."},
		{"from the third on", vfs.Rule{Op: vfs.OpSync, Nth: 3}, "..xxxx"},
		{"the first two", vfs.Rule{Op: vfs.OpSync, Times: 2}, "xx...."},
		{"another operation", vfs.Rule{Op: vfs.OpRead}, "......"},
		{"base name", vfs.Rule{Op: vfs.OpSync, Path: "*.log"}, "xxxxxx"},
		{"another base name", vfs.Rule{Op: vfs.OpSync, Path: "*.index"}, "......"},
		{"whole name", vfs.Rule{Op: vfs.OpSync, Path: "/data/*/a.log"}, "xxxxxx"},
		{"another directory", vfs.Rule{Op: vfs.OpSync, Path: "/log/*/a.log"}, "......"},
	} {
		t.Run(c.name, func(t *testing.T) {
			fsys, _, dir := faulty(t)
			f := create(t, fsys, dir+"/a.log")
			rule := fsys.Add(eio(c.rule))
			got, hits := "", 0
			for range c.want {
				if err := f.Sync(); errors.Is(err, syscall.EIO) {
					got, hits = got+"x", hits+1
				} else {
					got += "."
				}
			}
			if got != c.want || rule.Hits() != hits {
				t.Fatalf("got %s (%d hits), want %s", got, rule.Hits(), c.want)
			}
			rule.Remove()
			if err := f.Sync(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestEveryOperationCanFail(t *testing.T) {
	fsys, _, dir := faulty(t)
	f := create(t, fsys, dir+"/a")
	p := make([]byte, 1)
	for op, call := range map[vfs.Op]func() error{
		vfs.OpOpen:     func() error { _, err := fsys.Open(dir+"/a", vfs.Read); return err },
		vfs.OpRead:     func() error { _, err := f.ReadAt(p, 0); return err },
		vfs.OpWrite:    func() error { _, err := f.WriteAt(p, 0); return err },
		vfs.OpTruncate: func() error { return f.Truncate(0) },
		vfs.OpAllocate: func() error { return f.Allocate(0, 1) },
		vfs.OpSync:     f.Sync,
		vfs.OpRename:   func() error { return fsys.Rename(dir+"/a", dir+"/b") },
		vfs.OpRemove:   func() error { return fsys.Remove(dir + "/a") },
		vfs.OpList:     func() error { _, err := fsys.List(dir); return err },
		vfs.OpMkdir:    func() error { return fsys.MkdirAll(dir + "/d") },
		vfs.OpSyncDir:  func() error { return fsys.SyncDir(dir) },
		vfs.OpSyncAll:  func() error { return fsys.SyncAll(dir) },
		vfs.OpFree:     func() error { _, err := fsys.Free(dir); return err },
		vfs.OpLock:     func() error { _, err := fsys.Lock(dir + "/l"); return err },
	} {
		r := fsys.Add(vfs.Rule{Op: op, Err: syscall.EIO})
		err := call()
		var pe *fs.PathError
		if !errors.Is(err, syscall.EIO) || !errors.As(err, &pe) || pe.Op != string(op) {
			t.Errorf("%s: %v", op, err)
		}
		r.Remove()
	}
	fsys.Add(vfs.Rule{Op: vfs.OpClose, Err: syscall.EIO})
	if err := f.Close(); !errors.Is(err, syscall.EIO) {
		t.Error(err)
	}
	if err := f.Close(); errors.Is(err, nil) {
		t.Error("the handle survived a failed Close")
	}
}

func TestTornWritesAndMutatedReads(t *testing.T) {
	fsys, _, dir := faulty(t)
	f := create(t, fsys, dir+"/a")
	torn := fsys.Add(vfs.Rule{Op: vfs.OpWrite, Err: syscall.EIO, Torn: 3})
	if n, err := f.WriteAt([]byte("hello"), 0); n != 3 || !errors.Is(err, syscall.EIO) {
		t.Fatal(n, err)
	}
	torn.Remove()
	fsys.Add(vfs.Rule{Op: vfs.OpRead, Times: 1, Mutate: func(off int64, p []byte) { p[0] ^= 0x20 }})
	for _, want := range []string{"Hel", "hel"} {
		p := make([]byte, 3)
		if _, err := f.ReadAt(p, 0); err != nil || string(p) != want {
			t.Fatalf("%q, %v", p, err)
		}
	}
}

func TestBudget(t *testing.T) {
	fsys, _, dir := faulty(t)
	f := create(t, fsys, dir+"/a")
	fsys.SetBudget(7)
	write(t, f, 0, "hello")
	if n, err := f.WriteAt([]byte("world"), 5); n != 2 || !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(n, err)
	}
	if free, err := fsys.Free(dir); free != 0 || err != nil {
		t.Fatal(free, err)
	}
	if size, _ := f.Size(); size != 7 {
		t.Fatal(size)
	}
	fsys.SetBudget(-1)
	write(t, f, 7, "rld")
}

func TestSlowSync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fsys, _, dir := faulty(t)
		f := create(t, fsys, dir+"/a")
		fsys.Add(vfs.Rule{Op: vfs.OpSync, Delay: 7 * time.Second, Times: 1})
		start := time.Now()
		if err := f.Sync(); err != nil || time.Since(start) != 7*time.Second {
			t.Fatal(time.Since(start), err)
		}
		if err := f.Sync(); err != nil || time.Since(start) != 7*time.Second {
			t.Fatal(time.Since(start), err)
		}
	})
}

func TestCapacity(t *testing.T) {
	m, dir := memDir(t)
	m.SetCapacity(10)
	f := create(t, m, dir+"/a")
	write(t, f, 0, "12345678")
	if n, err := f.WriteAt([]byte("9abc"), 8); n != 2 || !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(n, err)
	}
	write(t, f, 0, "overwritten"[:10]) // takes no room
	if err := f.Allocate(10, 1); !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	if err := m.Remove(dir + "/a"); err != nil {
		t.Fatal(err)
	}
	if free, _ := m.Free(dir); free != 0 {
		t.Fatalf("%d free while a handle is open", free)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if free, _ := m.Free(dir); free != 10 {
		t.Fatalf("%d free", free)
	}
}
