package controller

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/brokerd/brokerd/internal/meta"
)

var changes = flag.Int("changes", 200_000, "how many changes TestFilesStayBounded makes")

// TestFilesStayBounded: many changes of the same few things leave files that are as
// large as what is kept behind a snapshot, not as what was written. `make bounded`
// makes a million of them.
func TestFilesStayBounded(t *testing.T) {
	const each = 1000
	entries := *changes / each
	kept := entries / 32
	if kept == 0 {
		t.Fatalf("-changes %d: %d is the least", *changes, 32*each)
	}
	dir := t.TempDir()
	n := start(t, boltOptions(t, dir))
	n.Register(registration())
	n.await(n.WaitActive)
	keep := n.node.r.ReloadableConfig()
	keep.TrailingLogs = uint64(kept)
	if err := n.node.r.ReloadConfig(keep); err != nil {
		t.Fatal(err)
	}
	db := func() int64 {
		t.Helper()
		info, err := os.Stat(filepath.Join(dir, "raft.db"))
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	written, early := 0, int64(0)
	cmds := make([]meta.Command, each)
	for i := range entries {
		for k := range cmds {
			v := fmt.Sprint(i)
			cmds[k] = meta.AlterConfig{Resource: meta.Resource{Type: meta.ClientMetricsResource, Name: fmt.Sprint(k)}, Set: map[string]*string{"k": &v}}
			written += len(meta.AppendCommand(nil, cmds[k], meta.MaxLevel))
		}
		if c := n.submit(cmds...); c.Err != nil {
			t.Fatal(c.Err)
		}
		if i%kept == kept-1 {
			if err := n.node.r.Snapshot().Error(); err != nil {
				t.Fatal(err)
			}
		}
		if i == entries/4 {
			early = db()
		}
	}
	if size := db(); size > 2*early || size > int64(written)/2 {
		t.Errorf("raft.db has %d bytes, %d after a quarter, of %d written", size, early, written)
	}
	list, err := os.ReadDir(filepath.Join(dir, "snapshots"))
	if err != nil || len(list) > keepSnapshots {
		t.Errorf("%d snapshots are kept, %v", len(list), err)
	}
	t.Logf("%d changes, %d bytes written; raft.db has %d bytes, %d after a quarter", entries*each, written, db(), early)
}
