// Package coord runs coordinators' machines (groups, later transactions) on the
// partitions of an internal topic: it loads what a log holds, steps, appends,
// replays, and releases answers when what they rest on is committed.
//
//	Lead ─► load: Log.Scan ─► Machine.Replay … Machine.Loaded ─► serving
//
//	Submit ─► shard.mu ─► Machine.Step ─► Log.Append ─► Machine.Replay
//	                          │                             │
//	   answers, parked at the end of their scope's last batch ◄┘
//	   released by Log.Release when the high watermark passes it
//
// A shard is one led partition with its machine. The step and its append run on
// the caller's goroutine, under the shard's mutex: no queue, no hand-off, and no
// group of another partition waits.
//
// Invariants
//
//	O1  a machine's durable state is what Replay made of its log, in order: live
//	    and loaded state are equal (C0).
//	O2  an answer leaves only when the high watermark has passed the last batch
//	    that its scope wrote, reads included: nothing uncommitted is shown, and no
//	    scope waits for another's commit. One that the machine calls fresh also waits
//	    until the log has confirmed, after it was asked, that the leadership lasts: a
//	    leader that the others have replaced, and that nobody told, shows nothing old.
//	O3  every Submit is answered exactly once: by the machine, or by an error. What
//	    is parked for longer than the commit timeout hears ErrUnavailable.
//	O4  a shard steps only under the leader epoch it was loaded for. When the
//	    leadership, an append or a replay fails, the machine is dropped, all who
//	    wait hear it, and the log is loaded again: there is no undo.
//	O5  a shard serves only after everything that its log held when it was opened is
//	    committed and replayed: under O4 also what the dropped machine wrote.
//	O6  what is written is plain: a Log keeps no transactions, so a machine that
//	    asks for a batch in one would have it committed at once.
//
// Goroutines: Run (timers of all shards, and answers that are overdue), ended by
// its ctx; one per load, ended by that ctx or when its shard is dropped. Locks:
// Runtime.mu (the table of shards) and shard.mu, never together. shard.mu is held
// across the machine's own append, which takes the log's locks and may release
// answers that were parked; otherwise whoever answers callers holds none.
//
// Tests: runtime_test.go runs a machine that counts words over a log in memory,
// in synctest bubbles, through every failure; under -race with many callers.
package coord
