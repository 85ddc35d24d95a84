package broker

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/brokerd/brokerd/internal/vfs"
	"github.com/brokerd/brokerd/test/captured"
)

const someID = "6foHn9NLQpiMAirIK7EG4A"

func wanted(dirs ...string) Wanted { return Wanted{Dirs: dirs, NodeID: -1, Format: true} }

func TestIdentifyFormatsWhatIsEmptyAndFindsItAgain(t *testing.T) {
	f := vfs.NewMem()
	first, err := Identify(f, wanted("/a", "/b"))
	if err != nil || !first.Formatted || first.NodeID != 1 || len(first.Directories) != 2 {
		t.Fatalf("%+v, %v", first, err)
	}
	again, err := Identify(f, wanted("/a", "/b", "/c"))
	if err != nil || again.Formatted || again.ClusterID != first.ClusterID || again.Directories["/a"] != first.Directories["/a"] {
		t.Fatalf("%+v, %v", again, err)
	}
	if again.Directories["/c"].IsZero() {
		t.Fatal("a new directory of a known node was not formatted")
	}
}

// TestNodeZero: broker.id=0 is what Kafka's oldest sample files say.
func TestNodeZero(t *testing.T) {
	f := vfs.NewMem()
	want := Wanted{Dirs: []string{"/a"}, NodeID: 0, Format: true}
	for range 2 {
		if got, err := Identify(f, want); err != nil || got.NodeID != 0 {
			t.Fatalf("%+v, %v", got, err)
		}
	}
}

func TestIdentifyRefuses(t *testing.T) {
	formatted := func(f *vfs.Mem) {
		if err := WriteMeta(f, "/a", Meta{ClusterID: someID, NodeID: 1, Directory: [16]byte{1}}); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name  string
		want  Wanted
		prep  func(*vfs.Mem)
		err   error
		texts []string
	}{
		{"foreign files", wanted("/a"), func(f *vfs.Mem) {
			for _, name := range []string{"x", "y", "z", "zz"} {
				if err := writeFile(f, "/a", name, nil); err != nil {
					t.Fatal(err)
				}
			}
		}, ErrForeign, []string{"x, y, z and 1 more", "--data-dir"}},
		{"meta.properties lost", wanted("/a"), func(f *vfs.Mem) {
			for _, name := range []string{"brokerd-checkpoint", "t-0", "raft"} {
				if err := writeFile(f, "/a", name, nil); err != nil {
					t.Fatal(err)
				}
			}
		}, ErrMetaLost, []string{"brokerd-checkpoint, raft)", "from a backup", "move the directory away"}},
		{"another cluster", Wanted{Dirs: []string{"/a"}, ClusterID: "AAAAAAAAAAAAAAAAAAAAAA", NodeID: -1, Format: true}, formatted,
			ErrIdentity, []string{someID, "AAAAAAAAAAAAAAAAAAAAAA", "the configuration"}},
		{"another node", Wanted{Dirs: []string{"/a"}, NodeID: 2, Format: true}, formatted, ErrIdentity, []string{"node.id is 1", "says 2"}},
		{"no formatting", Wanted{Dirs: []string{"/b"}, NodeID: 1}, formatted, ErrNotFormatted, []string{"brokerd storage format"}},
		{"a copied directory", wanted("/a", "/b"), func(f *vfs.Mem) {
			formatted(f)
			if err := WriteMeta(f, "/b", Meta{ClusterID: someID, NodeID: 1, Directory: [16]byte{1}}); err != nil {
				t.Fatal(err)
			}
		}, nil, []string{"same directory.id"}},
		{"a newer version", wanted("/a"), func(f *vfs.Mem) {
			if err := writeFile(f, "/a", metaFile, []byte("version=2\n")); err != nil {
				t.Fatal(err)
			}
		}, nil, []string{"newer release"}},
		{"a damaged file", wanted("/a"), func(f *vfs.Mem) {
			if err := writeFile(f, "/a", metaFile, []byte("garbage\n")); err != nil {
				t.Fatal(err)
			}
		}, nil, []string{"no version", "damaged"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := vfs.NewMem()
			if err := f.MkdirAll("/a"); err != nil {
				t.Fatal(err)
			}
			c.prep(f)
			_, err := Identify(f, c.want)
			if err == nil || c.err != nil && !errors.Is(err, c.err) {
				t.Fatalf("got %v", err)
			}
			for _, text := range c.texts {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("%q is not in %q", text, err)
				}
			}
		})
	}
}

func TestClusterIDs(t *testing.T) {
	for range 100 {
		if id := NewID(); CheckClusterID(id) != nil || strings.HasPrefix(id, "-") {
			t.Fatalf("made %q", id)
		}
	}
	for _, bad := range []string{"", "x", someID + "A"} {
		if CheckClusterID(bad) == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func TestMarkerIsTakenOnce(t *testing.T) {
	f := vfs.NewMem()
	if err := f.MkdirAll("/a"); err != nil {
		t.Fatal(err)
	}
	want := marker{epoch: 42, boot: "b5f1"}
	if err := leaveMarker(f, "/a", want); err != nil {
		t.Fatal(err)
	}
	if got, clean, err := takeMarker(f, "/a", slog.New(slog.DiscardHandler)); got != want || !clean || err != nil {
		t.Fatalf("%v, %v, %v", got, clean, err)
	}
	if _, clean, err := takeMarker(f, "/a", slog.New(slog.DiscardHandler)); clean || err != nil {
		t.Fatalf("taken twice: %v, %v", clean, err)
	}
}

func TestDamagedMarkerIsNone(t *testing.T) {
	good := marker{epoch: 7, boot: "boot"}.encode()
	for i := range good {
		bad := append([]byte(nil), good...)
		bad[i] ^= 0x10
		if m, err := decodeMarker(bad); err == nil {
			t.Errorf("byte %d flipped: decoded %v", i, m)
		}
		if _, err := decodeMarker(good[:i]); err == nil {
			t.Errorf("cut at %d: decoded", i)
		}
	}
}

// A marker that says nothing to us counts for nothing, and the operator hears
// of it once. That there is none is nothing to tell.
func TestUnreadableMarkerIsSaid(t *testing.T) {
	newer := marker{epoch: 7, boot: "boot"}.encode()
	newer[5] = markerVersion + 1
	for content, want := range map[string]string{"junk": "not a clean-stop marker", string(newer): "a newer release wrote it", "": "not a clean-stop marker"} {
		f := vfs.NewMem()
		if err := errors.Join(f.MkdirAll("/a"), writeFile(f, "/a", markerFile, []byte(content))); err != nil {
			t.Fatal(err)
		}
		var said bytes.Buffer
		for range 2 { // it is gone after the first time
			if _, clean, err := takeMarker(f, "/a", slog.New(slog.NewTextHandler(&said, nil))); clean || err != nil {
				t.Errorf("%q: clean %v, %v", content, clean, err)
			}
		}
		if text := said.String(); strings.Count(text, "level=WARN") != 1 || !strings.Contains(text, want) || !strings.Contains(text, "/a/"+markerFile) {
			t.Errorf("%q: %s", content, text)
		}
	}
}

func FuzzMarker(f *testing.F) {
	whole := marker{epoch: 7, boot: "boot"}.encode()
	f.Add(whole)
	for _, p := range captured.Spoiled(whole) {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, err := decodeMarker(b); err == nil && string(m.encode()) != string(b) {
			t.Fatalf("%x decodes to %v, which encodes to %x", b, m, m.encode())
		}
	})
}
