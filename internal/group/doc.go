// Package group is the group coordinator as a pure machine: the groups of one
// partition of __consumer_offsets, their members, rebalances and offsets.
//
//	event ──► Step ──► Append, Answers, Timers     soft: who is a member, who waits, what is due
//	                      │
//	          the log ────┴──► Replay              durable: metadata of groups, offsets, what
//	                              │                 transactions staged
//	                              └──► Loaded      soft state made anew from the durable one
//
// Records have Kafka's own keys and values, so what Kafka's tools read there
// they read here, and a directory of Kafka's is read here. Dump prints them field
// by field (dump_fields.go), in the words of Kafka's DumpLogSegments.
//
// A classic group's members assign partitions among themselves; a consumer
// group's (KIP-848) are assigned here: consumer*.go, with assign.go for what
// shall be whose. There a step writes records and applies them at once, by what
// Replay uses: nothing soft decides who owns what. A group with members changes
// from one kind to the other (migrate.go): a member that speaks the new protocol
// makes a consumer group of a classic one, in which the others go on to join, sync
// and beat (consumer_classic.go); when the last of its kind has gone it is classic
// again.
//
// Invariants
//
//	C0  durable state is what replaying the log gives, after every step; a stable
//	    group is what a new coordinator takes it for.
//	G1  within one generation a member has one assignment: that of the generation's
//	    leader, in the log before anybody hears of it. In a consumer group a
//	    partition is given to a member when no other has it, or had it and has
//	    not said that it gave it up.
//	G2  the rebalance timeout runs only for a consumer that owes partitions.
//	G3  when nothing fails any more, all who join share a stable group.
//	G4  no member is given an assignment of an older generation than its last one; a
//	    group that changes its kind goes on from its generation, or epoch.
//	O1  of a plain and a transactional commit the one whose record is later counts.
//	O2  what members subscribe to, rebalancing groups use and open transactions
//	    staged does not expire.
//	O3  a stable fetch says so while a transaction holds an offset of the partition.
//	O4  a committed offset changes by commit, deletion and expiry only.
//	O5  an offset counts for the topic id that it was committed for, and for no
//	    later topic of that name.
//
// A step writes for one group only: what ends offsets of many groups goes from
// group to group by timer. A timer that fires early is set again, so that a
// heartbeat moves a moment in memory and sets none.
//
// Goroutines and locks: none; the shell calls one method at a time.
//
// Tests: classic_test.go and offsets_test.go hold the rules one by one, run by a
// bed that appends, replays and checks C0 like the shell; sim_test.go lets members,
// lost answers and dying coordinators loose by seed (-group.seeds), and so do
// consumer_test.go and, with members of both kinds, migrate_test.go; assign_test.go
// compares with what an assignment must be, and uniform_test.go with the moves of
// Kafka's own assignor in 811 groups (never more: measured there, not proved);
// FuzzRecord reads and prints any record; dump_test.go compares with what Kafka prints.
package group
