package storage

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"

	"github.com/brokerd/brokerd/internal/vfs"
)

// castagnoli is the polynomial of every CRC that storage writes.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A small file whose format is ours is one frame (S6):
//
//	0 magic 4 | 4 version 4 | 8 payload length 4 | 12 CRC32C of payload 4 | 16 payload
//
// It is written beside its place, synced, renamed, and its directory synced.
const frameHeader = 16

// maxFrame bounds what a length field may make us allocate.
const maxFrame = 256 << 20

var errBadFrame = errors.New("file is damaged")

// kind is one of our file formats.
type kind struct {
	magic   string // four bytes
	version uint32 // what this program writes; it reads nothing newer
	what    string // for messages
}

var (
	epochsKind     = kind{"bkEP", 1, "leader epochs"}
	producersKind  = kind{"bkPR", 1, "producer state"}
	checkpointKind = kind{"bkCP", 2, "checkpoint"} // 2: swapped, cleaned
)

// seal puts payload, which starts after frameHeader bytes of p, into its frame.
func (k kind) seal(p []byte) []byte {
	copy(p, k.magic)
	binary.BigEndian.PutUint32(p[4:], k.version)
	binary.BigEndian.PutUint32(p[8:], uint32(len(p)-frameHeader))
	binary.BigEndian.PutUint32(p[12:], crc32.Checksum(p[frameHeader:], castagnoli))
	return p
}

// open takes the payload out of its frame.
func (k kind) open(p []byte) ([]byte, error) {
	if len(p) < frameHeader || string(p[:4]) != k.magic {
		return nil, errBadFrame
	}
	if v := binary.BigEndian.Uint32(p[4:]); v > k.version {
		return nil, &NewerError{What: k.what, Version: v, Known: k.version}
	}
	body := p[frameHeader:]
	if uint32(len(body)) != binary.BigEndian.Uint32(p[8:]) {
		return nil, errBadFrame
	}
	if crc32.Checksum(body, castagnoli) != binary.BigEndian.Uint32(p[12:]) {
		return nil, errBadFrame
	}
	return body, nil
}

// NewerError refuses a file that a newer program wrote.
type NewerError struct {
	What           string
	Version, Known uint32
	Path           string
}

func (e *NewerError) Error() string {
	return fmt.Sprintf("%s file %s has format version %d, this brokerd reads up to %d: a newer release wrote it; run that one",
		e.What, e.Path, e.Version, e.Known)
}

func (e *NewerError) Unwrap() error { return ErrNewer }

// readWhole reads a small file. A missing file is nil without error.
func readWhole(fsys vfs.FS, path string) ([]byte, error) {
	f, err := fsys.Open(path, vfs.Read)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close() // read only: nothing to lose
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	if size > maxFrame {
		return nil, fmt.Errorf("%s has %d bytes: %w", path, size, errBadFrame)
	}
	p := make([]byte, size)
	n, err := f.ReadAt(p, 0)
	if int64(n) == size {
		err = nil
	}
	return p[:n], err
}

// readFrame reads a framed file: nil without error if it is missing, errBadFrame
// if it is damaged, a *NewerError if it is not ours to read.
func readFrame(fsys vfs.FS, path string, k kind) ([]byte, error) {
	p, err := readWhole(fsys, path)
	if p == nil || err != nil {
		return nil, err
	}
	body, err := k.open(p)
	if newer := (*NewerError)(nil); errors.As(err, &newer) {
		newer.Path = path
	}
	return body, err
}

// replaceFile writes a small file durably: beside, sync, rename. The caller
// syncs the directory, after which the change has happened.
func replaceFile(fsys vfs.FS, path string, p []byte) error {
	f, err := fsys.Open(path+tempSuffix, vfs.Create)
	if err != nil {
		return err
	}
	if err = writeSynced(f, p); err == nil {
		err = f.Close()
	} else {
		_ = f.Close() // the first error is the cause
	}
	if err != nil {
		return err
	}
	return fsys.Rename(path+tempSuffix, path)
}

func writeSynced(f vfs.File, p []byte) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	if _, err := f.WriteAt(p, 0); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return &syncError{err}
	}
	return nil
}
