package controller

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/brokerd/brokerd/internal/catalog"
	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/vfs"
)

// TestDamagedSnapshot is S9: with a damaged snapshot and a log that was cut
// behind it, nothing starts from empty. With one that is older and still reaches
// the log, everything is there.
func TestDamagedSnapshot(t *testing.T) {
	dir := t.TempDir()
	n := start(t, boltOptions(t, dir))
	n.Register(registration())
	n.await(n.WaitActive)
	keep := n.node.r.ReloadableConfig()
	keep.TrailingLogs = 2
	if err := n.node.r.ReloadConfig(keep); err != nil {
		t.Fatal(err)
	}
	n.must(topic(1, "a", 1))
	snapshot := func() {
		t.Helper()
		if err := n.node.r.Snapshot().Error(); err != nil {
			t.Fatal(err)
		}
	}
	snapshot()
	n.must(topic(2, "b", 1))
	snapshot()
	n.must(topic(3, "c", 1))
	want := n.cat.Image()
	n.stop()

	states, err := filepath.Glob(filepath.Join(dir, "snapshots", "*", "state.bin"))
	if err != nil || len(states) != 2 {
		t.Fatalf("%v %v", states, err)
	}
	flip(t, states[1], 2)
	n = start(t, boltOptions(t, dir))
	n.Register(registration())
	n.await(n.WaitActive)
	for top := range want.Topics() {
		if _, ok := n.cat.Image().Topic(top.ID); !ok {
			t.Errorf("topic %s is lost", top.Name)
		}
	}
	for i := range 20 { // now the log is cut beyond the older one
		n.must(topic(byte(10+i), "t"+strings.Repeat("x", i), 1))
	}
	snapshot()
	n.stop()
	states, err = filepath.Glob(filepath.Join(dir, "snapshots", "*", "state.bin"))
	if err != nil || len(states) != 2 {
		t.Fatalf("%v %v", states, err)
	}
	flip(t, states[0], 3)
	flip(t, states[1], 3)
	o := boltOptions(t, dir)
	o.Catalog = catalog.NewStore()
	if _, err := Open(o); !errors.Is(err, ErrSnapshotLost) {
		t.Fatalf("started without any metadata: %v", err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "snapshots")); err != nil {
		t.Fatal(err)
	}
	o = boltOptions(t, dir)
	o.Catalog = catalog.NewStore()
	if _, err := Open(o); !errors.Is(err, ErrSnapshotLost) {
		t.Fatalf("started from a log without its beginning: %v", err)
	}
}

// flip damages one bit of a file, at 1/part of its length.
func flip(t *testing.T, path string, part int) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/part] ^= 4
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestFutureLevel opens a disk whose cluster was raised by a newer version.
func TestFutureLevel(t *testing.T) {
	disk := vfs.NewMem()
	open := func() Options {
		t.Helper()
		stores, err := OpenFS(disk, "meta")
		if err != nil {
			t.Fatal(err)
		}
		o := Options{Node: 1, Directory: tid(1), ClusterID: "here", Address: "n1:1", Stores: stores, Log: testLog(t)}
		if err := o.BootstrapSelf(); err != nil {
			t.Fatal(err)
		}
		return o
	}
	n := start(t, open())
	n.Register(registration())
	n.await(n.WaitActive)
	raise := meta.SetFeatureLevel{Level: meta.MaxLevel + 1}
	if c := n.submit(raise); !errors.Is(c.Err, meta.ErrFeatureLevel) {
		t.Fatalf("proposed a level that it does not know: %+v", c)
	}
	f := n.node.r.Apply(meta.EncodeEntry([]meta.Command{raise}), 0) // as a newer version would
	if err := f.Error(); err != nil {
		t.Fatal(err)
	}
	<-n.fsm.Failed()
	if err := n.fsm.Err(); !errors.Is(err, meta.ErrTooNew) || !strings.Contains(err.Error(), "use a newer brokerd") {
		t.Fatal(err)
	}
}
