package storage

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brokerd/brokerd/internal/record"
	"github.com/brokerd/brokerd/internal/vfs"
)

// A disk that fails once the checkpoint names the new segment takes nothing away:
// the next start finds it, under one name or the other.
func TestSwapOnAFailingDisk(t *testing.T) {
	for name, rule := range map[string]vfs.Rule{
		"old index not removed":       {Op: vfs.OpRemove, Path: "*.index"},
		"directory not synced":        {Op: vfs.OpSyncDir, Path: "/d/orders-0", Nth: 2},
		"not renamed":                 {Op: vfs.OpRename, Path: "*.swap"},
		"renamed, directory not":      {Op: vfs.OpSyncDir, Path: "/d/orders-0", Nth: 3},
		"checkpoint written, no sync": {Op: vfs.OpSync, Path: checkpointName},
	} {
		t.Run(name, func(t *testing.T) {
			mem := vfs.NewMem()
			disk := vfs.NewFault(mem)
			s := openStore(t, disk, func(o *Options) { o.NoCleaner = true })
			c := compactConfig()
			l := openLog(t, s, 0, c)
			lead(t, l, 1)
			putKeys(t, l, 25)
			once, err := record.Build(record.Spec{}, record.Record{Timestamp: time.Now().UnixMilli(), Key: []byte("once"), Value: []byte("v 25")})
			if err != nil {
				t.Fatal(err)
			}
			mustAppend(t, l, 1, once)
			putKeys(t, l, 25)
			checkpointed(t, l)
			c.SegmentBytes = 1 << 20 // all sealed segments fit one now
			l.SetConfig(c)
			rule.Err, rule.Times = syscall.EIO, 1
			broken := disk.Add(rule)
			if err := l.compact(time.Now(), 1<<20, newPace(0, nil)); err == nil || broken.Hits() != 1 || l.home().failure() == nil {
				t.Fatalf("%v, hit %d times", err, broken.Hits())
			}
			_ = s.Close() // its directory has failed

			l = openLog(t, openStore(t, mem), 0, c)
			newest := map[string]string{}
			for _, b := range readAll(t, l, 0) {
				if err := b.Each(record.Limits{}, func(r record.Record) error {
					newest[string(r.Key)] = strings.TrimLeft(string(r.Value), "v ")
					return nil
				}); err != nil {
					t.Fatal(err)
				}
			}
			if want := map[string]string{"k0": "24", "k1": "24", "k2": "24", "k3": "24", "once": "25"}; !maps.Equal(newest, want) {
				t.Errorf("newest of each key: %v", newest)
			}
			if v := l.View(); v.End != 201 {
				t.Errorf("end is %d", v.End)
			}
		})
	}
}

// A pass looks at the free space while it lasts: it leaves to appends what is kept
// for them, and no half of a segment.
func TestCompactionLeavesTheReserve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := vfs.NewMem()
		s := openStore(t, mem, func(o *Options) { o.NoCleaner = true })
		l := led(t, s, 0, compactConfig())
		putKeys(t, l, 100)
		const rate = 10_000
		took := time.Duration(l.Size()) * time.Second / rate // to read it once
		time.AfterFunc(took+time.Second, func() { mem.SetCapacity(leastFree) })
		if err := l.compact(time.Now(), 1<<20, newPace(rate, nil)); !errors.Is(err, ErrDiskFull) {
			t.Errorf("with a full disk: %v", err)
		}
		mem.SetCapacity(0)
		names, err := mem.List("/d/orders-0")
		if err != nil || slices.ContainsFunc(names, func(n string) bool { return strings.HasSuffix(n, swapSuffix) }) {
			t.Errorf("%v, %v", names, err)
		}
		time.Sleep(time.Minute)
		if err := l.compact(time.Now(), 1<<20, newPace(0, nil)); err != nil || s.Cleaner().Passes != 1 {
			t.Errorf("with room again: %v, %d passes", err, s.Cleaner().Passes)
		}
	})
}

// renamedFS takes a log's directory away as a deletion does, when a pass opens its file.
type renamedFS struct {
	vfs.FS
	before func()
}

func (f *renamedFS) Open(name string, mode vfs.Mode) (vfs.File, error) {
	if strings.HasSuffix(name, swapSuffix) && f.before != nil {
		f.before()
	}
	return f.FS.Open(name, mode)
}

// A log that is deleted between two segments of a pass ends the pass, and no more: its
// directory is renamed already when it is not known yet under which name.
func TestCompactionOfWhatIsBeingDeleted(t *testing.T) {
	disk := &renamedFS{FS: vfs.NewMem()}
	s := openStore(t, disk, func(o *Options) { o.NoCleaner = true })
	l := led(t, s, 0, compactConfig())
	putKeys(t, l, 100)
	checkpointed(t, l)
	disk.before = func() {
		l.stop(ErrDeleted, true)
		if err := disk.Rename("/d/orders-0", "/d/orders-0-deleted"); err != nil {
			t.Fatal(err)
		}
		disk.before = nil
	}
	if err := l.compact(time.Now(), 1<<20, newPace(0, nil)); !errors.Is(err, errMoved) || disk.before != nil {
		t.Error(err)
	}
	if err := l.home().failure(); err != nil {
		t.Error(err)
	}
}
