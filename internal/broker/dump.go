package broker

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"

	"github.com/brokerd/brokerd/internal/controller"
	"github.com/brokerd/brokerd/internal/vfs"
)

// DumpMetadata prints the metadata of a stopped node: all that a data directory
// holds of it, or one of the files.
func DumpMetadata(w io.Writer, name string, asJSON bool) error {
	if path.Base(name) == markerFile {
		return dumpMarker(w, name, asJSON)
	}
	f := vfs.NewOS()
	names, err := f.List(path.Join(name, raftDir))
	if err != nil || len(names) == 0 {
		return controller.Dump(w, name, asJSON)
	}
	if err = dumpMarker(w, path.Join(name, markerFile), asJSON); errors.Is(err, fs.ErrNotExist) {
		err = nil // the node runs, or did not stop cleanly
	}
	return errors.Join(err, controller.Dump(w, path.Join(name, raftDir), asJSON))
}

func dumpMarker(w io.Writer, name string, asJSON bool) error {
	p, err := readFile(vfs.NewOS(), name)
	if err != nil {
		return err
	}
	m, err := decodeMarker(p)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if asJSON {
		return json.NewEncoder(w).Encode(struct {
			File  string `json:"file"`
			Type  string `json:"type"`
			Epoch int64  `json:"brokerEpoch"`
			Boot  string `json:"bootId"`
		}{name, "cleanStop", m.epoch, m.boot})
	}
	_, err = fmt.Fprintf(w, "Dumping %s\nbrokerEpoch: %d bootId: %s\n", name, m.epoch, m.boot)
	return err
}
