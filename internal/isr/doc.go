// Package isr holds the replication rules of one partition: what its leader may
// call committed, who is in sync, what a follower does with a reply.
//
//	          Appended, Durable ─┐
//	Fetched (from a follower) ───┼──► Leader ──► Effects: high watermark rose,
//	       Tick, Altered, Refused┘                        propose this ISR,
//	                                                      fence this partition
//	Received, Appended, Durable ────► Follower ──► Effects: truncate, append, high watermark
//
// Both are pure step machines. Facts come in as values (the moment too), wishes
// go out as Effects; the shell, package replica, acts on them after it unlocked.
//
// Invariants (numbers of the design's replication page)
//
//	R5   hw ≤ own durable end (fsync) or own end (isr), and ≤ the fetch offset of
//	     every replica in the maximal ISR at the moment it rises; hw never falls;
//	     durable ≤ end.
//	D2   hw does not move while the committed ISR is smaller than min ISR.
//	D4   a record of the partition epoch we know never ends a pending proposal;
//	     only the controller's log does.
//	R8   a reply is applied only to the fetch that asked for it.
//	R9   a follower never truncates below its own high watermark, except after
//	     an unclean election.
//	R13  leader epoch and partition epoch never go back.
//
// A broken one of these is an effect (Broken): the shell fences the partition.
//
// The maximal ISR is KIP-497's: committed ∪ pending. A replica that we asked to
// add already holds the high watermark back; one that we asked to drop still
// does, because the controller may still count it, and elect it.
//
// Goroutines and locks: none. Tests: testdata/*.txt are scripts (-rewrite accepts),
// model_test.go compares random histories with a brute-force twin; package sim runs
// clusters of them. Builds with the tag mutate can switch single rules off (mutate.go).
package isr
