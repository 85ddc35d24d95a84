package controller

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/raft"

	"github.com/brokerd/brokerd/internal/vfs"
)

// fsSnapshots is raft's snapshot store on the file-system seam. One file each,
// complete from the moment it has its name:
//
//	<id>.snap:  "brkdsnap" │ meta length u32 │ meta (JSON of raft.SnapshotMeta) │ data … │ size u64 │ crc32c u32
//
// The checksum covers everything before it. <id>.tmp is one that was not finished.
type fsSnapshots struct {
	fs  vfs.FS
	dir string
}

const (
	snapMagic  = "brkdsnap"
	snapFooter = 12
)

func openFSSnapshots(fsys vfs.FS, dir string) (*fsSnapshots, error) {
	if err := makeDir(fsys, dir); err != nil {
		return nil, err
	}
	names, err := fsys.List(dir)
	if err != nil {
		return nil, fmt.Errorf("list snapshots: %w", err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, ".tmp") {
			if err := fsys.Remove(dir + "/" + name); err != nil {
				return nil, fmt.Errorf("remove unfinished snapshot: %w", err)
			}
		}
	}
	return &fsSnapshots{fsys, dir}, nil
}

// Create begins a snapshot.
func (s *fsSnapshots) Create(version raft.SnapshotVersion, index, term uint64, c raft.Configuration, configIndex uint64, _ raft.Transport) (raft.SnapshotSink, error) {
	m := raft.SnapshotMeta{
		Version: version, Index: index, Term: term, Configuration: c, ConfigurationIndex: configIndex,
		ID: fmt.Sprintf("%020d-%020d-%d", term, index, time.Now().UnixMilli()),
	}
	head, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	temp := s.dir + "/" + m.ID + ".tmp"
	f, err := s.fs.Open(temp, vfs.Create)
	if err != nil {
		return nil, fmt.Errorf("create snapshot: %w", err)
	}
	k := &fsSink{s: s, id: m.ID, f: f, crc: crc32.New(castagnoli)}
	b := binary.LittleEndian.AppendUint32([]byte(snapMagic), uint32(len(head)))
	if _, err := k.write(append(b, head...)); err != nil {
		return nil, errors.Join(err, k.Cancel())
	}
	k.data = 0
	return k, nil
}

// fsSink is a snapshot being written.
type fsSink struct {
	s     *fsSnapshots
	id    string
	f     vfs.File
	at    int64
	data  uint64
	crc   hash.Hash32
	ended bool
}

func (k *fsSink) ID() string { return k.id }

func (k *fsSink) Write(p []byte) (int, error) { return k.write(p) }

func (k *fsSink) write(p []byte) (int, error) {
	n, err := k.f.WriteAt(p, k.at)
	k.crc.Write(p[:n])
	k.at += int64(n)
	k.data += uint64(n)
	return n, err
}

// Close makes the snapshot durable, then gives it its name.
func (k *fsSink) Close() error {
	if k.ended {
		return nil
	}
	foot := binary.LittleEndian.AppendUint64(nil, k.data)
	k.crc.Write(foot)
	foot = k.crc.Sum(foot)
	slices.Reverse(foot[8:]) // Sum is big-endian, everything here is little
	_, err := k.f.WriteAt(foot, k.at)
	if err == nil {
		err = k.f.Sync()
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write snapshot %s: %w", k.id, err), k.Cancel())
	}
	k.ended = true
	if err := k.f.Close(); err != nil {
		return err
	}
	name := k.s.dir + "/" + k.id
	if err := k.s.fs.Rename(name+".tmp", name+".snap"); err != nil {
		return fmt.Errorf("name snapshot %s: %w", k.id, err)
	}
	if err := k.s.fs.SyncDir(k.s.dir); err != nil {
		return fmt.Errorf("sync snapshot directory: %w", err)
	}
	return k.s.reap()
}

func (k *fsSink) Cancel() error {
	if k.ended {
		return nil
	}
	k.ended = true
	return errors.Join(k.f.Close(), k.s.fs.Remove(k.s.dir+"/"+k.id+".tmp"))
}

// reap removes all but the newest.
func (s *fsSnapshots) reap() error {
	list, err := s.List()
	if err != nil || len(list) <= keepSnapshots {
		return err
	}
	for _, m := range list[keepSnapshots:] {
		if err := s.fs.Remove(s.dir + "/" + m.ID + ".snap"); err != nil {
			return fmt.Errorf("remove old snapshot: %w", err)
		}
	}
	return nil
}

// List gives the snapshots, the newest first. One whose head cannot be read is
// left out here; one with damaged data fails in Open.
func (s *fsSnapshots) List() ([]*raft.SnapshotMeta, error) {
	names, err := s.fs.List(s.dir)
	if err != nil {
		return nil, fmt.Errorf("list snapshots: %w", err)
	}
	var list []*raft.SnapshotMeta
	for _, name := range names {
		id, ok := strings.CutSuffix(name, ".snap")
		if !ok {
			continue
		}
		if m, _, f, err := s.head(id); err == nil {
			list = append(list, m)
			_ = f.Close() // only read
		}
	}
	slices.SortFunc(list, func(a, b *raft.SnapshotMeta) int {
		return cmp.Or(cmp.Compare(b.Term, a.Term), cmp.Compare(b.Index, a.Index), strings.Compare(b.ID, a.ID))
	})
	return list, nil
}

// head reads what stands before the data.
func (s *fsSnapshots) head(id string) (*raft.SnapshotMeta, int64, vfs.File, error) {
	f, err := s.fs.Open(s.dir+"/"+id+".snap", vfs.Read)
	if err != nil {
		return nil, 0, nil, err
	}
	bad := func(err error) (*raft.SnapshotMeta, int64, vfs.File, error) {
		return nil, 0, nil, errors.Join(fmt.Errorf("snapshot %s: %w", id, err), f.Close())
	}
	size, err := f.Size()
	if err != nil {
		return bad(err)
	}
	var b [12]byte
	if _, err := f.ReadAt(b[:], 0); err != nil {
		return bad(err)
	}
	n := int64(binary.LittleEndian.Uint32(b[8:]))
	if string(b[:8]) != snapMagic || n > size-12-snapFooter {
		return bad(errors.New("its head is damaged"))
	}
	text := make([]byte, n)
	if _, err := f.ReadAt(text, 12); err != nil {
		return bad(err)
	}
	m := new(raft.SnapshotMeta)
	if err := json.Unmarshal(text, m); err != nil {
		return bad(err)
	}
	m.Size = size - 12 - n - snapFooter
	return m, 12 + n, f, nil
}

// Open checks a whole snapshot and then gives its data.
func (s *fsSnapshots) Open(id string) (*raft.SnapshotMeta, io.ReadCloser, error) {
	m, at, f, err := s.head(id)
	if err != nil {
		return nil, nil, err
	}
	crc := crc32.New(castagnoli)
	_, err = io.Copy(crc, io.NewSectionReader(f, 0, at+m.Size+8))
	var foot [snapFooter]byte
	if err == nil {
		_, err = f.ReadAt(foot[:], at+m.Size)
	}
	if err == nil && (crc.Sum32() != binary.LittleEndian.Uint32(foot[8:]) || int64(binary.LittleEndian.Uint64(foot[:])) != m.Size) {
		err = errors.New("its checksum differs")
	}
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("snapshot %s: %w", id, err), f.Close())
	}
	return m, &fsReader{io.NewSectionReader(f, at, m.Size), f}, nil
}

type fsReader struct {
	io.Reader
	f vfs.File
}

func (r *fsReader) Close() error { return r.f.Close() }
