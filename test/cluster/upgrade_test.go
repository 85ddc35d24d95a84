//go:build cluster

package cluster

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/brokerd/brokerd/test/harness"
)

// TestUpgrade rolls a cluster from a program that lacks a command to this one,
// back, up again, raises its metadata level, and then cannot go back any more. The
// older program is this tree without what came with the newest level, and the one
// of the commit before that level came to be.
func TestUpgrade(t *testing.T) {
	for _, older := range []struct {
		name  string
		build func(*testing.T) string
	}{
		{"this tree at level 1", func(t *testing.T) string { return buildIn(t, moduleRoot(t), "-tags", "level1") }},
		{"the commit before level 2", buildBeforeLevels},
	} {
		t.Run(older.name, func(t *testing.T) { upgrade(t, older.build(t)) })
	}
}

func upgrade(t *testing.T, older string) {
	newer := harness.Binary(t)
	c := harness.Start(t, harness.Options{Nodes: 3, Binary: older})
	agree(t, c.Nodes, 3)
	create := func(name string) {
		t.Helper()
		eventually(t, "topic "+name, func() error {
			_, err := kadm.NewClient(client(t, c.Bootstrap())).CreateTopic(within(t), 3, 3, nil, name)
			return err
		})
		produce(t, c, name, 50)
		eventually(t, "a group's offsets, beside the topic "+name, func() error { return offsetsOf(t, c, "group-"+name, name) })
	}
	create("old")
	run := func(n *harness.Node, binary string) {
		t.Helper()
		n.Stop()
		n.Use(binary)
		n.Restart()
		agreeOn(t, c.Nodes, 3, func(v view) string { return fmt.Sprint(v.cluster, v.brokers, len(v.leaders)) })
		eventually(t, "everybody is in sync", func() error { return inSync(t, c, "old", 3) })
	}
	features := func(n *harness.Node, words ...string) (string, error) {
		out, err := exec.Command(newer, append([]string{"cluster", "features", "-b", n.Addr()}, words...)...).CombinedOutput()
		return string(out), err
	}
	level := func(want string) {
		t.Helper()
		eventually(t, "level "+want, func() error {
			for _, n := range c.Nodes {
				if out, err := features(n, "-o", "json"); err != nil || !strings.Contains(out, `"finalized": `+want) {
					return fmt.Errorf("node %d: %v\n%s", n.ID, err, out)
				}
			}
			return nil
		})
	}

	run(c.Nodes[0], newer)
	create("mixed")
	level("1")
	if out, err := features(c.Nodes[0], "upgrade", "--level", "2"); err == nil {
		t.Fatalf("the level was raised beside older nodes:\n%s", out)
	}
	run(c.Nodes[1], newer)
	run(c.Nodes[0], older) // nothing keeps it from going back
	create("back")
	run(c.Nodes[0], newer)
	// Whoever leads knows the new level now, or will: node 3 is the last old one.
	if v := agree(t, c.Nodes, 3); v.controller == 3 {
		c.Nodes[2].Kill()
		agree(t, c.Nodes[:2], 2)
		c.Nodes[2].Restart()
		agree(t, c.Nodes, 3)
	}
	if out, err := features(c.Nodes[0], "upgrade", "--level", "2"); err == nil || !strings.Contains(out, "node 3 knows levels up to 1") {
		t.Fatalf("node 3 does not know level 2: %v\n%s", err, out)
	}
	level("1")
	run(c.Nodes[2], newer)
	create("new")
	level("1")
	if out, err := features(c.Nodes[1], "upgrade", "--dry-run"); err != nil || !strings.Contains(out, "can go from 1 to 3") {
		t.Fatalf("%v\n%s", err, out)
	}
	level("1")
	if out, err := features(c.Nodes[1], "upgrade"); err != nil || !strings.Contains(out, "went from 1 to 3") {
		t.Fatalf("%v\n%s", err, out)
	}
	level("3")

	// No way back from here, but nothing is lost by trying.
	n := c.Nodes[1]
	n.Stop()
	n.Use(older)
	n.Launch()
	if err := n.TryReady(); err == nil || !strings.Contains(n.Output(), "the cluster is at metadata level 3, this version of brokerd knows up to 1: use a newer brokerd") {
		t.Fatalf("an older program at level 3: %v\n%s", err, n.Output())
	}
	n.Kill()
	n.Use(newer)
	n.Restart()
	agree(t, c.Nodes, 3)
	eventually(t, "everybody is in sync", func() error { return inSync(t, c, "old", 3) })
	create("after")
}

// offsetsOf commits an offset of a group and fetches it: whatever programs its
// coordinator and that one's followers are, both are answered.
func offsetsOf(t *testing.T, c *harness.Cluster, group, topic string) error {
	adm := kadm.NewClient(client(t, c.Bootstrap()))
	at := kadm.Offsets{}
	at.AddOffset(topic, 0, 7, -1)
	if err := adm.CommitAllOffsets(within(t), group, at); err != nil {
		return err
	}
	got, err := adm.FetchOffsets(within(t), group)
	if err != nil {
		return err
	}
	if o, ok := got.Lookup(topic, 0); !ok || o.Err != nil || o.At != 7 {
		return fmt.Errorf("group %s has %+v", group, o)
	}
	return nil
}

func moduleRoot(t *testing.T) string {
	t.Helper()
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// buildIn builds the program of a tree. Without -trimpath a tree in a temporary
// directory shares nothing with what was built before.
func buildIn(t *testing.T, tree string, flags ...string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "brokerd")
	build := exec.Command("go", append(append([]string{"build", "-trimpath", "-ldflags", "-s -w"}, flags...), "-o", out, "./cmd/brokerd")...)
	build.Dir, build.Env = tree, append(os.Environ(), "CGO_ENABLED=0")
	if text, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build in %s: %v\n%s", tree, err, text)
	}
	return out
}

// buildBeforeLevels builds the last commit that knew one level only.
func buildBeforeLevels(t *testing.T) string {
	t.Helper()
	root := moduleRoot(t)
	git := func(args ...string) ([]byte, error) {
		cmd := exec.Command("git", args...)
		cmd.Dir = root
		return cmd.Output()
	}
	came, err := git("log", "--diff-filter=A", "--format=%H", "-1", "--", "internal/meta/level.go")
	var before []byte
	if err == nil && len(bytes.TrimSpace(came)) > 0 {
		before, err = git("rev-parse", "--verify", "--quiet", strings.TrimSpace(string(came))+"^")
	}
	if err != nil || len(bytes.TrimSpace(before)) == 0 {
		t.Skipf("the commit before level 2 is not in this clone (a shallow one?): only the build with -tags level1 is tried; `git fetch --unshallow` brings it")
	}
	archive, err := git("archive", "--format=tar", strings.TrimSpace(string(before)))
	if err != nil {
		t.Fatal(err)
	}
	tree := t.TempDir()
	unpack(t, archive, tree)
	return buildIn(t, tree)
}

func unpack(t *testing.T, archive []byte, dir string) {
	t.Helper()
	for r := tar.NewReader(bytes.NewReader(archive)); ; {
		h, err := r.Next()
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		at := filepath.Join(dir, h.Name)
		switch h.Typeflag {
		case tar.TypeDir:
			err = os.MkdirAll(at, 0o755)
		case tar.TypeReg:
			var content []byte
			if content, err = io.ReadAll(r); err == nil {
				err = os.WriteFile(at, content, 0o644)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
