package storage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/brokerd/brokerd/internal/record"
	"github.com/brokerd/brokerd/internal/step"
	"github.com/brokerd/brokerd/internal/vfs"
)

// testConfig is a topic with small segments.
func testConfig() Config {
	c := defaultConfig
	c.SegmentBytes, c.IndexIntervalBytes = 2000, 200
	return c
}

func testID(n int32) step.PartitionID {
	return step.PartitionID{Topic: step.TopicID{1, 2, 3}, Index: n}
}

// openStore opens a store in dir "/d" of fsys and closes it with the test.
func openStore(t testing.TB, fsys vfs.FS, change ...func(*Options)) *Store {
	t.Helper()
	o := Options{FS: fsys, Dirs: []string{"/d"}}
	if err := errors.Join(fsys.MkdirAll("/d"), fsys.SyncDir("/")); err != nil {
		t.Fatal(err)
	}
	for _, f := range change {
		f(&o)
	}
	s, err := Open(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func openLog(t testing.TB, s *Store, n int32, c Config) *Log {
	t.Helper()
	l, err := s.Log(testID(n), "orders", c)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// batch builds n records of size bytes, at time ms on.
func batch(t testing.TB, n, size int, ms int64) record.Batch {
	t.Helper()
	return build(t, record.Spec{}, n, size, ms)
}

func build(t testing.TB, spec record.Spec, n, size int, ms int64) record.Batch {
	t.Helper()
	var rs []record.Record
	for i := range n {
		rs = append(rs, record.Record{Timestamp: ms + int64(i), Key: fmt.Appendf(nil, "k%d", i), Value: bytes.Repeat([]byte{'v'}, size)})
	}
	b, err := record.Build(spec, rs...)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func mustAppend(t testing.TB, l *Log, epoch int32, b []byte) Appended {
	t.Helper()
	a, err := l.Append(epoch, b)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// readAll reads batches from on, checking that they are whole and in order.
func readAll(t testing.TB, l *Log, from int64) (out []record.Batch) {
	t.Helper()
	for end := l.View().End; from < end; {
		r, err := l.Read(ReadSpec{From: from, Limit: end, MaxBytes: 300, FirstWhole: true})
		if err != nil {
			t.Fatal(err)
		}
		p, err := r.ReadAll(nil)
		r.Release()
		if err != nil || len(p) == 0 {
			t.Fatalf("read %d of %d: %d bytes, %v", from, end, len(p), err)
		}
		for len(p) > 0 {
			var b record.Batch
			if b, p, err = record.Next(p); err != nil {
				t.Fatal(err)
			}
			if err := b.VerifyStored(); err != nil {
				t.Fatal(err)
			}
			if b.NextOffset() <= from {
				t.Fatalf("batch %d to %d at %d", b.BaseOffset(), b.LastOffset(), from)
			}
			from = b.NextOffset()
			out = append(out, b)
		}
	}
	return out
}

func TestAppendReadReopen(t *testing.T) {
	for _, clean := range []bool{true, false} {
		t.Run(fmt.Sprint("clean=", clean), func(t *testing.T) {
			mem := vfs.NewMem()
			flushed := make(chan int64, 1000)
			s := openStore(t, mem, func(o *Options) {
				o.Flushed = func(fs []Flushed) {
					for _, f := range fs {
						flushed <- f.End
					}
				}
			})
			l := openLog(t, s, 0, testConfig())
			if _, err := l.Lead(3); err != nil {
				t.Fatal(err)
			}
			var want []record.Batch
			for i := range 40 {
				b := batch(t, 1+i%4, 30*(i%7), int64(1000+i))
				a := mustAppend(t, l, 3, b)
				if a.Next-a.Base != int64(1+i%4) || a.Batches != 1 {
					t.Fatalf("appended %+v", a)
				}
				want = append(want, b)
			}
			end := l.View().End
			for e := range flushed {
				if e == end {
					break
				}
			}
			check := func(l *Log) {
				t.Helper()
				got := readAll(t, l, 0)
				if len(got) != len(want) {
					t.Fatalf("%d batches, want %d", len(got), len(want))
				}
				for i := range got {
					if !bytes.Equal(got[i], want[i]) {
						t.Fatalf("batch %d differs", i)
					}
				}
			}
			check(l)
			if l.Segments() < 3 {
				t.Fatalf("%d segments", l.Segments())
			}
			disk := vfs.FS(mem)
			if clean {
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
			} else {
				disk = mem.Crash(rng(1), 0)
			}
			s2 := openStore(t, disk)
			if s2.WasClean() != clean {
				t.Fatal("clean:", s2.WasClean())
			}
			l2 := openLog(t, s2, 0, testConfig())
			if v := l2.View(); v.End != end || v.Durable != end || v.Epoch != 3 {
				t.Fatalf("view %+v, end was %d", v, end)
			}
			check(l2)
			if _, err := l2.Append(2, batch(t, 1, 1, 1)); err == nil {
				t.Fatal("stale epoch appended")
			}
		})
	}
}
