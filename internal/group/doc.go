// Package group is the group coordinator as a pure machine: the groups of one
// partition of __consumer_offsets, their members, rebalances and offsets.
//
//	event ──► Step ──► Append, Answers, Timers     soft: who is a member, who waits, what is due
//	                      │
//	          the log ────┴──► Replay              durable: metadata of groups, offsets
//	                              └──► Loaded      soft state made anew from the durable one
//
// Records have Kafka's own keys and values, so what Kafka's tools read there
// they read here.
//
// Goroutines and locks: none; the shell calls one method at a time.
package group
