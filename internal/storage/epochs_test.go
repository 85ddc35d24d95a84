package storage

import (
	"slices"
	"testing"

	"github.com/brokerd/brokerd/internal/vfs"
)

// TestJ08EpochCache is what went wrong elsewhere with the cache of leader epochs: it
// is a cache, the batches have the truth, and an epoch that wrote nothing is nobody's.
func TestJ08EpochCache(t *testing.T) {
	const file = "/d/orders-0/" + epochsName
	// three is a log whose epochs 0, 2 and 5 have written 2 records each. early is the
	// file of its epochs after the first two.
	three := func(t *testing.T, clean bool) (mem *vfs.Mem, early []byte) {
		t.Helper()
		mem = vfs.NewMem()
		s := openStore(t, mem)
		l := openLog(t, s, 0, testConfig())
		for i, e := range []int32{0, 2, 5} {
			if _, err := l.Lead(e); err != nil {
				t.Fatal(err)
			}
			if i == 2 {
				early = epochsFile(l.view.Load().epochs[:2])
			}
			mustAppend(t, l, e, batch(t, 2, 100, 1000))
		}
		if !l.home().flusher.await(l, 6) {
			t.Fatal("not durable")
		}
		if !clean {
			return mem.Crash(rng(1), 0), early
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		return mem, early
	}
	want := []epochStart{{0, 0}, {2, 2}, {5, 4}}
	check := func(t *testing.T, l *Log, want []epochStart) {
		t.Helper()
		if got := l.view.Load().epochs; !slices.Equal(got, want) {
			t.Errorf("epochs %v, want %v", got, want)
		}
	}
	reopened := func(t *testing.T, mem *vfs.Mem) *Log { return openLog(t, openStore(t, mem), 0, testConfig()) }
	put := func(t *testing.T, mem *vfs.Mem, b []byte) {
		t.Helper()
		if err := overwrite(mem, file, b, 0); err != nil {
			t.Fatal(err)
		}
	}

	for _, clean := range []bool{true, false} {
		how := map[bool]string{true: "clean stop", false: "crash"}[clean]
		t.Run("KAFKA-16541 a file that a crash spoiled, "+how, func(t *testing.T) {
			for _, n := range []int{0, 5, 20} {
				mem, _ := three(t, clean)
				b, err := readWhole(mem, file)
				if err != nil {
					t.Fatal(err)
				}
				put(t, mem, b[:min(n, len(b))])
				check(t, reopened(t, mem), want)
			}
			mem, _ := three(t, clean)
			if err := mem.Flip(file, 20, 3); err != nil {
				t.Fatal(err)
			}
			check(t, reopened(t, mem), want)
		})
		t.Run("KAFKA-15046 a file that was not synced, "+how, func(t *testing.T) {
			mem, early := three(t, clean)
			put(t, mem, early)
			check(t, reopened(t, mem), want)
		})
		t.Run("KAFKA-10432 epoch 0 in recovery, "+how, func(t *testing.T) {
			mem, _ := three(t, clean)
			if err := mem.Remove(file); err != nil {
				t.Fatal(err)
			}
			l := reopened(t, mem)
			check(t, l, want)
			if e, end := l.EndOf(0); e != 0 || end != 2 {
				t.Errorf("epoch 0 ends at %d, as %d", end, e)
			}
		})
	}
	t.Run("KAFKA-10706 a truncation to the end", func(t *testing.T) {
		mem, _ := three(t, true)
		l := reopened(t, mem)
		if _, err := l.Lead(7); err != nil {
			t.Fatal(err)
		}
		check(t, l, append(slices.Clone(want), epochStart{7, 6}))
		if err := l.Truncate(6); err != nil {
			t.Fatal(err)
		}
		check(t, l, want)
	})
}
