package broker

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"log/slog"
	"path"

	"github.com/brokerd/brokerd/internal/vfs"
)

const (
	markerFile    = "clean-stop"
	markerMagic   = "BRKS"
	markerVersion = 1
)

// marker says that the last stop was clean. It stands in the metadata directory:
//
//	magic "BRKS" 4 | version 2 | length 4 | broker epoch 8 | boot id (length bytes - 8) | crc32c 4
//
// The CRC covers everything before it. Numbers are big endian.
type marker struct {
	epoch int64  // of the registration that ended
	boot  string // boot id of the operating system at that time
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (m marker) encode() []byte {
	b := []byte(markerMagic)
	b = binary.BigEndian.AppendUint16(b, markerVersion)
	b = binary.BigEndian.AppendUint32(b, uint32(8+len(m.boot)))
	b = binary.BigEndian.AppendUint64(b, uint64(m.epoch))
	b = append(b, m.boot...)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

func decodeMarker(b []byte) (marker, error) {
	const head, tail = 10, 4
	if len(b) < head || !bytes.HasPrefix(b, []byte(markerMagic)) {
		return marker{}, errors.New("not a clean-stop marker")
	}
	if v := binary.BigEndian.Uint16(b[4:]); v != markerVersion {
		return marker{}, fmt.Errorf("clean-stop marker has version %d, this release knows %d: a newer release wrote it", v, markerVersion)
	}
	n := int64(binary.BigEndian.Uint32(b[6:]))
	if n < 8 || int64(len(b)) != head+n+tail {
		return marker{}, errors.New("clean-stop marker has a wrong length")
	}
	body := b[:len(b)-tail]
	if crc32.Checksum(body, castagnoli) != binary.BigEndian.Uint32(b[len(body):]) {
		return marker{}, errors.New("clean-stop marker fails its CRC")
	}
	return marker{epoch: int64(binary.BigEndian.Uint64(b[head:])), boot: string(body[head+8:])}, nil
}

// takeMarker reads the marker and removes it, durably, before anything is
// written. No marker, or one that cannot be read: the stop was not clean.
func takeMarker(f vfs.FS, dir string, log *slog.Logger) (m marker, clean bool, err error) {
	name := path.Join(dir, markerFile)
	content, err := readFile(f, name)
	if errors.Is(err, fs.ErrNotExist) {
		return marker{}, false, nil
	}
	if err != nil {
		return marker{}, false, fmt.Errorf("read clean-stop marker: %w", err)
	}
	m, damage := decodeMarker(content)
	if err := errors.Join(f.Remove(name), f.SyncDir(dir)); err != nil {
		return marker{}, false, fmt.Errorf("remove clean-stop marker: %w", err)
	}
	if damage != nil {
		log.Warn("the last stop is taken for an unclean one: its marker cannot be read", "file", name, "err", damage)
	}
	return m, damage == nil, nil
}

func leaveMarker(f vfs.FS, dir string, m marker) error {
	if err := writeFile(f, dir, markerFile, m.encode()); err != nil {
		return fmt.Errorf("leave clean-stop marker: %w", err)
	}
	return nil
}
