package storage

import (
	"log/slog"
	"syscall"
	"testing"

	"github.com/brokerd/brokerd/internal/vfs"
)

// Entries that are durable count, and who wrote them hears so, even if the disk is
// too full for the checkpoint to be written anew.
func TestJournalOnAFullDisk(t *testing.T) {
	disk := vfs.NewFault(vfs.NewMem())
	if err := disk.MkdirAll("/d"); err != nil {
		t.Fatal(err)
	}
	j, err := openJournal(disk, "/d", false, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	m := mark{id: testID(0), topic: "orders"}
	var entries []byte
	for len(entries) <= compactAbove {
		m.end++
		entries = appendPoint(entries, &m)
	}
	full := disk.Add(vfs.Rule{Op: vfs.OpWrite, Path: checkpointName + tempSuffix, Err: syscall.ENOSPC})
	if err := j.write(entries); err != nil || full.Hits() == 0 {
		t.Errorf("%v, hit %d times", err, full.Hits())
	}
	full.Remove()
	m.end++
	if err := j.write(appendPoint(nil, &m)); err != nil || j.size > compactAbove {
		t.Errorf("%v, %d bytes", err, j.size)
	}
	if err := j.close(); err != nil {
		t.Fatal(err)
	}
	if j, err = openJournal(disk, "/d", false, slog.New(slog.DiscardHandler)); err != nil || j.get(m.id).end != m.end {
		t.Errorf("%v, %+v", err, j.get(m.id))
	}
}
