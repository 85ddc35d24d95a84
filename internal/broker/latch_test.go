package broker

import (
	"errors"
	"log/slog"
	"testing"

	"github.com/brokerd/brokerd/internal/conf"
	"github.com/brokerd/brokerd/internal/vfs"
)

// TestDiskErrorIsLatched: what failed is noted where something can be written,
// found by the next start, and forgotten once the controller knows.
func TestDiskErrorIsLatched(t *testing.T) {
	f := vfs.NewMem()
	for _, d := range []string{"/a", "/b"} {
		if err := f.MkdirAll(d); err != nil {
			t.Fatal(err)
		}
	}
	b := &Broker{o: Options{FS: f, Conf: &conf.Broker{LogDirs: []string{"/a", "/b"}}, Log: slog.New(slog.DiscardHandler)}}
	want := func(latched bool) {
		t.Helper()
		if got, err := diskErrorLatched(f, b.dirs()); got != latched || err != nil {
			t.Fatalf("latched: %v, %v", got, err)
		}
	}
	want(false)
	b.latchDiskError("/a", errors.New("EIO"))
	if _, err := readFile(f, "/a/"+latchFile); err == nil {
		t.Error("something was written to the disk that failed")
	}
	want(true)
	b.unlatchDiskError()
	want(false)
	b.unlatchDiskError() // nothing is there
}
