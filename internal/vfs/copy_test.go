package vfs_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/brokerd/brokerd/internal/vfs"
)

// pipe is a pair of TCP connections.
func pipe(t testing.TB) (a, b *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	d, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); d.Close() })
	return c.(*net.TCPConn), d.(*net.TCPConn)
}

// noise is a file of n random bytes in a real directory.
func noise(t testing.TB, n int) (vfs.File, []byte) {
	t.Helper()
	p := make([]byte, n)
	rng := rand.NewChaCha8([32]byte{1})
	_, _ = rng.Read(p) // never fails
	name := t.TempDir() + "/f"
	if err := os.WriteFile(name, p, 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := vfs.NewOS().Open(name, vfs.Read)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f, p
}

// wrapped is a connection as server has them: a writer with SyscallConn.
type wrapped struct{ c *net.TCPConn }

func (w wrapped) Write([]byte) (int, error)             { panic("sendfile goes around Write") }
func (w wrapped) SyscallConn() (syscall.RawConn, error) { return w.c.SyscallConn() }

// plain hides everything but Write.
type plain struct{ w io.Writer }

func (p plain) Write(b []byte) (int, error) { return p.w.Write(b) }

func TestCopyRangeToSockets(t *testing.T) {
	f, data := noise(t, 9<<20)
	for _, c := range []struct {
		name string
		wrap func(*net.TCPConn) io.Writer
	}{
		{"tcp", func(c *net.TCPConn) io.Writer { return c }},
		{"wrapper", func(c *net.TCPConn) io.Writer { return wrapped{c} }},
		{"writer only", func(c *net.TCPConn) io.Writer { return plain{c} }},
	} {
		t.Run(c.name, func(t *testing.T) {
			// Several senders share the file; no position is shared. The ranges are
			// larger than a socket's buffer, so each waits for its reader.
			var wg sync.WaitGroup
			for k := range 4 {
				out, in := pipe(t)
				off, n := int64(k*1_000_003), int64(4<<20)
				wg.Go(func() {
					if done, err := vfs.CopyRange(c.wrap(out), f, off, n); done != n || err != nil {
						t.Errorf("sent %d, %v", done, err)
					}
					out.Close()
				})
				wg.Go(func() {
					got, err := io.ReadAll(in)
					if err != nil || !bytes.Equal(got, data[off:off+n]) {
						t.Errorf("received %d bytes, %v", len(got), err)
					}
				})
			}
			wg.Wait()
		})
	}
}

func TestCopyRangeShortFile(t *testing.T) {
	f, data := noise(t, 100_000)
	out, in := pipe(t)
	go func() { _, _ = io.Copy(io.Discard, in) }() // ends with the connection
	if n, err := vfs.CopyRange(out, f, 60_000, 50_000); n != 40_000 || !errors.Is(err, vfs.ErrShort) {
		t.Fatalf("%d, %v", n, err)
	}
	if n, err := vfs.CopyRange(out, f, int64(len(data)), 1); n != 0 || !errors.Is(err, vfs.ErrShort) {
		t.Fatalf("%d, %v", n, err)
	}
	if _, err := vfs.CopyRange(out, f, -1, 1); err == nil {
		t.Fatal("negative offset")
	}
}

func TestCopyRangeObeysTheDeadline(t *testing.T) {
	f, data := noise(t, 16<<20)
	out, _ := pipe(t) // nobody reads
	if err := out.SetWriteDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	n, err := vfs.CopyRange(out, f, 0, int64(len(data)))
	if !errors.Is(err, os.ErrDeadlineExceeded) || n == 0 || n == int64(len(data)) {
		t.Fatalf("%d, %v", n, err)
	}
}

func TestCopyRangePeerGone(t *testing.T) {
	f, data := noise(t, 16<<20)
	out, in := pipe(t)
	if err := in.SetLinger(0); err != nil {
		t.Fatal(err)
	}
	in.Close()
	if n, err := vfs.CopyRange(out, f, 0, int64(len(data))); err == nil {
		t.Fatalf("sent %d bytes to nobody", n)
	}
}

func TestCopyRangeToFile(t *testing.T) {
	f, data := noise(t, 200_000)
	to, err := os.Create(t.TempDir() + "/to")
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	if n, err := vfs.CopyRange(to, f, 5, 100_000); n != 100_000 || err != nil {
		t.Fatal(n, err)
	}
	if got, err := os.ReadFile(to.Name()); err != nil || !bytes.Equal(got, data[5:100_005]) {
		t.Fatal("wrong bytes", err)
	}
}

func TestCopyRangeReadError(t *testing.T) {
	m, dir := memDir(t)
	fault := vfs.NewFault(m)
	f, err := fault.Open(dir+"/a", vfs.Create)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(make([]byte, 200_000), 0); err != nil {
		t.Fatal(err)
	}
	fault.Add(vfs.Rule{Op: vfs.OpRead, Nth: 3, Err: syscall.EIO})
	var w bytes.Buffer
	if n, err := vfs.CopyRange(&w, f, 0, 200_000); n != 128<<10 || !errors.Is(err, syscall.EIO) {
		t.Fatal(n, err)
	}
}

func TestCopyRangeAllocates(t *testing.T) {
	f, _ := noise(t, 1<<20)
	out, in := pipe(t)
	go func() { _, _ = io.Copy(io.Discard, in) }() // ends with the connection
	var w io.Writer = out
	n := testing.AllocsPerRun(50, func() {
		if _, err := vfs.CopyRange(w, f, 10, 100_000); err != nil {
			t.Fatal(err)
		}
	})
	if n > 1 { // the raw connection, which a wrapper may keep
		t.Fatalf("%v allocations per range", n)
	}
}

func BenchmarkCopyRange(b *testing.B) {
	f, _ := noise(b, 1<<20)
	for _, c := range []struct {
		name string
		wrap func(*net.TCPConn) io.Writer
	}{
		{"sendfile", func(c *net.TCPConn) io.Writer { return c }},
		{"copy", func(c *net.TCPConn) io.Writer { return plain{c} }},
	} {
		b.Run(c.name, func(b *testing.B) {
			out, in := pipe(b)
			go func() { _, _ = io.Copy(io.Discard, in) }() // ends with the connection
			w := c.wrap(out)
			b.SetBytes(1 << 20)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := vfs.CopyRange(w, f, 0, 1<<20); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
