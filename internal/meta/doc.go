// Package meta is the cluster's metadata: an immutable image, the commands that
// change it, and the pure function that applies them.
//
//	                 ┌────────────── Image (immutable, one per published step) ─────────────┐
//	[]Command ─────► │ brokers · features · voters · configs                                 │
//	 (one raft       │ names ─► topics ─► Topic ─► chunks of 512 part{24 B} ─► replicaSet     │
//	  entry)         │ (sharded copy-on-write)                              (interned, shared)│
//	      Apply ───► └─────────────────────────────────────────────────────────────────────┘
//	                    + Changes (what differs)  + Result per command
//
// A command is an intent with every choice already made by its proposer: ids,
// assignments, times. Apply checks it against the image as it is by then and
// answers; so nothing is decided on state that has not committed.
//
// Invariants
//
//	M1  an Image is never written to after Done. An Editor copies a shard, a
//	    chunk, a list the first time it touches it.
//	M2  Apply never fails or panics on data. A command that does not fit, is
//	    unknown, malformed or above the feature level yields an error Result
//	    and leaves the image as it was, on every node alike.
//	M3  Apply is a function of image, index and bytes: no time, no chance, no
//	    map order. What is written out is written in order.
//	M4  leader, ISR and ELR of a partition move in change.result only (E1-E7).
//	    It asserts R10 (ELR empty beside a full ISR, the two disjoint, both
//	    among the replicas), R12 (the leader is in sync and active when elected)
//	    and R13 (epochs never fall). After an unclean election it remembers who
//	    has not been in sync since: they may cut below their high watermarks.
//	    Who is full is not in sync, so does not lead, where somebody active with
//	    room is in sync.
//	M5  a broker that registers anew is out of every ISR, and out of the ELR
//	    where its tail may be gone, in the entry of its registration (S1, S2).
//	M6  the name index, the folded names, the ordered names and the topics hold
//	    the same living topics.
//
// Growth: a command that changes its bytes gets one more version, and the level
// from which it is written, in the table of command.go; until the cluster is at
// that level the version before is written (level.go). A new item of the snapshot
// comes with a level, another layout of an old one is a new version of the
// format; docs/format/metadata.md draws both.
//
// Goroutines and locks: none. The package imports neither.
//
// Tests: apply_test.go (each command, each refusal), change_test.go (the
// partition builder against its properties), model_test.go (random commands:
// snapshot equality, indexes, monotonic epochs), cow_test.go (maps and order
// against the plain ones), codec_test.go (fuzz), bench_test.go.
package meta
