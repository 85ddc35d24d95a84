package storage

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/brokerd/brokerd/internal/record"
	"github.com/brokerd/brokerd/internal/vfs"
)

// realStore is a store on the file system of the machine.
func realStore(tb testing.TB, flushed func([]Flushed)) *Store {
	tb.Helper()
	s, err := Open(context.Background(), Options{FS: vfs.NewOS(), Dirs: []string{tb.TempDir()}, Flushed: flushed})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

func realLog(tb testing.TB, s *Store, n int32, d Durability) *Log {
	tb.Helper()
	c := defaultConfig
	c.Durability = d
	l := openLog(tb, s, n, c)
	if _, err := l.Lead(1); err != nil {
		tb.Fatal(err)
	}
	return l
}

// TestAllocations bounds what an append and a read allocate: nothing, now and then
// a longer slice, and under the race detector what it takes out of pools.
func TestAllocations(t *testing.T) {
	s := realStore(t, nil)
	l := realLog(t, s, 0, ISR)
	spec := record.Spec{Producer: &record.Producer{ID: 7}}
	one := build(t, spec, 100, 100, 1000)
	mustAppend(t, l, 1, one)
	seq := int32(100)
	var many []byte
	for range 8 {
		many = append(many, batch(t, 100, 100, 1000)...)
	}
	got := map[string]float64{}
	got["append and commit"] = testing.AllocsPerRun(2000, func() {
		next := record.Batch(one)
		putSequence(next, seq)
		seq += 100
		if _, err := l.Append(1, next); err != nil {
			t.Fatal(err)
		}
		l.Commit(l.View().End)
	})
	got["append of 8 batches"] = testing.AllocsPerRun(500, func() {
		if _, err := l.Append(1, many); err != nil {
			t.Fatal(err)
		}
	})
	l.Commit(l.View().End)
	end := l.View().End
	got["read at the tail"] = testing.AllocsPerRun(2000, func() {
		r, err := l.Read(ReadSpec{From: end - 200, Limit: end, MaxBytes: 1 << 20})
		if err != nil || r.Len() == 0 {
			t.Fatal(err)
		}
		r.Release()
	})
	got["read by the index"] = testing.AllocsPerRun(2000, func() {
		r, err := l.Read(ReadSpec{From: end / 2, Limit: end, MaxBytes: 1 << 20})
		if err != nil || r.Len() == 0 {
			t.Fatal(err)
		}
		r.Release()
	})
	for what, n := range got {
		t.Logf("%s: %.2f allocations", what, n)
		if n > 1 {
			t.Errorf("%s: %.2f allocations, want at most 1", what, n)
		}
	}
}

// putSequence patches the base sequence; the log does not look at the CRC again.
func putSequence(b record.Batch, seq int32) {
	b[53], b[54], b[55], b[56] = byte(seq>>24), byte(seq>>16), byte(seq>>8), byte(seq)
}

func BenchmarkAppend(b *testing.B) {
	for _, records := range []int{1, 150, 1500, 9000} {
		p := batch(b, records, 84, time.Now().UnixMilli())
		b.Run(fmt.Sprintf("isr/%dB", len(p)), func(b *testing.B) {
			l := realLog(b, realStore(b, nil), 0, ISR)
			b.SetBytes(int64(len(p)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := l.Append(1, p); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*records), "ns/record")
		})
	}
}

// BenchmarkGroupCommit appends from so many goroutines, each of which waits for
// its own end to be durable. Beside it: the file system's own sync of as much.
func BenchmarkGroupCommit(b *testing.B) {
	for _, waiters := range []int{1, 16, 64, 256} {
		b.Run(fmt.Sprintf("fsync/waiters=%d", waiters), func(b *testing.B) { benchGroup(b, waiters, 1) })
	}
	b.Run("fsync/waiters=64/logs=100", func(b *testing.B) { benchGroup(b, 64, 100) })
	b.Run("limit/write+sync", func(b *testing.B) {
		f, err := vfs.NewOS().Open(b.TempDir()+"/f", vfs.Create)
		if err != nil {
			b.Fatal(err)
		}
		defer f.Close()
		p := make([]byte, 1100)
		off := int64(0)
		for b.Loop() {
			if _, err := f.WriteAt(p, off); err != nil {
				b.Fatal(err)
			}
			off += int64(len(p))
			if err := f.Sync(); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func benchGroup(b *testing.B, waiters, logs int) {
	var mu sync.Mutex
	cond := sync.NewCond(&mu)
	s := realStore(b, func([]Flushed) {
		mu.Lock()
		cond.Broadcast()
		mu.Unlock()
	})
	var ls []*Log
	for i := range logs {
		ls = append(ls, realLog(b, s, int32(i), Fsync))
	}
	p := batch(b, 10, 84, time.Now().UnixMilli())
	left := make(chan int, waiters)
	var wg sync.WaitGroup
	b.ResetTimer()
	for range waiters {
		wg.Go(func() {
			own := append([]byte(nil), p...)
			for i := range left {
				l := ls[i%len(ls)]
				a, err := l.Append(1, own)
				if err != nil {
					b.Error(err)
					return
				}
				mu.Lock()
				for l.View().Durable < a.Next {
					cond.Wait()
				}
				mu.Unlock()
			}
		})
	}
	for i := range b.N {
		left <- i
	}
	close(left)
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "acks/s")
}

func BenchmarkRead(b *testing.B) {
	s := realStore(b, nil)
	l := realLog(b, s, 0, ISR)
	p := batch(b, 150, 84, time.Now().UnixMilli())
	for range 4000 {
		if _, err := l.Append(1, p); err != nil {
			b.Fatal(err)
		}
	}
	end := l.View().End
	l.Commit(end)
	for name, spec := range map[string]ReadSpec{
		"tail":  {From: end - 1, Limit: end, MaxBytes: 1 << 20},
		"index": {From: end / 2, Limit: end, MaxBytes: 1 << 20},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r, err := l.Read(spec)
				if err != nil {
					b.Fatal(err)
				}
				r.Release()
			}
		})
	}
	b.Run("sendfile/1MB", func(b *testing.B) {
		conn := sink(b)
		b.SetBytes(1 << 20)
		b.ReportAllocs()
		for b.Loop() {
			r, err := l.Read(ReadSpec{From: end / 2, Limit: end, MaxBytes: 1 << 20})
			if err != nil {
				b.Fatal(err)
			}
			if _, err := r.WriteTo(conn); err != nil {
				b.Fatal(err)
			}
			r.Release()
		}
	})
}

// sink is a connection whose other end reads everything.
func sink(tb testing.TB) net.Conn {
	tb.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	go func() {
		if c, err := ln.Accept(); err == nil {
			_, _ = io.Copy(io.Discard, c) // until the test closes its end
		}
	}()
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = c.Close(); _ = ln.Close() })
	return c
}
