package storage

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brokerd/brokerd/internal/record"
	"github.com/brokerd/brokerd/internal/step"
	"github.com/brokerd/brokerd/internal/vfs"
)

func compactConfig() Config {
	c := testConfig()
	c.Compact, c.MinDirtyRatio, c.DeleteRetention = true, 0.5, time.Hour
	return c
}

// putKeys appends n rounds of four keys.
func putKeys(t testing.TB, l *Log, n int) {
	t.Helper()
	for i := range n {
		var rs []record.Record
		for k := range 4 {
			rs = append(rs, record.Record{Timestamp: time.Now().UnixMilli(), Key: fmt.Appendf(nil, "k%d", k), Value: fmt.Appendf(nil, "%s %d", strings.Repeat("v", 100), i)})
		}
		b, err := record.Build(record.Spec{}, rs...)
		if err != nil {
			t.Fatal(err)
		}
		a := mustAppend(t, l, 1, b)
		if !l.home().flusher.await(l, a.Next) {
			t.Fatal("not durable")
		}
		l.Commit(a.Next)
	}
}

// A log that rolls is compacted a backoff later, by itself; one that nobody opens
// after a start is too, by the sweep; with the cleaner off neither is.
func TestCleanerComesBy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := vfs.NewMem()
		s := openStore(t, mem)
		l := openLog(t, s, 0, compactConfig())
		lead(t, l, 1)
		putKeys(t, l, 50)
		before := l.Size()
		time.Sleep(14 * time.Second)
		synctest.Wait()
		if s.Cleaner().Passes != 0 {
			t.Fatal("before its backoff")
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if c := s.Cleaner(); c.Passes != 1 || c.BytesRead == 0 || c.BytesWritten == 0 || l.Size() > before/4 {
			t.Fatalf("%+v, %d of %d bytes", c, l.Size(), before)
		}
		time.Sleep(time.Hour)
		if c := s.Cleaner(); c.Passes != 1 {
			t.Fatalf("%d passes over a clean log", c.Passes)
		}
		putKeys(t, l, 50)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		for _, off := range []bool{true, false} {
			s = openStore(t, mem, func(o *Options) {
				o.ConfigOf = func(step.PartitionID) (Config, bool) { return compactConfig(), true }
				o.NoCleaner = off
			})
			time.Sleep(10 * time.Minute)
			synctest.Wait()
			if n := s.Cleaner().Passes; (n == 0) != off {
				t.Fatalf("off %t: %d passes", off, n)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// A log with too little to clean is left alone until it has more, or is old: no
// timer goes for it.
func TestCleanerRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var looks atomic.Int64
		s := openStore(t, vfs.NewMem(), func(o *Options) {
			o.Cleaner = func() Cleaner { looks.Add(1); return Cleaner{15 * time.Second, 1 << 20, 0} } // when planned, and when run
		})
		c := compactConfig()
		c.MinDirtyRatio, c.MaxCompactionLag = 0.9, 24*time.Hour
		l := led(t, s, 0, c)
		putKeys(t, l, 50)
		time.Sleep(time.Minute)
		if n := s.Cleaner().Passes; n != 1 {
			t.Fatalf("%d passes", n)
		}
		putKeys(t, l, 10) // beside what the pass has left: not nine parts in ten
		if _, due, _ := l.view.Load().dirtiness(&c, l.cleaned(), time.Now()); due || l.view.Load().segs[l.Segments()-1].base <= l.cleaned() {
			t.Fatal("the scene is not set")
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		looks.Store(0)
		time.Sleep(time.Hour)
		synctest.Wait()
		if most := int64(2 * time.Hour / s.options.RetentionInterval); looks.Load() > most {
			t.Errorf("%d looks in an idle hour, the sweeps have %d", looks.Load(), most)
		}
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		if n := s.Cleaner().Passes; n != 2 {
			t.Errorf("%d passes, a day old", n)
		}
	})
}

// Held to 10 kB a second a pass takes as long as it must, and the store closes in
// the middle of it.
func TestCleanerKeepsItsPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t, vfs.NewMem(), func(o *Options) { o.Cleaner = func() Cleaner { return Cleaner{15 * time.Second, 1 << 20, 10_000} } })
		l := openLog(t, s, 0, compactConfig())
		lead(t, l, 1)
		putKeys(t, l, 100)
		size := float64(l.Size())
		time.Sleep(15 * time.Second)
		began := time.Now()
		for s.Cleaner().Passes == 0 {
			time.Sleep(100 * time.Millisecond)
			if time.Since(began) > time.Hour {
				t.Fatal("it never ends")
			}
		}
		if took := time.Since(began).Seconds(); took < size/10_000 || took > 4*size/10_000 {
			t.Fatalf("%.0f bytes in %.1f s", size, took)
		}
		putKeys(t, l, 400)
		time.Sleep(20 * time.Second)
		began = time.Now()
		if err := s.Close(); err != nil || time.Since(began) > time.Second {
			t.Fatal(err, time.Since(began))
		}
	})
}

// Appends, reads, look-ups and the cleaner at once; for the race detector.
func TestCompactionUnderLoad(t *testing.T) {
	s := openStore(t, vfs.NewMem(), func(o *Options) {
		o.Cleaner, o.MaxOpenFiles = func() Cleaner { return Cleaner{time.Millisecond, 1 << 20, 0} }, 2
	})
	c := compactConfig()
	c.MinDirtyRatio = 0.01
	l := openLog(t, s, 0, c)
	lead(t, l, 1)
	putKeys(t, l, 1)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() {
			for ctx.Err() == nil {
				newest := map[string]int64{}
				for from := int64(0); ; {
					v := l.View() // what is below an older watermark may all be gone
					if from >= v.HighWatermark {
						break
					}
					r, err := l.Read(ReadSpec{From: from, Limit: v.HighWatermark, MaxBytes: 500, FirstWhole: true})
					if err != nil {
						t.Error(err)
						return
					}
					p, err := r.ReadAll(nil)
					r.Release()
					if err != nil || len(p) == 0 && l.View().HighWatermark == v.HighWatermark {
						t.Errorf("read %d of %d: %d bytes, %v", from, v.HighWatermark, len(p), err)
						return
					}
					for len(p) > 0 {
						var b record.Batch
						if b, p, err = record.Next(p); err == nil {
							err = b.VerifyStored()
						}
						if err == nil {
							from = b.NextOffset()
							err = b.Each(record.Limits{}, func(r record.Record) error {
								newest[string(r.Key)] = r.Offset
								return nil
							})
						}
						if err != nil {
							t.Error(err)
							return
						}
					}
				}
				if len(newest) != 4 {
					t.Errorf("keys: %v", newest)
					return
				}
				if _, err := l.FirstAtOrAfter(0, l.View().HighWatermark); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for s.Cleaner().Passes < 8 && !t.Failed() {
		putKeys(t, l, 10)
	}
	stop()
	all.Wait()
}

// Of an idempotent producer the header of its newest batch stays, where its records
// went, and that of no older one.
func TestOneEmptyBatchOfAProducer(t *testing.T) {
	s := openStore(t, vfs.NewMem(), func(o *Options) { o.NoCleaner = true })
	l := led(t, s, 0, compactConfig())
	for seq := range int32(3) {
		b := build(t, record.Spec{Producer: &record.Producer{ID: 7, Sequence: seq}}, 1, 5, time.Now().UnixMilli())
		newest := mustAppend(t, l, 1, b).Base
		putKeys(t, l, 50)
		if err := l.compact(time.Now(), 1<<20, newPace(0, nil)); err != nil {
			t.Fatal(err)
		}
		var empty []int64
		for _, b := range readAll(t, l, 0) {
			if b.Count() == 0 {
				empty = append(empty, b.BaseOffset())
			}
		}
		if len(empty) != 1 || empty[0] != newest {
			t.Errorf("after batch %d: empty ones at %d, the newest is at %d", seq, empty, newest)
		}
	}
}
