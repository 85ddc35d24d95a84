package broker

import (
	"errors"
	"io/fs"
	"testing"

	"github.com/brokerd/brokerd/internal/vfs"
)

func TestFormat(t *testing.T) {
	disk := vfs.NewMem()
	cluster := NewID()
	o := FormatOptions{Dirs: []string{"/m", "/a", "/b"}, ClusterID: cluster, NodeID: 3}
	list, err := Format(disk, o)
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != 3 || list[0].Already || list[1].Meta.Directory == list[2].Meta.Directory {
		t.Fatalf("%+v", list)
	}
	var already *AlreadyFormattedError
	if _, err := Format(disk, o); !errors.As(err, &already) || already.Dir != "/m" || !errors.Is(err, ErrFormatted) {
		t.Fatalf("second format: %v", err)
	}
	o.IgnoreFormatted, o.Dirs = true, append(o.Dirs, "/c")
	if list, err = Format(disk, o); err != nil || !list[0].Already || list[3].Already {
		t.Fatalf("ignoring: %+v %v", list, err)
	}
	other := NewID()
	o.ClusterID, o.Dirs = other, []string{"/d", "/m"}
	if _, err := Format(disk, o); err == nil || err.Error() != "Invalid cluster.id in: /m/meta.properties. Expected "+other+", but read "+cluster {
		t.Fatalf("other cluster: %v", err)
	}
	if _, err := ReadMeta(disk, "/d"); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("/d was formatted although /m refused: %v", err)
	}
	o.ClusterID = "no id"
	if _, err := Format(disk, o); err == nil {
		t.Fatal("accepted a cluster id that is none")
	}
}

func TestInspect(t *testing.T) {
	disk := vfs.NewMem()
	cluster := NewID()
	for i, dir := range []string{"/a", "/b", "/x"} {
		id := cluster
		if i == 2 {
			id = NewID()
		}
		if _, err := Format(disk, FormatOptions{Dirs: []string{dir}, ClusterID: id, NodeID: 1}); err != nil {
			t.Fatal(err)
		}
	}
	if err := disk.MkdirAll("/empty"); err != nil {
		t.Fatal(err)
	}
	info := Inspect(disk, []string{"/x", "/gone", "/empty", "/b", "/a"})
	if len(info.Found) != 4 || info.Meta.ClusterID != cluster {
		t.Fatalf("%+v", info)
	}
	want := []string{"/empty is not formatted.", "/gone does not exist", "Mismatched cluster IDs between storage directories."}
	if len(info.Problems) != len(want) {
		t.Fatalf("%q", info.Problems)
	}
	for i := range want {
		if info.Problems[i] != want[i] {
			t.Errorf("%q, want %q", info.Problems[i], want[i])
		}
	}
}
