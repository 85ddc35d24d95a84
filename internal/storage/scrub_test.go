package storage

import (
	"errors"
	"io"
	"path"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brokerd/brokerd/internal/vfs"
)

// sealedWhole reads what is sealed as the scrubber does.
func sealedWhole(l *Log) error {
	for _, s := range l.view.Load().segs {
		if !s.stands() {
			continue
		}
		if err := s.whole(newPace(0, nil)); err != nil && s.stands() {
			return err
		}
	}
	return nil
}

// flip turns one bit of a file.
func flip(t testing.TB, fsys vfs.FS, name string, at int64) {
	t.Helper()
	f, err := fsys.Open(name, vfs.Write)
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 1)
	if _, err := f.ReadAt(b, at); err != nil && !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	b[0] ^= 1
	if _, err := f.WriteAt(b, at); err != nil {
		t.Fatal(err)
	}
	_ = f.Close() // of a memory file
}

// told is what the scrubber had to say.
type told struct {
	log *Log
	err error
}

// scrubbed opens a store that is scrubbed once a day, with a log of many segments.
func scrubbed(t *testing.T, fsys vfs.FS, interval time.Duration) (*Store, *Log, chan told) {
	t.Helper()
	heard := make(chan told, 1000)
	s := openStore(t, fsys, func(o *Options) {
		o.ScrubInterval = interval
		o.Damaged = func(l *Log, err error) { heard <- told{l, err} }
	})
	l := led(t, s, 0, testConfig())
	for l.Segments() < 20 {
		mustAppend(t, l, 1, batch(t, 3, 50, 1))
	}
	return s, l, heard
}

// Every sealed segment has its turn once in an interval, not all at once; a bit
// that flips anywhere is found, by the interval's end, and again in the next one.
func TestScrubFindsEveryFlip(t *testing.T) {
	for _, c := range []struct {
		name string
		at   int64
		says string
	}{
		{"base offset", 7, ""}, {"length", 10, ""}, {"epoch", 15, "digest"}, {"magic", 16, ""}, {"crc", 18, "crc"}, {"value", 100, "crc"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				mem := vfs.NewMem()
				s, l, heard := scrubbed(t, mem, 24*time.Hour)
				time.Sleep(12 * time.Hour)
				if n := s.Scrub().Segments; n < 7 || n > 12 {
					t.Errorf("%d of 19 segments at half time", n)
				}
				time.Sleep(12*time.Hour + time.Minute)
				if got := s.Scrub(); got.Segments != 19 || got.Damaged != 0 || got.BytesRead < 19*1000 {
					t.Fatalf("a whole log: %+v", got)
				}
				bad := l.view.Load().segs[7]
				flip(t, mem, bad.path(logSuffix), c.at)
				for range 2 {
					time.Sleep(24 * time.Hour)
					select {
					case got := <-heard:
						if got.log != l || !errors.Is(got.err, errDamaged) || !strings.Contains(got.err.Error(), path.Base(bad.path(logSuffix))) || !strings.Contains(got.err.Error(), c.says) {
							t.Errorf("heard %v", got.err)
						}
					default:
						t.Fatal("nobody noticed")
					}
				}
				if got := s.Scrub(); got.Segments != 19+18+18 || got.Damaged != 2 {
					t.Errorf("%+v", got)
				}
				if err := l.usable(); err != nil {
					t.Errorf("out of service, though nobody condemned it: %v", err)
				}
				if err := l.Condemn(errDamaged); !errors.Is(err, ErrCorrupt) || !errors.Is(l.usable(), ErrCorrupt) {
					t.Errorf("condemned: %v", err)
				}
			})
		})
	}
}

// A segment that cannot be read or is not there is damaged too; one that was
// deleted or cut in an orderly way is not.
func TestScrubTellsGoneFromDamaged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := vfs.NewMem()
		disk := vfs.NewFault(mem)
		s, l, heard := scrubbed(t, disk, time.Hour)
		list := s.dirs[0].scrubber.sealed()
		if !l.home().flusher.await(l, l.View().End) {
			t.Fatal("not durable")
		}
		l.Commit(l.View().End)
		segs := l.view.Load().segs // the first go as soon as the keeper comes by
		if _, err := l.DeleteBefore(segs[5].base); err != nil {
			t.Fatal(err)
		}
		if err := l.Truncate(segs[15].base + 1); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		for _, g := range list { // as a pass that began before
			if err := s.dirs[0].scrubber.check(g); err != nil {
				t.Fatal(err)
			}
		}
		if len(heard) > 0 {
			t.Fatalf("heard %v of a log that is whole", (<-heard).err)
		}
		missing, unreadable := l.view.Load().segs[1], l.view.Load().segs[2]
		for _, g := range []*segment{missing, unreadable} {
			s.files.drop(g)
		}
		if err := mem.Remove(missing.path(logSuffix)); err != nil {
			t.Fatal(err)
		}
		disk.Add(vfs.Rule{Op: vfs.OpRead, Path: unreadable.path(logSuffix), Err: errors.New("medium error")})
		time.Sleep(time.Hour + 30*time.Second) // the last one is read at the very end of the pass
		found := ""
		for len(heard) > 0 {
			found += (<-heard).err.Error() + "\n"
		}
		if !strings.Contains(found, path.Base(missing.path(logSuffix))+" is missing") || !strings.Contains(found, "medium error") || s.Scrub().Damaged != 2 {
			t.Errorf("found: %s%+v", found, s.Scrub())
		}
	})
}

// Closing ends a pass that has days to go.
func TestScrubEndsWithItsStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _, _ := scrubbed(t, vfs.NewMem(), 7*24*time.Hour)
		time.Sleep(24 * time.Hour)
		began := time.Now()
		if err := s.Close(); err != nil || time.Since(began) > time.Minute {
			t.Errorf("closed after %v: %v", time.Since(began), err)
		}
	})
}
