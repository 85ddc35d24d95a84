package storage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brokerd/brokerd/internal/record"
	"github.com/brokerd/brokerd/internal/vfs"
)

// openTwo opens a store in "/a" and "/b".
func openTwo(t testing.TB, fsys vfs.FS, change ...func(*Options)) (*Store, error) {
	t.Helper()
	o := Options{FS: fsys, Dirs: []string{"/a", "/b"}}
	for _, f := range change {
		f(&o)
	}
	s, err := Open(context.Background(), o)
	if err == nil {
		t.Cleanup(func() { _ = s.Close() })
	}
	return s, err
}

func twoDirsOnDisk(t testing.TB) *vfs.Mem {
	t.Helper()
	mem := vfs.NewMem()
	if err := errors.Join(mem.MkdirAll("/a"), mem.MkdirAll("/b"), mem.SyncDir("/")); err != nil {
		t.Fatal(err)
	}
	return mem
}

// otherDir is the directory where the log is not.
func otherDir(l *Log) string {
	if l.Dir() == "/a" {
		return "/b"
	}
	return "/a"
}

// filled is a log of several segments, in the first directory of the store.
func filled(t testing.TB, s *Store) *Log {
	t.Helper()
	l := led(t, s, 0, testConfig())
	for range 20 {
		mustAppend(t, l, 1, batch(t, 2, 150, 1))
	}
	return l
}

// settled waits until a log moves no more.
func settled(t testing.TB, l *Log) {
	t.Helper()
	for range 10_000 {
		if l.moving.Load() == nil {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatal("it moves and moves")
}

// sameBatches compares what a log has from its start on.
func sameBatches(t testing.TB, l *Log, want []record.Batch) {
	t.Helper()
	for len(want) > 0 && want[0].NextOffset() <= l.View().Start {
		want = want[1:]
	}
	got := readAll(t, l, l.View().Start)
	if len(got) != len(want) {
		t.Fatalf("%d batches, want %d", len(got), len(want))
	}
	for i := range got {
		if !bytes.Equal(got[i], want[i]) {
			t.Fatalf("batch %d differs", i)
		}
	}
}

// TestMove: a log goes to the other directory and back, and is there after a stop of
// either kind, with its start offset, epochs and producers. Nothing is left behind.
func TestMove(t *testing.T) {
	for _, clean := range []bool{true, false} {
		t.Run(fmt.Sprint("clean=", clean), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				mem := twoDirsOnDisk(t)
				s, err := openTwo(t, mem)
				if err != nil {
					t.Fatal(err)
				}
				l := led(t, s, 0, testConfig())
				var want []record.Batch
				write := func(l *Log, n int) {
					for i := range n {
						b := build(t, record.Spec{Producer: &record.Producer{ID: 7, Sequence: int32(len(want))}}, 1, 40*(i%7), int64(1000+i))
						mustAppend(t, l, 1, b)
						want = append(want, b)
					}
					if !l.home().flusher.await(l, l.View().End) {
						t.Fatal("not durable")
					}
					l.Commit(l.View().End)
				}
				write(l, 100)
				if _, err := l.DeleteBefore(33); err != nil {
					t.Fatal(err)
				}
				for range 3 {
					to := otherDir(l)
					if err := s.Move(l, to); err != nil {
						t.Fatal(err)
					}
					settled(t, l)
					if l.Dir() != to {
						t.Fatalf("in %s", l.Dir())
					}
					sameBatches(t, l, want)
					write(l, 50)
					sameBatches(t, l, want)
				}
				if clean {
					if err := s.Close(); err != nil {
						t.Fatal(err)
					}
				} else {
					time.Sleep(time.Hour) // checkpoints, and what is deleted goes
				}
				disk := vfs.FS(mem)
				if !clean {
					disk = mem.Crash(rng(1), 0)
				}
				s2, err := openTwo(t, disk)
				if err != nil {
					t.Fatal(err)
				}
				l2 := openLog(t, s2, 0, testConfig())
				if l2.Dir() != "/b" || s2.WasClean() != clean || len(s2.Found()) != 1 || s2.Found()[0].Dir != "/b" || l2.View().Start != 33 {
					t.Fatalf("%s, clean %v, %+v, %+v", l2.Dir(), s2.WasClean(), s2.Found(), l2.View())
				}
				sameBatches(t, l2, want)
				if _, err := l2.Fence(1); err != nil {
					t.Fatal(err)
				}
				if a, err := l2.Append(1, bytes.Clone(want[len(want)-1])); err != nil || !a.Duplicate {
					t.Fatalf("the producer is not known: %+v, %v", a, err)
				}
				synctest.Wait()
				if names, err := disk.List("/a"); err != nil || strings.Join(names, " ") != checkpointName {
					t.Errorf("left behind: %v, %v", names, err)
				}
			})
		})
	}
}

// TestMoveIsCrashSafe cuts the power at every operation of a move under load: what was
// acknowledged is there, once, and a move that had begun ends by itself or by being
// asked again.
func TestMoveIsCrashSafe(t *testing.T) {
	for _, keep := range []float64{0, 0.5, 1} {
		t.Run(fmt.Sprint("keep=", keep), func(t *testing.T) {
			for cut := 1; cut < 400; cut++ {
				if done := moveAndCut(t, cut, keep); done {
					if cut < 60 {
						t.Fatalf("the move took %d operations", cut)
					}
					return
				}
			}
		})
	}
}

func moveAndCut(t *testing.T, ops int, keep float64) (done bool) {
	mem := twoDirsOnDisk(t)
	disk := &cutFS{FS: mem, mem: mem, rng: rand.New(rand.NewPCG(uint64(ops), 7))}
	s, err := openTwo(t, disk, func(o *Options) { o.NoCleaner = true })
	if err != nil {
		t.Fatal(err)
	}
	l := led(t, s, 0, testConfig())
	var want []record.Batch
	write := func() error {
		b := batch(t, 2, 150, int64(1000+len(want)))
		_, err := l.Append(1, b)
		if err == nil || b.BaseOffset() > 0 {
			want = append(want, b) // one that failed may be there all the same
		}
		return err
	}
	for range 20 {
		if err := write(); err != nil {
			t.Fatal(err)
		}
	}
	if !l.home().flusher.await(l, l.View().End) {
		t.Fatal("not durable")
	}
	disk.cutIn(ops, keep)
	_ = s.Move(l, otherDir(l)) // the power may go while it begins
	for l.moving.Load() != nil && write() == nil {
		time.Sleep(time.Microsecond)
	}
	acked := l.View().Durable
	for !disk.isDead() && l.View().Durable < l.View().End {
		time.Sleep(time.Microsecond)
		acked = l.View().Durable
	}
	done = !disk.isDead()
	disk.cutNow(keep)
	_ = s.Close()
	at := fmt.Sprintf("cut %d, keep %v: %s %s", ops, keep, disk.op, disk.name)

	ended := make(chan error, 1)
	s2, err := openTwo(t, disk.after, func(o *Options) { o.Moved = func(_ *Log, err error) { ended <- err } })
	if err != nil {
		t.Fatal(at, err)
	}
	if len(s2.Found()) != 1 || len(s2.Unopened()) > 0 {
		t.Fatalf("%s: found %+v, unopened %+v", at, s2.Found(), s2.Unopened())
	}
	l2 := openLog(t, s2, 0, testConfig())
	v := l2.View()
	if v.End < acked || v.Start != 0 {
		t.Fatalf("%s: %+v, %d was acknowledged", at, v, acked)
	}
	for len(want) > 0 && want[len(want)-1].NextOffset() > v.End {
		want = want[:len(want)-1]
	}
	sameBatches(t, l2, want)
	to := "/b"
	if futures, lone := s2.Futures(); len(lone) > 0 {
		t.Fatalf("%s: %+v", at, lone)
	} else if len(futures) == 1 {
		to = futures[0].Dir
	}
	if l2.Dir() != to {
		if err := errors.Join(s2.Move(l2, to), <-ended); err != nil || l2.Dir() != to {
			t.Fatalf("%s: in %s, not in %s: %v", at, l2.Dir(), to, err)
		}
	}
	sameBatches(t, l2, want)
	return done
}

// TestMoveMeanwhile: a log is truncated, loses its oldest segments, is compacted and
// written while it moves, again and again.
func TestMoveMeanwhile(t *testing.T) {
	for seed := range uint64(30) {
		rng := rand.New(rand.NewPCG(seed, 1))
		mem := twoDirsOnDisk(t)
		s, err := openTwo(t, mem, func(o *Options) { o.NoCleaner = true })
		if err != nil {
			t.Fatal(err)
		}
		c := testConfig()
		c.Compact, c.Delete, c.MinDirtyRatio = true, true, 0
		l := led(t, s, 0, c)
		var want []record.Batch
		moves := 0
		for range 200 {
			switch n := rng.IntN(20); {
			case n == 0:
				if l.moving.Load() == nil {
					moves++
				}
				if err := s.Move(l, otherDir(l)); err != nil {
					t.Fatal(err)
				}
			case n == 1 && len(want) > 0:
				to := want[len(want)-1-rng.IntN(min(len(want), 10))].BaseOffset()
				if err := l.Truncate(max(to, l.View().Start)); err != nil {
					t.Fatal(err)
				}
				for len(want) > 0 && want[len(want)-1].NextOffset() > l.View().End {
					want = want[:len(want)-1]
				}
			case n == 2:
				if !l.home().flusher.await(l, l.View().End) {
					t.Fatal("not durable")
				}
				l.Commit(l.View().End)
				if _, err := l.DeleteBefore(l.View().Start + rng.Int64N(l.View().End-l.View().Start+1)); err != nil {
					t.Fatal(err)
				}
			case n == 3:
				_ = l.compact(time.Now(), 1<<20, newPace(0, nil)) // segments may go away under it
				if err := l.usable(); err != nil {
					t.Fatal(err)
				}
			default:
				// Each record has a key of its own: compaction only joins segments.
				b, err := record.Build(record.Spec{}, record.Record{Timestamp: 1, Key: fmt.Append(nil, rng.Int64()), Value: make([]byte, rng.IntN(400))})
				if err != nil {
					t.Fatal(err)
				}
				mustAppend(t, l, 1, b)
				want = append(want, b)
			}
		}
		settled(t, l)
		sameBatches(t, l, want)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s2, err := openTwo(t, mem)
		if err != nil {
			t.Fatal(err)
		}
		sameBatches(t, openLog(t, s2, 0, c), want)
		if got := s.Moves(); got.Moved == 0 && moves > 0 || got.Failed > 0 {
			t.Fatalf("seed %d: %d moves begun, %+v", seed, moves, got)
		}
	}
}

// begun starts a move that Arriving holds until the test lets it go on.
func begun(t *testing.T, fsys vfs.FS, change ...func(*Options)) (s *Store, l *Log, heard chan struct{}, ended chan error) {
	t.Helper()
	heard, ended = make(chan struct{}), make(chan error, 9)
	change = append(change, func(o *Options) {
		o.Arriving = func(*Log, string) <-chan struct{} { return heard }
		o.Moved = func(_ *Log, err error) { ended <- err }
	})
	s, err := openTwo(t, fsys, change...)
	if err != nil {
		t.Fatal(err)
	}
	l = filled(t, s)
	if err := s.Move(l, "/b"); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
	if l.Dir() != "/a" || len(s.Dirs()[1].Futures) != 1 || s.Dirs()[1].Futures[0].Lag != 0 || l.Place() != "/b" {
		t.Fatalf("in %s, told %s, %+v", l.Dir(), l.Place(), s.Dirs()[1].Futures)
	}
	return s, l, heard, ended
}

// names lists the partition directories of a log directory, parked ones by their reason.
func names(t *testing.T, fsys vfs.FS, dir string) (out []string) {
	t.Helper()
	list, err := fsys.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range list {
		if !strings.HasPrefix(n, "brokerd-") {
			out = append(out, n[max(strings.LastIndexByte(n, '-'), 0):])
		}
	}
	return out
}

func TestMoveCalledOff(t *testing.T) {
	for what, end := range map[string]func(*Store, *Log) error{
		"by a move to where it is": func(s *Store, l *Log) error { return s.Move(l, "/a") },
		"by deletion":              func(_ *Store, l *Log) error { return l.Delete(0) },
		"by quarantine":            func(s *Store, l *Log) error { return s.Quarantine(l.ID()) },
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				mem := twoDirsOnDisk(t)
				s, l, _, ended := begun(t, mem)
				if err := end(s, l); err != nil {
					t.Fatal(err)
				}
				if err := <-ended; err == nil || l.Place() != "/a" {
					t.Fatalf("%v, told %s", err, l.Place())
				}
				time.Sleep(time.Second)
				if left := names(t, mem, "/b"); len(left) > 0 {
					t.Errorf("left in /b: %v", left)
				}
				if got := s.Moves(); got.Failed > 0 || got.Moving > 0 {
					t.Errorf("%+v", got)
				}
			})
		})
	}
}

// TestMoveGoesOn: a stop keeps what was copied; the move that goes on copies no sealed
// segment again, but one that is not what it should be.
func TestMoveGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := twoDirsOnDisk(t)
		s, l, _, _ := begun(t, mem)
		sealed := l.view.Load().segs[:l.Segments()-1]
		all, spoilt := l.Size()-l.view.Load().pos, sealed[2]
		copied := s.dirs[1].mover.written.Load()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		list, _ := mem.List("/b")
		for _, n := range list {
			if isParked(n, parkedFuture) {
				f, err := mem.Open(path.Join("/b", n, segmentName(spoilt.base)+logSuffix), vfs.Write)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := f.WriteAt([]byte{1}, 100); err != nil {
					t.Fatal(err)
				}
			}
		}
		s2, err := openTwo(t, mem)
		if err != nil {
			t.Fatal(err)
		}
		l2 := openLog(t, s2, 0, testConfig())
		if futures, lone := s2.Futures(); len(futures) != 1 || futures[0].ID != l2.id || futures[0].Dir != "/b" || len(lone) > 0 {
			t.Fatalf("%+v, %+v", futures, lone)
		}
		if err := s2.Move(l2, "/b"); err != nil {
			t.Fatal(err)
		}
		settled(t, l2)
		readAll(t, l2, 0)
		if again := s2.dirs[1].mover.written.Load(); again != copied-all+spoilt.size {
			t.Errorf("copied %d bytes first, %d again; sealed are %d", copied, again, all)
		}
		if left := names(t, mem, "/b"); len(left) != 1 || left[0] != "-0" {
			t.Errorf("in /b: %v", left)
		}
	})
}

// TestMoveFails: the target is full, or breaks, or the log is damaged: it serves on
// where it is, and nothing stays that takes space.
func TestMoveFails(t *testing.T) {
	full := vfs.Rule{Op: vfs.OpWrite, Path: "/b/*-future/*.log", Err: syscall.ENOSPC}
	broken := vfs.Rule{Op: vfs.OpSync, Path: "/b/*-future/*.log", Err: syscall.EIO}
	for name, rule := range map[string]vfs.Rule{"full": full, "broken": broken} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				mem := twoDirsOnDisk(t)
				disk := vfs.NewFault(mem)
				ended := make(chan error, 1)
				s, err := openTwo(t, disk, func(o *Options) { o.Moved = func(_ *Log, err error) { ended <- err } })
				if err != nil {
					t.Fatal(err)
				}
				l := filled(t, s)
				disk.Add(rule)
				if err := s.Move(l, "/b"); err != nil {
					t.Fatal(err)
				}
				err = <-ended
				if full := name == "full"; errors.Is(err, ErrDiskFull) != full || (s.Dirs()[1].Err == nil) != full || s.Dirs()[0].Err != nil {
					t.Fatalf("%v; %+v", err, s.Dirs())
				}
				mustAppend(t, l, 1, batch(t, 2, 150, 1))
				if !l.home().flusher.await(l, l.View().End) || len(readAll(t, l, 0)) != 21 || l.Dir() != "/a" {
					t.Fatal("it does not serve on")
				}
				time.Sleep(time.Second)
				if left := names(t, mem, "/b"); name == "full" && len(left) > 0 {
					t.Errorf("left in /b: %v", left)
				}
				if err := s.Move(l, "/b"); name == "broken" && !errors.Is(err, ErrDirFailed) {
					t.Errorf("to a failed directory: %v", err)
				}
				if err := s.Move(l, "/c"); !errors.Is(err, ErrNoDir) {
					t.Errorf("to no directory: %v", err)
				}
			})
		})
	}
}

// TestMoveOfDamage: what is damaged is not copied.
func TestMoveOfDamage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := twoDirsOnDisk(t)
		ended := make(chan error, 1)
		s, err := openTwo(t, mem, func(o *Options) { o.Moved = func(_ *Log, err error) { ended <- err } })
		if err != nil {
			t.Fatal(err)
		}
		l := filled(t, s)
		f, err := mem.Open(l.view.Load().segs[3].path(logSuffix), vfs.Write)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt([]byte{1}, 150); err != nil {
			t.Fatal(err)
		}
		if err := s.Move(l, "/b"); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; !errors.Is(err, errDamaged) || l.Dir() != "/a" || s.Dirs()[1].Err != nil {
			t.Fatal(err)
		}
	})
}

// TestMoveOfNothing: a partition without a file has its place after a restart.
func TestMoveOfNothing(t *testing.T) {
	mem := twoDirsOnDisk(t)
	s, err := openTwo(t, mem)
	if err != nil {
		t.Fatal(err)
	}
	l := led(t, s, 0, testConfig())
	to := otherDir(l)
	if err := s.Move(l, to); err != nil {
		t.Fatal(err)
	}
	settled(t, l)
	s2, err := openTwo(t, mem.Crash(rng(1), 0))
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range []*Log{l, led(t, s2, 0, testConfig())} {
		mustAppend(t, l, 1, batch(t, 2, 150, 1))
		if !l.home().flusher.await(l, 2) || l.Dir() != to {
			t.Fatalf("in %s, not in %s", l.Dir(), to)
		}
	}
}

// TestMoveKeepsToTheRate, which may change meanwhile.
func TestMoveKeepsToTheRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var rate atomic.Int64
		rate.Store(100)
		ended := make(chan error, 1)
		s, err := openTwo(t, twoDirsOnDisk(t), func(o *Options) {
			o.MoveRate = rate.Load
			o.Moved = func(_ *Log, err error) { ended <- err }
		})
		if err != nil {
			t.Fatal(err)
		}
		l := filled(t, s)
		began := time.Now()
		if err := s.Move(l, otherDir(l)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(30 * time.Second)
		if n := s.Moves().Bytes; n > 30*100+2000 || n < 2000 || l.moving.Load() == nil {
			t.Fatalf("%d bytes in 30 s", n)
		}
		rate.Store(0)
		if err := <-ended; err != nil || time.Since(began) > 32*time.Second {
			t.Fatalf("%v after %v", err, time.Since(began))
		}
	})
}

// TestLoneFuture: the directory that had the log is gone, a copy is left.
func TestLoneFuture(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := twoDirsOnDisk(t)
		s, l, _, _ := begun(t, mem)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		for _, dir := range []string{"/a/orders-0", "/a"} {
			list, err := mem.List(dir)
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range list {
				if err := mem.Remove(path.Join(dir, n)); err != nil {
					t.Fatal(err)
				}
			}
		}
		s2, err := openTwo(t, mem)
		if err != nil {
			t.Fatal(err)
		}
		if futures, lone := s2.Futures(); len(futures) > 0 || len(lone) != 1 || lone[0].ID != l.id || !strings.Contains(lone[0].Err.Error(), "-future") {
			t.Fatalf("%+v, %+v", futures, lone)
		}
	})
}

// TestTwinsThatCannotBeRead: while it is not sure which of two directories is the log,
// none is used, and nothing goes.
func TestTwinsThatCannotBeRead(t *testing.T) {
	for _, moves := range []int{1, 2} { // the log is in the second directory, or in the first
		t.Run(fmt.Sprint("moves=", moves), func(t *testing.T) { twinsThatCannotBeRead(t, moves) })
	}
}

func twinsThatCannotBeRead(t *testing.T, moves int) {
	mem := twoDirsOnDisk(t)
	s, err := openTwo(t, mem)
	if err != nil {
		t.Fatal(err)
	}
	l := led(t, s, 0, testConfig())
	mustAppend(t, l, 1, batch(t, 2, 150, 1))
	for range moves {
		if err := s.Move(l, otherDir(l)); err != nil {
			t.Fatal(err)
		}
		settled(t, l)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	at, old := l.Dir(), otherDir(l)
	put := func(dir, name, text string) {
		t.Helper()
		if err := overwrite(mem, path.Join(dir, "orders-0", name), []byte(text), 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := mem.MkdirAll(path.Join(old, "orders-0")); err != nil {
		t.Fatal(err)
	}
	put(old, metadataName, string(movedMetadataFile(l.id.Topic, moves-1)))
	put(at, metadataName, "nonsense")
	s2, err := openTwo(t, mem)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s2.Log(l.id, "orders", testConfig()); !errors.Is(err, ErrUnreadable) || s2.Intact() || len(s2.Unopened()) != 1 || len(s2.Found()) != 1 {
		t.Errorf("%v, intact %v, not brought back %+v, found %+v", err, s2.Intact(), s2.Unopened(), s2.Found())
	}
	if err := s2.Close(); err != nil {
		t.Fatal(err)
	}
	put(at, metadataName, string(movedMetadataFile(l.id.Topic, moves)))
	s3, err := openTwo(t, mem)
	if err != nil {
		t.Fatal(err)
	}
	if l3 := openLog(t, s3, 0, testConfig()); l3.Dir() != at || l3.View().End != 2 {
		t.Fatalf("in %s, %+v", l3.Dir(), l3.View())
	}
	if left := names(t, mem, old); len(left) > 1 || len(left) == 1 && left[0] != "-delete" {
		t.Errorf("left in %s: %v", old, left)
	}
}

// TestCopyOfTheLastRunEnds: what a stop has left of a move goes with its log, or when
// the log is to stay where it is. The next start would go on with it, or take it for
// all that is left of the partition.
func TestCopyOfTheLastRunEnds(t *testing.T) {
	for what, end := range map[string]func(*Store, *Log) error{
		"by a move to where it is": func(s *Store, l *Log) error { return s.Move(l, "/a") },
		"by deletion":              func(_ *Store, l *Log) error { return l.Delete(0) },
		"by quarantine":            func(s *Store, l *Log) error { return s.Quarantine(l.ID()) },
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				mem := twoDirsOnDisk(t)
				s, l, _, _ := begun(t, mem)
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				s2, err := openTwo(t, mem)
				if err != nil {
					t.Fatal(err)
				}
				if err := end(s2, openLog(t, s2, l.id.Index, testConfig())); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Second)
				if err := s2.Close(); err != nil {
					t.Fatal(err)
				}
				s3, err := openTwo(t, mem)
				if err != nil {
					t.Fatal(err)
				}
				if futures, lone := s3.Futures(); len(futures) > 0 || len(lone) > 0 {
					t.Errorf("%+v, %+v", futures, lone)
				}
			})
		})
	}
}

// TestNoRoundWhereTheLogWas: a flusher that took a log out of its queue before it moved
// syncs the old directory, and must not count that.
func TestNoRoundWhereTheLogWas(t *testing.T) {
	s, err := openTwo(t, twoDirsOnDisk(t))
	if err != nil {
		t.Fatal(err)
	}
	c := testConfig()
	c.Durability = ISR
	l := led(t, s, 0, c)
	from := l.home()
	mustAppend(t, l, 1, batch(t, 2, 150, 1))
	if err := s.Move(l, otherDir(l)); err != nil {
		t.Fatal(err)
	}
	settled(t, l)
	mustAppend(t, l, 1, batch(t, 2, 150, 1))
	var files []*handle
	if _, ok := l.beginSync(from, &files); ok || len(files) > 0 {
		t.Errorf("a round of %s takes a log in %s", from.path, l.Dir())
	}
}

// TestMoveWithoutRoom: what would fill the disk is refused before it begins.
func TestMoveWithoutRoom(t *testing.T) {
	mem := twoDirsOnDisk(t)
	s, err := openTwo(t, mem)
	if err != nil {
		t.Fatal(err)
	}
	l := filled(t, s)
	total, _ := mem.Total("/a")
	free, _ := mem.Free("/a")
	mem.SetCapacity(total - free + leastFree + l.Size()/2)
	if err := s.Move(l, otherDir(l)); !errors.Is(err, ErrDiskFull) || l.moving.Load() != nil {
		t.Fatal(err)
	}
	mustAppend(t, l, 1, batch(t, 2, 150, 1))
}
