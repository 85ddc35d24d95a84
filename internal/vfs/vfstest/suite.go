package vfstest

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"slices"
	"sync"
	"testing"

	"github.com/brokerd/brokerd/internal/vfs"
)

// Run checks an implementation. open gives an FS and an empty directory in it.
func Run(t *testing.T, open func(t *testing.T) (fsys vfs.FS, dir string)) {
	for _, c := range []struct {
		name string
		test func(k *kit)
	}{
		{"missing files", missing},
		{"create write read", createWriteRead},
		{"read-only handles", readOnly},
		{"holes are zero", holes},
		{"truncate", truncate},
		{"truncated bytes stay away", truncatedBytes},
		{"allocate keeps the size", allocate},
		{"rename replaces", renameReplaces},
		{"rename of directories", renameDirs},
		{"remove", remove},
		{"handles outlive names", handlesOutliveNames},
		{"list is sorted", list},
		{"mkdir", mkdir},
		{"closed handles", closed},
		{"sync", syncs},
		{"free space", free},
		{"lock", lock},
		{"shared handles", shared},
		{"copy range", copyRange},
	} {
		t.Run(c.name, func(t *testing.T) {
			fsys, dir := open(t)
			c.test(&kit{t, fsys, dir})
		})
	}
}

type kit struct {
	*testing.T
	vfs.FS
	dir string
}

func (k *kit) at(name string) string { return k.dir + "/" + name }

func (k *kit) ok(err error) {
	k.Helper()
	if err != nil {
		k.Fatal(err)
	}
}

func (k *kit) is(err, want error) {
	k.Helper()
	if !errors.Is(err, want) {
		k.Fatalf("got error %v, want %v", err, want)
	}
}

func (k *kit) open(name string, mode vfs.Mode) vfs.File {
	k.Helper()
	f, err := k.Open(k.at(name), mode)
	k.ok(err)
	k.Cleanup(func() { _ = f.Close() }) // closed by some tests before
	return f
}

func (k *kit) file(name, text string) vfs.File {
	k.Helper()
	f := k.open(name, vfs.Create)
	_, err := f.WriteAt([]byte(text), 0)
	k.ok(err)
	return f
}

func (k *kit) holds(f vfs.File, want string) {
	k.Helper()
	size, err := f.Size()
	k.ok(err)
	got := make([]byte, size)
	if _, err := f.ReadAt(got, 0); err != nil && err != io.EOF {
		k.Fatal(err)
	}
	if string(got) != want {
		k.Fatalf("file holds %q, want %q", got, want)
	}
}

func (k *kit) lists(dir string, want ...string) {
	k.Helper()
	got, err := k.List(dir)
	k.ok(err)
	if !slices.Equal(got, want) {
		k.Fatalf("%s lists %q, want %q", dir, got, want)
	}
}

func missing(k *kit) {
	_, err := k.Open(k.at("a"), vfs.Read)
	k.is(err, fs.ErrNotExist)
	_, err = k.Open(k.at("a"), vfs.Write)
	k.is(err, fs.ErrNotExist)
	_, err = k.Open(k.at("no/a"), vfs.Create)
	k.is(err, fs.ErrNotExist)
	_, err = k.List(k.at("no"))
	k.is(err, fs.ErrNotExist)
	k.is(k.Remove(k.at("a")), fs.ErrNotExist)
	k.is(k.Rename(k.at("a"), k.at("b")), fs.ErrNotExist)
	k.is(k.SyncDir(k.at("no")), fs.ErrNotExist)
	_, err = k.Free(k.at("no"))
	k.is(err, fs.ErrNotExist)
	_, err = k.Open(k.dir, vfs.Create)
	if err == nil {
		k.Fatal("a directory opened for writing")
	}
}

func createWriteRead(k *kit) {
	f := k.file("a", "hello")
	k.holds(f, "hello")
	_, err := f.WriteAt([]byte("p!!"), 3)
	k.ok(err)
	k.holds(f, "help!!")
	k.holds(k.open("a", vfs.Read), "help!!")
	k.holds(k.open("a", vfs.Create), "help!!")

	p := make([]byte, 4)
	if n, err := f.ReadAt(p, 3); n != 3 || err != io.EOF {
		k.Fatalf("read at the end: %d, %v", n, err)
	}
	if n, err := f.ReadAt(p, 6); n != 0 || err != io.EOF {
		k.Fatalf("read behind the end: %d, %v", n, err)
	}
	if n, err := f.ReadAt(p, 2); n != 4 || err != nil || string(p) != "lp!!" {
		k.Fatalf("read to the end: %d, %v, %q", n, err, p)
	}
}

func readOnly(k *kit) {
	k.file("a", "x")
	f := k.open("a", vfs.Read)
	if _, err := f.WriteAt([]byte("y"), 0); err == nil {
		k.Fatal("wrote to a file opened for reading")
	}
	if err := f.Truncate(0); err == nil {
		k.Fatal("truncated a file opened for reading")
	}
	k.holds(f, "x")
}

func holes(k *kit) {
	f := k.open("a", vfs.Create)
	_, err := f.WriteAt([]byte("x"), 3)
	k.ok(err)
	k.holds(f, "\x00\x00\x00x")
}

func truncate(k *kit) {
	f := k.file("a", "hello")
	k.ok(f.Truncate(2))
	k.holds(f, "he")
	k.ok(f.Truncate(4))
	k.holds(f, "he\x00\x00")
	if err := f.Truncate(-1); err == nil {
		k.Fatal("truncated to -1")
	}
}

func truncatedBytes(k *kit) {
	f := k.file("a", "hello")
	k.ok(f.Sync())
	k.ok(f.Truncate(1))
	_, err := f.WriteAt([]byte("!"), 4)
	k.ok(err)
	k.holds(f, "h\x00\x00\x00!")
}

func allocate(k *kit) {
	f := k.file("a", "hello")
	k.ok(f.Allocate(5, 1<<20))
	k.ok(f.Allocate(5, 0))
	k.holds(f, "hello")
	k.ok(f.Truncate(5))
	k.holds(f, "hello")
}

func renameReplaces(k *kit) {
	k.file("a", "new")
	k.file("b", "old")
	k.ok(k.Rename(k.at("a"), k.at("b")))
	k.lists(k.dir, "b")
	k.holds(k.open("b", vfs.Read), "new")
	k.ok(k.Rename(k.at("b"), k.at("b")))
	k.lists(k.dir, "b")
}

func renameDirs(k *kit) {
	k.ok(k.MkdirAll(k.at("d/e")))
	k.ok(k.MkdirAll(k.at("empty")))
	k.file("f", "")
	k.file("d/a", "x")
	for _, bad := range [][2]string{{"d", "empty"}, {"d", "f"}, {"f", "d"}, {"d", "d/e/g"}} {
		if err := k.Rename(k.at(bad[0]), k.at(bad[1])); err == nil {
			k.Fatalf("renamed %s to %s", bad[0], bad[1])
		}
	}
	k.ok(k.Rename(k.at("d"), k.at("g")))
	k.holds(k.open("g/a", vfs.Read), "x")
	k.lists(k.dir, "empty", "f", "g")
}

func remove(k *kit) {
	k.ok(k.MkdirAll(k.at("d")))
	k.file("d/a", "x")
	if err := k.Remove(k.at("d")); err == nil {
		k.Fatal("removed a directory that is not empty")
	}
	k.ok(k.Remove(k.at("d/a")))
	k.ok(k.Remove(k.at("d")))
	k.lists(k.dir)
}

func handlesOutliveNames(k *kit) {
	f := k.file("a", "x")
	k.ok(k.Remove(k.at("a")))
	_, err := f.WriteAt([]byte("yz"), 1)
	k.ok(err)
	k.ok(f.Sync())
	k.holds(f, "xyz")
	g := k.file("a", "other")
	k.holds(f, "xyz")
	k.ok(k.Rename(k.at("a"), k.at("b")))
	_, err = g.WriteAt([]byte("O"), 0)
	k.ok(err)
	k.holds(k.open("b", vfs.Read), "Other")
}

func list(k *kit) {
	for _, name := range []string{"b", "a", "10", "9", "B"} {
		k.file(name, "")
	}
	k.ok(k.MkdirAll(k.at("aa/x")))
	k.lists(k.dir, "10", "9", "B", "a", "aa", "b")
	k.lists(k.at("aa"), "x")
	if _, err := k.List(k.at("a")); err == nil {
		k.Fatal("listed a file")
	}
}

func mkdir(k *kit) {
	k.ok(k.MkdirAll(k.at("a/b/c")))
	k.ok(k.MkdirAll(k.at("a/b")))
	k.file("f", "")
	if err := k.MkdirAll(k.at("f/g")); err == nil {
		k.Fatal("made a directory in a file")
	}
	if err := k.MkdirAll(k.at("f")); err == nil {
		k.Fatal("made a directory over a file")
	}
}

func closed(k *kit) {
	f := k.file("a", "x")
	k.ok(f.Close())
	k.is(f.Close(), fs.ErrClosed)
	_, err := f.ReadAt(make([]byte, 1), 0)
	k.is(err, fs.ErrClosed)
	_, err = f.WriteAt([]byte("y"), 0)
	k.is(err, fs.ErrClosed)
	if f.Sync() == nil || f.Truncate(0) == nil {
		k.Fatal("a closed file was synced or truncated")
	}
}

func syncs(k *kit) {
	f := k.file("a", "x")
	k.ok(f.Sync())
	k.ok(k.SyncDir(k.dir))
	if err := k.SyncAll(k.dir); err != nil {
		k.is(err, errors.ErrUnsupported)
	}
	k.holds(f, "x")
}

func free(k *kit) {
	n, err := k.Free(k.dir)
	k.ok(err)
	total := n
	if s, ok := k.FS.(vfs.Sizer); ok {
		total, err = s.Total(k.dir)
		k.ok(err)
	}
	if n <= 0 || total < n {
		k.Fatalf("free %d of %d", n, total)
	}
}

func lock(k *kit) {
	l, err := k.Lock(k.at(".lock"))
	k.ok(err)
	_, err = k.Lock(k.at(".lock"))
	k.is(err, vfs.ErrLocked)
	other, err := k.Lock(k.at(".other"))
	k.ok(err)
	k.ok(other.Close())
	k.ok(l.Close())
	if l.Close() == nil {
		k.Fatal("a lock was given back twice")
	}
	l, err = k.Lock(k.at(".lock"))
	k.ok(err)
	k.ok(l.Close())
}

// shared writes and reads through one handle from several goroutines.
func shared(k *kit) {
	const workers, size = 8, 10_000
	f := k.open("a", vfs.Create)
	k.ok(f.Truncate(workers * size))
	var wg sync.WaitGroup
	errs := make([]error, workers)
	for w := range workers {
		wg.Go(func() {
			mine := bytes.Repeat([]byte{byte('a' + w)}, size)
			if _, errs[w] = f.WriteAt(mine, int64(w*size)); errs[w] != nil {
				return
			}
			got := make([]byte, size)
			if _, errs[w] = f.ReadAt(got, int64(w*size)); errs[w] == io.EOF {
				errs[w] = nil
			}
			if !bytes.Equal(got, mine) {
				errs[w] = errors.New("read what another wrote")
			}
		})
	}
	wg.Wait()
	k.ok(errors.Join(errs...))
}

func copyRange(k *kit) {
	text := bytes.Repeat([]byte("0123456789"), 20_000)
	f := k.file("a", string(text))
	for _, r := range []struct{ off, n int64 }{{0, 0}, {0, 200_000}, {7, 100_001}, {199_999, 1}} {
		var w bytes.Buffer
		n, err := vfs.CopyRange(&w, f, r.off, r.n)
		k.ok(err)
		if n != r.n || !bytes.Equal(w.Bytes(), text[r.off:r.off+r.n]) {
			k.Fatalf("copy of %d at %d gave %d bytes", r.n, r.off, n)
		}
	}
	var w bytes.Buffer
	n, err := vfs.CopyRange(&w, f, 150_000, 60_000)
	k.is(err, vfs.ErrShort)
	if n != 50_000 || w.Len() != 50_000 {
		k.Fatalf("a short copy gave %d bytes and wrote %d", n, w.Len())
	}
}
