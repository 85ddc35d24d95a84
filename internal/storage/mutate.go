package storage

// mutations switch single safety rules off, so that tests can prove that they
// would notice. Only tests of this package set them.
var mutations struct {
	ackBeforeSync    bool // durable ends are told before the sync
	noDirectorySync  bool // new files count without their directory entries
	checkpointAhead  bool // the checkpoint names a point that is not durable
	swapBeforeSync   bool // compaction swaps segments that are not durable
	compactUndecided bool // compaction passes the last stable offset
	dropTombstones   bool // compaction keeps no tombstone
	forgetSwap       bool // recovery undoes every swap
	endBeforeSync    bool // recovery reports its end before it has synced it
}
