package record

import (
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// B6: as many batches are open at once as there are processors.
func TestLookingIsBounded(t *testing.T) {
	b := manyHeaders(t, Gzip, 10)
	var open, most atomic.Int32
	var all sync.WaitGroup
	for range 8 * cap(looking.free) {
		all.Go(func() {
			if err := b.Skim(Limits{}, func(Record) error {
				n := open.Add(1)
				for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
				}
				runtime.Gosched()
				open.Add(-1)
				return nil
			}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := int(most.Load()); n > cap(looking.free) {
		t.Errorf("%d at once, there are %d places", n, cap(looking.free))
	}
	if n := len(looking.spares); n > cap(looking.free) {
		t.Errorf("%d buffers, there are %d places", n, cap(looking.free))
	}
}

// One bomb after the other takes what the largest one took, whatever the codec and
// the collector do.
func TestBombsUseOneBuffer(t *testing.T) {
	for c := Gzip; c <= Zstd; c++ {
		var bombs []Batch
		for _, size := range []int{16<<20 - 100, 18 << 20, 10 << 20} {
			bombs = append(bombs, build(t, Spec{Codec: c}, Record{Value: make([]byte, size)}))
		}
		look := func() {
			for _, b := range bombs {
				if err := b.VerifyInner(Limits{MaxBytes: ratioFree}); err != nil && !errors.Is(err, ErrTooLarge) {
					t.Fatal(err)
				}
			}
		}
		looking.spares = nil
		look()
		before := allocated()
		runtime.GC()
		runtime.GC() // what a sync.Pool had is gone
		look()
		if n := allocated() - before; n > 1<<20 {
			t.Errorf("%s: %d bytes allocated for what was open before", c, n)
		}
	}
}

func TestPlacesKeepWhatIsUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pl := newPlaces(3)
		var open [][]byte
		for range 3 {
			if p := pl.take(); p != nil {
				t.Fatal("a buffer from nowhere")
			}
			open = append(open, make([]byte, 0, 10+len(open)))
		}
		for _, p := range open {
			pl.give(p)
		}
		time.Sleep(2 * unusedFor)
		p := pl.take()
		if cap(p) != 12 {
			t.Errorf("not the one that was used last: %d", cap(p))
		}
		pl.give(p)
		if len(pl.spares) != 1 {
			t.Errorf("%d buffers are kept, one is in use", len(pl.spares))
		}
	})
}
