package storage

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/brokerd/brokerd/internal/vfs"
)

// stopped makes a log of 40 batches, stops the store cleanly or by a kill, and
// gives the disk.
func stopped(t *testing.T, clean bool) *vfs.Mem {
	t.Helper()
	mem := vfs.NewMem()
	s := openStore(t, mem)
	l := led(t, s, 0, testConfig())
	for i := range 40 {
		mustAppend(t, l, 1, batch(t, 2, 100, int64(1000+i)))
	}
	if !l.home().flusher.await(l, 80) {
		t.Fatal("not durable")
	}
	if !clean {
		return mem.Crash(rng(1), 0)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return mem
}

func logFiles(t *testing.T, mem *vfs.Mem) (out []string) {
	t.Helper()
	names, err := mem.List("/d/orders-0")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		if strings.HasSuffix(n, logSuffix) {
			out = append(out, "/d/orders-0/"+n)
		}
	}
	return out
}

func TestTornTailIsCut(t *testing.T) {
	mem := stopped(t, false)
	files := logFiles(t, mem)
	last := files[len(files)-1]
	p, err := readWhole(mem, last)
	if err != nil {
		t.Fatal(err)
	}
	if err := overwrite(mem, last, append(p, p[:200]...), 0); err != nil {
		t.Fatal(err)
	}
	l := openLog(t, openStore(t, mem), 0, testConfig())
	if l.View().End != 80 || len(readAll(t, l, 0)) != 40 {
		t.Errorf("%+v", l.View())
	}
	if got, err := readWhole(mem, last); err != nil || !bytes.Equal(got, p) {
		t.Errorf("%d bytes, want %d: %v", len(got), len(p), err)
	}
}

// TestCorruptionIsNotCut is S4: what the checkpoint vouches for and is not there
// is no torn tail, and stays as it is for somebody to look at.
func TestCorruptionIsNotCut(t *testing.T) {
	for name, hurt := range map[string]func(mem *vfs.Mem, files []string) error{
		"segment missing": func(mem *vfs.Mem, files []string) error { return mem.Remove(files[1]) },
		"tail missing": func(mem *vfs.Mem, files []string) error {
			return overwrite(mem, files[len(files)-1], nil, 0)
		},
		"first batch overwritten": func(mem *vfs.Mem, files []string) error { return mem.Flip(files[len(files)-1], 16, 0xff) },
	} {
		t.Run(name, func(t *testing.T) {
			mem := stopped(t, true)
			files := logFiles(t, mem)
			if err := hurt(mem, files); err != nil {
				t.Fatal(err)
			}
			before := map[string][]byte{}
			for _, f := range logFiles(t, mem) {
				before[f], _ = readWhole(mem, f)
			}
			s := openStore(t, mem)
			if _, err := s.Log(testID(0), "orders", testConfig()); !errors.Is(err, ErrCorrupt) {
				t.Fatalf("open: %v", err)
			}
			for f, p := range before {
				if got, err := readWhole(mem, f); err != nil || !bytes.Equal(got, p) {
					t.Errorf("%s was changed: %v", f, err)
				}
			}
			if err := s.Quarantine(testID(0)); err != nil {
				t.Fatal(err)
			}
			if l := openLog(t, s, 0, testConfig()); l.View().End != 0 {
				t.Errorf("%+v", l.View())
			}
		})
	}
}

// TestDamageFoundByAReader takes the log out of service, without a cut.
func TestDamageFoundByAReader(t *testing.T) {
	mem := stopped(t, true)
	files := logFiles(t, mem)
	if err := mem.Flip(files[0], 16, 0xff); err != nil { // magic of the first batch
		t.Fatal(err)
	}
	l := openLog(t, openStore(t, mem), 0, testConfig())
	if _, err := l.Read(ReadSpec{From: 1, Limit: 80, MaxBytes: 1, FirstWhole: true}); !errors.Is(err, ErrCorrupt) {
		t.Errorf("read: %v", err)
	}
	if _, err := l.Lead(2); !errors.Is(err, ErrCorrupt) {
		t.Errorf("lead: %v", err)
	}
}

// TestIndexesAreCaches: without them, and with wrong ones, the same is read.
func TestIndexesAreCaches(t *testing.T) {
	for name, hurt := range map[string]func(mem *vfs.Mem, file string) error{
		"missing": func(mem *vfs.Mem, file string) error { return mem.Remove(file) },
		"zeros":   func(mem *vfs.Mem, file string) error { return overwrite(mem, file, make([]byte, 48), 0) },
		"odd":     func(mem *vfs.Mem, file string) error { return overwrite(mem, file, []byte{1, 2, 3}, 0) },
		"shifted": func(mem *vfs.Mem, file string) error {
			for off := int64(3); ; off += 4 {
				if mem.Flip(file, off, 1) != nil {
					return nil
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			mem := stopped(t, true)
			names, err := mem.List("/d/orders-0")
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range names {
				if strings.HasSuffix(n, indexSuffix) || strings.HasSuffix(n, timeIndexSuffix) {
					if err := hurt(mem, "/d/orders-0/"+n); err != nil {
						t.Fatal(err)
					}
				}
			}
			l := openLog(t, openStore(t, mem), 0, testConfig())
			if got := readAll(t, l, 0); len(got) != 40 {
				t.Errorf("%d batches", len(got))
			}
			for ts := int64(990); ts < 1045; ts++ {
				want := int64(-1)
				if i := max(ts-1000, 0); i <= 40 {
					if want = 2 * i; i > 0 { // batch i begins at time 1000+i, and i-1 has that time in its second record
						want--
					}
				}
				if at, err := l.FirstAtOrAfter(ts, 80); err != nil || at.Offset != want {
					t.Errorf("first at or after %d: %+v, %v, want %d", ts, at, err, want)
				}
			}
			if at, err := l.MaxTimestamp(80); err != nil || at.Offset != 79 || at.Timestamp != 1040 {
				t.Errorf("max timestamp: %+v, %v", at, err)
			}
		})
	}
}

// TestNewerFormatIsRefused in one clear line.
func TestNewerFormatIsRefused(t *testing.T) {
	mem := stopped(t, true)
	if err := mem.Flip("/d/"+checkpointName, 7, 1); err != nil {
		t.Fatal(err)
	}
	_, err := Open(t.Context(), Options{FS: mem, Dirs: []string{"/d"}})
	want := "checkpoint file /d/brokerd-checkpoint has format version 3, this brokerd reads up to 2: a newer release wrote it; run that one"
	if err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
}

// TestLostCheckpoint: without it everything is scanned, and nothing is lost.
func TestLostCheckpoint(t *testing.T) {
	mem := stopped(t, true)
	if err := mem.Remove("/d/" + checkpointName); err != nil {
		t.Fatal(err)
	}
	s := openStore(t, mem)
	l := openLog(t, s, 0, testConfig())
	if l.View().End != 80 || len(readAll(t, l, 0)) != 40 || s.WasClean() {
		t.Errorf("%+v", l.View())
	}
}
