package controller

import (
	"errors"
	"fmt"

	"github.com/hashicorp/raft"
)

// ErrSnapshotLost says that the metadata log begins behind every snapshot that
// can be read: what lies between is gone, and this disk can not start from it.
var ErrSnapshotLost = errors.New("no readable metadata snapshot reaches the metadata log")

const snapshotAdvice = "restore this node's metadata directory, or empty it and let the node join again as a new voter"

// snapshotGuard hides snapshots from raft that the log does not connect to.
// Raft would take an older one when the newest is damaged, and then miss entries.
type snapshotGuard struct {
	raft.SnapshotStore
	logs raft.LogStore
}

func (g snapshotGuard) List() ([]*raft.SnapshotMeta, error) {
	list, err := g.SnapshotStore.List()
	if err != nil {
		return nil, err
	}
	first, err := g.logs.FirstIndex()
	if err != nil || first <= 1 {
		return list, err
	}
	near := list[:0:0]
	for _, m := range list {
		if m.Index+1 >= first {
			near = append(near, m)
		}
	}
	if len(near) == 0 {
		return nil, fmt.Errorf("%w, which begins at %d; %d older ones are there: %s", ErrSnapshotLost, first, len(list), snapshotAdvice)
	}
	return near, nil
}
