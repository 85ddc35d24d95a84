package vfs_test

import (
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/brokerd/brokerd/internal/vfs"
)

func rng(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }

// content reads a whole file; missing is "-".
func content(t testing.TB, m *vfs.Mem, name string) string {
	t.Helper()
	f, err := m.Open(name, vfs.Read)
	if errors.Is(err, fs.ErrNotExist) {
		return "-"
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		t.Fatal(err)
	}
	p := make([]byte, size)
	if _, err := f.ReadAt(p, 0); err != nil && err != io.EOF {
		t.Fatal(err)
	}
	return string(p)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// durableDir is a Mem with a directory that a crash leaves.
func durableDir(t *testing.T) *vfs.Mem {
	m := vfs.NewMem()
	must(t, m.MkdirAll("/d"))
	must(t, m.SyncDir("/"))
	return m
}

const block = 4096

func TestCrash(t *testing.T) {
	for _, c := range []struct {
		name       string
		do         func(t *testing.T, m *vfs.Mem)
		none, full string // of /d/a with keep 0 and 1
	}{
		{"synced file in a synced directory", func(t *testing.T, m *vfs.Mem) {
			f := create(t, m, "/d/a")
			write(t, f, 0, "x")
			must(t, f.Sync())
			must(t, m.SyncDir("/d"))
		}, "x", "x"},
		{"synced file, directory not", func(t *testing.T, m *vfs.Mem) {
			f := create(t, m, "/d/a")
			write(t, f, 0, "x")
			must(t, f.Sync())
		}, "-", "x"},
		{"synced directory, file not", func(t *testing.T, m *vfs.Mem) {
			write(t, create(t, m, "/d/a"), 0, "x")
			must(t, m.SyncDir("/d"))
		}, "", "x"},
		{"SyncAll", func(t *testing.T, m *vfs.Mem) {
			must(t, m.MkdirAll("/e/f"))
			write(t, create(t, m, "/d/a"), 0, "x")
			must(t, m.SyncAll("/e/f"))
		}, "x", "x"},
		{"overwritten after the sync", func(t *testing.T, m *vfs.Mem) {
			f := create(t, m, "/d/a")
			write(t, f, 0, "xyz")
			must(t, m.SyncAll("/"))
			write(t, f, 1, "Y")
		}, "xyz", "xYz"},
		{"truncated after the sync", func(t *testing.T, m *vfs.Mem) {
			f := create(t, m, "/d/a")
			write(t, f, 0, "xyz")
			must(t, m.SyncAll("/"))
			must(t, f.Truncate(1))
		}, "xyz", "x"},
		{"truncated and grown again", func(t *testing.T, m *vfs.Mem) {
			f := create(t, m, "/d/a")
			write(t, f, 0, "xyz")
			must(t, m.SyncAll("/"))
			must(t, f.Truncate(1))
			must(t, f.Truncate(3))
		}, "xyz", "x\x00\x00"},
		{"grown again and synced", func(t *testing.T, m *vfs.Mem) {
			f := create(t, m, "/d/a")
			write(t, f, 0, "xyz")
			must(t, m.SyncAll("/"))
			must(t, f.Truncate(1))
			write(t, f, 2, "Z")
			must(t, f.Sync())
		}, "x\x00Z", "x\x00Z"},
		{"a hole where bytes were, synced", func(t *testing.T, m *vfs.Mem) {
			f := create(t, m, "/d/a")
			write(t, f, 0, "xyz")
			must(t, m.SyncAll("/"))
			must(t, f.Truncate(1))
			must(t, f.Truncate(3))
			must(t, f.Sync())
		}, "x\x00\x00", "x\x00\x00"},
		{"removed", func(t *testing.T, m *vfs.Mem) {
			write(t, create(t, m, "/d/a"), 0, "x")
			must(t, m.SyncAll("/"))
			must(t, m.Remove("/d/a"))
		}, "x", "-"},
		{"replaced by rename", func(t *testing.T, m *vfs.Mem) {
			write(t, create(t, m, "/d/a"), 0, "old")
			must(t, m.SyncAll("/"))
			f := create(t, m, "/d/tmp")
			write(t, f, 0, "new")
			must(t, f.Sync())
			must(t, m.Rename("/d/tmp", "/d/a"))
		}, "old", "new"},
		{"moved from a directory that was never synced", func(t *testing.T, m *vfs.Mem) {
			must(t, m.MkdirAll("/e"))
			f := create(t, m, "/e/a")
			write(t, f, 0, "x")
			must(t, f.Sync())
			must(t, m.Rename("/e/a", "/d/a"))
			must(t, m.SyncDir("/d"))
		}, "x", "x"},
		{"directory renamed away and back", func(t *testing.T, m *vfs.Mem) {
			write(t, create(t, m, "/d/a"), 0, "x")
			must(t, m.SyncAll("/"))
			must(t, m.Rename("/d", "/e"))
			must(t, m.SyncDir("/"))
			must(t, m.Rename("/e", "/d"))
		}, "-", "x"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := durableDir(t)
			c.do(t, m)
			for keep, want := range map[float64]string{0: c.none, 1: c.full} {
				after := m.Crash(rng(1), keep)
				if got := content(t, after, "/d/a"); got != want {
					t.Errorf("keep %v: %q, want %q", keep, got, want)
				}
				// What survived one power cut survives the next.
				if got := content(t, after.Crash(rng(2), 0), "/d/a"); got != want {
					t.Errorf("keep %v, second cut: %q, want %q", keep, got, want)
				}
			}
		})
	}
}

// TestFsyncgate: a failed Sync drops the dirty pages, and the next Sync lies.
func TestFsyncgate(t *testing.T) {
	m := durableDir(t)
	fault := vfs.NewFault(m)
	f := create(t, fault, "/d/a")
	write(t, f, 0, strings.Repeat("a", block))
	must(t, m.SyncAll("/"))
	write(t, f, block, strings.Repeat("b", block))
	fail := fault.Add(vfs.Rule{Op: vfs.OpSync, Err: syscall.EIO})
	if err := f.Sync(); !errors.Is(err, syscall.EIO) {
		t.Fatal(err)
	}
	fail.Remove()
	must(t, f.Sync())
	write(t, f, 2*block, strings.Repeat("c", block))
	must(t, f.Sync())
	if got := content(t, m, "/d/a"); got[block] != 'b' {
		t.Fatal("the page cache forgot what it had")
	}
	got := content(t, m.Crash(rng(1), 1), "/d/a")
	if got[block-1] != 'a' || got[block] != 0 || got[2*block] != 'c' {
		t.Fatalf("on disk: %q %q %q", got[block-1], got[block], got[2*block])
	}
}

func TestFsyncgateOfSyncAll(t *testing.T) {
	m := durableDir(t)
	fault := vfs.NewFault(m)
	write(t, create(t, fault, "/d/a"), 0, "x")
	must(t, m.SyncDir("/d"))
	fault.Add(vfs.Rule{Op: vfs.OpSyncAll, Err: syscall.EIO, Times: 1})
	if err := fault.SyncAll("/"); !errors.Is(err, syscall.EIO) {
		t.Fatal(err)
	}
	must(t, fault.SyncAll("/"))
	if got := content(t, m.Crash(rng(1), 1), "/d/a"); got != "\x00" {
		t.Fatalf("on disk: %q", got)
	}
}

func TestFlip(t *testing.T) {
	m := durableDir(t)
	write(t, create(t, m, "/d/a"), 0, "abc")
	must(t, m.SyncAll("/"))
	must(t, m.Flip("/d/a", 1, 0x20))
	if a, b := content(t, m, "/d/a"), content(t, m.Crash(rng(1), 0), "/d/a"); a != "aBc" || b != "aBc" {
		t.Fatal(a, b)
	}
	if m.Flip("/d/a", 3, 1) == nil || m.Flip("/d/b", 0, 1) == nil {
		t.Fatal("flipped a bit that is not there")
	}
}

func TestCrashForgetsLocks(t *testing.T) {
	m := durableDir(t)
	if _, err := m.Lock("/d/.lock"); err != nil {
		t.Fatal(err)
	}
	l, err := m.Crash(rng(1), 1).Lock("/d/.lock")
	must(t, err)
	must(t, l.Close())
}

// file is what the model knows of one file: the state at its last sync, now,
// and the names that it had since its directory was synced (the first is the
// durable one, "" for none).
type file struct {
	h        vfs.File
	disk     string
	now      string
	low      int // smallest size since the sync
	names    []string
	mayBeOff bool // its name may be gone: removed, replaced or never synced
}

// TestCrashModel runs random operations and checks V2 and V3 after each crash.
func TestCrashModel(t *testing.T) {
	for seed := range uint64(150) {
		r := rng(seed)
		m := durableDir(t)
		keep := []float64{0, 0.2, 0.5, 0.8, 1}[r.IntN(5)]
		for round := 0; round < 3; round++ {
			files := populate(t, m, r)
			crashed := m.Crash(r, keep)
			checkCrash(t, seed, keep, files, crashed)
			m = durableDirFrom(t, crashed)
		}
	}
}

func durableDirFrom(t *testing.T, m *vfs.Mem) *vfs.Mem {
	names, err := m.List("/d")
	must(t, err)
	for _, n := range names {
		must(t, m.Remove("/d/"+n))
	}
	must(t, m.SyncAll("/"))
	return m
}

func populate(t *testing.T, m *vfs.Mem, r *rand.Rand) []*file {
	var files []*file
	byName := map[string]*file{}
	writes := byte(1) // each has a byte of its own
	name := func() string { return string(rune('a' + r.IntN(4))) }
	for range 10 + r.IntN(150) {
		n := name()
		f := byName[n]
		switch op := r.IntN(14); {
		case f == nil && op < 8:
			f = &file{h: create(t, m, "/d/"+n), names: []string{"", n}, mayBeOff: true}
			files, byName[n] = append(files, f), f
		case op == 8:
			must(t, m.SyncDir("/d"))
			for _, f := range files {
				f.names = f.names[len(f.names)-1:]
				f.mayBeOff = f.names[0] == ""
			}
		case f == nil:
		case op < 4:
			off, p := r.IntN(len(f.now)+1), strings.Repeat(string([]byte{writes}), 1+r.IntN(3*block))
			writes++
			write(t, f.h, int64(off), p)
			f.now = f.now[:off] + p + f.now[min(len(f.now), off+len(p)):]
		case op < 6:
			must(t, f.h.Sync())
			f.disk, f.low = f.now, len(f.now)
		case op == 6, op > 11:
			size := r.IntN(len(f.now) + 2*block)
			must(t, f.h.Truncate(int64(size)))
			f.now, f.low = padded(f.now, 0, size), min(f.low, size)
		case op == 9:
			must(t, m.Remove("/d/"+n))
			delete(byName, n)
			f.names, f.mayBeOff = append(f.names, ""), true
		default:
			to := name()
			if to == n {
				continue
			}
			must(t, m.Rename("/d/"+n, "/d/"+to))
			if old := byName[to]; old != nil {
				old.names, old.mayBeOff = append(old.names, ""), true
			}
			delete(byName, n)
			byName[to] = f
			f.names = append(f.names, to)
		}
	}
	return files
}

// checkCrash gives every name a file that may stand behind it, each file one
// name at most, and then looks for files that had to be there.
func checkCrash(t *testing.T, seed uint64, keep float64, files []*file, m *vfs.Mem) {
	t.Helper()
	names, err := m.List("/d")
	must(t, err)
	may := map[*file][]string{}
	for _, f := range files {
		for _, n := range names {
			if slices.Contains(f.names, n) && possible(f, content(t, m, "/d/"+n), keep) {
				may[f] = append(may[f], n)
			}
		}
	}
	owner := map[string]*file{}
	var place func(f *file, tried map[string]bool) bool
	place = func(f *file, tried map[string]bool) bool {
		for _, n := range may[f] {
			if tried[n] {
				continue
			}
			tried[n] = true
			if owner[n] == nil || place(owner[n], tried) {
				owner[n] = f
				return true
			}
		}
		return false
	}
	slices.SortStableFunc(files, func(a, b *file) int { // those that must be there choose first
		switch {
		case !a.mayBeOff && b.mayBeOff:
			return -1
		case a.mayBeOff && !b.mayBeOff:
			return 1
		}
		return 0
	})
	for i, f := range files {
		if !place(f, map[string]bool{}) && !f.mayBeOff {
			t.Fatalf("seed %d keep %v: file %d of names %q is lost; there are %q", seed, keep, i, f.names, names)
		}
	}
	if len(owner) != len(names) {
		t.Fatalf("seed %d keep %v: of %q only %d hold what a file of that name could hold", seed, keep, names, len(owner))
	}
}

// possible says whether the disk may hold got for f.
func possible(f *file, got string, keep float64) bool {
	switch {
	case keep == 0:
		return got == f.disk
	case keep == 1:
		return got == f.now
	case len(got) != len(f.disk) && len(got) != len(f.now) &&
		(len(got)%block != 0 || len(got) <= len(f.disk) || len(got) >= len(f.now)):
		return false
	}
	kept := f.disk // what no write touched since the sync
	if len(got) != len(f.disk) || f.low < len(f.disk) {
		kept = f.disk[:min(f.low, len(f.disk))]
	}
	whole := f.disk
	for from := 0; from < len(got); from += block {
		to := min(from+block, len(got))
		if b := got[from:to]; b != padded(kept, from, to) && b != padded(whole, from, to) && b != padded(f.now, from, to) &&
			!mixed(b, f, from, to) {
			return false
		}
	}
	return true
}

// mixed: a block of a file that did not shrink after all may hold the new bytes
// up to the new size and the old ones behind.
func mixed(b string, f *file, from, to int) bool {
	n := min(max(len(f.now)-from, 0), to-from)
	return b == padded(f.now, from, from+n)+padded(f.disk, from+n, to)
}

func padded(s string, from, to int) string {
	p := s[min(from, len(s)):min(to, len(s))]
	return p + strings.Repeat("\x00", max(0, to-from-len(p)))
}
