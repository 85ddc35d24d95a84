package storage

import (
	"context"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/brokerd/brokerd/internal/vfs"
)

// A file of a newer program ends the start in one line, whether the checkpoint
// knows the log or not. Nothing is set aside.
func TestNewerFilesRefuseTheStart(t *testing.T) {
	put := func(t *testing.T, fsys vfs.FS, name string, p []byte) {
		t.Helper()
		if err := overwrite(fsys, "/d/orders-0/"+name, p, 0); err != nil {
			t.Fatal(err)
		}
	}
	epochs := epochsFile([]epochStart{{1, 0}})
	binary.BigEndian.PutUint32(epochs[4:], 2)
	for name, p := range map[string][]byte{
		metadataName: []byte("version: 1\ntopic_id: AQIDAAAAAAAAAAAAAAAAAA"),
		epochsName:   epochs,
	} {
		for _, known := range []bool{false, true} {
			mem := vfs.NewMem()
			l := openLog(t, openStore(t, mem), 0, testConfig())
			lead(t, l, 1)
			if a := mustAppend(t, l, 1, batch(t, 2, 5, 1)); !l.dir.flusher.await(l, a.Next) {
				t.Fatal("not durable")
			}
			if known {
				pointNow(t, l)
			}
			disk := mem.Crash(rng(1), 0)
			put(t, disk, name, p)
			s, err := Open(context.Background(), Options{FS: disk, Dirs: []string{"/d"}})
			if err == nil {
				t.Errorf("%s, known to the checkpoint %v: started", name, known)
				_ = s.Close()
			} else if newer := (*NewerError)(nil); !errors.As(err, &newer) || newer.Path != "/d/orders-0/"+name {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}
