package broker

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/brokerd/brokerd/internal/vfs"
)

// scattered is a broker's data over several directories, with n partitions of
// topic t and a record in each.
func scattered(t *testing.T, dir string, more map[string]string, n int32) {
	t.Helper()
	b := start(t, dir, more)
	c := client(t, b, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	defer c.Close()
	if _, err := kadm.NewClient(c).CreateTopic(t.Context(), n, 1, nil, "t"); err != nil {
		t.Fatal(err)
	}
	for p := range n {
		if err := c.ProduceSync(t.Context(), &kgo.Record{Topic: "t", Partition: p, Value: []byte("x")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	stop(t, b) // at once: a clean stop tells where they lie
}

// away takes a directory's disk away, as if it were not mounted; back mounts it.
func away(t *testing.T, dir string) (back func()) {
	t.Helper()
	move := func(from, to string) {
		t.Helper()
		if err := errors.Join(os.RemoveAll(to), os.Rename(from, to)); err != nil {
			t.Fatal(err)
		}
	}
	move(dir, dir+".unmounted")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return func() { t.Helper(); move(dir+".unmounted", dir) }
}

// The metadata's disk is not there. Whatever it was, nothing begins anew beside
// the data of the others, until somebody says so.
func TestMetadataIsLost(t *testing.T) {
	for name, c := range map[string]struct{ dirs, apart, lost, text string }{
		"first log directory": {"a,b", "", "a", "belongs to cluster"},
		"a disk of its own":   {"a,b", "m", "m", "belongs to cluster"},
		"raft alone":          {"a,b", "", "a/raft", "partitions are on disk"},
		"raft of one disk":    {"a", "", "a/raft", "partitions are on disk"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			in := func(name string) string { return filepath.Join(dir, name) }
			more := map[string]string{"log.dirs": in(strings.ReplaceAll(c.dirs, ",", ","+dir+"/"))}
			if c.apart != "" {
				more["metadata.log.dir"] = in(c.apart)
			}
			scattered(t, dir, more, 4)
			before := partitionsOf(t, dir)

			back := away(t, in(c.lost))
			for range 2 {
				b, err := New(t.Context(), testOptions(t, dir, more))
				if err == nil {
					stop(t, b)
				}
				if !errors.Is(err, ErrMetadataLost) || !strings.Contains(err.Error(), c.text) || !strings.Contains(err.Error(), "brokerd storage format") {
					t.Fatalf("got %v", err)
				}
			}
			back()
			if got := partitionsOf(t, dir); got != before {
				t.Errorf("on disk are %s, were %s", got, before)
			}
			b := start(t, dir, more)
			cl := client(t, b)
			ends, err := kadm.NewClient(cl).ListEndOffsets(t.Context(), "t")
			cl.Close()
			for p := range int32(4) {
				if o, _ := ends.Lookup("t", p); err != nil || o.Offset != 1 {
					t.Errorf("partition %d ends at %+v, %v", p, o, err)
				}
			}
			stop(t, b)

			// Without it, by order: the words of the refusal.
			away(t, in(c.lost))
			meta := filepath.Join(strings.TrimSuffix(in(c.lost), "/raft"), metaFile)
			if err := os.Remove(meta); err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Fatal(err)
			}
			o := FormatOptions{Dirs: b.dirs(), ClusterID: b.identity.ClusterID, NodeID: 1, IgnoreFormatted: true}
			if _, err := Format(vfs.NewOS(), o); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				b = start(t, dir, more)
				stop(t, b)
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(meta), freshFile)); err == nil {
				t.Error("the note of formatting stays")
			}
			if got := partitionsOf(t, dir); !strings.Contains(got, "-stray") || strings.Contains(got, "t-0 ") {
				t.Errorf("on disk are %s", got)
			}
		})
	}
}

// Another directory became the first of log.dirs: the metadata is where it was.
func TestMetadataIsInAnotherDirectory(t *testing.T) {
	dir := t.TempDir()
	at := func(dirs string) map[string]string {
		return map[string]string{"log.dirs": filepath.Join(dir, strings.ReplaceAll(dirs, ",", ","+dir+"/"))}
	}
	scattered(t, dir, at("a"), 1)
	if _, err := New(t.Context(), testOptions(t, dir, at("b,a"))); !errors.Is(err, ErrMetadataLost) || !strings.Contains(err.Error(), "a/raft") {
		t.Errorf("got %v", err)
	}
	stop(t, start(t, dir, at("a,b")))
}

// partitionsOf lists the partitions under all directories in dir.
func partitionsOf(t *testing.T, dir string) string {
	t.Helper()
	var all strings.Builder
	list, err := filepath.Glob(filepath.Join(dir, "*", "t-*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range list {
		if !strings.Contains(name, ".unmounted") {
			all.WriteString(filepath.Base(name) + " ")
		}
	}
	return all.String()
}
