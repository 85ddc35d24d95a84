// Package storage keeps the logs of one broker on disk.
//
//	Store ─ logDir ─ Log ── view ──► [segment 0][segment 4096][segment 9100 …active]
//	          │                       .log .index .timeindex     ▲ appends; index and
//	          │                                                  │ newest positions in memory
//	          ├ flusher: dirty logs → sync → durable ends → Flushed
//	          ├ keeper: checkpoints, retention, unlinking, space ahead
//	          └ journal: one checkpoint log for all logs of the directory
//
// A Log is one partition. Its view is immutable and stands behind an atomic
// pointer: a reader loads it once and takes no lock. Writers build a new one.
//
// Invariants
//
//	I1  start ≤ high watermark ≤ end, durable ≤ end, last stable ≤ high watermark;
//	    end never falls except in Truncate and Reset, durable falls before it.
//	I2  batches never overlap and base offsets rise; only compaction and a follower
//	    of a compacted log leave gaps.
//	I3  a segment file is unlinked only after it left the view; who holds a Range
//	    keeps reading it.
//	I4  a durable end counts only after every byte below it, every directory entry
//	    on its way and partition.metadata were synced.
//	I5  the checkpoint never says more than is durable: it names a point of the
//	    log at or below the durable end.
//	I6  a file with unsynced bytes is never closed, except in a directory that failed.
//	I7  after an error of a sync nothing of that directory is acknowledged (S3).
//	I8  epochs in the cache rise strictly, start offsets too; they agree with the batches.
//	I9  producer states on disk are those of a prefix of the log, or ignored.
//	I10 indexes are caches: an entry is believed only after the batch it points at
//	    was seen to be there.
//
// Recovery trusts the log below the checkpoint and scans what is above: a bad
// batch there is a torn tail and is cut; anything missing below is corruption
// and nothing is cut (ErrCorrupt).
//
// Goroutines: one flusher and one keeper per directory, ended by Store.Close;
// one short-lived for space ahead of a busy segment. Locks: Log.writeMu (spans
// the disk write of an append), Log.syncMu, flusher.mu, journal.mu, fdCache.mu,
// Store.mu: memory only, none held while another is taken. What waits for a sync
// (truncation, durable small files) holds a gate, which is a channel.
//
// Tests: model_test.go compares random operations with a slice, across power
// cuts, and must notice each mutation of mutate.go; fuzz_test.go feeds every
// decoder; the rest are tests by file.
package storage
