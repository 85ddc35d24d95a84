// Package replica hosts the partitions of this broker: what the metadata asks
// for is made so, records are appended and read, and who waits is told.
//
//	catalog ── image ──► Manager (one watcher) ── want ──► Partition ──► storage.Log
//	                                                         │  ▲
//	    api ── Append, Read, Wait ───────────────────────────┘  │ Flushed: once per round
//	             Ticket, Waiter ◄── Completed, Woken ─── isr.Leader ◄── of the flusher
//
// A partition that nobody has used is not here at all: its record is in the
// image. The first use opens it, on the user's goroutine, and it stays open
// until the partition leaves the broker. What this broker follows is opened by
// the watcher: nobody else asks for it.
//
//	leader   append ─► Session (one per fetcher of a follower): dirty partitions,
//	         the parked fetch ─► Serve            Fetched ─► isr.Leader
//	follower lane (one per leader, directory, durability): request ─► reply ─►
//	         Replicate or Truncate ─► group commit ─► next request
//	         keepInSync: who lags, who joins ─► one AlterPartition at a time
//
// Invariants
//
//	M1  nothing is opened, led or renamed before an image holds this broker's own
//	    registration of this run (D5).
//	M2  a partition follows images in order: an older one changes nothing (R13).
//	M3  a ticket that waits is completed exactly once, or taken back by Cancel; a
//	    waiter is woken exactly once, or taken back by Unwait.
//	M4  the view has the high watermark before anybody hears of it, and a waiter
//	    is queued under the lock that raises it: no wake is lost.
//	M5  data that the metadata does not know is renamed, never deleted (D11), and
//	    the only replica in a directory that did not come back is not begun anew.
//	    A corrupt log of which others have copies is renamed, and fetched anew
//	    once in a broker's life (S4); until then it follows nobody, so that no
//	    leader takes it for caught up. Where nobody else has the data it serves on.
//	M6  one goroutine at a time changes a partition's role; the epoch is durable
//	    in its log before anything is served under it. After an unclean election
//	    all of the log is: its watermark may lie beyond its durable end.
//	M7  a lane writes to a log only between begin and end, and a role changes
//	    only after the lane has dropped the partition and is not at it (drop
//	    waits): a truncation never meets a new leadership.
//	M8  under fsync a follower names an offset to its leader only when it is
//	    durable here.
//	M9  a session's partition is watched before its log is looked at, so no
//	    append is missed; an answer counts for the question that it has seen.
//	M10 who is in sync, or is not throttled, waits for no throttle; a partition that
//	    rests is looked at once a second, in a session by one timer.
//	M11 a lease is confirmed only if nothing had been committed under a later epoch
//	    when it asked: the whole maximal ISR, of at least min.insync.replicas, has
//	    followed it since (confirm.go).
//
// An append takes no partition lock around the write: the log refuses a fenced
// epoch. A broken data-safety rule fences that one partition (D10).
//
// Goroutines: the watcher, keepInSync, keepPlaces, and one per lane, all joined by Run.
// Everything else runs on the goroutine of a connection, of a directory's flusher
// or of a deadline. Locks, memory only: Partition.mu, Session.mu, lane.mu,
// lanes.mu, insync.mu, places.mu, lost.mu, hosted.mu, table.mu, configs.mu; no two at a time,
// but for doubtful.mu, which may be taken under Partition.mu.
//
// Tests: over storage on the crashable memory file system, with images built by
// meta.Apply; timeouts and deletion in synctest bubbles. Replication is tested
// with several brokers over the simulated network, without a controller: brokers_test.go
// runs them, scenes_test.go has the scenes (J-… are those of the replication rules).
package replica
