package broker

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"

	"github.com/brokerd/brokerd/internal/storage"
	"github.com/brokerd/brokerd/internal/vfs"
)

// A disk that is not mounted looks like one that was never used. Of the metadata
// that must not be guessed: a node that begins anew knows none of the topics on
// its other disks, and would set all of them aside. So an empty metadata
// directory beside formatted ones is refused, and so is one without raft state
// beside partitions, unless `storage format` was run: it leaves freshFile, which
// goes when this node has joined its cluster.

// ErrMetadataLost says that a node's metadata is gone, but not its data.
var ErrMetadataLost = errors.New("the metadata is gone")

// freshFile in a directory says that `storage format` made it. It is empty.
const freshFile = "brokerd-formatted"

// expectMetadata refuses a metadata directory that is empty while others of this
// node are not.
func expectMetadata(f vfs.FS, metadata string, id Identity, empty []string) error {
	if !slices.Contains(empty, metadata) || len(id.Directories) == 0 {
		return nil
	}
	dirs := slices.Sorted(maps.Keys(id.Directories))
	for _, dir := range dirs {
		if names, err := f.List(path.Join(dir, raftDir)); err == nil && len(names) > 0 {
			return fmt.Errorf("%w: %s, where it belongs, is empty, but %s is there: name that directory with metadata.log.dir, or first in log.dirs as before",
				ErrMetadataLost, metadata, path.Join(dir, raftDir))
		}
	}
	return fmt.Errorf("%w: %s, where it belongs, is empty, but %s belongs to cluster %s: mount or restore that disk and start again; "+
		"or begin anew without it, which sets aside all partitions that the cluster does not know: `brokerd storage format -t %s --ignore-formatted -c FILE`",
		ErrMetadataLost, metadata, dirs[0], id.ClusterID, id.ClusterID)
}

// expectState refuses a metadata directory without raft state while partitions
// are on disk, unless it is new by order.
func expectState(f vfs.FS, metadata string, id Identity) error {
	if fresh, err := exists(f, path.Join(metadata, freshFile)); fresh || err != nil {
		return err
	}
	dirs := slices.Sorted(maps.Keys(id.Directories))
	for _, dir := range dirs {
		names, err := f.List(dir)
		if err != nil {
			continue // the store says what is wrong with it
		}
		if i := slices.IndexFunc(names, storage.IsPartition); i >= 0 {
			return fmt.Errorf("%w: %s has no state, but partitions are on disk, %s for one: restore %s from where it went; "+
				"or begin anew without it, which sets aside all partitions that the cluster does not know: remove %s, then `brokerd storage format -t %s --ignore-formatted -c FILE`",
				ErrMetadataLost, path.Join(metadata, raftDir), path.Join(dir, names[i]), path.Join(metadata, raftDir), path.Join(metadata, metaFile), id.ClusterID)
		}
	}
	return nil
}

func exists(f vfs.FS, name string) (bool, error) {
	file, err := f.Open(name, vfs.Read)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, file.Close()
}

// markFresh says in a directory that it is new by order.
func markFresh(f vfs.FS, dir string) error {
	if err := f.MkdirAll(dir); err != nil {
		return fmt.Errorf("make log directory: %w", err)
	}
	if err := writeFile(f, dir, freshFile, nil); err != nil {
		return fmt.Errorf("format %s: %w", dir, err)
	}
	return nil
}

// settled removes the notes of `storage format`: what this node knows from now
// on is not to be lost.
func (b *Broker) settled() error {
	for _, dir := range b.dirs() {
		name := path.Join(dir, freshFile)
		if there, err := exists(b.o.FS, name); !there || err != nil {
			continue // a directory that has failed is the store's concern
		}
		if err := errors.Join(b.o.FS.Remove(name), b.o.FS.SyncDir(dir)); err != nil {
			return fmt.Errorf("remove %s: %w", name, err)
		}
	}
	return nil
}
