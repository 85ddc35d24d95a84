package storage

import (
	"path"
	"sync/atomic"

	"github.com/brokerd/brokerd/internal/record"
)

// segment is one .log file and its caches. While it is the active one its size,
// index and timestamps live in the view; what is below "sealed" is set once,
// before the view that has a newer active segment is published.
type segment struct {
	log  *Log
	base int64

	open      atomic.Pointer[handle] // in the fd cache
	openIndex atomic.Pointer[handle] // .index, in the fd cache while look-ups need it
	unsynced  atomic.Pointer[handle] // holds the file open until its bytes are synced (I6)
	space     spaceAhead
	replaced  atomic.Bool // compaction put another in its place

	// sealed
	size    int64
	summary                          // largest timestamp
	digest  uint32                   // see digest
	index   atomic.Pointer[memIndex] // until its files are written, then nil
	aborted []record.Aborted
	covers  int64 // offset up to which compaction made it of others; 0: it never did
}

// memIndex is the index of a sealed segment whose files are not written yet.
type memIndex struct{ entries []indexEntry }

func (s *segment) path(suffix string) string {
	return path.Join(s.log.path(), segmentName(s.base)+suffix)
}

// sealedMark is what the checkpoint knows of a sealed segment.
func (s *segment) sealedMark() sealedMark {
	return sealedMark{base: s.base, size: s.size, summary: s.summary, digest: s.digest, aborted: int32(len(s.aborted)), covers: s.covers}
}
