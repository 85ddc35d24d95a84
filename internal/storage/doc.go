// Package storage keeps the logs of one broker on disk.
//
//	Store ─ logDir ─ Log ── view ──► [segment 0][segment 4096][segment 9100 …active]
//	          │                       .log .index .timeindex     ▲ appends; index and
//	          │                                                  │ newest positions in memory
//	          ├ flusher: dirty logs → sync → durable ends → Flushed
//	          ├ keeper: checkpoints, retention, unlinking, space ahead
//	          └ journal: one checkpoint log for all logs of the directory
//
// A Log is one partition. Its view stands behind an atomic pointer and does not
// change while somebody reads it: a reader takes it once and takes no lock. Writers
// build a new one in the place of an old one that nobody reads any more (latest.go),
// and appends that came together (AppendEach) share one write and one view.
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
//	I6  a file with unsynced bytes is never closed, except in a directory that failed
//	    or that the log has left.
//	I7  after an error of a sync nothing of that directory is acknowledged (S3).
//	I8  epochs in the cache rise strictly, start offsets too; they agree with the batches.
//	I9  producer states on disk are those of a prefix of the log, or ignored.
//	I10 indexes are caches: an entry is believed only after the batch it points at
//	    was seen to be there. The .index of a sealed segment stays open between
//	    look-ups, as one of the files that fdCache bounds.
//	I11 compaction leaves at every offset what was written there or nothing; never
//	    nothing where the newest decided record of a key stands, except a tombstone
//	    past its horizon; and touches nothing at or above the last stable offset.
//	I12 of two directories of one partition the one that has moved more often is the
//	    log. A log is in another directory, for those who acknowledge, once its name
//	    there is durable and so is all below its durable end.
//
// Recovery trusts the log below the checkpoint and scans what is above: a bad
// batch there is a torn tail and is cut; anything missing below is corruption
// and nothing is cut (ErrCorrupt). It syncs what it keeps, and what a killed
// process may have left in the page cache only; after a sync that failed it
// writes it again first, because the kernel takes those pages for clean.
//
// Compaction (compact.go, compact_swap.go, cleaner.go) makes new segments beside
// the old ones and swaps them in by one entry of the checkpoint.
//
// A log moves to another directory (move.go, copy.go, cross.go) while it is used: what
// is there is copied again and again, the rest with the log's gate held, and then the
// same Log has other segments. A move that a stop has cut short goes on (futures.go).
//
// Scrubbing (scrub.go) reads what is sealed, slowly and over and over. Damage is
// told; whether the log goes out of service is for whoever knows of other replicas.
//
// Goroutines: one flusher, one keeper and one scrubber per directory, ended by Store.Close;
// short-lived ones for space ahead, for compaction and moves while there is something
// to do, and for recovery, which their starters join.
//
// Locks: Log.writeMu spans the disk write of an append and is the outer one. The
// others (Log.syncMu, flusher.mu, keeper.mu, mover.mu, journal.mu, fdCache.mu, background.mu,
// Store.mu) touch memory only and are leaves. What waits for a sync (truncation,
// small files, the journal) holds a gate, which is a channel: first a log's, then
// the journal's.
//
// Tests: model_test.go and compact_model_test.go compare random operations with a
// slice, across power cuts, and must notice each mutation of mutate.go; fuzz_test.go feeds every
// decoder; the rest are tests by file.
package storage
