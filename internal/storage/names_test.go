package storage

import (
	"path"
	"syscall"
	"testing"

	"github.com/brokerd/brokerd/internal/step"
	"github.com/brokerd/brokerd/internal/vfs"
)

// A topic went in a way that left its mark in the checkpoint, and another was
// made under its name: the mark must not claim the new one's directory.
func TestNameOfALogThatWasNotForgotten(t *testing.T) {
	ways := map[string]func(t *testing.T, s *Store, l *Log, disk *vfs.Fault) *Store{
		"checkpoint full": func(t *testing.T, s *Store, l *Log, disk *vfs.Fault) *Store {
			full := disk.Add(vfs.Rule{Op: vfs.OpWrite, Path: checkpointName, Err: syscall.ENOSPC})
			if err := l.Delete(0); err == nil {
				t.Fatal("deleted without the checkpoint")
			}
			full.Remove()
			return s
		},
		"removed by hand": func(t *testing.T, s *Store, l *Log, disk *vfs.Fault) *Store {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			names, _ := disk.List(l.path()) // what is missing fails below
			for _, n := range names {
				_ = disk.Remove(path.Join(l.path(), n))
			}
			if err := disk.Remove(l.path()); err != nil {
				t.Fatal(err)
			}
			return openStore(t, disk)
		},
	}
	for what, goes := range ways {
		t.Run(what, func(t *testing.T) {
			for seed := range uint64(16) { // the marks come in the order of a map
				mem := vfs.NewMem()
				disk := vfs.NewFault(mem)
				s := openStore(t, disk)
				old := openLog(t, s, 0, testConfig())
				lead(t, old, 1)
				mustAppend(t, old, 1, batch(t, 3, 5, 1))
				pointNow(t, old)
				s = goes(t, s, old, disk)

				id := step.PartitionID{Topic: step.TopicID{9}, Index: 0}
				l := openNamed(t, s, id)
				l.home().full.Store(false)
				lead(t, l, 1)
				a := mustAppend(t, l, 1, batch(t, 7, 5, 1))
				pointNow(t, l)

				s = openStore(t, mem.Crash(rng(seed), 0))
				for _, f := range s.Found() {
					if f.ID != id {
						if err := s.Quarantine(f.ID); err != nil {
							t.Fatal(err)
						}
					}
				}
				if got := openNamed(t, s, id).View().End; got != a.Next {
					t.Fatalf("the log ends at %d, acknowledged up to %d", got, a.Next)
				}
			}
		})
	}
}

func openNamed(t testing.TB, s *Store, id step.PartitionID) *Log {
	t.Helper()
	l, err := s.Log(id, "orders", testConfig())
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// pointNow writes a checkpoint of the log.
func pointNow(t testing.TB, l *Log) {
	t.Helper()
	if err := l.home().checkpoint([]*Log{l}, forced); err != nil {
		t.Fatal(err)
	}
}
