package controller

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
	"go.etcd.io/bbolt"
)

// Stores is where raft keeps what it must not forget.
type Stores struct {
	Log       raft.LogStore
	Stable    raft.StableStore // term and vote
	Snapshots raft.SnapshotStore
	Closer    io.Closer // of all three; may be nil
}

const (
	logCacheEntries = 64 // times 256 KiB is the most memory it takes
	keepSnapshots   = 2  // the last good one stays until the next is

	logFile     = "raft.db"
	snapshotDir = "snapshots" // this name and those of the two files in a snapshot are raft's
	metaFile    = "meta.json"
	stateFile   = "state.bin"
)

// OpenBolt opens the stores of the product under dir: raft.db (log, term, vote)
// and snapshots/. Every append, every vote is synced before it counts.
func OpenBolt(dir string, l *slog.Logger) (Stores, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return Stores{}, fmt.Errorf("make metadata directory: %w", err)
	}
	path := filepath.Join(dir, logFile)
	_, missing := os.Stat(path)
	db, err := raftboltdb.New(raftboltdb.Options{
		Path: path,
		// Without the free list on disk a commit writes two pages less; the
		// list is found again by one walk at the next open.
		BoltOptions: &bbolt.Options{
			NoFreelistSync: true,
			FreelistType:   bbolt.FreelistMapType,
			Timeout:        time.Second, // for a lock that another process holds
		},
	})
	if err != nil {
		return Stores{}, fmt.Errorf("open raft log %s: %w", path, err)
	}
	snapshots, err := raft.NewFileSnapshotStoreWithLogger(dir, keepSnapshots, newRaftLog(l))
	if err != nil {
		_ = db.Close() // the first error is what counts
		return Stores{}, fmt.Errorf("open metadata snapshots: %w", err)
	}
	// Neither of the two makes the names of its own files durable.
	if missing == nil {
		return Stores{Log: db, Stable: db, Snapshots: snapshots, Closer: db}, nil
	}
	if err := syncDirs(filepath.Join(dir, snapshotDir), dir, filepath.Dir(dir)); err != nil {
		_ = db.Close() // the first error is what counts
		return Stores{}, err
	}
	return Stores{Log: db, Stable: db, Snapshots: snapshots, Closer: db}, nil
}

func syncDirs(dirs ...string) error {
	for _, dir := range dirs {
		d, err := os.Open(dir)
		if err != nil {
			return fmt.Errorf("sync directory: %w", err)
		}
		err = errors.Join(d.Sync(), d.Close())
		if err != nil {
			return fmt.Errorf("sync directory %s: %w", dir, err)
		}
	}
	return nil
}

// HasState reports whether the stores remember anything: then this server
// belongs to a group already, and must not bootstrap one.
func (s Stores) HasState() (bool, error) {
	return raft.HasExistingState(s.Log, s.Stable, s.Snapshots)
}

// undoHalfBootstrap takes back what a bootstrap left that was killed in its
// middle: raft commits the term first, 1, and then the entry that names the
// voters. No election and no leader ever had term 1, so a server with it, without
// an entry, a snapshot or a vote belongs to no group yet.
func (s Stores) undoHalfBootstrap() error {
	term, err := s.Stable.GetUint64(keyCurrentTerm)
	if err != nil || term != 1 {
		return nil // "not found" is an error here; HasState tells of others
	}
	if vote, err := s.Stable.GetUint64(keyLastVoteTerm); err == nil && vote > 0 {
		return nil
	}
	last, err := s.Log.LastIndex()
	if err != nil || last > 0 {
		return err
	}
	snapshots, err := s.Snapshots.List()
	if err != nil || len(snapshots) > 0 {
		return err
	}
	return s.Stable.SetUint64(keyCurrentTerm, 0)
}

// Raft's own keys in the stable store.
var (
	keyCurrentTerm  = []byte("CurrentTerm")
	keyLastVoteTerm = []byte("LastVoteTerm")
	keyLastVoteCand = []byte("LastVoteCand")
)

func (s Stores) close() error {
	if s.Closer == nil {
		return nil
	}
	return s.Closer.Close()
}
