package storage

import (
	"bytes"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brokerd/brokerd/internal/vfs"
)

// allocFS notes what is reserved in segment files, and what is given back.
type allocFS struct {
	*vfs.Mem
	mu    sync.Mutex
	ahead map[string]int64 // by file: reserved up to
	most  int64
}

func (a *allocFS) Open(name string, mode vfs.Mode) (vfs.File, error) {
	f, err := a.Mem.Open(name, mode)
	if err != nil || !strings.HasSuffix(name, logSuffix) {
		return f, err
	}
	return &allocFile{f, a, name}, nil
}

type allocFile struct {
	vfs.File
	a    *allocFS
	name string
}

func (f *allocFile) Allocate(off, n int64) error {
	f.a.mu.Lock()
	defer f.a.mu.Unlock()
	f.a.ahead[f.name] = off + n
	f.a.most = max(f.a.most, n)
	return nil
}

func (f *allocFile) Truncate(size int64) error {
	f.a.mu.Lock()
	delete(f.a.ahead, f.name)
	f.a.mu.Unlock()
	return f.File.Truncate(size)
}

func (a *allocFS) held() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.ahead)
}

// TestSpaceAhead is decisions 3.6: nothing for a small segment, as much as it has
// for a larger one, back at the roll, after an idle minute and at Close.
func TestSpaceAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &allocFS{Mem: vfs.NewMem(), ahead: map[string]int64{}}
		s := openStore(t, a)
		c := defaultConfig
		c.SegmentBytes = 5 << 20
		l := led(t, s, 0, c)
		b := batch(t, 1, 200<<10, 1)
		for range 4 {
			mustAppend(t, l, 1, b)
		}
		synctest.Wait()
		if a.held() != 0 {
			t.Error("space for less than 1 MiB")
		}
		for range 10 {
			mustAppend(t, l, 1, b)
			synctest.Wait()
		}
		if a.held() != 1 || a.most > l.Size() || l.home().ahead.Load() <= 0 {
			t.Errorf("%d files hold space, at most %d at once, of %d written", a.held(), a.most, l.Size())
		}
		time.Sleep(2*idleAfter + time.Second) // looked at once a minute
		synctest.Wait()
		if a.held() != 0 || l.home().ahead.Load() != 0 {
			t.Errorf("%d files hold space after an idle minute, %d bytes counted", a.held(), l.home().ahead.Load())
		}
		for range 14 { // rolls
			mustAppend(t, l, 1, b)
			synctest.Wait()
		}
		if l.Segments() != 2 || a.held() > 1 {
			t.Errorf("%d segments, %d hold space", l.Segments(), a.held())
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if a.held() != 0 {
			t.Errorf("%d files hold space after Close", a.held())
		}
	})
}

// TestSpaceIsShared: all logs together hold no more than a twentieth of the free space.
func TestSpaceIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &allocFS{Mem: vfs.NewMem(), ahead: map[string]int64{}}
		a.SetCapacity(leastFree + 10<<20)
		s := openStore(t, a)
		l := led(t, s, 0, defaultConfig)
		for range 30 {
			mustAppend(t, l, 1, batch(t, 1, 200<<10, 1))
			synctest.Wait()
		}
		if free := l.home().free.Load(); l.home().ahead.Load() > free/aheadShare {
			t.Errorf("%d bytes ahead of %d free", l.home().ahead.Load(), free)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// TestJournalIsWrittenAnew when most of it is of the past, and says the same.
func TestJournalIsWrittenAnew(t *testing.T) {
	mem := vfs.NewMem()
	s := openStore(t, mem)
	l := led(t, s, 0, testConfig())
	mustAppend(t, l, 1, batch(t, 3, 5, 1))
	durable(t, l)
	checkpointed(t, l)
	j := l.home().journal
	point := appendPoint(nil, j.get(l.id))
	largest := int64(0)
	for range compactAbove/len(point) + 10 {
		if err := j.write(point); err != nil {
			t.Fatal(err)
		}
		largest = max(largest, j.size)
	}
	if j.size > compactAbove/2 || largest <= compactAbove/2 {
		t.Errorf("%d bytes, %d at most", j.size, largest)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if v := openLog(t, openStore(t, mem), 0, testConfig()).View(); v.End != 3 {
		t.Errorf("%+v", v)
	}
}

// TestSend sends a range over a real socket.
func TestSend(t *testing.T) {
	l := realLog(t, realStore(t, nil), 0, ISR)
	want := append([]byte(nil), batch(t, 10, 5000, 1)...)
	mustAppend(t, l, 1, want)
	r, err := l.Read(ReadSpec{Limit: 10, MaxBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Release()
	if n, err := r.WriteTo(sink(t)); err != nil || n != r.Len() || n == 0 {
		t.Errorf("%d of %d bytes: %v", n, r.Len(), err)
	}
	var got bytes.Buffer
	if n, err := r.WriteTo(&got); err != nil || n != int64(got.Len()) {
		t.Error(err)
	}
	if p, err := r.ReadAll(nil); err != nil || !bytes.Equal(p, got.Bytes()) {
		t.Error(err)
	}
	var none Range
	if n, err := none.WriteTo(io.Discard); n != 0 || err != nil || none.Len() != 0 {
		t.Error("the empty range")
	}
	none.Release()
}
