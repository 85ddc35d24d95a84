package storage

import (
	"errors"
	"strings"
	"syscall"
	"testing"

	"github.com/brokerd/brokerd/internal/vfs"
)

// Without a free descriptor an append fails, and only that: the disk is well.
func TestAppendWithoutDescriptors(t *testing.T) {
	disk := vfs.NewFault(vfs.NewMem())
	c := testConfig()
	l := openLog(t, openStore(t, disk), 0, c)
	lead(t, l, 1)
	for range 3 { // at the first segment, and at a roll
		none := disk.Add(vfs.Rule{Op: vfs.OpOpen, Path: "*.log", Err: syscall.EMFILE})
		var err error
		for err == nil {
			_, err = l.Append(1, batch(t, 1, 500, 1))
		}
		if !errors.Is(err, ErrNoDescriptors) || l.usable() != nil {
			t.Fatal(err, l.usable())
		}
		none.Remove()
		a := mustAppend(t, l, 1, batch(t, 1, 500, 1))
		if !l.home().flusher.await(l, a.Next) {
			t.Fatal("not durable")
		}
	}
	readAll(t, l, 0)
}

// The disk was full when the first segment was to be made, and had space again
// later: partition.metadata must be as durable as if nothing had happened.
func TestFirstAppendAfterAFullDisk(t *testing.T) {
	for _, op := range []vfs.Rule{
		{Op: vfs.OpOpen, Path: "*.log", Times: 1, Err: syscall.ENOSPC},
		{Op: vfs.OpWrite, Path: metadataName, Times: 1, Err: syscall.ENOSPC, Torn: 5},
	} {
		t.Run(string(op.Op), func(t *testing.T) {
			mem := vfs.NewMem()
			disk := vfs.NewFault(mem)
			l := openLog(t, openStore(t, disk), 0, testConfig())
			lead(t, l, 1)
			disk.Add(op)
			if _, err := l.Append(1, batch(t, 1, 5, 1)); !errors.Is(err, ErrDiskFull) {
				t.Fatal(err)
			}
			l.home().full.Store(false)
			a := mustAppend(t, l, 1, batch(t, 1, 5, 1))
			if !l.home().flusher.await(l, a.Next) {
				t.Fatal("not durable")
			}
			names, err := mem.List("/d")
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range names {
				if strings.HasSuffix(n, parkedStray) {
					t.Error("the full disk left", n)
				}
			}
			back := openLog(t, openStore(t, mem.Crash(rng(1), 0)), 0, testConfig())
			if v := back.View(); v.End != a.Next {
				t.Fatalf("acknowledged up to %d, after the power cut the log ends at %d", a.Next, v.End)
			}
		})
	}
}
