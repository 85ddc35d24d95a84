package storage

import (
	"bytes"
	"encoding/binary"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/brokerd/brokerd/internal/step"
	"github.com/brokerd/brokerd/internal/vfs"
)

// A file of a newer release takes its log out of service, whether the checkpoint
// knows the log or not, and nothing else. The log does not begin anew, in no
// directory, nor is it set aside; the release that wrote the file finds all.
func TestNewerFilesRefuseTheirLog(t *testing.T) {
	epochs := epochsFile([]epochStart{{1, 0}})
	binary.BigEndian.PutUint32(epochs[4:], 2)
	for _, c := range []struct {
		what, file string
		content    []byte
	}{
		{"metadata", metadataName, []byte("version: 1\ntopic_id: " + testID(0).Topic.String())},
		{"metadata without an id", metadataName, []byte("version: 7\nid: what we cannot know")},
		{"epochs", epochsName, epochs},
	} {
		for _, known := range []bool{false, true} {
			t.Run(c.what+map[bool]string{true: ", known to the checkpoint"}[known], func(t *testing.T) {
				mem := vfs.NewMem()
				l := led(t, openStore(t, mem), 0, testConfig())
				if a := mustAppend(t, l, 1, batch(t, 2, 5, 1)); !l.home().flusher.await(l, a.Next) {
					t.Fatal("not durable")
				}
				if known {
					pointNow(t, l)
				}
				disk := mem.Crash(rng(1), 0)
				path := "/d/orders-0/" + c.file
				was, err := readWhole(disk, path)
				if err == nil {
					err = overwrite(disk, path, c.content, 0)
				}
				if err != nil {
					t.Fatal(err)
				}

				var said bytes.Buffer
				s := openStore(t, disk, func(o *Options) {
					if !known { // a log that is to begin goes where the fewest are
						o.Dirs = append(o.Dirs, "/empty")
					}
					o.Logger = slog.New(slog.NewTextHandler(&said, nil))
				})
				if text := said.String(); strings.Count(text, path) != 1 || !strings.Contains(text, "a newer release wrote it") {
					t.Errorf("the operator hears %q", text)
				}
				if s.Intact() {
					t.Error("all is called whole")
				}
				if _, err := s.Log(testID(0), "orders", testConfig()); !errors.Is(err, ErrNewer) {
					t.Errorf("opened: %v", err)
				}
				if c.file == metadataName {
					if slices.ContainsFunc(s.Found(), func(f Stored) bool { return f.ID == testID(0) }) {
						if err := s.Quarantine(testID(0)); !errors.Is(err, ErrNewer) {
							t.Errorf("set aside: %v", err)
						}
					}
					other := step.PartitionID{Topic: step.TopicID{9}}
					if l, err := s.Log(other, "orders", testConfig()); err == nil {
						lead(t, l, 1)
						if _, err := l.Append(1, batch(t, 1, 5, 1)); !errors.Is(err, ErrNewer) {
							t.Errorf("the next topic of the name: %v", err)
						}
					}
				}
				mustAppend(t, led(t, s, 1, testConfig()), 1, batch(t, 1, 5, 1))
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}

				if err := overwrite(disk, path, was, 0); err != nil {
					t.Fatal(err)
				}
				if l := openLog(t, openStore(t, disk), 0, testConfig()); l.View().End != 2 {
					t.Errorf("the log ends at %d afterwards", l.View().End)
				}
			})
		}
	}
}
